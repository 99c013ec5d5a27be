"""KubeVirt's own programs run beside the control plane and behave as on a real cluster.

The parts that need a node are stand-ins (`kubevirt.handler`): they only write statuses.
"""

from pathlib import Path
from typing import Any

import pytest

from testbed.controlplane import ControlPlane
from testbed.kubevirt import KubeVirt, VirtualMachines
from testbed.kubevirt.virtualmachines import Interface, asked_for
from testbed.provider_external import OnExternal
from testbed.readiness import NotReady

MAC = "02:00:00:00:00:0a"
POD = Interface("default")
LAN = Interface("lan", "br-net", MAC)


@pytest.fixture
def db(vms: VirtualMachines) -> str:
    """A machine with an interface on the pod network, and one on a network of its own."""
    vms.create_network("br-net")
    vms.create_vm("db", [POD, LAN])
    return "db"


def macs(pod: dict[str, Any]) -> list[str]:
    return [element["mac"] for element in asked_for(pod)]


def owners(stored: dict[str, Any]) -> list[tuple[str, str]]:
    references = stored["metadata"].get("ownerReferences", [])
    return [(reference["kind"], reference["uid"]) for reference in references]


def orphan(vms: VirtualMachines, name: str) -> None:
    vms.client.delete("vm", name, vms.namespace, cascade="orphan")


def test_a_vm_whose_guest_shuts_down_gets_another_vmi_at_once(
    kubevirt: KubeVirt, vms: VirtualMachines, db: str
) -> None:
    before = kubevirt.handler.run(vms, db)["metadata"]["uid"]

    kubevirt.handler.stop(vms, db)

    deadline_s = 10  # KubeVirt waits this long before it retries a failed start
    vms.wait_instance(db, lambda vmi: vmi["metadata"]["uid"] != before, deadline_s)
    assert macs(vms.launcher(db)) == [MAC]


def test_a_vm_created_again_adopts_the_vmi_of_its_name(
    kubevirt: KubeVirt, vms: VirtualMachines, db: str
) -> None:
    before = kubevirt.handler.run(vms, db)["metadata"]["uid"]
    orphan(vms, db)

    vms.create_vm(db, [POD, LAN])

    uid = vms.get("vm", db)["metadata"]["uid"]
    vmi = vms.wait_instance(db, lambda vmi: bool(owners(vmi)))
    assert vmi["metadata"]["uid"] == before
    assert owners(vmi) == [("VirtualMachine", uid)]


def test_a_user_starts_and_stops_a_vm_through_virt_api(
    kubevirt: KubeVirt, vms: VirtualMachines
) -> None:
    vms.create_vm("idle", run_strategy="Manual")

    vms.request("idle", "start")
    kubevirt.handler.run(vms, "idle")
    vms.request("idle", "stop")
    kubevirt.handler.stop(vms, "idle")

    vms.wait_gone("vmi", "idle")


@pytest.mark.usefixtures("kubevirt")
def test_a_kubevirt_of_another_owner_that_is_not_available_is_named_and_left_as_it_is(
    cluster: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    before = cluster.kubectl.client.list("kubevirt")

    with pytest.raises(NotReady, match="KubeVirt kubevirt/kubevirt on that cluster is not Avail"):
        OnExternal(tmp_path).bring_kubevirt()

    assert cluster.kubectl.client.list("kubevirt") == before
