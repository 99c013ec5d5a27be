"""Rule 2 of the protocol as a table: the allocation, the request, and the result."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from crds.allocation import KUBEVIRT, VM_KIND, VMI_KIND, Allocation, Reservation, Source, State
from webhook.admission import Want
from webhook.requested import HeldByAnother, claim_allocated, new_pending
from webhook.tests.reviews import OWNER, UID, mac, pool

MAC = mac(0x2A)
WANT = Want(OWNER, MAC)
UPDATE = Want(OWNER, MAC, UID)
NAMELESS = Want(replace(OWNER, name=None), MAC)

DECLARED = Allocation(mac=MAC)
PENDING = Allocation(
    mac=MAC, state=State.PENDING, source=Source.REQUESTED, owner=OWNER, request="before"
)
BOUND = replace(PENDING, state=State.BOUND, owner=replace(OWNER, uid=UID))
OURS_NOW = replace(PENDING, request="now")

VM = replace(OWNER, api_version=KUBEVIRT, kind=VM_KIND)
VMI = replace(VM, kind=VMI_KIND)
VM_BOUND = replace(BOUND, owner=replace(VM, uid="of-the-vm"))
VMI_BOUND = replace(BOUND, owner=replace(VMI, uid="of-the-vmi"))
VM_SHARED, VMI_SHARED = replace(VM_BOUND, shared=True), replace(VMI_BOUND, shared=True)
VM_PENDING, VMI_PENDING = replace(PENDING, owner=VM), replace(PENDING, owner=VMI)
VM_CREATE, VM_UPDATE = Want(VM, MAC), Want(VM, MAC, "of-the-vm")
VMI_POD = Want(VMI, MAC, "of-the-vmi")
VMI_CARRIES = Want(VMI, MAC, "of-the-vmi", is_carried=True)


def of(found: Allocation, **owner: str | None) -> Allocation:
    assert found.owner is not None
    return replace(found, owner=replace(found.owner, **owner))


def reserved(**where: str) -> Allocation:
    whom = {"kind": "Pod", "namespace": "shop", "name": "web", **where}
    return replace(DECLARED, reserved_for=Reservation(**whom))


@pytest.mark.parametrize("want", [WANT, UPDATE, NAMELESS], ids=["create", "update", "nameless"])
def test_a_declared_address_becomes_pending_and_remembers_it(want: Want) -> None:
    assert claim_allocated(DECLARED, want, "now") == Allocation(
        mac=MAC,
        state=State.PENDING,
        source=Source.DECLARED,
        owner=want.owner,
        request="now",
        declared=True,
    )


def test_a_reservation_admits_its_object_and_stays() -> None:
    verdict = claim_allocated(reserved(), WANT, "now")

    assert isinstance(verdict, Allocation)
    assert verdict.state is State.PENDING
    assert verdict.reserved_for == reserved().reserved_for


@pytest.mark.parametrize(
    ("found", "want"),
    [
        (PENDING, WANT),
        (BOUND, WANT),
        (of(BOUND, uid="of-its-former-self"), WANT),
        (of(BOUND, uid="of-its-former-self"), UPDATE),
        (of(PENDING, interface="another", network="other/b"), WANT),
    ],
    ids=["pending", "bound", "deleted and created again", "updated", "other interface"],
)
def test_the_address_of_a_namesake_becomes_ours_by_a_write(found: Allocation, want: Want) -> None:
    verdict = claim_allocated(found, want, "now")

    assert isinstance(verdict, Allocation)
    assert verdict.owner is not None
    assert found.owner is not None
    assert replace(verdict, owner=replace(verdict.owner, uid=None)) == OURS_NOW
    assert verdict.owner.uid == found.owner.uid  # that object keeps it while it runs
    assert verdict != found  # a release that is under way must find it changed


@pytest.mark.parametrize(
    ("found", "want"),
    [
        (BOUND, UPDATE),
        (of(BOUND, name="renamed"), UPDATE),
        (replace(BOUND, shared=True), UPDATE),
        (replace(BOUND, declared=True, reserved_for=reserved().reserved_for), UPDATE),
    ],
    ids=["its own", "by another name", "shared", "declared"],
)
def test_the_very_object_that_owns_it_keeps_it_bound(found: Allocation, want: Want) -> None:
    assert claim_allocated(found, want, "now") == replace(found, request="now")


@pytest.mark.parametrize(
    ("found", "want"),
    [
        pytest.param(of(BOUND, name="other"), WANT, id="other name"),
        pytest.param(of(BOUND, namespace="other"), WANT, id="other namespace"),
        pytest.param(of(BOUND, kind="VirtualMachine"), WANT, id="other kind"),
        pytest.param(of(PENDING, name="other"), WANT, id="pending of another"),
        pytest.param(of(BOUND, name="other", uid="u-2"), UPDATE, id="update of another"),
        pytest.param(of(PENDING, name=None), WANT, id="nameless pending"),
        pytest.param(VM_BOUND, WANT, id="a pod of a VM's name"),
        pytest.param(VMI_BOUND, WANT, id="a pod of a VMI's name"),
        pytest.param(BOUND, VM_CREATE, id="a VM of a pod's name"),
        pytest.param(of(VM_BOUND, namespace="other"), VM_CREATE, id="a VM of another namespace"),
        pytest.param(
            of(VM_BOUND, name="other"), Want(VM, MAC, "of-another"), id="a VM of another name"
        ),
        pytest.param(of(VMI_BOUND, namespace="other"), VM_CREATE, id="a VMI of another namespace"),
        pytest.param(VM_SHARED, VM_CREATE, id="shared with a VM deleted and created again"),
        pytest.param(VMI_SHARED, VM_UPDATE, id="shared by its VMI"),
        pytest.param(BOUND, NAMELESS, id="asked by a nameless"),
        pytest.param(of(PENDING, name=None), NAMELESS, id="two of one Deployment"),
        pytest.param(of(BOUND, name=None), NAMELESS, id="bound without a name"),
        pytest.param(replace(BOUND, shared=True), WANT, id="shared"),
        pytest.param(replace(PENDING, shared=True), WANT, id="shared and pending"),
        pytest.param(
            replace(of(BOUND, uid="u-2"), shared=True), UPDATE, id="shared with a former self"
        ),
        pytest.param(replace(BOUND, owner=None), WANT, id="no owner"),
        pytest.param(reserved(name="other"), WANT, id="declared for another name"),
        pytest.param(reserved(namespace="other"), WANT, id="declared for another namespace"),
        pytest.param(reserved(kind="VirtualMachine"), WANT, id="declared for another kind"),
        pytest.param(reserved(), NAMELESS, id="declared for a name"),
    ],
)
def test_anything_else_is_taken(found: Allocation, want: Want) -> None:
    assert claim_allocated(found, want, "now") == HeldByAnother()


@pytest.mark.parametrize(
    ("found", "want"),
    [
        pytest.param(VM_BOUND, VM_CREATE, id="a VM created again"),
        pytest.param(VM_BOUND, VMI_POD, id="a bare VMI after its VM"),
        pytest.param(VMI_BOUND, VM_CREATE, id="a VM that takes over an orphaned VMI"),
        pytest.param(VMI_BOUND, VM_UPDATE, id="that VM updated"),
        pytest.param(VMI_PENDING, VM_CREATE, id="a VM while its VMI is getting it"),
        pytest.param(VM_PENDING, VMI_POD, id="a VMI while its VM is getting it"),
        pytest.param(VMI_PENDING, VMI_POD, id="a VMI's second pod before the first is seen"),
    ],
)
def test_a_vm_and_a_vmi_of_one_name_are_namesakes(found: Allocation, want: Want) -> None:
    verdict = claim_allocated(found, want, "now")

    assert found.owner is not None
    assert verdict == replace(
        found, state=State.PENDING, owner=replace(want.owner, uid=found.owner.uid), request="now"
    )


@pytest.mark.parametrize(
    ("found", "want"),
    [
        pytest.param(VM_BOUND, VM_UPDATE, id="a VM's own"),
        pytest.param(VM_SHARED, VM_UPDATE, id="shared by it"),
        pytest.param(VMI_BOUND, VMI_POD, id="a VMI's second pod"),
        pytest.param(VMI_SHARED, VMI_POD, id="shared by its first"),
        pytest.param(BOUND, VMI_CARRIES, id="carried by its first"),
        pytest.param(VM_SHARED, VMI_CARRIES, id="shared with it"),
        pytest.param(
            of(PENDING, name=None), VMI_CARRIES, id="carried by its first and on its way to another"
        ),
    ],
)
def test_the_allocation_of_an_address_that_a_vm_has_already_only_gets_the_request(
    found: Allocation, want: Want
) -> None:
    assert claim_allocated(found, want, "now") == replace(found, request="now")


def test_a_namesake_that_was_declared_stays_declared() -> None:
    verdict = claim_allocated(replace(BOUND, declared=True, source=Source.DECLARED), WANT, "now")

    assert isinstance(verdict, Allocation)
    assert verdict.declared
    assert verdict.source is Source.DECLARED


def test_a_fresh_one_says_where_it_came_from() -> None:
    from_pool = new_pending(MAC, Want(OWNER), pool(64), "now")
    inside = new_pending(MAC, WANT, pool(64), "now")
    outside = new_pending(MAC, WANT, pool(1), "now")

    assert (from_pool.source, from_pool.pool) == (Source.POOL, "default")
    assert (inside.source, inside.pool) == (Source.REQUESTED, "default")
    assert (outside.source, outside.pool) == (Source.REQUESTED, None)
    assert inside == replace(OURS_NOW, pool="default")
