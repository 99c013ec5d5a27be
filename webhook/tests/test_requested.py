"""Rule 2 of the protocol as a table: the allocation, the request, and the result."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from crds.allocation import INSTANCE, KUBEVIRT, MACHINE, Allocation, Reservation, Source, State
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

VM = replace(OWNER, api_version=KUBEVIRT, kind=MACHINE)
VMI = replace(VM, kind=INSTANCE)
VM_BOUND = replace(BOUND, owner=replace(VM, uid="of-the-vm"))
VMI_BOUND = replace(BOUND, owner=replace(VMI, uid="of-the-vmi"))


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
        (reserved(name="other"), WANT),
        (reserved(namespace="other"), WANT),
        (reserved(kind="VirtualMachine"), WANT),
        (reserved(), NAMELESS),
    ],
)
def test_what_is_declared_for_another_is_taken(found: Allocation, want: Want) -> None:
    assert claim_allocated(found, want, "now") == HeldByAnother()


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
        (of(BOUND, name="other"), WANT),
        (of(BOUND, namespace="other"), WANT),
        (of(BOUND, kind="VirtualMachine"), WANT),
        (of(PENDING, name="other"), WANT),
        (of(BOUND, name="other", uid="u-2"), UPDATE),
        (of(PENDING, name=None), WANT),
        (VM_BOUND, WANT),
        (VMI_BOUND, WANT),
        (BOUND, Want(VM, MAC)),
        (of(VM_BOUND, namespace="other"), Want(VM, MAC)),
        (of(VM_BOUND, name="other"), Want(VM, MAC, "of-another")),
        (of(VMI_BOUND, namespace="other"), Want(VM, MAC)),
        (replace(VM_BOUND, shared=True), Want(VM, MAC)),
        (replace(VMI_BOUND, shared=True), Want(VM, MAC, "of-the-vm")),
        (BOUND, NAMELESS),
        (of(PENDING, name=None), NAMELESS),
        (of(BOUND, name=None), NAMELESS),
        (replace(BOUND, shared=True), WANT),
        (replace(PENDING, shared=True), WANT),
        (replace(of(BOUND, uid="u-2"), shared=True), UPDATE),
        (replace(BOUND, owner=None), WANT),
    ],
    ids=[
        "other name",
        "other namespace",
        "other kind",
        "pending of another",
        "update of another",
        "nameless pending",
        "a pod of a VM's name",
        "a pod of a VMI's name",
        "a VM of a pod's name",
        "a VM of another namespace",
        "a VM of another name",
        "a VMI of another namespace",
        "shared with a VM deleted and created again",
        "shared by its VMI",
        "asked by a nameless",
        "two of one Deployment",
        "bound without a name",
        "shared",
        "shared and pending",
        "shared with a former self",
        "no owner",
    ],
)
def test_anything_else_is_taken(found: Allocation, want: Want) -> None:
    assert claim_allocated(found, want, "now") == HeldByAnother()


@pytest.mark.parametrize(
    ("found", "want"),
    [
        (VM_BOUND, Want(VM, MAC)),
        (VM_BOUND, Want(VMI, MAC, "of-the-vmi")),
        (VMI_BOUND, Want(VM, MAC)),
        (VMI_BOUND, Want(VM, MAC, "of-the-vm")),
        (replace(PENDING, owner=VMI), Want(VM, MAC)),
        (replace(PENDING, owner=VM), Want(VMI, MAC, "of-the-vmi")),
        (replace(PENDING, owner=VMI), Want(VMI, MAC, "of-the-vmi")),
    ],
    ids=[
        "a VM created again",
        "a bare VMI after its VM",
        "a VM that takes over an orphaned VMI",
        "that VM updated",
        "a VM while its VMI is getting it",
        "a VMI while its VM is getting it",
        "a VMI's second pod before the first is seen",
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
        (VM_BOUND, Want(VM, MAC, "of-the-vm")),
        (replace(VM_BOUND, shared=True), Want(VM, MAC, "of-the-vm")),
        (VMI_BOUND, Want(VMI, MAC, "of-the-vmi")),
        (replace(VMI_BOUND, shared=True), Want(VMI, MAC, "of-the-vmi")),
        (BOUND, Want(VMI, MAC, "of-the-vmi", is_carried=True)),
        (replace(VM_BOUND, shared=True), Want(VMI, MAC, "of-the-vmi", is_carried=True)),
        (of(PENDING, name=None), Want(VMI, MAC, "of-the-vmi", is_carried=True)),
    ],
    ids=[
        "a VM's own",
        "shared by it",
        "a VMI's second pod",
        "shared by its first",
        "carried by its first",
        "shared with it",
        "carried by its first and on its way to another",
    ],
)
def test_what_a_machine_has_already_only_gets_the_request(found: Allocation, want: Want) -> None:
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
