"""VMs that a user edits or deletes while their guests run, and VMIs without a VM."""

import secrets

from e2e.functest.booted_vms import FRONT, BootedVms, reported
from e2e.vms import NAT
from testbed.kubevirt.virtualmachines import Interface, asked_for

# Longer than any test waits: only a command on its console ends such a guest.
LONG_S = 900


def test_an_address_changed_while_the_guest_runs_comes_with_its_restart(
    booted_vms: BootedVms,
) -> None:
    macs = booted_vms.create("web", run_strategy="Always")
    pod = booted_vms.up("web")
    wanted = f"0a:00:00:00:08:{secrets.token_hex(1)}"

    booted_vms.edit("web", [Interface("default", mac=wanted).device])

    booted_vms.outlast_quiet()

    booted_vms.bound(wanted, "web")
    booted_vms.bound(macs["default"], "web")
    assert booted_vms.inside(pod) == {"eth0": macs["default"]}
    booted_vms.request("web", "restart")
    assert booted_vms.inside(booted_vms.up("web", after=pod)) == {"eth0": wanted}
    booted_vms.freed(macs["default"])


def test_an_interface_added_while_the_guest_runs_has_its_address_before_its_restart(
    booted_vms: BootedVms,
) -> None:
    macs = booted_vms.create("web", run_strategy="Always")
    pod = booted_vms.up("web")

    booted_vms.edit("web", [NAT.device, FRONT.device], [NAT.source, FRONT.source])

    both = booted_vms.addresses("web")
    assert both["default"] == macs["default"]
    booted_vms.bound(both["front"], "web")
    booted_vms.request("web", "restart")
    again = booted_vms.up("web", after=pod)
    assert booted_vms.inside(again) == {"eth0": both["default"], "eth1": both["front"]}


def test_no_other_vm_gets_an_address_while_its_deleted_vm_s_guest_still_shuts_down(
    booted_vms: BootedVms,
) -> None:
    mac = booted_vms.create("web", run_strategy="Always", grace_s=LONG_S)["default"]
    pod = booted_vms.up("web")

    booted_vms("delete", "vm", "web", "--wait=false")
    booted_vms.outlast_quiet()

    assert f"asks for {mac}, which belongs to" in booted_vms.refuses(
        "thief", Interface("default", mac=mac)
    )
    booted_vms.answers(pod, "echo $((6 * 7)) still here", "42 still here")
    booted_vms.type(pod, "poweroff -f")
    booted_vms.halted("web")
    booted_vms.freed(mac)


def test_a_guest_whose_vm_is_deleted_without_it_keeps_its_address(booted_vms: BootedVms) -> None:
    mac = booted_vms.create("web", run_strategy="Always")["default"]
    pod = booted_vms.up("web")

    booted_vms("delete", "vm", "web", "--cascade=orphan")
    booted_vms.outlast_quiet()

    assert f"asks for {mac}, which belongs to" in booted_vms.refuses(
        "thief", Interface("default", mac=mac)
    )
    assert booted_vms.up("web")["metadata"]["uid"] == pod["metadata"]["uid"]
    booted_vms("delete", "vmi", "web")
    booted_vms.halted("web")
    booted_vms.freed(mac)


def test_a_bare_vmi_s_guest_carries_the_address_of_its_launcher_until_both_are_gone(
    booted_vms: BootedVms,
) -> None:
    booted_vms.create_instance("job", FRONT, grace_s=LONG_S)

    pod = booted_vms.up("job")

    [mac] = [element["mac"] for element in asked_for(pod)]
    assert reported(booted_vms.instance("job")) == {"front": mac}
    assert booted_vms.domain(pod) == [mac]
    assert booted_vms.inside(pod) == {"eth0": mac}
    assert booted_vms.bound(mac, "job", "VirtualMachineInstance")["source"] == "Pool"
    booted_vms("delete", "vmi", "job", "--wait=false")
    booted_vms.outlast_quiet()
    booted_vms.bound(mac, "job", "VirtualMachineInstance")
    booted_vms.type(pod, "poweroff -f")
    booted_vms.halted("job")
    booted_vms.freed(mac)
