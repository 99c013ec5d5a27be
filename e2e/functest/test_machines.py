"""VMs whose guests boot: their addresses, from the VM to what the guest sees."""

from e2e.functest.ranch import Ranch, given, reported


def test_a_guest_carries_the_address_of_its_allocation(ranch: Ranch) -> None:
    macs = ranch.create("web", run_strategy="Always")

    pod = ranch.up("web")

    vmi = ranch.machines.instance("web")
    assert given(vmi) == reported(vmi) == macs
    assert ranch.domain(pod) == list(ranch.inside(pod).values()) == list(macs.values())
    assert ranch.bound(macs["default"], "web")["owner"]["interface"] == "default"
    assert [one["mac"] for one in ranch.shop.allocations()] == list(macs.values())
