"""A namespace with VMs is deleted: no address leaks, and none in use is released."""

import pytest

from e2e.vms import LAN, NAMESPACE_GOES_S, KubeVirtNamespace
from testbed.kubevirt.virtualmachines import asked_for


@pytest.mark.parametrize("how", ["background", "foreground"])
def test_a_namespace_deleted_whole_frees_an_address_when_no_guest_can_use_it_any_more(
    vms: KubeVirtNamespace, how: str
) -> None:
    idle, busy = vms.create("idle"), vms.create("busy")
    vms.run("busy")
    vms.create_instance("job", LAN)
    vms.kubevirt.handler.run(vms, "job")
    [job] = [element["mac"] for element in asked_for(vms.launcher("job"))]
    [pod] = vms.pods.create("pod", [{"name": "lan"}])
    vm_macs = [*idle.values(), *busy.values(), job]
    vms.pods.eventually_owns([*vm_macs, pod["mac"]])

    vms.client.delete("namespace", vms.namespace, cascade=how, wait=False)

    vms.freed(pod["mac"])
    # The launchers' guests run on until they are told to end, and their VMs are kept for them.
    kept = {spec["mac"] for spec in vms.pods.allocations()}
    assert {*busy.values(), job} <= kept
    for name in ("busy", "job"):
        vms.kubevirt.handler.stop(vms, name)
    vms.pods.owns_nothing(NAMESPACE_GOES_S)
