"""Builds and checks the one-file release manifest: `python -m deploy build|check`.

It also builds the overlays, so that a broken one is noticed.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import yaml

from testbed.locate import find
from testbed.progress import say

HERE = Path(__file__).parent
MANIFEST = HERE / "kubemacpool.yaml"
_HEADER = "# Generated from deploy/ and crds/ by `make manifest`: edit those.\n"


class NotBuilt(Exception):
    """kustomize refuses a folder; the message is that of kustomize."""


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    parser.add_argument(
        "command",
        choices=("build", "check"),
        help="build: write deploy/kubemacpool.yaml; check: exit code 1 unless it is up to date",
    )
    command = parser.parse_args().command
    kubectl = find(["kubectl"])["kubectl"]
    try:
        release = _built(kubectl, HERE / "release")
        for overlay in sorted(HERE.glob("overlays/*/kustomization.yaml")):
            _built(kubectl, overlay.parent)
    except NotBuilt as error:
        say(str(error))
        return 1
    return _build(release) if command == "build" else _check(release)


def _build(release: str) -> int:
    MANIFEST.write_text(_HEADER + release)
    say(f"Wrote {MANIFEST}.")
    return 0


def _check(release: str) -> int:
    """Compare the parsed objects, because another release of kustomize may fold lines elsewhere."""
    written = MANIFEST.read_text()
    if written == _HEADER + release:  # parsing takes most of the time, so only if it is necessary
        return 0
    if list(yaml.safe_load_all(release)) == list(yaml.safe_load_all(written)):
        return 0
    say(f"{MANIFEST} is out of date: run `make manifest`, and commit the result.")
    return 1


def _built(kubectl: Path, folder: Path) -> str:
    command = [str(kubectl), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603 - our own kubectl on our own folder
    if done.returncode:
        raise NotBuilt(f"kustomize cannot build {folder}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
