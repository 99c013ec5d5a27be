"""Addresses of virtual machines, with KubeVirt's own virt-controller and virt-api."""

import json
import re

from e2e.vms import LAN, NAMESPACE_GOES_S, NAT, KubeVirtNamespace
from testbed.client import refusal
from testbed.kubevirt.virtualmachines import NETWORKS, Interface, manifest

MAC = re.compile(r"02(:[0-9a-f]{2}){5}")


def test_a_vm_gets_an_address_on_each_interface_and_they_are_its_own(
    vms: KubeVirtNamespace,
) -> None:
    macs = vms.create("web")

    assert MAC.fullmatch(macs["default"])
    assert MAC.fullmatch(macs["lan"])
    spec = vms.bound(macs["lan"], "web")
    assert (spec["owner"]["interface"], spec["owner"]["network"]) == (
        "lan",
        f"{vms.namespace}/lan",
    )
    assert vms.bound(macs["default"], "web")["owner"]["network"] == "pod"
    vms.pods.eventually_owns(list(macs.values()))


def test_bridge_on_the_pod_network_is_left_alone(vms: KubeVirtNamespace) -> None:
    bridged = manifest("web", [NAT], run_strategy="Halted")
    [device] = bridged["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"]
    device["bridge"] = device.pop("masquerade")

    vms.client.create(bridged, vms.namespace)

    assert vms.addresses("web") == {"default": ""}
    assert vms.pods.allocations() == []


def test_a_vm_s_guest_and_launcher_carry_its_addresses_and_take_no_others(
    vms: KubeVirtNamespace,
) -> None:
    macs = vms.create("web")

    vmi = vms.run("web")

    assert {
        interface["name"]: interface["mac"] for interface in vmi["status"]["interfaces"]
    } == macs
    pod = vms.launcher("web")
    [element] = json.loads(pod["metadata"]["annotations"][NETWORKS])
    assert element["mac"] == macs["lan"]
    vms.pods.eventually_owns(list(macs.values()))
    assert vms.bound(macs["lan"], "web")


def test_addresses_stay_while_a_vm_stops_and_starts(vms: KubeVirtNamespace) -> None:
    macs = vms.create("web")
    vms.run("web")
    vms.halt("web")

    vms.run("web")

    assert vms.addresses("web") == macs
    vms.pods.eventually_owns(list(macs.values()))


def test_the_first_manifest_applied_again_changes_no_address(vms: KubeVirtNamespace) -> None:
    first = json.dumps(manifest("web", [NAT, LAN], run_strategy="Halted"))
    vms("apply", "-f", "-", stdin=first)
    macs = vms.addresses("web")

    vms("apply", "-f", "-", stdin=first)
    vms("replace", "-f", "-", stdin=first)

    assert vms.addresses("web") == macs
    vms.pods.eventually_owns(list(macs.values()))


def test_an_added_interface_gets_an_address_and_the_others_keep_theirs(
    vms: KubeVirtNamespace,
) -> None:
    macs = vms.create("web")

    vms.edit(
        "web",
        [NAT.device, LAN.device, Interface("more", "lan").device],
        [NAT.source, LAN.source, Interface("more", "lan").source],
    )

    now = vms.addresses("web")
    assert {name: now[name] for name in macs} == macs
    assert MAC.fullmatch(now["more"])
    vms.pods.eventually_owns(list(now.values()))


def test_a_removed_interface_of_a_stopped_vm_gives_its_address_back(vms: KubeVirtNamespace) -> None:
    macs = vms.create("web")
    vms.bound(macs["lan"], "web")

    vms.edit("web", [NAT.device], [NAT.source])

    vms.freed(macs["lan"])
    assert vms.bound(macs["default"], "web")


def test_a_changed_address_moves_and_the_old_one_is_free_again(vms: KubeVirtNamespace) -> None:
    macs = vms.create("web")
    vms.bound(macs["lan"], "web")

    vms.edit("web", [NAT.device, Interface("lan", "lan", "0a:00:00:00:09:01").device])

    assert vms.bound("0a:00:00:00:09:01", "web")["source"] == "Requested"
    vms.freed(macs["lan"])
    assert vms.addresses("web")["default"] == macs["default"]


def test_two_interfaces_of_a_vm_swap_their_addresses(vms: KubeVirtNamespace) -> None:
    macs = vms.create("web", LAN, Interface("other", "lan"))

    vms.edit(
        "web",
        [
            Interface("lan", "lan", macs["other"]).device,
            Interface("other", "lan", macs["lan"]).device,
        ],
    )

    assert vms.addresses("web") == {"lan": macs["other"], "other": macs["lan"]}
    vms.pods.eventually_owns(list(macs.values()))


