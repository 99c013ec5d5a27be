"""A namespace with machines is deleted whole: nothing leaks, and nothing live is released."""

import pytest

from e2e.farm import LAN, NAMESPACE_GOES_S, Farm
from testbed.kubevirt.machines import asked_for


@pytest.mark.parametrize("how", ["background", "foreground"])
def test_a_namespace_deleted_whole_frees_an_address_when_nobody_can_use_it_any_more(
    farm: Farm, how: str
) -> None:
    idle, busy = farm.create("idle"), farm.create("busy")
    farm.run("busy")
    farm.machines.create_instance("job", [LAN])
    farm.kubevirt.handler.run(farm.machines, "job")
    [job] = [one["mac"] for one in asked_for(farm.machines.launcher("job"))]
    [pod] = farm.shop.create("pod", [{"name": "lan"}])
    machines = [*idle.values(), *busy.values(), job]
    farm.shop.eventually_owns([*machines, pod["mac"]])

    farm.client.delete("namespace", farm.namespace, cascade=how, wait=False)

    farm.freed(pod["mac"])
    # The launchers' guests run on until they are told to end, and their VMs are kept for them.
    kept = {spec["mac"] for spec in farm.shop.allocations()}
    assert {*busy.values(), job} <= kept
    for name in ("busy", "job"):
        farm.kubevirt.handler.stop(farm.machines, name)
    farm.shop.owns_nothing(NAMESPACE_GOES_S)
