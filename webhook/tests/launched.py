"""Launcher pods for tests, as virt-controller makes them, and what the webhook answers to them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from crds.networks import ANNOTATION
from webhook.tests.replica import Replica
from webhook.tests.reviews import mac, request
from webhook.tests.vms import as_answered, made_by

if TYPE_CHECKING:
    from crds.carriers import Carrier
    from crds.tests.fake import FakeCluster

GET_VMI = "webhook-1 get object VirtualMachineInstance shop/web"
GET_VM = "webhook-1 get object VirtualMachine shop/web"
LIST_LAUNCHERS = "webhook-1 list launcher shop/web"
SECOND = "virt-launcher-web-q2"


def launcher(
    made_for: Carrier, *elements: dict[str, str], name: str = "virt-launcher-web-x7k2p"
) -> dict[str, Any]:
    """A launcher pod of that VMI, as virt-controller makes it."""
    return {
        "metadata": {
            "name": name,
            "namespace": made_for.namespace,
            "labels": {"kubevirt.io": "virt-launcher", "kubevirt.io/created-by": made_for.uid},
            "annotations": {ANNOTATION: json.dumps(elements)},
            "ownerReferences": [made_by(made_for)],
        },
        "status": {"phase": "Running"},
    }


def elements_of(pod: dict[str, Any]) -> list[dict[str, str]]:
    """The elements in a pod's annotation."""
    found: list[dict[str, str]] = json.loads(pod["metadata"]["annotations"][ANNOTATION])
    return found


def element(address: int | None = None, **members: str) -> dict[str, str]:
    """An element as virt-controller writes it: always with namespace and interface."""
    one = {"name": "front", "namespace": "shop", "interface": "pod7e0075b5cd0", **members}
    return one if address is None else {**one, "mac": str(mac(address))}


async def ask(
    cluster: FakeCluster, pod: dict[str, Any], old: dict[str, Any] | None = None, **changes: object
) -> dict[str, Any]:
    asked = request(
        pod,
        name=None if old is None else pod["metadata"]["name"],
        operation="CREATE" if old is None else "UPDATE",
        oldObject=old,
        **changes,
    )
    if old is None:  # as virt-controller creates it: the API server generates the name later
        asked["request"]["object"] = {**pod, "metadata": {**pod["metadata"], "name": None}}
    return await Replica(cluster).response(asked)


async def served(cluster: FakeCluster, pod: dict[str, Any]) -> list[dict[str, str]]:
    """Create the pod, and return its elements as they are stored."""
    stored = as_answered(pod, await ask(cluster, pod))
    cluster.put("Pod", stored)
    return elements_of(stored)


def running(cluster: FakeCluster, pod: dict[str, Any]) -> dict[str, Any]:
    """The pod exists already."""
    uid = cluster.put("Pod", pod).uid
    return {**pod, "metadata": {**pod["metadata"], "uid": uid}}


def said(cluster: FakeCluster) -> list[str]:
    return [str(call) for call in cluster.calls]
