"""The contract of the port Allocations: tests for the fake and for a real API server."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from crds.allocation import Allocation, Reservation, State, Stored
from crds.mac import MacAddress
from crds.store import AlreadyAllocated, Changed, StoreUnavailable
from crds.tests.world import BOUND, CONFLICT, MAC, PENDING, POD, Story, World


class AllocationsContract:
    """Tests of the port Allocations; a subclass brings the fixture `world`."""

    async def test_a_created_allocation_is_read_as_it_was_written(self, world: World) -> None:
        created = await world.allocations.create(BOUND)

        assert created.allocation == BOUND
        assert await world.allocations.get(MAC) == created
        assert created.uid
        assert created.version

    async def test_an_address_can_be_created_only_once(self, world: World) -> None:
        first = await world.allocations.create(PENDING)

        with pytest.raises(AlreadyAllocated):
            await world.allocations.create(replace(PENDING, request="r-2"))

        assert await world.allocations.get(MAC) == first

    async def test_of_many_creates_at_once_one_succeeds(self, world: World) -> None:
        creates = (world.allocations.create(replace(PENDING, request=f"r-{n}")) for n in range(8))

        results = await asyncio.gather(*creates, return_exceptions=True)

        assert [type(result) for result in results].count(Stored) == 1
        assert [type(result) for result in results].count(AlreadyAllocated) == 7

    async def test_an_address_without_an_allocation_is_none(self, world: World) -> None:
        assert await world.allocations.get(MAC) is None

    async def test_only_the_address_is_needed_to_declare_one(self, world: World) -> None:
        declared = await world.allocations.create(Allocation(mac=MAC))

        assert declared.allocation == Allocation(mac=MAC, state=State.DECLARED)

    @pytest.mark.parametrize(
        "wrong",
        [
            replace(PENDING, owner=None),
            replace(BOUND, owner=POD),
            Allocation(mac=MAC, owner=POD),
            Allocation(mac=MacAddress.parse("03:00:00:00:00:01")),
            Allocation(mac=MacAddress(0)),
        ],
        ids=["pending without owner", "bound without uid", "declared with owner", "group", "zero"],
    )
    async def test_an_invalid_allocation_is_refused(self, world: World, wrong: Allocation) -> None:
        with pytest.raises(StoreUnavailable, match="422 Invalid"):
            await world.allocations.create(wrong)

        assert await world.allocations.list() == []

    async def test_a_replace_writes_all_and_returns_what_is_stored_now(self, world: World) -> None:
        created = await world.allocations.create(PENDING)

        written = await world.allocations.replace(created, BOUND)

        assert written.allocation == BOUND
        assert written.uid == created.uid
        assert written.version != created.version
        assert await world.allocations.get(MAC) == written

    async def test_a_replace_removes_absent_fields(self, world: World) -> None:
        full = replace(BOUND, declared=True, shared=True, owner=replace(POD, uid="u", network="n"))
        created = await world.allocations.create(full)
        fewer = replace(full, shared=False, pool=None, owner=replace(POD, uid="u", interface=None))

        fewer_fields = await world.allocations.replace(created, fewer)
        declared = await world.allocations.replace(fewer_fields, Allocation(mac=MAC))

        assert fewer_fields.allocation == fewer
        assert declared.allocation == Allocation(mac=MAC)
        assert await world.allocations.get(MAC) == declared

    async def test_a_reservation_stays_and_goes_as_written(self, world: World) -> None:
        reserved = Reservation(kind="Pod", namespace="shop", name="web")
        created = await world.allocations.create(Allocation(mac=MAC, reserved_for=reserved))

        kept = await world.allocations.replace(created, replace(PENDING, reserved_for=reserved))
        removed = await world.allocations.replace(kept, PENDING)

        assert kept.allocation.reserved_for == reserved
        assert removed.allocation == PENDING

    async def test_a_replace_by_the_same_changes_no_version(self, world: World) -> None:
        created = await world.allocations.create(PENDING)

        again = await world.allocations.replace(created, PENDING)

        assert again == created

    async def test_a_replace_keeps_labels_of_others_and_the_conflicts(self, world: World) -> None:
        await world.allocations.create(PENDING)
        await world.label(MAC, "team", "shop")
        noted = await world.allocations.note(await _now(world), (CONFLICT,))

        written = await world.allocations.replace(noted, BOUND)

        assert await world.labels(MAC) == {"team": "shop"}
        assert written.conflicts == (CONFLICT,)

    async def test_the_address_of_an_allocation_cannot_change(self, world: World) -> None:
        created = await world.allocations.create(PENDING)

        with pytest.raises(StoreUnavailable):
            await world.allocations.replace(created, replace(PENDING, mac=MacAddress(MAC.bits + 1)))

        assert await world.allocations.list() == [created]

    async def test_a_stale_version_is_changed_and_writes_nothing(self, world: World) -> None:
        stale = await world.allocations.create(PENDING)
        await world.label(MAC, "team", "shop")
        now = await _now(world)

        await _everything_is_refused(world, stale)

        assert await world.allocations.get(MAC) == now

    async def test_an_address_created_again_is_another(self, world: World) -> None:
        first = await world.allocations.create(PENDING)
        await world.allocations.delete(first)
        second = await world.allocations.create(PENDING)

        await _everything_is_refused(world, first)

        assert second.uid != first.uid
        assert await world.allocations.get(MAC) == second

    async def test_another_uid_at_the_same_version_is_changed(self, world: World) -> None:
        # As after a restore of etcd. Not for `note`: the API server takes no UID on a status.
        stored = await world.allocations.create(PENDING)
        other = Stored(PENDING, "6f1c0b1e-0000-4000-8000-000000000000", stored.version)

        with pytest.raises(Changed):
            await world.allocations.replace(other, BOUND)
        with pytest.raises(Changed):
            await world.allocations.delete(other)

        assert await world.allocations.get(MAC) == stored

    async def test_a_deleted_allocation_is_changed_and_is_not_created_again(
        self, world: World
    ) -> None:
        gone = await world.allocations.create(PENDING)
        await world.allocations.delete(gone)

        await _everything_is_refused(world, gone)

        assert await world.allocations.get(MAC) is None

    async def test_of_two_concurrent_replaces_one_succeeds(self, world: World) -> None:
        created = await world.allocations.create(PENDING)
        both = (world.allocations.replace(created, replace(PENDING, request=r)) for r in "ab")

        results = await asyncio.gather(*both, return_exceptions=True)

        assert {type(result) for result in results} == {Stored, Changed}

    async def test_conflicts_are_noted_and_the_rest_stays(self, world: World) -> None:
        created = await world.allocations.create(BOUND)

        noted = await world.allocations.note(created, (CONFLICT, replace(CONFLICT, uid="u-3")))
        emptied = await world.allocations.note(noted, ())

        assert noted.allocation == BOUND
        assert [conflict.uid for conflict in noted.conflicts] == ["u-2", "u-3"]
        assert emptied.conflicts == ()
        assert await world.allocations.get(MAC) == emptied

    async def test_the_conflict_s_network_is_not_kept(self, world: World) -> None:
        created = await world.allocations.create(BOUND)

        noted = await world.allocations.note(created, (replace(CONFLICT, network="shop/ovs"),))

        assert noted.conflicts == (CONFLICT,)

    async def test_a_list_is_complete(self, world: World) -> None:
        macs = [MacAddress(MAC.bits + n) for n in range(7)]
        created = [await world.allocations.create(replace(PENDING, mac=mac)) for mac in macs]

        listed = await world.allocations.list()

        assert sorted(listed, key=lambda stored: stored.mac) == created

    async def test_a_view_is_told_of_all_and_then_of_each_change_in_order(
        self, world: World
    ) -> None:
        other = MacAddress(MAC.bits + 1)
        before = await world.allocations.create(PENDING)
        story = Story()

        await world.follow(story)
        await story.until(1)
        bound = await world.allocations.replace(before, BOUND)
        await world.allocations.create(Allocation(mac=other))
        await world.allocations.delete(bound)

        assert await story.until(4) == [
            ("reset", (f"{MAC} Pending",)),
            ("put", (f"{MAC} Bound",)),
            ("put", (f"{other} Declared",)),
            ("drop", (f"{MAC}",)),
        ]


async def _now(world: World) -> Stored:
    now = await world.allocations.get(MAC)
    assert now is not None
    return now


async def _everything_is_refused(world: World, stale: Stored) -> None:
    with pytest.raises(Changed):
        await world.allocations.replace(stale, BOUND)
    with pytest.raises(Changed):
        await world.allocations.note(stale, (CONFLICT,))
    with pytest.raises(Changed):
        await world.allocations.delete(stale)
