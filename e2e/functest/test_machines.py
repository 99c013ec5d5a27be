"""VMs whose guests boot: their addresses, from the VM to what the guest itself sees."""

import json

from e2e.farm import NAT
from e2e.functest.ranch import FRONT, Ranch, given, reported
from e2e.functest.town import STATUS
from testbed.kubevirt.machines import asked_for


def test_a_guest_carries_the_addresses_of_its_allocations_and_so_does_all_that_is_between(
    ranch: Ranch,
) -> None:
    macs = ranch.create("web", NAT, FRONT, run_strategy="Always")

    pod = ranch.up("web")

    vmi = ranch.machines.instance("web")
    attached = json.loads(pod["metadata"]["annotations"][STATUS])
    assert given(vmi) == reported(vmi) == macs
    assert [one["mac"] for one in asked_for(pod)] == [macs["front"]]
    assert [one["mac"] for one in attached if not one.get("default")] == [macs["front"]]
    assert ranch.domain(pod) == list(macs.values())
    assert ranch.inside(pod) == {"eth0": macs["default"], "eth1": macs["front"]}
    for interface, mac in macs.items():
        assert ranch.bound(mac, "web")["owner"]["interface"] == interface
    assert {one["mac"] for one in ranch.shop.allocations()} == set(macs.values())


def test_a_guest_that_is_stopped_and_started_carries_the_same_address(ranch: Ranch) -> None:
    macs = ranch.create("web", run_strategy="Always")
    first = ranch.up("web")
    assert ranch.inside(first) == {"eth0": macs["default"]}

    ranch.machines.request("web", "stop")
    ranch.halted("web")
    ranch.machines.request("web", "start")
    second = ranch.up("web", after=first)

    assert ranch.addresses("web") == macs
    assert ranch.inside(second) == {"eth0": macs["default"]}
    ranch.bound(macs["default"], "web")


def test_a_guest_that_restarts_or_powers_off_itself_carries_the_same_address(
    ranch: Ranch,
) -> None:
    macs = ranch.create("web", run_strategy="Always")
    pod = ranch.up("web")

    ranch.type(pod, "reboot -f")
    assert ranch.up("web", starts=2)["metadata"]["uid"] == pod["metadata"]["uid"]
    assert ranch.inside(pod) == {"eth0": macs["default"]}

    ranch.type(pod, "poweroff -f")  # a VM that shall always run gets another launcher then
    again = ranch.up("web", after=pod)
    assert ranch.inside(again) == {"eth0": macs["default"]}
    ranch.bound(macs["default"], "web")


def test_a_guest_whose_launcher_is_killed_comes_back_with_the_same_address(ranch: Ranch) -> None:
    macs = ranch.create("web", run_strategy="Always")
    first = ranch.up("web")

    name = first["metadata"]["name"]
    ranch("delete", "pod", name, "--grace-period=0", "--force", "--wait=false")
    second = ranch.up("web", after=first)

    assert ranch.inside(second) == {"eth0": macs["default"]}
    ranch.bound(macs["default"], "web")


def test_two_guests_talk_and_each_knows_the_other_by_its_address(ranch: Ranch) -> None:
    macs = {name: ranch.create(name, run_strategy="Always")["default"] for name in ("ask", "tell")}
    pods = {name: ranch.up(name) for name in macs}

    for name, other in (("ask", "tell"), ("tell", "ask")):
        (interface,) = ranch.machines.instance(other)["status"]["interfaces"]
        asks = f"wget -qO- http://{interface['ipAddress']}/"
        ranch.answers(pods[name], asks, f"interface eth0 {macs[other]}")
    assert len(set(macs.values())) == 2
