"""What a user of virtual machines sees, with KubeVirt's own virt-controller and virt-api."""

import json
import re

from e2e.farm import LAN, NAMESPACE_GOES_S, NAT, Farm
from testbed.client import refusal
from testbed.kubevirt.machines import NETWORKS, Interface, manifest

MAC = re.compile(r"02(:[0-9a-f]{2}){5}")


def test_a_vm_gets_an_address_on_each_interface_and_they_are_its_own(farm: Farm) -> None:
    macs = farm.create("web")

    assert MAC.fullmatch(macs["default"])
    assert MAC.fullmatch(macs["lan"])
    spec = farm.bound(macs["lan"], "web")
    assert (spec["owner"]["interface"], spec["owner"]["network"]) == (
        "lan",
        f"{farm.namespace}/lan",
    )
    assert farm.bound(macs["default"], "web")["owner"]["network"] == "pod"
    farm.shop.eventually_owns(list(macs.values()))


def test_bridge_on_the_pod_network_is_left_alone(farm: Farm) -> None:
    bridged = manifest("web", [NAT], run_strategy="Halted")
    [device] = bridged["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"]
    device["bridge"] = device.pop("masquerade")

    farm.client.create(bridged, farm.namespace)

    assert farm.addresses("web") == {"default": ""}
    assert farm.shop.allocations() == []


def test_a_vm_s_guest_and_launcher_carry_its_addresses_and_take_no_others(farm: Farm) -> None:
    macs = farm.create("web")

    vmi = farm.run("web")

    assert {one["name"]: one["mac"] for one in vmi["status"]["interfaces"]} == macs
    pod = farm.machines.launcher("web")
    [element] = json.loads(pod["metadata"]["annotations"][NETWORKS])
    assert element["mac"] == macs["lan"]
    farm.shop.eventually_owns(list(macs.values()))
    assert farm.bound(macs["lan"], "web")


def test_addresses_stay_while_a_vm_stops_and_starts(farm: Farm) -> None:
    macs = farm.create("web")
    farm.run("web")
    farm.halt("web")

    farm.run("web")

    assert farm.addresses("web") == macs
    farm.shop.eventually_owns(list(macs.values()))


def test_the_first_manifest_applied_again_changes_no_address(farm: Farm) -> None:
    first = json.dumps(manifest("web", [NAT, LAN], run_strategy="Halted"))
    farm("apply", "-f", "-", stdin=first)
    macs = farm.addresses("web")

    farm("apply", "-f", "-", stdin=first)
    farm("replace", "-f", "-", stdin=first)

    assert farm.addresses("web") == macs
    farm.shop.eventually_owns(list(macs.values()))


def test_an_added_interface_gets_an_address_and_the_others_keep_theirs(farm: Farm) -> None:
    macs = farm.create("web")

    farm.edit(
        "web",
        [NAT.device, LAN.device, Interface("more", "lan").device],
        [NAT.source, LAN.source, Interface("more", "lan").source],
    )

    now = farm.addresses("web")
    assert {name: now[name] for name in macs} == macs
    assert MAC.fullmatch(now["more"])
    farm.shop.eventually_owns(list(now.values()))


def test_a_removed_interface_of_a_stopped_vm_gives_its_address_back(farm: Farm) -> None:
    macs = farm.create("web")
    farm.bound(macs["lan"], "web")

    farm.edit("web", [NAT.device], [NAT.source])

    farm.freed(macs["lan"])
    assert farm.bound(macs["default"], "web")


def test_a_changed_address_moves_and_the_old_one_is_free_again(farm: Farm) -> None:
    macs = farm.create("web")
    farm.bound(macs["lan"], "web")

    farm.edit("web", [NAT.device, Interface("lan", "lan", "0a:00:00:00:09:01").device])

    assert farm.bound("0a:00:00:00:09:01", "web")["source"] == "Requested"
    farm.freed(macs["lan"])
    assert farm.addresses("web")["default"] == macs["default"]


def test_two_interfaces_of_a_vm_swap_their_addresses(farm: Farm) -> None:
    macs = farm.create("web", LAN, Interface("other", "lan"))

    farm.edit(
        "web",
        [
            Interface("lan", "lan", macs["other"]).device,
            Interface("other", "lan", macs["lan"]).device,
        ],
    )

    assert farm.addresses("web") == {"lan": macs["other"], "other": macs["lan"]}
    farm.shop.eventually_owns(list(macs.values()))


def test_an_address_that_another_vm_has_is_refused_with_holder_and_remedy(farm: Farm) -> None:
    macs = farm.create("web")
    farm.bound(macs["lan"], "web")

    said = farm.refuses("copy", Interface("lan", "lan", macs["lan"]))

    for word in ("copy", macs["lan"], f"VirtualMachine {farm.namespace}/web", "choose another"):
        assert word in said


