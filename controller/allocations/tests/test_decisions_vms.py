"""Rows as in test_decisions.py, for VMs, VMIs and launcher pods: a read covers the root."""

from __future__ import annotations

from msgspec.structs import replace

from controller.allocations.actions import (
    Action,
    Create,
    Delete,
    Facts,
    Get,
    List,
    Note,
    Nothing,
    Replace,
    Wait,
)
from controller.allocations.decisions import decide
from controller.allocations.ownership import owner_of
from controller.allocations.tests.test_decisions import rows
from controller.allocations.tests.vms import (
    PENDING,
    bound,
    conflict_of,
    in_conflict,
    launcher,
    root,
    vm,
    vmi,
    without,
)
from controller.tests.worlds import MAC, owner, pod, quiet, world
from crds.allocation import VM_KIND, Allocation, Reservation, Source, State

DB = root()
VM, VMI, LAUNCHER, ORPHAN = vm(), vmi(), launcher(), vmi(made_by=None)
EDITED = without(VM)
ALL = (VM, VMI, LAUNCHER)
AGAIN = vm("vm-2")
ALIEN, WEB = pod("alien", "u-9", namespace="other"), pod("web-0", "u-1")
NAMESAKE, ELSEWHERE = pod("db", "u-1"), vm("vm-3", namespace="archive")
OTHERS = (
    vm("vm-4", name="web"),
    vmi("vmi-4", "vm-4", name="web"),
    launcher("pod-4", "vmi-4", name="web"),
)
MOVING = replace(VMI, guest="vmi-1/m-1/m-2")
TARGET = replace(vmi("vmi-3", "vm-3", namespace="archive"), guest=MOVING.guest)
NAMELESS = replace(PENDING, owner=owner(None, kind=VM_KIND))
LOOKED_FOR = replace(PENDING, request=None)
WAITING = replace(LOOKED_FOR, shared=True)
ADOPTED = Allocation(mac=MAC, state=State.BOUND, source=Source.ADOPTED, pool="default")
FOR_DB = Allocation(mac=MAC, reserved_for=Reservation(kind=VM_KIND, namespace="shop", name="db"))
DECLARED_BOUND = replace(FOR_DB, state=State.BOUND, owner=owner_of(MAC, [VMI]), declared=True)
ENDED = replace(without(ORPHAN), terminal=True)


