"""A guest that moves to another node while it runs."""

import pytest

from e2e.farm import NAT
from e2e.functest.ranch import BOOT_S, FRONT, Ranch, reported
from testbed.kubevirt.machines import asked_for


@pytest.mark.usefixtures("kind")
def test_a_guest_that_moves_to_another_node_takes_its_addresses_along(ranch: Ranch) -> None:
    macs = ranch.create("web", NAT, FRONT, run_strategy="Always")
    source = ranch.up("web")

    ranch.machines.migrate("web", "move")
    ranch.machines.wait_migration("move", "Succeeded", BOOT_S)

    target = ranch.machines.target("move")
    vmi = ranch.machines.instance("web")
    assert vmi["status"]["nodeName"] == target["spec"]["nodeName"] != source["spec"]["nodeName"]
    assert [one["mac"] for one in asked_for(target)] == [macs["front"]]
    assert reported(vmi) == macs
    assert ranch.domain(target) == list(macs.values())
    # It has not booted again, so it has said nothing here yet.
    for device, mac in zip(("eth0", "eth1"), macs.values(), strict=True):
        ranch.answers(target, f"cat /sys/class/net/{device}/address", mac)
    for mac in macs.values():
        ranch.bound(mac, "web")
