"""VMs of KubeVirt's own controllers: their addresses, from the VM to an interface on a node."""

import json
from typing import Any

from e2e.cluster.kubevirt.machines import Interface, asked_for
from e2e.functest.ranch import FRONT, Ranch
from e2e.functest.town import STATUS


def given(vmi: dict[str, Any]) -> dict[str, str]:
    """The addresses with which a guest is started, by interface."""
    return {
        one["name"]: one["macAddress"] for one in vmi["spec"]["domain"]["devices"]["interfaces"]
    }


def test_a_vm_its_instance_its_launcher_and_an_interface_on_a_node_have_one_address(
    ranch: Ranch,
) -> None:
    macs = ranch.run("web")

    pod = ranch.wired("web")

    (asked,) = asked_for(pod)
    (reported,) = [
        one for one in json.loads(pod["metadata"]["annotations"][STATUS]) if not one.get("default")
    ]
    name = asked["interface"]
    assert given(ranch.machines.instance("web")) == macs
    assert asked["mac"] == reported["mac"] == macs["front"]
    assert reported["interface"] == name
    assert any(f" {name}@" in line and macs["front"] in line for line in ranch.on_node(pod))
    for interface, mac in macs.items():
        assert ranch.bound(mac, "web")["owner"]["interface"] == interface
    assert len(ranch.shop.allocations()) == len(set(macs.values())) == 2


def test_a_vm_that_is_stopped_and_started_keeps_its_addresses_until_it_is_deleted(
    ranch: Ranch,
) -> None:
    macs = ranch.run("web")
    first = ranch.wired("web")

    ranch.machines.request("web", "stop")
    ranch.halted("web")
    ranch.machines.request("web", "start")
    second = ranch.wired("web")

    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert ranch.addresses("web") == given(ranch.machines.instance("web")) == macs
    assert asked_for(second)[0]["mac"] == macs["front"]
    for mac in macs.values():
        ranch.bound(mac, "web")

    ranch("delete", "vm", "web")
    ranch.halted("web")
    ranch.freed(*macs.values())


def test_a_second_vm_is_refused_an_address_and_told_who_has_it(ranch: Ranch) -> None:
    mac = ranch.create("web", FRONT)["front"]

    refusal = ranch.refuses("thief", Interface("front", "front", mac))

    assert f"asks for {mac}, which belongs to VirtualMachine" in refusal
    assert f"VirtualMachine {ranch.namespace}/web (interface front)" in refusal
    assert ranch.machines.gone("vm", "thief")
