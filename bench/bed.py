"""The place of the measurement: a cluster with our release, a no-op webhook, four namespaces."""

from __future__ import annotations

import base64
import copy
import datetime as dt
import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.cells import CELLS, Cell, Lane, Shape, Work
from bench.pods import pod
from e2e.cluster import processes
from e2e.cluster.controlplane import ControlPlane, ephemeral
from e2e.cluster.files import write_private
from e2e.cluster.kubevirt import apply_machine_crds
from e2e.cluster.progress import Progress
from e2e.cluster.readiness import eventually, wait_ready
from e2e.cluster.release_up import Installed, installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from e2e.cluster.kubectl import Kubectl

_OURS = "kubemacpool-mutator"
_NOOP = "bench-noop"  # its namespace, its Service, its configuration
_PORT = 8000
_LABELS = {
    Lane.NO_ANNOTATION: ["mutatepods.kubemacpool.io=allocate"],
    Lane.NO_OP: ["bench.example.com/noop=yes"],
    Lane.OURS: [
        "mutatepods.kubemacpool.io=allocate",
        "mutatevirtualmachines.kubemacpool.io=allocate",
    ],
}
_SERVICE = f"""
apiVersion: v1
kind: Service
metadata: {{name: {_NOOP}, namespace: {_NOOP}}}
spec: {{ports: [{{port: {_PORT}}}]}}
"""


@dataclass(frozen=True, slots=True)
class Bed:
    """How to reach the API server as its administrator, and whose CPU time counts."""

    kubeconfig: Path
    pids: dict[str, int]


@contextmanager
def bed() -> Iterator[Bed]:
    """Give a bed of one's own, and leave nothing of it."""
    progress = Progress("Bringing a control plane, the release and a no-op webhook up")
    with ephemeral() as cluster:
        apply_machine_crds(cluster.kubectl)
        with installed(cluster, replicas=1) as release:
            for name, lane in {cell.namespace: cell.lane for cell in CELLS}.items():
                _namespace(cluster.kubectl, name, _LABELS.get(lane, []))
            noop = _start_noop(cluster)
            progress.done()
            yield Bed(cluster.kubeconfig, _pids(cluster, release, noop))


def _pids(cluster: ControlPlane, release: Installed, noop: processes.Process) -> dict[str, int]:
    return {
        "API server": cluster.process("kube-apiserver").pid,
        "etcd": cluster.process("etcd").pid,
        "webhook": release.webhooks[0].process.pid,
        "controller": release.controller.process.pid,
        "no-op": noop.pid,
    }


def _namespace(kubectl: Kubectl, name: str, labels: Sequence[str] = ()) -> None:
    kubectl("create", "namespace", name)
    if labels:
        kubectl("label", "namespace", name, *labels)
    kubectl("wait", "--for=create", "serviceaccount/default", "-n", name, "--timeout=60s")


def _start_noop(cluster: ControlPlane) -> processes.Process:
    kubectl = cluster.kubectl
    _namespace(kubectl, _NOOP)
    kubectl.apply(_SERVICE)
    where = ("get", "service", _NOOP, "-n", _NOOP, "-o", "jsonpath={.spec.clusterIP}")
    address = kubectl(*where)
    pem = cluster.state / f"{_NOOP}.pem"
    certificate = _self_signed(f"{_NOOP}.{_NOOP}.svc", pem)
    ours = kubectl.json("get", "mutatingwebhookconfiguration", _OURS)
    kubectl.apply(json.dumps(_like(ours, certificate)))
    # As long as nobody serves, a refusal says that the API server knows of it.
    eventually(lambda: _is_refused(kubectl), "the API server asks the no-op webhook")
    noop = processes.start(
        _NOOP,
        [sys.executable, "-m", "bench.noop", address, str(_PORT), str(pem)],
        state=cluster.state,
        env=processes.environment(PYTHONPATH=str(Path(__file__).parents[1])),
        lasting=False,
    )
    wait_ready(noop, f"https://{address}:{_PORT}/readyz")
    return noop


def _like(ours: dict[str, Any], certificate: bytes) -> dict[str, Any]:
    """Our own configuration, matchConditions and all, for another Service and namespace label."""
    webhooks = copy.deepcopy(ours["webhooks"])
    key, _, value = _LABELS[Lane.NO_OP][0].partition("=")
    for webhook in webhooks:
        webhook["name"] = webhook["name"].replace("kubemacpool.io", "bench.example.com")
        webhook["namespaceSelector"]["matchLabels"] = {key: value}
        webhook["clientConfig"]["service"].update(name=_NOOP, namespace=_NOOP, port=_PORT)
        webhook["clientConfig"]["caBundle"] = base64.b64encode(certificate).decode()
    return {**ours, "metadata": {"name": _NOOP}, "webhooks": webhooks}


def _is_refused(kubectl: Kubectl) -> bool:
    cell = Cell(Shape(Work.POD, 1, 1), Lane.NO_OP)
    dry = ("create", "-f", "-", "-n", cell.namespace, "--dry-run=server")
    asked = kubectl.run(*dry, stdin=pod(Lane.NO_OP, 1).decode())
    return "failed calling webhook" in asked.stderr


def _self_signed(name: str, into: Path) -> bytes:
    """Write key and certificate (ECDSA P-256, as ours) into one file; return the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    ).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(into, (secret + certificate).decode())
    return certificate
