"""VMs whose guests boot: their addresses, from the VM to what the guest itself sees."""

import json

from e2e.functest.booted_vms import FRONT, BootedVms, given, reported
from e2e.functest.node_pods import STATUS
from e2e.vms import NAT
from testbed.kubevirt.virtualmachines import asked_for


def test_a_guest_carries_the_addresses_of_its_allocations_and_so_does_all_that_is_between(
    booted_vms: BootedVms,
) -> None:
    macs = booted_vms.create("web", NAT, FRONT, run_strategy="Always")

    pod = booted_vms.up("web")

    vmi = booted_vms.instance("web")
    attached = json.loads(pod["metadata"]["annotations"][STATUS])
    assert given(vmi) == reported(vmi) == macs
    assert [element["mac"] for element in asked_for(pod)] == [macs["front"]]
    assert [element["mac"] for element in attached if not element.get("default")] == [macs["front"]]
    assert booted_vms.domain(pod) == list(macs.values())
    assert booted_vms.inside(pod) == {"eth0": macs["default"], "eth1": macs["front"]}
    for interface, mac in macs.items():
        assert booted_vms.bound(mac, "web")["owner"]["interface"] == interface
    assert {spec["mac"] for spec in booted_vms.pods.allocations()} == set(macs.values())


def test_a_guest_that_is_stopped_and_started_carries_the_same_address(
    booted_vms: BootedVms,
) -> None:
    macs = booted_vms.create("web", run_strategy="Always")
    first = booted_vms.up("web")
    assert booted_vms.inside(first) == {"eth0": macs["default"]}

    booted_vms.request("web", "stop")
    booted_vms.halted("web")
    booted_vms.request("web", "start")
    second = booted_vms.up("web", after=first)

    assert booted_vms.addresses("web") == macs
    assert booted_vms.inside(second) == {"eth0": macs["default"]}
    booted_vms.bound(macs["default"], "web")


def test_a_guest_that_restarts_or_powers_off_itself_carries_the_same_address(
    booted_vms: BootedVms,
) -> None:
    macs = booted_vms.create("web", run_strategy="Always")
    pod = booted_vms.up("web")

    booted_vms.type(pod, "reboot -f")
    assert booted_vms.up("web", starts=2)["metadata"]["uid"] == pod["metadata"]["uid"]
    assert booted_vms.inside(pod) == {"eth0": macs["default"]}

    booted_vms.type(pod, "poweroff -f")  # a VM with run strategy Always then gets another launcher
    again = booted_vms.up("web", after=pod)
    assert booted_vms.inside(again) == {"eth0": macs["default"]}
    booted_vms.bound(macs["default"], "web")


def test_a_guest_whose_launcher_is_killed_comes_back_with_the_same_address(
    booted_vms: BootedVms,
) -> None:
    macs = booted_vms.create("web", run_strategy="Always")
    first = booted_vms.up("web")

    name = first["metadata"]["name"]
    booted_vms("delete", "pod", name, "--grace-period=0", "--force", "--wait=false")
    second = booted_vms.up("web", after=first)

    assert booted_vms.inside(second) == {"eth0": macs["default"]}
    booted_vms.bound(macs["default"], "web")


def test_two_guests_talk_and_each_knows_the_other_by_its_address(booted_vms: BootedVms) -> None:
    macs = {
        name: booted_vms.create(name, run_strategy="Always")["default"] for name in ("ask", "tell")
    }
    pods = {name: booted_vms.up(name) for name in macs}

    for name, other in (("ask", "tell"), ("tell", "ask")):
        (interface,) = booted_vms.instance(other)["status"]["interfaces"]
        asks = f"wget -qO- http://{interface['ipAddress']}/"
        booted_vms.answers(pods[name], asks, f"interface eth0 {macs[other]}")
    assert len(set(macs.values())) == 2
