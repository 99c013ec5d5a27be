"""The commands behind `make cluster-up` and `make cluster-down`: `python -m e2e.cluster --help`.

Only what a shell may evaluate goes to stdout, so `eval "$(python -m e2e.cluster up)"` works.
"""

import argparse
import os
import shutil
import signal
import sys
from pathlib import Path

from e2e.cluster import external, processes
from e2e.cluster.controlplane import ControlPlane, attach, bring_up
from e2e.cluster.download import ChecksumMismatch
from e2e.cluster.external import NoCluster
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.kubevirt import crds
from e2e.cluster.progress import CommandFailed, say
from e2e.cluster.readiness import NotReady
from e2e.cluster.release import KUBERNETES

_DEFAULT_STATE = Path(__file__).parents[2] / ".cluster"
_DESCRIPTION = """The test bed: a real Kubernetes control plane beside you, without root or Docker.
With KUBEVIRT_PROVIDER=external the cluster in KUBECONFIG is used, and never started or ended."""
_EXPECTED = (NoCluster, NotReady, CommandFailed, ChecksumMismatch)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m e2e.cluster", description=_DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("up", _up, "start a cluster that stays, and print how to use it"),
        ("down", _down, "end that cluster and every program started beside it"),
        ("status", _status, "say what runs; exit code 1 unless the cluster is ready"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--state", type=Path, default=_DEFAULT_STATE, help="its folder (default: %(default)s)"
        )
        command.set_defaults(run=run)
    text = "have KubeVirt's CRDs in the cache, for the demo"
    command = commands.add_parser("kubevirt-crds", help=text, description=text)
    command.set_defaults(run=_fetch_crds, state=_DEFAULT_STATE)
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return int(chosen.run(chosen.state.absolute()))
    except _EXPECTED as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Interrupted: what this command started was ended.")
        return 128 + signal.SIGINT


def _up(state: Path) -> int:
    if external.chosen():
        kubectl = external.connect()
        say(f"KUBEVIRT_PROVIDER=external: using {external.describe(kubectl)}; nothing was started.")
        _print_exports(kubectl)
        return 0
    cluster = _standing(state)
    if cluster and cluster.ready:
        say(f"The cluster in {state} is already up.")
    else:
        if cluster:
            say(f"Removing what is left of an ended cluster in {state}.")
            _remove(cluster)
        elif state.exists() and any(state.iterdir()):
            say(f"{state} holds something else than a cluster: choose another folder.")
            return 1
        cluster = bring_up(state, lasting=True)
        say(
            f"Kubernetes {KUBERNETES} is up in {state}; its logs are there, too. kubemacpool is not"
            f" on it (make demo puts it there), and no kubelet runs pods. To use it:"
        )
    _print_exports(cluster.kubectl)
    return 0


def _down(state: Path) -> int:
    if external.chosen():
        say("KUBEVIRT_PROVIDER=external: that cluster is yours; nothing was ended.")
        return 0
    cluster = _standing(state)
    if cluster is None:
        say(f"There is no cluster in {state}.")
        return 0
    _remove(cluster)
    say(f"The cluster in {state} is gone.")
    return 0


def _status(state: Path) -> int:
    if external.chosen():
        say(f"KUBEVIRT_PROVIDER=external: {external.describe(external.connect())} answers.")
        return 0
    cluster = _standing(state)
    if cluster is None:
        say(f"There is no cluster in {state}.")
        return 1
    for process in reversed(processes.recorded(state)):
        condition = "runs" if process.alive else "has ended"
        say(f"{process.name} {condition} (process {process.pid}, log {process.log})")
    say(f"The API server at {cluster.plan.server} is {'' if cluster.ready else 'not '}ready.")
    return 0 if cluster.ready else 1


def _fetch_crds(_: Path) -> int:
    crds.fetch()
    return 0


def _standing(state: Path) -> ControlPlane | None:
    try:
        return attach(state)
    except FileNotFoundError:
        return None


def _remove(cluster: ControlPlane) -> None:
    cluster.down()
    shutil.rmtree(cluster.state)


def _print_exports(kubectl: Kubectl) -> None:
    print(f"export KUBECONFIG={kubectl.kubeconfig}")
    if shutil.which("kubectl") != str(kubectl.binary):
        print(f"export PATH={kubectl.binary.parent}{os.pathsep}$PATH")


sys.exit(main())
