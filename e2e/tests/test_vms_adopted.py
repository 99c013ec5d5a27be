"""A cluster full of VMs and pods moves from the Go manager to kubemacpool.

The test runs the commands of docs/moving-from-the-go-manager.md as they are written there.
"""

import http
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e import pool
from e2e.audit import CONTROLLER, POLICY, WEBHOOK, Audit, resource
from e2e.cluster_in_use import FINALIZER, RANGE, TWINS, ClusterInUse, leave_go_manager
from e2e.load import Crowd
from e2e.pods import OPT_IN, PodNamespace
from e2e.vms import OPT_IN_VMS, KubeVirtNamespace
from testbed.controlplane import ControlPlane, ephemeral
from testbed.kubevirt import KubeVirt, start
from testbed.programs import start_controller
from testbed.readiness import eventually
from testbed.release import apply_release
from testbed.release import start as start_programs
from testbed.shell import typed

GUIDE = (Path(__file__).parents[2] / "docs" / "moving-from-the-go-manager.md").read_text()
NEWCOMERS = 20
WIDE = ("02:00:00:00:00:00", "02:ff:ff:ff:ff:ff")
QUIET_S = 1


@dataclass(frozen=True, slots=True)
class Move:
    """The cluster before the move, the output of the guide's commands, and pods of that time."""

    before: ClusterInUse
    vm_specs: dict[str, Any]  # spec and annotations of each VM, as they were before
    duplicates: str
    adopted: dict[str, Any]  # the allocations' specs, once the guide says that all are known
    newcomers: Crowd


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[ControlPlane]:
    with ephemeral(audit_policy=POLICY) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def own_kubevirt(own_cluster: ControlPlane) -> KubeVirt:
    return start(own_cluster)


@pytest.fixture(scope="module")
def move(
    own_cluster: ControlPlane, own_kubevirt: KubeVirt, tmp_path_factory: pytest.TempPathFactory
) -> Move:
    """The cluster after the move, during which a crowd created pods."""
    kubectl, folder = own_cluster.kubectl, tmp_path_factory.mktemp("move")
    before = ClusterInUse(_vm_namespace(own_kubevirt, "old"), _namespace(own_cluster, "wild"))
    before.fill()
    leave_go_manager(kubectl)
    kubectl("label", "namespace", "old", OPT_IN, OPT_IN_VMS)
    vm_specs = _written(before)

    duplicates = _follow(own_cluster, folder, "**1. Record the current state.**")
    _follow(own_cluster, folder, "**3. Stop the Go manager")
    crowd = Crowd(own_cluster.kubeconfig, 4)
    names = [f"new-{number}" for number in range(NEWCOMERS)]
    apply_release(kubectl)
    pool.edit(kubectl, RANGE_START=RANGE[0], RANGE_END=RANGE[1])
    with crowd.begin("old", names, [{"name": "lan"}], tries=5000):
        start_programs(own_cluster, replicas=2, quiet_s=QUIET_S)
    missing = _follow(own_cluster, folder, "**5. Check.**").partition("NAME")[0]
    assert missing == ""
    adopted = {mac: before.vms.pods.spec(mac) for mac in before.owners}
    for spec in adopted.values():
        spec["uid"] = _uid(before, spec["owner"])
    pool.configure(kubectl, *WIDE)
    return Move(before, vm_specs, duplicates, adopted, crowd)


def test_every_address_in_use_is_its_owner_s_and_adopted(move: Move) -> None:
    before = move.before

    for mac, owner in before.owners.items():
        spec = move.adopted[mac]
        assert (spec["state"], spec["source"]) == ("Bound", "Adopted"), mac
        found = spec["owner"]
        if mac == before.twins:
            assert found["name"] in TWINS
        else:
            assert (found["kind"], found["namespace"], found["name"]) == owner
        assert found["uid"] == spec["uid"]


def test_none_is_given_out_before_all_that_are_in_use_are_known(
    own_cluster: ControlPlane, move: Move
) -> None:
    events = Audit(own_cluster).events()

    wanted = {mac.replace(":", "-") for mac in move.before.owners}
    assert wanted <= _allocated(CONTROLLER, events[: _first(events, _says_adopted)])
    assert wanted <= _allocated(CONTROLLER, events[: _first(events, _gives_out)])
    assert move.newcomers.refusals == []
    assert len({*move.newcomers.macs()}) == NEWCOMERS
    assert not {*move.newcomers.macs()} & move.before.owners.keys()


def test_a_duplicate_is_reported_and_no_address_is_changed(move: Move) -> None:
    before = move.before

    assert {name for name in TWINS if f"VirtualMachine old/{name}" in move.duplicates} == {*TWINS}
    eventually(lambda: _conflicts(before, before.twins), "the duplicate in status.conflicts")
    for name in TWINS:
        before.vms.pods.wait_told(name)
    found = before.vms.pods.allocation(before.twins)
    assert found
    [conflict] = found["status"]["conflicts"]
    assert {conflict["name"], found["spec"]["owner"]["name"]} == {*TWINS}
    for name, written in _written(before).items():
        assert written == move.vm_specs[name]


def test_a_guest_s_address_behind_nat_that_is_in_no_spec_is_not_adopted(move: Move) -> None:
    assert move.before.natted
    assert move.before.vms.pods.allocation(move.before.natted) is None


