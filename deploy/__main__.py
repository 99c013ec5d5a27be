"""Builds and checks the one-file release manifest: `python -m deploy build|check`."""

import argparse
import subprocess
import sys
from pathlib import Path

import yaml

from e2e.cluster.locate import find
from e2e.cluster.progress import say

HERE = Path(__file__).parent
MANIFEST = HERE / "kubemacpool.yaml"
_HEADER = "# Generated from deploy/ and crds/ by `make manifest`: edit those.\n"


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    parser.add_argument(
        "command",
        choices=("build", "check"),
        help="build: write deploy/kubemacpool.yaml; check: exit code 1 unless it is up to date",
    )
    return _build() if parser.parse_args().command == "build" else _check()


def _build() -> int:
    MANIFEST.write_text(_HEADER + _built())
    say(f"Wrote {MANIFEST}.")
    return 0


def _check() -> int:
    """Compare what the files say: another release of kustomize may fold its lines elsewhere."""
    if list(yaml.safe_load_all(_built())) == list(yaml.safe_load_all(MANIFEST.read_text())):
        return 0
    say(f"{MANIFEST} is not what deploy/ and crds/ say: run `make manifest` and commit it.")
    return 1


def _built() -> str:
    kubectl = find(["kubectl"])["kubectl"]
    command = [str(kubectl), "kustomize", str(HERE / "release")]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - our own kubectl on our own folder


if __name__ == "__main__":
    sys.exit(main())
