"""What happens to the addresses of machines that run: plugged, unplugged, migrated, bare."""

from typing import Any

from e2e.farm import LAN, NAT, Farm, addresses
from testbed.kubevirt.machines import Interface, asked_for

MORE = Interface("more", "more")


def test_a_plugged_interface_gets_its_address_into_the_launcher(farm: Farm) -> None:
    macs = farm.create("web")
    farm.run("web")
    farm.machines.create_network("more")

    farm.edit("web", [NAT.device, LAN.device, MORE.device], [NAT.source, LAN.source, MORE.source])

    plugged = farm.addresses("web")["more"]
    farm.machines.wait_launcher("web", lambda pod: plugged in _macs(pod), "the plugged one there")
    farm.shop.eventually_owns([*macs.values(), plugged])
    assert farm.bound(plugged, "web")["owner"]["interface"] == "more"


def test_an_unplugged_address_is_kept_until_the_guest_has_it_no_more(farm: Farm) -> None:
    farm.machines.create_network("more")
    macs = farm.create("web", NAT, LAN, MORE)
    farm.run("web")
    farm.shop.eventually_owns(list(macs.values()))

    going = {**MORE.device, "state": "absent"}
    farm.edit("web", [NAT.device, LAN.device, going], [NAT.source, LAN.source, MORE.source])
    farm.machines.wait_launcher(
        "web", lambda pod: macs["more"] not in _macs(pod), "the launcher without it"
    )

    # The VMI's status still has it: the guest has not let go yet.
    farm.outlast_quiet()
    assert farm.bound(macs["more"], "web")
    farm.kubevirt.handler.unplug(farm.machines, "web", "more")
    farm.machines.wait(
        "vm", "web", lambda vm: "more" not in addresses(vm), "KubeVirt taking it out of the VM"
    )
    farm.freed(macs["more"])
    farm.shop.eventually_owns([macs["default"], macs["lan"]])


def test_an_interface_removed_from_a_running_vm_keeps_its_address_until_the_restart(
    farm: Farm,
) -> None:
    macs = farm.create("web")
    farm.run("web")
    farm.shop.eventually_owns(list(macs.values()))

    farm.edit("web", [NAT.device], [NAT.source])

    farm.outlast_quiet()
    assert macs["lan"] in _carried(farm, "web")
    assert farm.bound(macs["lan"], "web")
    farm.halt("web")
    farm.freed(macs["lan"])
    farm.shop.eventually_owns([macs["default"]])


def test_a_changed_address_of_a_running_vm_owns_both_until_the_restart(farm: Farm) -> None:
    macs = farm.create("web")
    farm.run("web")

    farm.edit("web", [NAT.device, Interface("lan", "lan", "0a:00:00:00:08:01").device])

    farm.shop.eventually_owns([*macs.values(), "0a:00:00:00:08:01"])
    farm.halt("web")
    farm.freed(macs["lan"])
    farm.run("web")
    assert _carried(farm, "web") == ["0a:00:00:00:08:01"]


def test_a_bare_vmi_is_served_through_its_launcher_and_owns_the_address(farm: Farm) -> None:
    farm.machines.create_instance("job", [NAT, LAN])

    farm.kubevirt.handler.run(farm.machines, "job")

    [mac] = _carried(farm, "job")
    assert farm.bound(mac, "job", "VirtualMachineInstance")["source"] == "Pool"
    farm.shop.eventually_owns([mac])


def test_both_launchers_of_a_migrating_bare_vmi_carry_the_same_address(farm: Farm) -> None:
    farm.machines.create_instance("job", [LAN])
    farm.kubevirt.handler.run(farm.machines, "job")
    [mac] = _carried(farm, "job")

    farm.machines.migrate("job", "move")
    target = asked_for(farm.machines.target("move"))
    farm.kubevirt.handler.finish_migration(farm.machines, "move")

    assert [one["mac"] for one in target] == [mac]
    farm.bound(mac, "job", "VirtualMachineInstance")
    farm.shop.eventually_owns([mac])


def test_a_bare_vmi_s_requested_address_is_policed(farm: Farm) -> None:
    macs = farm.create("web")
    farm.bound(macs["lan"], "web")

    farm.machines.create_instance("thief", [Interface("lan", "lan", macs["lan"])])

    why = f"asks for {macs['lan']}, which belongs to VirtualMachine {farm.namespace}/web"
    farm.client.until(
        "events",
        lambda events: any(why in event["message"] for event in events),
        "KubeVirt saying why it has no launcher",
        farm.namespace,
        fields="involvedObject.name=thief",
    )


def test_an_ended_bare_vmi_gives_its_address_back(farm: Farm) -> None:
    farm.machines.create_instance("job", [LAN])
    farm.kubevirt.handler.run(farm.machines, "job")
    [mac] = _carried(farm, "job")
    farm.bound(mac, "job", "VirtualMachineInstance")

    farm.kubevirt.handler.stop(farm.machines, "job")

    farm.freed(mac)


def _carried(farm: Farm, name: str) -> list[str]:
    """The addresses in the newest launcher's annotation."""
    return _macs(farm.machines.wait_launcher(name, lambda _: True, f"{name} having a launcher"))


def _macs(launcher: dict[str, Any]) -> list[str]:
    return [element["mac"] for element in asked_for(launcher)]
