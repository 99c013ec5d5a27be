"""Installs the release as users do: the manifest as it is, and our programs beside the cluster.

Programs instead of the Deployments' pods, because no kubelet runs here: same service accounts, same
rights. The demo, the e2e tests and the benches start the pool here.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed import processes
from testbed.client import Client, refusal
from testbed.connection import Refused
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.programs import Program, start_controller, start_webhook
from testbed.readiness import eventually

MANIFEST = Path(__file__).parents[1] / "deploy" / "kubemacpool.yaml"
POLICY = "kubemacpool-protect-allocations"

_CONTROLLER, _WEBHOOK = "controller-", "webhook-"  # prefixes of the names of our programs
_PROBED = "0e:0e:0e:0e:0e:0e"  # outside the manifest's range
_DECLARED: dict[str, Any] = {
    "apiVersion": "kubemacpool.io/v1beta1",
    "kind": "MacAllocation",
    "metadata": {"name": _PROBED.replace(":", "-")},
    "spec": {"mac": _PROBED},
}
_POD = """
apiVersion: v1
kind: Pod
metadata:
  name: probe
  annotations: {k8s.v1.cni.cncf.io/networks: '[{"name": "probe"}]'}
spec: {containers: [{name: main, image: none}]}
"""


@dataclass(slots=True)
class Installed:
    """The running programs. A test that replaces one of them writes the new one here."""

    controller: Program
    webhooks: list[Program]


@contextmanager
def installed(
    cluster: ControlPlane, *, replicas: int = 2, quiet_s: float | None = None
) -> Iterator[Installed]:
    """Yield our programs on a cluster on which the pool works; end them afterwards."""
    try:
        yield install(cluster, replicas=replicas, quiet_s=quiet_s)
    finally:
        stop(cluster)


def install(cluster: ControlPlane, *, replicas: int = 2, quiet_s: float | None = None) -> Installed:
    """Apply the release and start the programs; return when the pool works."""
    apply_release(cluster.kubectl)
    return start(cluster, replicas=replicas, quiet_s=quiet_s)


def apply_release(kubectl: Kubectl) -> None:
    """Apply the one-file manifest; return when the API server knows our kinds."""
    kubectl("apply", "-f", str(MANIFEST))
    for name in ("macallocations.kubemacpool.io", "macpools.kubemacpool.io"):
        kubectl.client.wait_established(name)


def remove_release(kubectl: Kubectl) -> None:
    """Delete the objects of the manifest; return when all are gone, also allocations."""
    kubectl("delete", "-f", str(MANIFEST), "--ignore-not-found")


def start(cluster: ControlPlane, *, replicas: int = 2, quiet_s: float | None = None) -> Installed:
    """(Re)start one controller and `replicas` webhooks where the release is applied.

    Returns when all are ready, pods get addresses, and the policy protects allocations. `quiet_s`
    is the programs' --quiet-s (its default: 60 s).
    """
    stop(cluster)
    flags = () if quiet_s is None else ("--quiet-s", f"{quiet_s:g}")
    controller = start_controller(cluster, f"{_CONTROLLER}1", *flags)
    webhooks = [
        start_webhook(cluster, f"{_WEBHOOK}{number}", *flags) for number in range(1, replicas + 1)
    ]
    for program in (controller, *webhooks):
        program.wait_ready()
    wait_in_force(cluster.kubectl)
    return Installed(controller, webhooks)


def stop(cluster: ControlPlane) -> None:
    """End all our programs that run beside the cluster."""
    for process in processes.recorded(cluster.state):
        if process.name.startswith((_CONTROLLER, _WEBHOOK)):
            process.stop()


def program_logs(cluster: ControlPlane) -> list[Path]:
    """Return the logs of all our programs that have run beside the cluster."""
    logs = cluster.state.glob("*.log")
    return sorted(log for log in logs if log.name.startswith((_CONTROLLER, _WEBHOOK)))


def wait_in_force(kubectl: Kubectl) -> None:
    """Wait until the API server asks the webhook and the policy: it learns of both with a delay."""
    client, namespace = kubectl.client, f"kubemacpool-probe-{secrets.token_hex(4)}"
    client.create_namespace(namespace, **{"mutatepods.kubemacpool.io": "allocate"})
    try:
        eventually(lambda: serves(client, namespace), "pods get addresses")
    finally:
        client.delete("namespace", namespace, wait=False)
    wait_policy(client)


def serves(client: Client, namespace: str) -> bool:
    """Return True if a pod that asks for a network would get an address, by a dry run."""
    try:
        answer = client.create(_POD, namespace, dry_run=True)
    except Refused:
        return False
    return '"mac":' in answer["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"]


def wait_policy(client: Client) -> None:
    """Wait until the API server asks the policy that protects allocations."""
    client.apply(_DECLARED)
    try:
        eventually(lambda: _protects(client), "the policy protects allocations")
    finally:
        client.delete("macallocation", _DECLARED["metadata"]["name"], missing_ok=True)


def _protects(client: Client) -> bool:
    """Return True if an administrator cannot give a Declared address to an owner by hand."""
    owner = {"apiVersion": "v1", "kind": "Pod", "namespace": "none"}
    given = {"spec": {"state": "Pending", "owner": owner}}
    name = _DECLARED["metadata"]["name"]
    return POLICY in refusal(lambda: client.patch("macallocation", name, given, dry_run=True))
