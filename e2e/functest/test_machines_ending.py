"""VMs whose guests run while somebody edits or deletes them, and VMIs without a VM."""

import secrets

from e2e.farm import NAT
from e2e.functest.ranch import FRONT, Ranch, reported
from testbed.kubevirt.machines import Interface, asked_for

# Longer than any test waits: what ends such a guest is what is typed on its console.
LONG_S = 900


def test_an_address_changed_while_the_guest_runs_comes_with_its_restart(ranch: Ranch) -> None:
    macs = ranch.create("web", run_strategy="Always")
    pod = ranch.up("web")
    wanted = f"0a:00:00:00:08:{secrets.token_hex(1)}"

    ranch.edit("web", [Interface("default", mac=wanted).device])

    ranch.outlast_quiet()

    ranch.bound(wanted, "web")
    ranch.bound(macs["default"], "web")
    assert ranch.inside(pod) == {"eth0": macs["default"]}
    ranch.machines.request("web", "restart")
    assert ranch.inside(ranch.up("web", after=pod)) == {"eth0": wanted}
    ranch.freed(macs["default"])


def test_an_interface_added_while_the_guest_runs_has_its_address_before_its_restart(
    ranch: Ranch,
) -> None:
    macs = ranch.create("web", run_strategy="Always")
    pod = ranch.up("web")

    ranch.edit("web", [NAT.device, FRONT.device], [NAT.source, FRONT.source])

    both = ranch.addresses("web")
    assert both["default"] == macs["default"]
    ranch.bound(both["front"], "web")
    ranch.machines.request("web", "restart")
    again = ranch.up("web", after=pod)
    assert ranch.inside(again) == {"eth0": both["default"], "eth1": both["front"]}


def test_an_address_is_nobody_else_s_while_the_deleted_vm_s_guest_still_shuts_down(
    ranch: Ranch,
) -> None:
    mac = ranch.create("web", run_strategy="Always", grace_s=LONG_S)["default"]
    pod = ranch.up("web")

    ranch("delete", "vm", "web", "--wait=false")
    ranch.outlast_quiet()

    assert f"asks for {mac}, which belongs to" in ranch.refuses(
        "thief", Interface("default", mac=mac)
    )
    ranch.answers(pod, "echo $((6 * 7)) still here", "42 still here")
    ranch.type(pod, "poweroff -f")
    ranch.halted("web")
    ranch.freed(mac)


def test_a_guest_whose_vm_is_deleted_without_it_keeps_its_address(ranch: Ranch) -> None:
    mac = ranch.create("web", run_strategy="Always")["default"]
    pod = ranch.up("web")

    ranch("delete", "vm", "web", "--cascade=orphan")
    ranch.outlast_quiet()

    assert f"asks for {mac}, which belongs to" in ranch.refuses(
        "thief", Interface("default", mac=mac)
    )
    assert ranch.up("web")["metadata"]["uid"] == pod["metadata"]["uid"]
    ranch("delete", "vmi", "web")
    ranch.halted("web")
    ranch.freed(mac)


def test_a_bare_vmi_s_guest_carries_the_address_of_its_launcher_until_both_are_gone(
    ranch: Ranch,
) -> None:
    ranch.create_instance("job", FRONT, grace_s=LONG_S)

    pod = ranch.up("job")

    [mac] = [one["mac"] for one in asked_for(pod)]
    assert reported(ranch.machines.instance("job")) == {"front": mac}
    assert ranch.domain(pod) == [mac]
    assert ranch.inside(pod) == {"eth0": mac}
    assert ranch.bound(mac, "job", "VirtualMachineInstance")["source"] == "Pool"
    ranch("delete", "vmi", "job", "--wait=false")
    ranch.outlast_quiet()
    ranch.bound(mac, "job", "VirtualMachineInstance")
    ranch.type(pod, "poweroff -f")
    ranch.halted("job")
    ranch.freed(mac)
