"""The pool's range as its administrator edits it."""

import secrets
from collections.abc import Callable
from typing import Any

from e2e.pods import OPTED_IN, PodNamespace
from testbed.connection import Refused
from testbed.kubectl import Kubectl
from testbed.readiness import eventually

CONFIG = ("kubemacpool-mac-range-config", "kubemacpool-system")  # name and namespace
CONFIG_MAP = ("configmap", CONFIG[0], "-n", CONFIG[1])
IN_A_ROW = 12  # by chance alone, two replicas leave one out of 12 requests once in 2,000 times


def configured(kubectl: Kubectl) -> tuple[str, str]:
    """Return RANGE_START and RANGE_END."""
    data = kubectl.client.read("configmap", *CONFIG)["data"]
    return data["RANGE_START"], data["RANGE_END"]


def in_force(kubectl: Kubectl) -> str:
    """Return where the range of MacPool default begins."""
    start: str = kubectl.client.read("macpool", "default")["spec"]["ranges"][0]["start"]
    return start


def edit(kubectl: Kubectl, **data: str | None) -> None:
    """Write into the ConfigMap; None removes."""
    kubectl.client.patch("configmap", CONFIG[0], {"data": data}, CONFIG[1])


def configure(kubectl: Kubectl, start: str, end: str) -> None:
    """Write the range, and wait until every replica gives out addresses of it."""
    edit(kubectl, RANGE_START=start, RANGE_END=end)
    namespace = f"e2e-{secrets.token_hex(4)}"
    kubectl.client.create_namespace(namespace, **OPTED_IN)
    low, high = start.lower(), end.lower()

    def within() -> bool:
        try:
            return low <= offered(kubectl, namespace) <= high
        except Refused:  # the range from before has no free address
            return False

    what = f"the range {start} - {end} in force"
    eventually(lambda: all(within() for _ in range(IN_A_ROW)), what)
    kubectl.client.delete("namespace", namespace, wait=False)


def offered(kubectl: Kubectl, namespace: str) -> str:
    """Return the address that a pod in `namespace` would get, by a dry run."""
    [element] = PodNamespace(kubectl, namespace).dry_run("probe", [{"name": "a"}])
    mac: str = element["mac"]
    return mac


def status(kubectl: Kubectl) -> dict[str, Any]:
    """Return the status of MacPool default."""
    found: dict[str, Any] = kubectl.client.read("macpool", "default").get("status", {})
    return found


def says(kubectl: Kubectl, holds: Callable[[dict[str, Any]], bool], what: str) -> None:
    """Wait until the status of MacPool default fulfils `holds`."""
    kubectl.client.wait("macpool", "default", lambda found: holds(found.get("status", {})), what)


def wait_condition(
    kubectl: Kubectl, kind: str, holds: Callable[[dict[str, str]], bool], what: str
) -> None:
    """Wait until a condition of MacPool default fulfils `holds`."""
    says(kubectl, lambda status: holds(_condition(status, kind)), what)


def condition(kubectl: Kubectl, kind: str) -> dict[str, str]:
    """Return a condition of MacPool default."""
    return _condition(status(kubectl), kind)


def warned(kubectl: Kubectl, holds: Callable[[dict[str, Any]], bool], what: str) -> None:
    """Wait until a warning event about the ConfigMap fulfils `holds`."""
    kubectl.client.until(
        "events",
        lambda events: any(map(holds, events)),
        what,
        CONFIG[1],
        fields=f"involvedObject.name={CONFIG[0]},type=Warning",
    )


def _condition(status: dict[str, Any], kind: str) -> dict[str, str]:
    conditions: list[dict[str, str]] = status.get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == kind), {})
