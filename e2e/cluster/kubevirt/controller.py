"""virt-controller as a process, under its own service account."""

import os
from collections.abc import Sequence
from pathlib import Path

from e2e.cluster import accounts, certificates, processes, release
from e2e.cluster.controlplane import ControlPlane
from e2e.cluster.kubevirt.crds import NAMESPACE
from e2e.cluster.locate import find_kubevirt
from e2e.cluster.ports import free_ports
from e2e.cluster.programs import Program

NAME = "virt-controller"

# Two of its folders are constants below /etc, and without them it ends: it gets a view of /etc in
# which they are, and nobody else sees that one (mount_namespaces(7)).
_WITH_OUR_ETC = 'cd "$0" && mount -t overlay -o lowerdir=etc:/etc overlay /etc && exec "$@"'
_CERTIFICATES = ("certificates", "exportca", "backupca")


def launch(cluster: ControlPlane) -> Program:
    """Start it; it is not ready yet. A test may call this again after a kill."""
    _write_certificates(cluster.state / "etc")
    address = cluster.plan.address
    port = free_ports(address, 1)[0]
    argv = [
        str(find_kubevirt()[NAME]),
        f"--kubeconfig={accounts.kubeconfig_of(cluster, 'kubevirt-controller', NAMESPACE)}",
        f"--listen={address}",
        f"--port={port}",
        f"--launcher-image=local/virt-launcher:{release.KUBEVIRT}",
        f"--exporter-image=local/virt-exportserver:{release.KUBEVIRT}",
    ]
    process = processes.start(
        NAME,
        _seeing(cluster.state, argv if cluster.plan.lasting else processes.leashed(argv)),
        state=cluster.state,
        env=processes.environment(POD_NAME=NAME, POD_NAMESPACE=NAMESPACE),
        lasting=cluster.plan.lasting,
    )
    return Program(process, f"https://{address}:{port}/healthz")


def _write_certificates(etc: Path) -> None:
    signer = certificates.authority(NAME)
    for folder in _CERTIFICATES:
        signer.issue(NAME, [f"{NAME}.{NAMESPACE}.svc"]).write(etc / NAME / folder)


def _seeing(state: Path, argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` where `<state>/etc` is part of /etc.

    The leash goes inside: becoming root of a namespace slips the one outside (prctl(2)).
    """
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", "--mount", *root, "sh", "-c", _WITH_OUR_ETC, str(state), *argv]
