"""A session in which both programs make every call that they ever make."""

from pathlib import Path
from typing import Any

from e2e import metrics, pool
from e2e.audit import CONTROLLER, Audit
from e2e.pods import OPTED_IN, PodNamespace, allocation
from e2e.rights import asked
from e2e.vms import LAN, OPTED_IN_VMS, VmNamespace
from testbed.client import Client, refusal
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.kubevirt import apply_vm_crds
from testbed.kubevirt.virtualmachines import Interface
from testbed.programs import NAMESPACE, start_controller
from testbed.readiness import eventually
from testbed.release import Installed, installed

QUIET_S = 1
ALLOCATIONS = "macallocations"
SPOILT = "bm9uZQ=="
OURS = "0a:00:00:00:0b:"
# Tasks that run every ten minutes run every second, or the session would take ten minutes.
OFTEN = """
import controller.allocations.repair
controller.allocations.repair.REPAIR_EVERY_S = 1.0
"""


def everything(cluster: ControlPlane, often: Path) -> None:
    """Make both programs use all their rights."""
    pods, lab = (_namespace(cluster.kubectl, name) for name in ("shop", "lab"))
    found = OURS + "01"
    lab.create("early", [{"name": "a", "mac": found}])
    with installed(cluster, replicas=1, quiet_s=QUIET_S) as programs:
        pods.client.label("namespace", pods.namespace, OPTED_IN | OPTED_IN_VMS)
        lab.bound(found, "early")
        _standby(cluster, often)
        _owner_of_a_kind_that_is_not_installed(pods)
        _pods(pods, lab)
        _declared(pods)
        _collision(pods, lab)
        _range(pods)
        _certificates(pods)
        _metrics(programs, pods)
        apply_vm_crds(cluster.kubectl)
        for name in ("red", "blue"):
            _machine(VmNamespace(cluster.kubectl, pods.namespace), name)
            _instance(VmNamespace(cluster.kubectl, pods.namespace), f"bare-{name}")
        programs.controller.process.stop()
        _repair(cluster, pods)


def _namespace(kubectl: Kubectl, name: str) -> PodNamespace:
    kubectl.client.create_namespace(name)
    return PodNamespace(kubectl, name)


def _standby(cluster: ControlPlane, often: Path) -> None:
    """Start the controller that takes over later, and repairs often."""
    (often / "sitecustomize.py").write_text(OFTEN)
    env = {"PYTHONPATH": f"{often}:{Path(__file__).parents[1]}"}
    quiet = ("--quiet-s", str(QUIET_S))
    start_controller(cluster, "controller-2", *quiet, env=env).wait_ready()


def _owner_of_a_kind_that_is_not_installed(pods: PodNamespace) -> None:
    """Ask for the address of a VM whose kind is not installed any more."""
    mac = OURS + "02"
    owner = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "namespace": pods.namespace,
        "name": "ghost",
        "uid": "none",
    }
    left = allocation(mac, state="Bound", source="Pool", owner=owner)
    controller = Client(pods.client.connection.as_user(CONTROLLER))
    asked = [{"name": "a", "mac": mac}]

    def said() -> bool:
        refusal(lambda: controller.create(left))  # it may be there already
        return "is being released" in pods.refuses("heir", asked, dry_run=True)

    eventually(said, "the webhook looking for a VM without KubeVirt")


def _pods(pods: PodNamespace, lab: PodNamespace) -> None:
    """Create, refuse, undo, note who has the same, and release."""
    held = [OURS + "03", OURS + "04"]
    for number, mac in enumerate(held):
        pods.create(f"holder-{number}", [{"name": "a", "mac": mac}])
        pods.bound(mac, f"holder-{number}")
        pods.refuses("thief", [{"name": "a"}, {"name": "b", "mac": mac}])
        lab.create(f"twin-{number}", [{"name": "a", "mac": mac}])
        pods.in_conflict(mac, f"twin-{number}")
        lab.delete(f"twin-{number}")
    for number, mac in enumerate(held):
        pods.delete(f"holder-{number}")
        pods.freed(mac)


