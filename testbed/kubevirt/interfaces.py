"""A running guest's interfaces, as virt-handler reports them (KubeVirt's pkg/network/setup)."""

import json
from typing import Any

_NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status"


def seen_in(vmi: dict[str, Any], pod: dict[str, Any]) -> list[dict[str, Any]]:
    """The `status.interfaces` of a VMI that runs in `pod`, whose networks are attached."""
    attached = json.loads(pod["metadata"]["annotations"][_NETWORK_STATUS])
    by_pod_name = {element["interface"]: element for element in attached}
    earlier = {
        interface.get("name"): interface for interface in vmi["status"].get("interfaces", [])
    }
    wanted = vmi["spec"]["domain"]["devices"].get("interfaces", [])
    return [
        _seen(interface, earlier.get(interface["name"], {}), by_pod_name) for interface in wanted
    ]


def _seen(
    wanted: dict[str, Any], earlier: dict[str, Any], by_pod_name: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    pod_interface = earlier.get("podInterfaceName", "eth0")
    attached = by_pod_name[pod_interface]
    sources = ["domain"]
    if "multus-status" in earlier.get("infoSource", ""):  # virt-controller's part
        sources.append("multus-status")
    seen = {
        "name": wanted["name"],
        "mac": wanted.get("macAddress", attached["mac"]),
        "infoSource": ", ".join(sources),
        "podInterfaceName": pod_interface,
        "queueCount": 1,
        "linkState": "up",
    }
    if addresses := attached.get("ips"):
        seen |= {"ipAddress": addresses[0], "ipAddresses": addresses}
    return seen
