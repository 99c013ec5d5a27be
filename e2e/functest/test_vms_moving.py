"""A guest that moves to another node while it runs."""

import pytest

from e2e.functest.booted_vms import BOOT_S, FRONT, BootedVms, reported
from e2e.vms import NAT
from testbed.kubevirt.virtualmachines import asked_for


@pytest.mark.usefixtures("kind")
def test_a_guest_that_moves_to_another_node_takes_its_addresses_along(
    booted_vms: BootedVms,
) -> None:
    macs = booted_vms.create("web", NAT, FRONT, run_strategy="Always")
    source = booted_vms.up("web")

    booted_vms.migrate("web", "move")
    booted_vms.wait_migration("move", "Succeeded", BOOT_S)

    target = booted_vms.target("move")
    vmi = booted_vms.instance("web")
    assert vmi["status"]["nodeName"] == target["spec"]["nodeName"] != source["spec"]["nodeName"]
    assert [element["mac"] for element in asked_for(target)] == [macs["front"]]
    assert reported(vmi) == macs
    assert booted_vms.domain(target) == list(macs.values())
    # It has not booted again, so it has printed nothing here yet.
    for device, mac in zip(("eth0", "eth1"), macs.values(), strict=True):
        booted_vms.answers(target, f"cat /sys/class/net/{device}/address", mac)
    for mac in macs.values():
        booted_vms.bound(mac, "web")
