"""virt-controller as a process, under its own service account."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from testbed import accounts, certificates, processes, versions
from testbed.controlplane import ControlPlane
from testbed.kubevirt.crds import NAMESPACE
from testbed.locate import find_kubevirt
from testbed.ports import free_ports
from testbed.programs import Program
from testbed.readiness import NotReady

NAME = "virt-controller"

# It exits if these two folders, whose paths are constants, do not exist. So it gets its own view of
# /etc, which has them and which no other process sees (mount_namespaces(7)).
_ETC = Path("/etc")
_CONSTANT = ("exportca", "backupca")
_WITH_OUR_ETC = 'cd "$0" && mount -t overlay -o lowerdir=etc:/etc overlay /etc && exec "$@"'
_REMEDY = """\
virt-controller wants the folders {folders}, and this machine does not let us mount
a view of /etc that has them: {reason}
Create them once as root: mkdir -p {folders}"""


def launch(cluster: ControlPlane) -> Program:
    """Start it; it is not ready yet. A test may call this again after a kill."""
    folder = write_certificates(cluster.state / "etc" / NAME) / "certificates"
    address = cluster.plan.address
    port = free_ports(address, 1)[0]
    argv = [
        str(find_kubevirt()[NAME]),
        f"--kubeconfig={accounts.kubeconfig_of(cluster, 'kubevirt-controller', NAMESPACE)}",
        f"--listen={address}",
        f"--port={port}",
        f"--prom-cert-file={folder / 'tls.crt'}",
        f"--prom-key-file={folder / 'tls.key'}",
        f"--launcher-image=local/virt-launcher:{versions.KUBEVIRT}",
        f"--exporter-image=local/virt-exportserver:{versions.KUBEVIRT}",
    ]
    process = processes.start(
        NAME,
        _seeing(cluster.state, argv if cluster.plan.lasting else processes.die_with_parent(argv)),
        state=cluster.state,
        env=processes.environment(POD_NAME=NAME, POD_NAMESPACE=NAMESPACE),
        lasting=cluster.plan.lasting,
    )
    return Program(process, f"https://{address}:{port}/healthz")


def write_certificates(folder: Path) -> Path:
    """Write its serving certificate, and the authorities for exports, which no test uses."""
    signer = certificates.authority(NAME)
    for name in (*_CONSTANT, "certificates"):
        signer.issue(NAME, [f"{NAME}.{NAMESPACE}.svc"]).write(folder / name)
    return folder


def _seeing(state: Path, argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` where `<state>/etc` is part of /etc.

    `die_with_parent` goes inside: becoming root of a namespace clears its signal (prctl(2)).
    """
    folders = [_ETC / NAME / name for name in _CONSTANT]
    if all(folder.is_dir() for folder in folders):
        return list(argv)
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    view = ["unshare", "--mount", *root, "sh", "-c", _WITH_OUR_ETC, str(state)]
    tried = subprocess.run([*view, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        wanted = " ".join(str(folder) for folder in folders)
        raise NotReady(_REMEDY.format(folders=wanted, reason=tried.stderr.strip()))
    return [*view, *argv]
