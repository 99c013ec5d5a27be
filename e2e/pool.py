"""The pool's range as its administrator edits it."""

import json
import secrets
from typing import Any

from e2e.cluster.kubectl import Kubectl
from e2e.cluster.readiness import eventually
from e2e.pods import NETWORKS, OPT_IN, manifest

CONFIG_MAP = ("configmap", "kubemacpool-mac-range-config", "-n", "kubemacpool-system")
_IN_A_ROW = 12  # by chance alone, two replicas leave one out of 12 requests once in 2,000 times


def configured(kubectl: Kubectl) -> tuple[str, str]:
    """Return RANGE_START and RANGE_END."""
    data = kubectl.json("get", *CONFIG_MAP)["data"]
    return data["RANGE_START"], data["RANGE_END"]


def in_force(kubectl: Kubectl) -> str:
    """Return where the range of MacPool default begins."""
    start: str = kubectl.json("get", "macpool", "default")["spec"]["ranges"][0]["start"]
    return start


def edit(kubectl: Kubectl, **data: str | None) -> None:
    """Write into the ConfigMap; None removes."""
    kubectl("patch", *CONFIG_MAP, "--type=merge", "-p", json.dumps({"data": data}))


def configure(kubectl: Kubectl, start: str, end: str) -> None:
    """Write the range, and wait until every replica gives out addresses of it."""
    edit(kubectl, RANGE_START=start, RANGE_END=end)
    namespace = f"e2e-{secrets.token_hex(4)}"
    kubectl("create", "namespace", namespace)
    kubectl("label", "namespace", namespace, OPT_IN)
    kubectl("wait", "--for=create", "serviceaccount/default", "-n", namespace, "--timeout=60s")
    low, high = start.lower(), end.lower()
    eventually(
        lambda: all(low <= offered(kubectl, namespace) <= high for _ in range(_IN_A_ROW)),
        f"the range {start} - {end} in force",
    )
    kubectl("delete", "namespace", namespace, "--wait=false")


def offered(kubectl: Kubectl, namespace: str) -> str:
    """Return the address that a pod in `namespace` would get, by a dry run."""
    dry = ("create", "-f", "-", "-n", namespace, "--dry-run=server", "-o", "json")
    shown = json.loads(kubectl(*dry, stdin=manifest("probe", [{"name": "a"}])))
    mac: str = json.loads(shown["metadata"]["annotations"][NETWORKS])[0]["mac"]
    return mac


def status(kubectl: Kubectl) -> dict[str, Any]:
    """Return the status of MacPool default."""
    found: dict[str, Any] = kubectl.json("get", "macpool", "default").get("status", {})
    return found


def condition(kubectl: Kubectl, kind: str) -> dict[str, str]:
    """Return a condition of MacPool default."""
    conditions: list[dict[str, str]] = status(kubectl).get("conditions", [])
    return next((one for one in conditions if one["type"] == kind), {})
