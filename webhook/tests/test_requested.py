"""Rule 2 of the protocol as a table of worlds: what stands there, who asks, what becomes of it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from crds.allocation import Allocation, Reservation, Source, State
from webhook.admission import Want
from webhook.requested import Taken, fresh, judge
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


def of(found: Allocation, **owner: str | None) -> Allocation:
    assert found.owner is not None
    return replace(found, owner=replace(found.owner, **owner))


def reserved(**where: str) -> Allocation:
    whom = {"kind": "Pod", "namespace": "shop", "name": "web", **where}
    return replace(DECLARED, reserved_for=Reservation(**whom))


@pytest.mark.parametrize("want", [WANT, UPDATE, NAMELESS], ids=["create", "update", "nameless"])
def test_a_declared_address_becomes_pending_and_remembers_it(want: Want) -> None:
    assert judge(DECLARED, want, "now") == Allocation(
        mac=MAC,
        state=State.PENDING,
        source=Source.DECLARED,
        owner=want.owner,
        request="now",
        declared=True,
    )


def test_a_reservation_admits_its_object_and_stays() -> None:
    verdict = judge(reserved(), WANT, "now")

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
    assert judge(found, want, "now") == Taken()


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
    verdict = judge(found, want, "now")

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
    assert judge(found, want, "now") == replace(found, request="now")


@pytest.mark.parametrize(
    ("found", "want"),
    [
        (of(BOUND, name="other"), WANT),
        (of(BOUND, namespace="other"), WANT),
        (of(BOUND, kind="VirtualMachine"), WANT),
        (of(PENDING, name="other"), WANT),
        (of(BOUND, name="other", uid="u-2"), UPDATE),
        (of(PENDING, name=None), WANT),
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
    assert judge(found, want, "now") == Taken()


def test_a_namesake_that_was_declared_stays_declared() -> None:
    verdict = judge(replace(BOUND, declared=True, source=Source.DECLARED), WANT, "now")

    assert isinstance(verdict, Allocation)
    assert verdict.declared
    assert verdict.source is Source.DECLARED


def test_a_fresh_one_says_where_it_came_from() -> None:
    from_pool = fresh(MAC, Want(OWNER), pool(64), "now")
    inside = fresh(MAC, WANT, pool(64), "now")
    outside = fresh(MAC, WANT, pool(1), "now")

    assert (from_pool.source, from_pool.pool) == (Source.POOL, "default")
    assert (inside.source, inside.pool) == (Source.REQUESTED, "default")
    assert (outside.source, outside.pool) == (Source.REQUESTED, None)
    assert inside == replace(OURS_NOW, pool="default")