@rows(
    ("a VM", world(None, VM), Create(replace(ADOPTED, owner=owner_of(MAC, [VM])))),
    ("its VMI before it", world(None, VMI), Create(replace(ADOPTED, owner=owner_of(MAC, [VMI])))),
    (
        "a launcher",
        world(None, LAUNCHER),
        Create(replace(ADOPTED, owner=owner_of(MAC, [LAUNCHER]))),
    ),
    ("all of it", world(None, *reversed(ALL)), Create(replace(ADOPTED, owner=owner_of(MAC, [VM])))),
)
def test_the_address_of_a_vm_is_adopted_for_its_root(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("its VM is read first", world(FOR_DB, VM), Get(DB)),
    ("its VMI is its VM", world(FOR_DB, VMI), Get(DB)),
    ("and gets it", world(FOR_DB, VMI, live={DB: (EDITED, VMI)}), Replace(DECLARED_BOUND)),
    ("a stranger is a conflict", world(FOR_DB, ELSEWHERE), Note((conflict_of(ELSEWHERE),))),
    ("so is a pod of its name", world(FOR_DB, NAMESAKE), Note((conflict_of(NAMESAKE),))),
)
def test_an_address_declared_for_a_vm_waits_for_it(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("no carrier yet", world(PENDING), Wait()),
    ("its VM is read first", world(PENDING, VM), Get(DB)),
    ("its launcher tells of it, too", world(PENDING, LAUNCHER), Get(DB)),
    ("its VM is bound", world(PENDING, VM, live={DB: (VM,)}), Replace(bound(VM))),
    (
        "its VM, if its launcher was seen",
        world(PENDING, LAUNCHER, live={DB: ALL}),
        Replace(bound(VM)),
    ),
    ("a VM without it is not", world(PENDING, VM, live={DB: (EDITED,)}), Wait()),
    ("a pod of its name is not its VM", world(PENDING, NAMESAKE), Wait()),
    ("nor is a VM of its name elsewhere", world(PENDING, ELSEWHERE), Wait()),
    ("quiet, all of it is read", quiet(PENDING), Get(DB)),
    (
        "quiet, and KubeVirt has started it as it was before",
        quiet(PENDING, live={DB: (EDITED, VMI)}),
        Replace(bound(VMI)),
    ),
    (
        "quiet, and a launcher has it still",
        quiet(PENDING, live={DB: (EDITED, without(VMI), LAUNCHER)}),
        Replace(bound(EDITED, without(VMI), LAUNCHER)),
    ),
    (
        "quiet, and its VM has it no longer: what KubeVirt starts just now may have it",
        quiet(PENDING, live={DB: (EDITED, without(VMI))}),
        Replace(LOOKED_FOR),
    ),
    (
        "quiet, looked for before, and nothing of it has it",
        quiet(LOOKED_FOR, live={DB: (EDITED, without(VMI))}),
        Delete(),
    ),
    ("quiet, and it never came", quiet(PENDING, live={DB: ()}), Delete()),
)
def test_an_address_under_way_to_a_vm(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("any VM of the namespace may be it", world(NAMELESS, VMI), Get(DB)),
    ("but no pod", world(NAMELESS, NAMESAKE), Wait()),
    ("nor a VM of another", world(NAMELESS, ELSEWHERE), Wait()),
    ("quiet, all are listed", quiet(NAMELESS), List()),
    ("quiet, and listed", quiet(NAMELESS, everyone=(WEB, *ALL)), Replace(bound(VM))),
    (
        "quiet, and only a pod is listed",
        quiet(NAMELESS, everyone=(WEB,)),
        Replace(replace(NAMELESS, state=State.BOUND, owner=WEB.as_owner(MAC), shared=True)),
    ),
    (
        "quiet, none listed: it may have been edited",
        quiet(NAMELESS, everyone=()),
        Replace(replace(NAMELESS, request=None)),
    ),
    (
        "quiet, looked for before, none listed",
        quiet(replace(NAMELESS, request=None), everyone=()),
        Delete(),
    ),
)
def test_an_address_under_way_to_a_vm_without_a_name(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("its VM is seen", quiet(bound(VM), VM), Nothing()),
    ("all of it is", world(bound(VM), *ALL), Nothing()),
    ("its VMI is, and that VM made it", quiet(bound(VM), VMI), Nothing()),
    ("its launcher is, and says no more: read", world(bound(VM), LAUNCHER), Get(DB)),
    ("read, it is of that VM", world(bound(VM), LAUNCHER, live={DB: ALL}), Nothing()),
    ("the VM is gone, and its VMI runs", quiet(bound(VM), live={DB: (VMI,)}), Nothing()),
    (
        "the VM left its VMI an orphan",
        world(bound(VM), ORPHAN, live={DB: (ORPHAN,)}),
        Replace(bound(ORPHAN)),
    ),
    (
        "VM and VMI are gone, and a launcher ends",
        quiet(bound(VM), live={DB: (LAUNCHER,)}),
        Replace(bound(LAUNCHER)),
    ),
    (
        "a VM takes in the orphan of its name",
        world(bound(ORPHAN), VMI, live={DB: (EDITED, VMI)}),
        Replace(bound(VMI)),
    ),
    ("a VM that was created again is read", world(bound(VM), AGAIN), Get(DB)),
    ("and bound", world(bound(VM), AGAIN, live={DB: (AGAIN,)}), Replace(bound(AGAIN))),
    (
        "a VM that was created again without it, while the former VMI runs",
        quiet(bound(VM), VMI, live={DB: (without(AGAIN), VMI)}),
        Nothing(),
    ),
    ("what was adopted before its VM came", world(bound(LAUNCHER), *ALL), Get(DB)),
    ("is the VM's", world(bound(LAUNCHER), *ALL, live={DB: ALL}), Replace(bound(VM))),
)
def test_a_bound_address_is_its_vm_s_while_any_of_it_has_it(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("not seen", world(bound(VM)), Wait()),
    ("quiet, all of it is read", quiet(bound(VM)), Get(DB)),
    ("all of it is gone", quiet(bound(VM), live={DB: ()}), Delete()),
    ("all of it has ended", quiet(bound(ORPHAN), live={DB: (ENDED,)}), Delete()),
    (
        "the VM was edited: what KubeVirt starts just now may have it",
        quiet(bound(VM), live={DB: (EDITED,)}),
        Replace(replace(bound(VM), state=State.PENDING, request=None)),
    ),
    (
        "and so may it in what it has started, and edited, too",
        quiet(bound(VM), live={DB: (EDITED, without(VMI))}),
        Replace(replace(bound(VM), state=State.PENDING, request=None)),
    ),
    (
        "a VMI whose VM is gone does not change any more",
        quiet(bound(VM), live={DB: (without(VMI),)}),
        Delete(),
    ),
    (
        "all of it is gone, and another carrier is seen",
        quiet(bound(VM), ALIEN, live={DB: ()}),
        Get(ALIEN.root),
    ),
)
def test_a_vm_s_address_is_released_when_no_member_has_it(of: Facts, then: Action) -> None:
    assert decide(of) == then