def _declared(pods: PodNamespace) -> None:
    mac = OURS + "05"
    pods.client.create(allocation(mac))
    pods.create("gateway", [{"name": "a", "mac": mac}])
    pods.bound(mac, "gateway")
    pods.delete("gateway")
    pods.holds(mac, lambda found: found["spec"]["state"] == "Declared", f"{mac} Declared again")


def _collision(pods: PodNamespace, lab: PodNamespace) -> None:
    """Let two pods share an address under the policy Warn; both get an event."""
    mac = OURS + "06"
    lab.client.label("namespace", lab.namespace, OPTED_IN)
    pods.create("one", [{"name": "a", "mac": mac}])
    pods.bound(mac, "one")
    pool.edit(pods.kubectl, COLLISION_POLICY="Warn")
    eventually(lambda: not lab.refusal("two", [{"name": "a", "mac": mac}]), f"{mac} shared")
    _told(pods, "MACCollision")
    _told(lab, "MACCollision")
    pool.edit(pods.kubectl, COLLISION_POLICY=None)
    lab.delete("two")
    pods.delete("one")
    pods.freed(mac)


def _range(pods: PodNamespace) -> None:
    """Write a range that cannot be used, then another one."""
    pool.edit(pods.kubectl, RANGE_START="none")
    _told(PodNamespace(pods.kubectl, NAMESPACE), "InvalidRange")
    pool.configure(pods.kubectl, "06:00:00:00:00:00", "06:00:00:00:ff:ff")


def _certificates(pods: PodNamespace) -> None:
    """Spoil both; the controller writes new ones."""
    for secret in ("kubemacpool-mutator-ca", "kubemacpool-service"):
        pods.client.patch("secret", secret, {"data": {"tls.crt": SPOILT}}, NAMESPACE)
        _mended(pods.client, secret)


def _mended(client: Client, secret: str) -> None:
    def mended(found: dict[str, Any]) -> bool:
        return bool(found["data"]["tls.crt"] != SPOILT)

    client.wait("secret", secret, mended, f"a new {secret}", NAMESPACE)


def _metrics(programs: Installed, pods: PodNamespace) -> None:
    token = metrics.reader(pods.kubectl)
    assert metrics.get(programs.controller.metrics_url, token)[0] == 200


def _machine(vms: VmNamespace, name: str) -> None:
    """Create a VM, refuse its address to a pod, release it."""
    mac = vms.create(name, LAN)["lan"]
    vms.bound(mac, name)
    vms.pods.refuses("thief", [{"name": "a", "mac": mac}])
    vms.delete("vm", name)
    vms.freed(mac)


def _instance(vms: VmNamespace, name: str) -> None:
    """Create a VMI without a VM, and its launcher pod, as virt-controller would."""
    vms.create_instance(name, Interface("lan", "lan"))
    uid = vms.get("vmi", name)["metadata"]["uid"]
    made_for = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "name": name,
        "uid": uid,
        "controller": True,
    }
    [element] = vms.pods.create(
        f"launcher-{name}",
        [{"name": "lan"}],
        labels={"kubevirt.io": "virt-launcher"},
        ownerReferences=[made_for],
    )
    vms.bound(element["mac"], name, "VirtualMachineInstance")


def _repair(cluster: ControlPlane, pods: PodNamespace) -> None:
    """Create pods until a repair reads allocations that changed between its list and the watch."""

    def read() -> set[str]:
        calls = asked(Audit(cluster).events(), {CONTROLLER})
        return {call.name for call in calls if call.verb == "get" and call.resource == ALLOCATIONS}

    def looked() -> bool:
        [element] = pods.create("passing", [{"name": "a"}])
        pods.bound(element["mac"], "passing")
        pods.delete("passing")
        return len(read()) > 1

    eventually(looked, "repairs reading allocations", 120)


def _told(pods: PodNamespace, reason: str) -> None:
    pods.client.until("events", bool, f"{reason} told", pods.namespace, fields=f"reason={reason}")
