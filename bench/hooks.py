"""Webhooks of the bench's own, called by the API server exactly as the release's own is.

Each has its namespace, its Service, a pair of its own, and a configuration that is the release's
(`matchConditions` and all) for another namespace label.
"""

from __future__ import annotations

import base64
import copy
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cells import Lane
from bench.pods import pod
from testbed import certificates, processes
from testbed.readiness import eventually, wait_ready

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.controlplane import ControlPlane
    from testbed.kubectl import Kubectl

PORT = 8000
_OURS = "kubemacpool-mutator"
_GROUP = "bench.example.com"
_SERVICE = """
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {name}}}
spec: {{ports: [{{port: {port}}}]}}
"""


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook, which has yet to be started at `address`; its pair is in two files, PEM."""

    name: str
    address: str
    certificate: Path
    key: Path


def label(name: str) -> dict[str, str]:
    """The label of the namespaces whose objects are sent to the hook of that name."""
    return {f"{_GROUP}/{name}": "yes"}


def prepare(cluster: ControlPlane, name: str) -> Hook:
    """Make the API server ask at an address where nobody serves yet; return when it does."""
    kubectl = cluster.kubectl
    create_namespaces(kubectl, {name: {}})
    kubectl.apply(_SERVICE.format(name=name, port=PORT))
    where = ("get", "service", name, "-n", name, "-o", "jsonpath={.spec.clusterIP}")
    authority = certificates.authority(f"{name}-ca")
    authority.issue(name, [f"{name}.{name}.svc"]).write(cluster.state, name)
    ours = kubectl.json("get", "mutatingwebhookconfiguration", _OURS)
    kubectl.apply(json.dumps(_like(ours, name, authority.pem)))
    _wait_in_force(kubectl, name)
    files = (cluster.state / f"{name}.{half}" for half in ("crt", "key"))
    return Hook(name, kubectl(*where), *files)


def start_noop(cluster: ControlPlane, name: str, *flags: str) -> processes.Process:
    """Start a webhook that does nothing, or what `flags` say; return when it serves."""
    hook = prepare(cluster, name)
    pair = (str(hook.certificate), str(hook.key))
    noop = processes.start(
        name,
        [sys.executable, "-m", "bench.noop", hook.address, str(PORT), *pair, *flags],
        state=cluster.state,
        env=processes.environment(PYTHONPATH=str(Path(__file__).parents[1])),
        lasting=False,
    )
    wait_ready(noop, f"https://{hook.address}:{PORT}/readyz")
    return noop


def create_namespaces(kubectl: Kubectl, labels: Mapping[str, Mapping[str, str]]) -> None:
    """Create them, by name, with their labels; return when objects can be created in them."""
    items = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": its_own}}
        for name, its_own in labels.items()
    ]
    kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    for name in labels:
        kubectl("wait", "--for=create", "serviceaccount/default", "-n", name, "--timeout=60s")


def _like(ours: dict[str, Any], name: str, authority: str) -> dict[str, Any]:
    """Our own configuration for another Service and namespace label."""
    webhooks = copy.deepcopy(ours["webhooks"])
    for webhook in webhooks:
        webhook["name"] = webhook["name"].replace("kubemacpool.io", f"{name}.{_GROUP}")
        webhook["namespaceSelector"]["matchLabels"] = label(name)
        webhook["clientConfig"]["service"].update(name=name, namespace=name, port=PORT)
        webhook["clientConfig"]["caBundle"] = base64.b64encode(authority.encode()).decode()
    return {**ours, "metadata": {"name": name}, "webhooks": webhooks}


def _wait_in_force(kubectl: Kubectl, name: str) -> None:
    """As long as nobody serves, a refusal says that the API server knows of it."""
    probe = f"{name}-probe"
    create_namespaces(kubectl, {probe: label(name)})
    dry = ("create", "-f", "-", "-n", probe, "--dry-run=server")
    body = pod(Lane.NO_OP, 1).decode()
    eventually(
        lambda: "failed calling webhook" in kubectl.run(*dry, stdin=body).stderr,
        f"the API server asks {name}",
    )