SHARED = bound(VM, shared=True)
MOVED = bound(ELSEWHERE, shared=True)


@rows(
    ("gone, all are listed", quiet(SHARED, live={DB: ()}), List()),
    ("edited: all are listed, too", quiet(SHARED, live={DB: (EDITED,)}), List()),
    (
        "another VM is listed",
        quiet(SHARED, live={DB: (EDITED,)}, everyone=(ELSEWHERE, WEB)),
        Replace(MOVED),
    ),
    (
        "edited, and none listed",
        quiet(SHARED, live={DB: (EDITED,)}, everyone=()),
        Replace(replace(SHARED, state=State.PENDING, request=None)),
    ),
    ("gone, and none listed", quiet(SHARED, live={DB: ()}, everyone=()), Delete()),
    ("under way again, all are listed", quiet(WAITING), List()),
    (
        "and it is bound again where KubeVirt started it",
        quiet(WAITING, everyone=(WEB, VMI)),
        Replace(replace(bound(VMI, shared=True), request=None)),
    ),
    (
        "or goes to a remaining carrier",
        quiet(WAITING, everyone=(ELSEWHERE,)),
        Replace(replace(MOVED, request=None)),
    ),
)
def test_a_shared_address_goes_with_its_last_vm(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("one for a VM, not three", world(bound(VM), VM, *OTHERS), Note((conflict_of(*OTHERS),))),
    ("which is known then", world(in_conflict(bound(VM), *OTHERS), VM, *OTHERS), Nothing()),
    (
        "also when its VM goes before its VMI",
        world(in_conflict(bound(VM), *OTHERS), VM, *OTHERS[1:]),
        Nothing(),
    ),
    ("and is over with its last", world(in_conflict(bound(VM), *OTHERS), VM), Note(())),
    ("none for its own VMI and launchers", world(bound(VM), *ALL, launcher("pod-2")), Nothing()),
    ("none for a guest that is to move", world(bound(VM), VM, VMI, ELSEWHERE), Nothing()),
    ("nor while it moves", world(bound(VM), VM, MOVING, ELSEWHERE, TARGET), Nothing()),
    (
        "but for two that run",
        world(bound(VM), VM, VMI, ELSEWHERE, replace(TARGET, guest="")),
        Note((conflict_of(ELSEWHERE),)),
    ),
    ("and for a pod of its name", world(bound(VM), VM, NAMESAKE), Note((conflict_of(NAMESAKE),))),
)
def test_other_vms_that_carry_it_are_conflicts(of: Facts, then: Action) -> None:
    assert decide(of) == then


def test_the_interface_of_an_address_is_updated() -> None:
    # Two interfaces have swapped their addresses, and refusals name the stored interface.
    right = owner_of(MAC, [VM])
    before = replace(bound(VM), owner=replace(right, interface="other"))

    assert decide(world(before, VM)) == Replace(replace(before, owner=right))


def test_a_hidden_address_of_the_launcher_of_a_bare_vmi_is_looked_at_again() -> None:
    # With masquerade no annotation has the address: the deletion of the launcher marks nothing.
    owned = bound(ORPHAN)
    hidden = without(LAUNCHER)

    assert decide(quiet(owned)) == Get(DB)
    assert decide(quiet(owned, live={DB: (hidden,)})) == Wait()
    assert decide(quiet(owned, live={DB: ()})) == Delete()
