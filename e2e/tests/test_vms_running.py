"""Addresses of running VMs: interfaces plugged and unplugged, migrations, VMIs without a VM."""

from typing import Any

from e2e.vms import LAN, NAT, KubeVirtNamespace, addresses
from testbed.kubevirt.virtualmachines import Interface, asked_for

MORE = Interface("more", "more")


def test_a_plugged_interface_gets_its_address_into_the_launcher(vms: KubeVirtNamespace) -> None:
    macs = vms.create("web")
    vms.run("web")
    vms.create_network("more")

    vms.edit("web", [NAT.device, LAN.device, MORE.device], [NAT.source, LAN.source, MORE.source])

    plugged = vms.addresses("web")["more"]
    vms.wait_launcher("web", lambda pod: plugged in _macs(pod), "the plugged one there")
    vms.pods.eventually_owns([*macs.values(), plugged])
    assert vms.bound(plugged, "web")["owner"]["interface"] == "more"


def test_an_unplugged_address_is_kept_until_the_guest_has_it_no_more(
    vms: KubeVirtNamespace,
) -> None:
    vms.create_network("more")
    macs = vms.create("web", NAT, LAN, MORE)
    vms.run("web")
    vms.pods.eventually_owns(list(macs.values()))

    going = {**MORE.device, "state": "absent"}
    vms.edit("web", [NAT.device, LAN.device, going], [NAT.source, LAN.source, MORE.source])
    vms.wait_launcher("web", lambda pod: macs["more"] not in _macs(pod), "the launcher without it")

    # The VMI's status still has it: the guest has not let go yet.
    vms.outlast_quiet()
    assert vms.bound(macs["more"], "web")
    vms.kubevirt.handler.unplug(vms, "web", "more")
    vms.wait(
        "vm", "web", lambda vm: "more" not in addresses(vm), "KubeVirt taking it out of the VM"
    )
    vms.freed(macs["more"])
    vms.pods.eventually_owns([macs["default"], macs["lan"]])


def test_an_interface_removed_from_a_running_vm_keeps_its_address_until_the_restart(
    vms: KubeVirtNamespace,
) -> None:
    macs = vms.create("web")
    vms.run("web")
    vms.pods.eventually_owns(list(macs.values()))

    vms.edit("web", [NAT.device], [NAT.source])

    vms.outlast_quiet()
    assert macs["lan"] in _carried(vms, "web")
    assert vms.bound(macs["lan"], "web")
    vms.halt("web")
    vms.freed(macs["lan"])
    vms.pods.eventually_owns([macs["default"]])


def test_a_changed_address_of_a_running_vm_owns_both_until_the_restart(
    vms: KubeVirtNamespace,
) -> None:
    macs = vms.create("web")
    vms.run("web")

    vms.edit("web", [NAT.device, Interface("lan", "lan", "0a:00:00:00:08:01").device])

    vms.pods.eventually_owns([*macs.values(), "0a:00:00:00:08:01"])
    vms.halt("web")
    vms.freed(macs["lan"])
    vms.run("web")
    assert _carried(vms, "web") == ["0a:00:00:00:08:01"]


def test_a_bare_vmi_is_served_through_its_launcher_and_owns_the_address(
    vms: KubeVirtNamespace,
) -> None:
    vms.create_instance("job", NAT, LAN)

    vms.kubevirt.handler.run(vms, "job")

    [mac] = _carried(vms, "job")
    assert vms.bound(mac, "job", "VirtualMachineInstance")["source"] == "Pool"
    vms.pods.eventually_owns([mac])


def test_both_launchers_of_a_migrating_bare_vmi_carry_the_same_address(
    vms: KubeVirtNamespace,
) -> None:
    vms.create_instance("job", LAN)
    vms.kubevirt.handler.run(vms, "job")
    [mac] = _carried(vms, "job")

    vms.migrate("job", "move")
    target = asked_for(vms.target("move"))
    vms.kubevirt.handler.finish_migration(vms, "move")

    assert [element["mac"] for element in target] == [mac]
    vms.bound(mac, "job", "VirtualMachineInstance")
    vms.pods.eventually_owns([mac])


def test_a_bare_vmi_s_requested_address_is_policed(vms: KubeVirtNamespace) -> None:
    macs = vms.create("web")
    vms.bound(macs["lan"], "web")

    vms.create_instance("thief", Interface("lan", "lan", macs["lan"]))

    why = f"asks for {macs['lan']}, which belongs to VirtualMachine {vms.namespace}/web"
    vms.client.until(
        "events",
        lambda events: any(why in event["message"] for event in events),
        "KubeVirt saying why it has no launcher",
        vms.namespace,
        fields="involvedObject.name=thief",
    )


def test_an_ended_bare_vmi_gives_its_address_back(vms: KubeVirtNamespace) -> None:
    vms.create_instance("job", LAN)
    vms.kubevirt.handler.run(vms, "job")
    [mac] = _carried(vms, "job")
    vms.bound(mac, "job", "VirtualMachineInstance")

    vms.kubevirt.handler.stop(vms, "job")

    vms.freed(mac)


def _carried(vms: KubeVirtNamespace, name: str) -> list[str]:
    """The addresses in the newest launcher's annotation."""
    return _macs(vms.wait_launcher(name, lambda _: True, f"{name} having a launcher"))


def _macs(launcher: dict[str, Any]) -> list[str]:
    return [element["mac"] for element in asked_for(launcher)]
