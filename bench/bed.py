"""The place of the measurement: a cluster with our release, other webhooks, and namespaces."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.cells import CELLS, SUSTAINED, Lane
from bench.hooks import PORT, Hook, create_namespaces, label, prepare, start_noop
from testbed import processes, programs
from testbed.controlplane import ControlPlane, ephemeral
from testbed.kubevirt import apply_machine_crds
from testbed.progress import Progress
from testbed.release import Installed, installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_NOOP, _CONSTANT, _SYNCHRONOUS = "bench-noop", "bench-constant", "bench-synchronous"
_OPTED_IN = {f"{one}.kubemacpool.io": "allocate" for one in ("mutatepods", "mutatevirtualmachines")}
_LABELS: dict[Lane, dict[str, str]] = {
    Lane.NOT_OPTED_IN: {},
    Lane.NO_ANNOTATION: _OPTED_IN,
    Lane.NO_OP: label(_NOOP),
    Lane.CONSTANT: label(_CONSTANT),
    Lane.SYNCHRONOUS: label(_SYNCHRONOUS),
    Lane.STOCK: _OPTED_IN,
}
_ACCOUNT = "kubemacpool-webhook"
# The webhook serves with the Secret of the release's name in its --namespace.
_OWN = """
apiVersion: v1
kind: Secret
metadata: {{name: {secret}, namespace: {name}}}
type: kubernetes.io/tls
data: {{tls.crt: {certificate}, tls.key: {key}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {name}, namespace: {name}}}
rules:
- {{apiGroups: [""], resources: [secrets], resourceNames: [{secret}], verbs: [list, watch]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}, namespace: {name}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {name}}}
subjects: [{{kind: ServiceAccount, name: {account}, namespace: {namespace}}}]
"""


@dataclass(frozen=True, slots=True)
class Bed:
    """How to reach the API server as its administrator, and whose CPU time counts."""

    kubeconfig: Path
    pids: dict[str, int]


@contextmanager
def bed(quiet_s: float | None) -> Iterator[Bed]:
    """Give a bed of one's own, and leave nothing of it; `quiet_s` is Q of our programs."""
    progress = Progress("Bringing up a control plane, the release and three webhooks more")
    with ephemeral() as cluster:
        apply_machine_crds(cluster.kubectl)
        with installed(cluster, replicas=1, quiet_s=quiet_s) as release:
            lanes = {cell.namespace: cell.lane for cell in CELLS} | SUSTAINED
            create_namespaces(
                cluster.kubectl, {name: _LABELS[lane] for name, lane in lanes.items()}
            )
            progress.tick()
            strangers = {
                Lane.NO_OP: start_noop(cluster, _NOOP),
                Lane.CONSTANT: start_noop(cluster, _CONSTANT, "constant"),
            }
            with _synchronous(cluster, quiet_s) as synchronous:
                progress.done()
                running = {**strangers, Lane.SYNCHRONOUS: synchronous}
                yield Bed(cluster.kubeconfig, _pids(cluster, release, running))


def _pids(
    cluster: ControlPlane, release: Installed, webhooks: Mapping[Lane, processes.Process]
) -> dict[str, int]:
    return {
        "API server": cluster.process("kube-apiserver").pid,
        "etcd": cluster.process("etcd").pid,
        "controller": release.controller.process.pid,
        **{lane: process.pid for lane, process in webhooks.items()},
        Lane.STOCK: release.webhooks[0].process.pid,
    }


@contextmanager
def _synchronous(cluster: ControlPlane, quiet_s: float | None) -> Iterator[processes.Process]:
    """Ours a second time, as the same service account, without a stock."""
    hook = prepare(cluster, _SYNCHRONOUS)
    cluster.kubectl.apply(_manifest(hook))
    flags = () if quiet_s is None else ("--quiet-s", f"{quiet_s:g}")
    listen = f"{hook.address}:{PORT}"
    argv = ["-m", "webhook", "--stock", "0", "--namespace", hook.name, "--listen-addr", listen]
    program = programs.start(
        cluster,
        _SYNCHRONOUS,
        [*argv, "--drain-s", "0", *flags],
        account=_ACCOUNT,
        ready_url=f"https://{listen}/readyz",
    )
    try:
        program.wait_ready()
        yield program.process
    finally:
        program.process.stop()


def _manifest(hook: Hook) -> str:
    """The Secret that it serves with, and the right to read it."""
    return _OWN.format(
        name=hook.name,
        secret=programs.SERVICE,
        certificate=base64.b64encode(hook.certificate.read_bytes()).decode(),
        key=base64.b64encode(hook.key.read_bytes()).decode(),
        account=_ACCOUNT,
        namespace=programs.NAMESPACE,
    )
