"""KubeVirt absent, installed later, removed and installed again, while our programs run on.

Only the CRDs of VMs and VMIs are installed: our programs use nothing else of KubeVirt. The logs
show that they do not complain in a loop: the controller asks for VMs again and again, is told that
there are none, and logs no warning.
"""

import secrets
from collections.abc import Iterator

import pytest

from e2e.audit import CONTROLLER, Audit
from e2e.pods import OPTED_IN
from e2e.vms import OPTED_IN_VMS, VmNamespace
from testbed.controlplane import ControlPlane
from testbed.kubevirt import apply_vm_crds, remove_crds
from testbed.kubevirt.virtualmachines import Interface
from testbed.readiness import eventually
from testbed.release import Installed, installed

ASKED_AGAIN = 2
OUTSIDE = "0a:00:00:00:0f:"


@pytest.fixture(scope="module")
def programs(audited_cluster: ControlPlane) -> Iterator[Installed]:
    """Started where KubeVirt is not installed."""
    remove_crds(audited_cluster.kubectl)
    with installed(audited_cluster, replicas=1, quiet_s=1) as started:
        yield started


@pytest.fixture
def vms(audited_cluster: ControlPlane, programs: Installed) -> Iterator[VmNamespace]:
    """An opted-in namespace on a cluster without KubeVirt; our programs must survive the test."""
    remove_crds(audited_cluster.kubectl)
    vms = _vm_namespace(audited_cluster, **OPTED_IN, **OPTED_IN_VMS)
    yield vms
    vms.client.delete("namespace", vms.namespace, wait=False)
    assert all(program.process.alive for program in (programs.controller, *programs.webhooks))


def test_without_kubevirt_pods_are_served_and_no_program_complains(
    audited_cluster: ControlPlane, programs: Installed, vms: VmNamespace
) -> None:
    before = _complaints(programs)

    _asked_again(audited_cluster)

    assert _complaints(programs) == before
    [element] = vms.pods.create("samplepod", [{"name": "a"}])
    vms.pods.bound(element["mac"], "samplepod")


def test_vms_are_served_and_released_once_their_crds_are_there(
    audited_cluster: ControlPlane, vms: VmNamespace
) -> None:
    apply_vm_crds(audited_cluster.kubectl)

    macs = vms.create("web")

    assert all(macs.values())
    for mac in macs.values():
        vms.bound(mac, "web")
    vms.delete("vm", "web")
    vms.freed(*macs.values())


def test_a_vm_from_before_the_opt_in_is_adopted_and_served_from_then_on(
    audited_cluster: ControlPlane, vms: VmNamespace
) -> None:
    apply_vm_crds(audited_cluster.kubectl)
    late = _vm_namespace(audited_cluster)
    mac = OUTSIDE + "01"

    late.create("old", Interface("lan", "lan", mac), Interface("more", "lan"))

    assert late.addresses("old")["more"] == ""
    assert late.bound(mac, "old")["source"] == "Adopted"
    assert f"{late.namespace}/old" in vms.refuses("thief", Interface("lan", "lan", mac))
    late.client.label("namespace", late.namespace, OPTED_IN_VMS)
    eventually(lambda: all(late.create(f"new-{secrets.token_hex(4)}").values()), "it being served")
    late.delete("vm", "old")
    late.freed(mac)
    late.client.delete("namespace", late.namespace, wait=False)


def test_vms_go_with_their_crds_and_are_served_again_when_those_are_back(
    audited_cluster: ControlPlane, programs: Installed, vms: VmNamespace
) -> None:
    apply_vm_crds(audited_cluster.kubectl)
    macs = vms.create("web")
    [element] = vms.pods.create("before", [{"name": "a"}])
    vms.pods.eventually_owns([*macs.values(), element["mac"]])

    remove_crds(audited_cluster.kubectl)

    vms.freed(*macs.values())
    [another] = vms.pods.create("after", [{"name": "a"}])
    vms.pods.eventually_owns([element["mac"], another["mac"]])
    before = _complaints(programs)
    _asked_again(audited_cluster)
    assert _complaints(programs) == before
    apply_vm_crds(audited_cluster.kubectl)
    again = vms.create("web")
    assert all(again.values())
    vms.pods.eventually_owns([element["mac"], another["mac"], *again.values()])


def _vm_namespace(cluster: ControlPlane, **labels: str) -> VmNamespace:
    name = f"e2e-{secrets.token_hex(4)}"
    cluster.kubectl.client.create_namespace(name, **labels)
    return VmNamespace(cluster.kubectl, name)


def _asked_again(cluster: ControlPlane) -> None:
    """Return when the controller has asked for VMs some more times."""
    audit = Audit(cluster)

    def asked() -> int:
        return audit.calls(CONTROLLER)["list", "virtualmachines"]

    enough = asked() + ASKED_AGAIN
    eventually(lambda: asked() >= enough, "the controller asking for VMs again")


def _complaints(programs: Installed) -> list[str]:
    """Return all lines with a warning, an error or a traceback in the logs of our programs."""
    logs = [
        program.process.log.read_text() for program in (programs.controller, *programs.webhooks)
    ]
    marks = (" WARNING ", " ERROR ", "Traceback")
    return [line for log in logs for line in log.splitlines() if any(m in line for m in marks)]