def test_duplicates_within_a_vm_are_refused(farm: Farm) -> None:
    one = "0a:00:00:00:09:02"

    twice = farm.refuses("web", Interface("a", "lan", one), Interface("b", "lan", one.upper()))
    named = farm.refuses("web", Interface("a", "lan"), Interface("a", "lan"))

    assert f"duplicate address {one}" in twice
    assert "give each interface a name of its own" in named
    assert farm.shop.allocation(one) is None


def test_an_update_that_is_refused_later_leaks_nothing_and_takes_nothing(farm: Farm) -> None:
    macs = farm.create("web")
    farm.shop.eventually_owns(list(macs.values()))
    # virt-api refuses an interface without a network, after we have been asked.
    lost = Interface("lost", "lan", "0a:00:00:00:09:03")

    said = refusal(lambda: farm.edit("web", [NAT.device, LAN.device, lost.device]))

    assert "'lost' not found" in said
    farm.freed("0a:00:00:00:09:03")
    assert farm.addresses("web") == macs
    farm.shop.eventually_owns(list(macs.values()))


def test_updates_that_concern_no_address_do_not_reach_us(farm: Farm) -> None:
    farm.create("web")
    before = _asked_of_us(farm)

    farm.client.label("vm", "web", {"tier": "front"}, farm.namespace)
    farm.machines.run_strategy("web", "Manual")

    assert _asked_of_us(farm) == before
    farm.edit("web", [NAT.device], [NAT.source])
    assert _asked_of_us(farm) > before


def test_a_deleted_vm_gives_its_addresses_back_when_its_guest_has_ended(farm: Farm) -> None:
    macs = farm.create("web")
    farm.run("web")
    farm.shop.eventually_owns(list(macs.values()))

    farm.delete("vm", "web", wait=False)
    farm.machines.wait_instance("web", lambda vmi: "deletionTimestamp" in vmi["metadata"])
    farm.outlast_quiet()
    assert farm.shop.allocation(macs["lan"]) is not None
    farm.end("web")

    farm.freed(*macs.values())


def test_a_live_migration_keeps_the_addresses(farm: Farm) -> None:
    macs = farm.create("web")
    farm.run("web")

    farm.machines.migrate("web", "move")
    target = farm.machines.target("move")
    [element] = json.loads(target["metadata"]["annotations"][NETWORKS])
    vmi = farm.kubevirt.handler.finish_migration(farm.machines, "move")

    assert element["mac"] == macs["lan"]
    assert {one["name"]: one["mac"] for one in vmi["status"]["interfaces"]} == macs
    farm.shop.eventually_owns(list(macs.values()))


def test_an_orphaned_vmi_keeps_the_addresses_until_it_ends(farm: Farm) -> None:
    macs = farm.create("web")
    farm.run("web")
    farm.shop.eventually_owns(list(macs.values()))

    farm.delete("vm", "web", cascade="orphan")

    farm.outlast_quiet()
    farm.bound(macs["lan"], "web", "VirtualMachineInstance")
    farm.delete("vmi", "web", wait=False)
    farm.end("web")
    farm.freed(*macs.values())


def test_a_vm_deleted_and_created_again_gets_its_addresses_at_once(farm: Farm) -> None:
    macs = farm.create("web")
    farm.shop.eventually_owns(list(macs.values()))
    again = [Interface("default", mac=macs["default"]), Interface("lan", "lan", macs["lan"])]

    farm.delete("vm", "web")

    assert farm.create("web", *again) == macs
    farm.bound(macs["lan"], "web")
    farm.shop.eventually_owns(list(macs.values()))


def test_of_two_vms_one_has_an_address_and_the_namespace_takes_all_with_it(farm: Farm) -> None:
    first, second = farm.create("web"), farm.create("db")
    farm.run("web")
    assert not {*first.values()} & {*second.values()}
    farm.shop.eventually_owns([*first.values(), *second.values()])

    farm.client.delete("namespace", farm.namespace, wait=False)
    # Pods go first (KEP-5080), and a launcher goes when its guest has ended.
    farm.kubevirt.handler.stop(farm.machines, "web")

    farm.shop.owns_nothing(NAMESPACE_GOES_S)


def _asked_of_us(farm: Farm) -> float:
    """How often the API server has asked our webhook about VMs."""
    lines = farm.client.raw("/metrics").splitlines()
    counted = "apiserver_admission_webhook_admission_duration_seconds_count"
    ours = 'name="mutatevirtualmachines.kubemacpool.io"'
    return sum(float(one.split()[-1]) for one in lines if one.startswith(counted) and ours in one)