def test_a_vm_that_the_old_finalizer_keeps_is_released_when_the_guide_s_command_took_it_off(
    own_cluster: ControlPlane, move: Move, tmp_path: Path
) -> None:
    vms, [mac] = move.before.vms, move.before.of("leaving")
    assert FINALIZER in vms.get("vm", "leaving")["metadata"]["finalizers"]

    said = _follow(own_cluster, tmp_path, "**6. Remove the old finalizer from VMs.**")

    assert said == "virtualmachine.kubevirt.io/leaving patched\n"
    eventually(lambda: vms.gone("vm", "leaving"), "the VM gone")
    vms.freed(mac)


def test_the_guide_s_command_removes_the_objects_of_the_go_manager(
    own_cluster: ControlPlane, move: Move, tmp_path: Path
) -> None:
    said = _follow(own_cluster, tmp_path, "**7. Clean up**")

    assert "Error" not in said
    served = move.before.vms.pods.create("tidied", [{"name": "lan"}])
    move.before.vms.pods.bound(served[0]["mac"], "tidied")


@pytest.mark.usefixtures("move")
def test_a_vm_deleted_while_the_controller_is_down_is_released_and_one_that_runs_is_not(
    own_cluster: ControlPlane, own_kubevirt: KubeVirt
) -> None:
    vms = _vm_namespace(own_kubevirt, "down", OPT_IN_VMS)
    idle, going, staying = (vms.create(name) for name in ("idle", "going", "staying"))
    vms.run("going")
    vms.run("staying")
    vms.pods.eventually_owns([*idle.values(), *going.values(), *staying.values()])

    with _controller_down(own_cluster):
        vms("delete", "vm", "idle")
        vms("delete", "vm", "going", "--wait=false")

    vms.freed(*idle.values())
    vms.pods.eventually_owns([*going.values(), *staying.values()])
    vms.end("going")
    vms.freed(*going.values())
    vms.pods.eventually_owns(list(staying.values()))


@pytest.mark.usefixtures("move")
def test_a_vm_orphaned_while_the_controller_is_down_leaves_its_addresses_to_its_vmi(
    own_cluster: ControlPlane, own_kubevirt: KubeVirt
) -> None:
    vms = _vm_namespace(own_kubevirt, "orphaned", OPT_IN_VMS)
    macs = vms.create("web")
    vms.run("web")
    vms.pods.eventually_owns(list(macs.values()))

    with _controller_down(own_cluster):
        vms("delete", "vm", "web", "--cascade=orphan")

    for mac in macs.values():
        vms.bound(mac, "web", "VirtualMachineInstance")
    vms("delete", "vmi", "web", "--wait=false")
    vms.end("web")
    vms.freed(*macs.values())


def _namespace(cluster: ControlPlane, name: str, *labels: str) -> PodNamespace:
    cluster.kubectl("create", "namespace", name)
    if labels:
        cluster.kubectl("label", "namespace", name, *labels)
    cluster.kubectl("wait", "--for=create", "serviceaccount/default", "-n", name, "--timeout=60s")
    return PodNamespace(cluster.kubectl, name)


def _vm_namespace(kubevirt: KubeVirt, name: str, *labels: str) -> KubeVirtNamespace:
    pods = _namespace(kubevirt.cluster, name, *labels)
    vms = KubeVirtNamespace(pods.kubectl, name, kubevirt)
    vms.create_network("lan")
    return vms


@contextmanager
def _controller_down(cluster: ControlPlane) -> Iterator[None]:
    cluster.process("controller-1").kill()
    yield
    start_controller(cluster, "controller-1", "--quiet-s", f"{QUIET_S}").wait_ready()


def _follow(cluster: ControlPlane, folder: Path, step: str) -> str:
    """Run the commands of a step of the guide; return their output."""
    text = GUIDE[GUIDE.index(step) :]
    block = re.search(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert block
    done = typed(cluster, f"cd {folder}\n{block[1]}")
    assert done.code == 0, done.output
    return done.output


def _written(before: ClusterInUse) -> dict[str, Any]:
    """Return the specs and the annotations of the VMs, as users wrote them."""
    listed = json.loads(before.vms("get", "vm", "-o", "json"))["items"]
    return {
        vm["metadata"]["name"]: (vm["spec"], vm["metadata"].get("annotations")) for vm in listed
    }


def _uid(before: ClusterInUse, owner: dict[str, str]) -> str:
    found = before.vms.kubectl.json("get", owner["kind"], owner["name"], "-n", owner["namespace"])
    uid: str = found["metadata"]["uid"]
    return uid


def _conflicts(before: ClusterInUse, mac: str) -> list[Any]:
    found = before.vms.pods.allocation(mac) or {}
    conflicts: list[Any] = found.get("status", {}).get("conflicts", [])
    return conflicts


def _first(events: list[dict[str, Any]], which: Callable[[dict[str, Any]], bool]) -> int:
    """Return the position of the first of them in the audit log."""
    return next(place for place, event in enumerate(events) if which(event))


def _says_adopted(event: dict[str, Any]) -> bool:
    if (event["verb"], resource(event)) != ("patch", "macpools/status"):
        return False
    conditions = event["requestObject"]["status"].get("conditions", [])
    return any(
        (condition["type"], condition["status"]) == ("Adopted", "True") for condition in conditions
    )


def _gives_out(event: dict[str, Any]) -> bool:
    return bool(_allocated(WEBHOOK, [event]))


def _allocated(user: str, events: list[dict[str, Any]]) -> set[str]:
    """Return the names of the allocations that `user` has created."""
    return {
        event["objectRef"]["name"]
        for event in events
        if (event["verb"], resource(event)) == ("create", "macallocations")
        and event["user"]["username"] == user
        and event["responseStatus"]["code"] == http.HTTPStatus.CREATED
    }
