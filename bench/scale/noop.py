"""Brings up a webhook that does nothing, and lets the API server ask it as it asks ours."""

from __future__ import annotations

import base64
import copy
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from e2e.cluster import certificates, processes
from e2e.cluster.readiness import eventually, wait_ready
from e2e.pods import manifest

if TYPE_CHECKING:
    from e2e.cluster.controlplane import ControlPlane

NAME = "scale-noop"  # of its namespace, its Service, its configuration
LABEL = f"scale.example.com/{NAME}"  # "yes" on a namespace whose pods it is asked about
_OURS = "kubemacpool-mutator"
_PORT = 8000
_SERVICE = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {NAME}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {NAME}, namespace: {NAME}}}
spec: {{ports: [{{port: {_PORT}}}]}}
"""


def start(cluster: ControlPlane, namespace: str) -> None:
    """Return when the API server asks it about pods of `namespace`, which has the label."""
    kubectl = cluster.kubectl
    kubectl.apply(_SERVICE)
    address = kubectl("get", "service", NAME, "-n", NAME, "-o", "jsonpath={.spec.clusterIP}")
    authority = certificates.authority(f"{NAME}-ca")
    authority.issue(NAME, [f"{NAME}.{NAME}.svc"]).write(cluster.state, NAME)
    ours = kubectl.json("get", "mutatingwebhookconfiguration", _OURS)
    kubectl.apply(json.dumps(_like(ours, authority.pem)))
    dry = ("create", "-f", "-", "-n", namespace, "--dry-run=server")
    pod = manifest("probe", [{"name": "lan"}])
    # As long as nobody serves, a refusal says that the API server knows of it.
    eventually(
        lambda: "failed calling webhook" in kubectl.run(*dry, stdin=pod).stderr,
        "the API server asks the no-op webhook",
    )
    pair = (str(cluster.state / f"{NAME}.{half}") for half in ("crt", "key"))
    process = processes.start(
        NAME,
        [sys.executable, "-m", "bench.noop", address, str(_PORT), *pair],
        state=cluster.state,
        env=processes.environment(PYTHONPATH=str(Path(__file__).parents[2])),
        lasting=False,
    )
    wait_ready(process, f"https://{address}:{_PORT}/readyz")


def _like(ours: dict[str, Any], authority: str) -> dict[str, Any]:
    """Our own configuration, matchConditions and all, for another Service and namespace label."""
    webhooks = copy.deepcopy(ours["webhooks"])
    for webhook in webhooks:
        webhook["name"] = webhook["name"].replace("kubemacpool.io", "scale.example.com")
        webhook["namespaceSelector"]["matchLabels"] = {LABEL: "yes"}
        webhook["clientConfig"]["service"].update(name=NAME, namespace=NAME, port=_PORT)
        webhook["clientConfig"]["caBundle"] = base64.b64encode(authority.encode()).decode()
    return {**ours, "metadata": {"name": NAME}, "webhooks": webhooks}
