"""The commands of `make cluster-up` and similar targets: `python -m testbed --help`.

Only text that a shell can evaluate goes to stdout, so `eval "$(python -m testbed up)"` works.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from testbed.download import ChecksumMismatch, Unreachable
from testbed.external import NoCluster
from testbed.kind import engine, kubevirt
from testbed.kubectl import Kubectl, KubectlFailed
from testbed.kubevirt import crds, whole
from testbed.locate import find_kubevirt_whole
from testbed.progress import CommandFailed, say
from testbed.provider import STATE, NoSuchProvider, Provider, chosen, standing
from testbed.readiness import NotReady

_CHECKOUT = Path(__file__).parents[1]
_DEFAULT_STATE = _CHECKOUT / ".cluster"
_DESCRIPTION = """The cluster of this checkout. KUBEVIRT_PROVIDER chooses it: kind (nodes, pods and
Multus on your Docker Engine), control-plane (processes, without root or Docker), external (the one
in KUBECONFIG, never started or ended). If it is not set: the cluster that is running; otherwise
kind if a Docker Engine runs; otherwise control-plane."""
_NOT_BUILT = 3
_EXPECTED = (
    NoCluster,
    NotReady,
    CommandFailed,
    ChecksumMismatch,
    Unreachable,
    NoSuchProvider,
    KubectlFailed,
    AssertionError,  # what `eventually` raises
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m testbed", description=_DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("up", _up, "bring up a cluster that stays, and print how to use it"),
        ("sync", _sync, "build the image, install the release, wait until it serves"),
        ("functest", _functest, "run the tests that fit that cluster"),
        ("down", _down, "end the cluster and every program started beside it"),
        ("status", _status, "say what runs; exit code 1 unless the cluster is ready"),
        ("kubectl", _kubectl, "call kubectl on that cluster"),
        ("virtctl", _virtctl, "call virtctl on that cluster: console, start, stop, ..."),
        ("ssh", _ssh, "run a command on a node of it, or a shell"),
        ("kubevirt-crds", _fetch_crds, "build KubeVirt's CRDs into the cache, for the demo"),
        ("kubevirt-images", _fetch_images, "pull or build the images with which VMs boot"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--state", type=Path, default=_DEFAULT_STATE, help="its folder (default: %(default)s)"
        )
        if name == "ssh":
            command.add_argument("node", help="node01, or its name")
        if name in {"kubectl", "virtctl", "ssh", "functest"}:
            command.add_argument("rest", nargs=argparse.REMAINDER)
        if name == "kubevirt-images":
            command.add_argument(
                "--check",
                action="store_true",
                help=f"build nothing; exit code {_NOT_BUILT} without them",
            )
        command.set_defaults(run=run)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return int(arguments.run(chosen(arguments.state.absolute()), arguments))
    except _EXPECTED as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Interrupted: what this command started was ended.")
        return 128 + signal.SIGINT


def _up(provider: Provider, _: argparse.Namespace) -> int:
    provider.up()
    if whole.wanted():
        provider.bring_kubevirt()
    _print_exports(provider.kubectl)
    return 0


def _sync(provider: Provider, _: argparse.Namespace) -> int:
    provider.sync()
    return 0


def _down(provider: Provider, arguments: argparse.Namespace) -> int:
    for running in standing(arguments.state.absolute()) or [provider]:
        running.down()
    return 0


def _status(provider: Provider, _: argparse.Namespace) -> int:
    return 0 if provider.is_ready() else 1


def _functest(provider: Provider, arguments: argparse.Namespace) -> int:
    if whole.wanted():
        provider.bring_kubevirt()  # here, because pytest hides the progress of fixtures
    argv = [sys.executable, "-m", "pytest", "--all", provider.tests(), *arguments.rest]
    env = os.environ | {STATE: str(arguments.state.absolute())}
    return subprocess.run(argv, cwd=_CHECKOUT, env=env, check=False).returncode


def _kubectl(provider: Provider, arguments: argparse.Namespace) -> int:
    return _called(provider.kubectl.binary, provider.kubectl, arguments.rest)


def _virtctl(provider: Provider, arguments: argparse.Namespace) -> int:
    kubectl = provider.kubectl
    virtctl = find_kubevirt_whole("virtctl")["virtctl"]
    return _called(virtctl, kubectl, arguments.rest)


def _called(program: Path, kubectl: Kubectl, rest: list[str]) -> int:
    env = {**kubectl.env, "KUBECONFIG": str(kubectl.kubeconfig)}
    argv = [str(program), *(rest[1:] if rest[:1] == ["--"] else rest)]
    return subprocess.run(argv, env=env, check=False).returncode


def _ssh(provider: Provider, arguments: argparse.Namespace) -> int:
    return provider.ssh(arguments.node, arguments.rest)


def _fetch_crds(_: Provider, __: argparse.Namespace) -> int:
    crds.fetch()
    return 0


def _fetch_images(_: Provider, arguments: argparse.Namespace) -> int:
    if not engine.runs():
        raise NotReady("No Docker Engine answers: make docker-engine installs and starts one.")
    if arguments.check:
        return 0 if kubevirt.at_hand() else _NOT_BUILT
    kubevirt.fetch()
    return 0


def _print_exports(kubectl: Kubectl) -> None:
    print(f"export KUBECONFIG={kubectl.kubeconfig}")
    if shutil.which("kubectl") != str(kubectl.binary):
        print(f"export PATH={kubectl.binary.parent}{os.pathsep}$PATH")


sys.exit(main())