def test_an_address_that_another_vm_has_is_refused_with_holder_and_remedy(
    vms: KubeVirtNamespace,
) -> None:
    macs = vms.create("web")
    vms.bound(macs["lan"], "web")

    said = vms.refuses("copy", Interface("lan", "lan", macs["lan"]))

    for word in ("copy", macs["lan"], f"VirtualMachine {vms.namespace}/web", "choose another"):
        assert word in said


def test_duplicates_within_a_vm_are_refused(vms: KubeVirtNamespace) -> None:
    mac = "0a:00:00:00:09:02"

    twice = vms.refuses("web", Interface("a", "lan", mac), Interface("b", "lan", mac.upper()))
    named = vms.refuses("web", Interface("a", "lan"), Interface("a", "lan"))

    assert f"duplicate address {mac}" in twice
    assert "give each interface a name of its own" in named
    assert vms.pods.allocation(mac) is None


def test_an_update_that_is_refused_later_leaks_nothing_and_takes_nothing(
    vms: KubeVirtNamespace,
) -> None:
    macs = vms.create("web")
    vms.pods.eventually_owns(list(macs.values()))
    # virt-api refuses an interface without a network, after we have been asked.
    lost = Interface("lost", "lan", "0a:00:00:00:09:03")

    said = refusal(lambda: vms.edit("web", [NAT.device, LAN.device, lost.device]))

    assert "'lost' not found" in said
    vms.freed("0a:00:00:00:09:03")
    assert vms.addresses("web") == macs
    vms.pods.eventually_owns(list(macs.values()))


def test_updates_that_concern_no_address_do_not_reach_us(vms: KubeVirtNamespace) -> None:
    vms.create("web")
    before = _asked_of_us(vms)

    vms.client.label("vm", "web", {"tier": "front"}, vms.namespace)
    vms.run_strategy("web", "Manual")

    assert _asked_of_us(vms) == before
    vms.edit("web", [NAT.device], [NAT.source])
    assert _asked_of_us(vms) > before


def test_a_deleted_vm_gives_its_addresses_back_when_its_guest_has_ended(
    vms: KubeVirtNamespace,
) -> None:
    macs = vms.create("web")
    vms.run("web")
    vms.pods.eventually_owns(list(macs.values()))

    vms.delete("vm", "web", wait=False)
    vms.wait_instance("web", lambda vmi: "deletionTimestamp" in vmi["metadata"])
    vms.outlast_quiet()
    assert vms.pods.allocation(macs["lan"]) is not None
    vms.end("web")

    vms.freed(*macs.values())


def test_a_live_migration_keeps_the_addresses(vms: KubeVirtNamespace) -> None:
    macs = vms.create("web")
    vms.run("web")

    vms.migrate("web", "move")
    target = vms.target("move")
    [element] = json.loads(target["metadata"]["annotations"][NETWORKS])
    vmi = vms.kubevirt.handler.finish_migration(vms, "move")

    assert element["mac"] == macs["lan"]
    assert {
        interface["name"]: interface["mac"] for interface in vmi["status"]["interfaces"]
    } == macs
    vms.pods.eventually_owns(list(macs.values()))


def test_an_orphaned_vmi_keeps_the_addresses_until_it_ends(vms: KubeVirtNamespace) -> None:
    macs = vms.create("web")
    vms.run("web")
    vms.pods.eventually_owns(list(macs.values()))

    vms.delete("vm", "web", cascade="orphan")

    vms.outlast_quiet()
    vms.bound(macs["lan"], "web", "VirtualMachineInstance")
    vms.delete("vmi", "web", wait=False)
    vms.end("web")
    vms.freed(*macs.values())


def test_of_two_vms_one_has_an_address_and_the_namespace_takes_all_with_it(
    vms: KubeVirtNamespace,
) -> None:
    first, second = vms.create("web"), vms.create("db")
    vms.run("web")
    assert not {*first.values()} & {*second.values()}
    vms.pods.eventually_owns([*first.values(), *second.values()])

    vms.client.delete("namespace", vms.namespace, wait=False)
    # Pods go first (KEP-5080), and a launcher goes when its guest has ended.
    vms.kubevirt.handler.stop(vms, "web")

    vms.pods.owns_nothing(NAMESPACE_GOES_S)


def _asked_of_us(vms: KubeVirtNamespace) -> float:
    """Return how often the API server has called our webhook for VMs."""
    lines = vms.client.raw("/metrics").splitlines()
    counted = "apiserver_admission_webhook_admission_duration_seconds_count"
    ours = 'name="mutatevirtualmachines.kubemacpool.io"'
    return sum(
        float(line.split()[-1]) for line in lines if line.startswith(counted) and ours in line
    )
