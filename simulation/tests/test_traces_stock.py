"""Which stock a replica may hand out, and when it stops to be valid (I1 to I3 hold).

Each test forces the accident that a rule prevents.
"""

import pytest

from crds.allocation import State, Stored
from crds.mac import MacAddress, MacRange
from crds.pool import Pool
from simulation.lives import owner
from simulation.programs import FIRST, SECOND
from simulation.replica import STOCK_KEPT_S, STOCK_USABLE_S
from simulation.simulation import Simulation

Snapshot = tuple[dict[MacAddress, Stored], int]


def test_stock_is_handed_out_without_a_call(sim: Simulation) -> None:
    assert sim.stocked() == (FIRST,)

    request = sim.ask("web-0")

    assert request.is_allowed
    assert sim.stored(request).carries(FIRST)
    sim.calm()
    assert sim.stored_state(FIRST) is State.BOUND


def test_a_replica_that_slept_past_v_hands_out_nothing(sim: Simulation) -> None:
    sim.stocked()
    sim.late.append(sim.replicas[0].watch)  # it sleeps; its connection stays open
    sim.calm()
    sim.pass_time(STOCK_KEPT_S)
    sim.calm()  # deleted
    assert sim.pod("web-1", replica=1).carries(FIRST)

    assert sim.pod("web-0").carries(SECOND)


def test_the_age_is_counted_from_before_the_create_was_sent(sim: Simulation) -> None:
    sim.create_ahead(keep=1, most=0)
    sim.let(sim.next("webhook-0", "create"), keep_answer=True)
    sim.calm()

    sim.pass_time(STOCK_USABLE_S)  # the answer comes only now
    sim.go_on(sim.replicas[0])

    assert not sim.replicas[0].ready()
    assert sim.pod("web-0").carries(SECOND)


@pytest.mark.parametrize(
    ("passes_s", "boottime_behind_s", "wall_ahead_s"),
    [
        (STOCK_USABLE_S, 0, -STOCK_USABLE_S),
        (STOCK_USABLE_S, STOCK_USABLE_S, 0),
        (0, 0, STOCK_USABLE_S),
        (0, 0, -1),
    ],
    ids=["the wall's set back", "the other stood still", "the wall's set ahead", "back a second"],
)
def test_nothing_is_handed_out_while_two_clocks_disagree(
    sim: Simulation, passes_s: float, boottime_behind_s: float, wall_ahead_s: float
) -> None:
    sim.stocked()
    clock = sim.replicas[0].clock

    clock.boottime_behind_s, clock.wall_ahead_s = boottime_behind_s, wall_ahead_s
    sim.pass_time(passes_s)

    assert not sim.replicas[0].ready()
    assert sim.pod("web-0").carries(SECOND)


@pytest.mark.parametrize("relisted", [False, True])
def test_stock_that_a_restored_etcd_lacks_is_not_handed_out(
    sim: Simulation, *, relisted: bool
) -> None:
    before = _snapshot(sim)
    sim.stocked()
    _restore(sim, before)
    if relisted:
        sim.replicas[0].watch.relist()
    assert sim.pod("web-1", FIRST, replica=1).carries(FIRST)

    assert sim.pod("web-0").carries(SECOND)
    _list_again(sim)


def test_stock_first_seen_after_a_restore_is_not_handed_out(sim: Simulation) -> None:
    before = _snapshot(sim)
    sim.create_ahead(keep=1)
    _restore(sim, before)
    _list_again(sim)
    assert sim.pod("web-1", FIRST, replica=1).carries(FIRST)  # with the same version

    sim.deliver()

    assert sim.pod("web-0").carries(SECOND)


def test_nothing_is_handed_out_during_or_after_a_cut_of_the_watch(sim: Simulation) -> None:
    sim.stocked()
    watch = sim.replicas[0].watch

    watch.cut()
    assert not sim.replicas[0].ready()
    watch.reopen()
    watch.deliver()

    assert not sim.replicas[0].ready()
    assert sim.pod("web-0").carries(SECOND)


def test_stock_created_before_a_cut_is_not_handed_out(sim: Simulation) -> None:
    sim.create_ahead(keep=1)
    watch = sim.replicas[0].watch
    watch.cut()

    watch.reopen()
    watch.deliver()

    assert sim.pod("web-0").carries(SECOND)


def test_stock_whose_answer_was_lost_expires_unused(sim: Simulation) -> None:
    sim.create_ahead(keep=1, most=0)

    sim.fail(sim.next("webhook-0", "create"), after=True)

    sim.calm()
    assert len(sim.replicas[0].entries) == 0
    assert sim.answer(sim.ask("web-1", FIRST)).is_denied
    assert sim.pod("web-0").carries(SECOND)
    sim.pass_time(STOCK_KEPT_S)
    sim.calm()
    assert sim.allocation(FIRST) is None


def test_a_create_that_did_not_happen_leaves_nothing(sim: Simulation) -> None:
    sim.create_ahead(keep=1, most=0)

    sim.fail(sim.next("webhook-0", "create"), after=False)

    assert sim.pod("web-0").carries(FIRST)
    assert not sim.replicas[0].ready()


def test_of_two_replicas_that_create_one_address_one_keeps_it(sim: Simulation) -> None:
    for number in range(2):
        sim.replicas[number].demand.keep = 1
        sim.create_ahead(number, 0)

    sim.go_on(sim.replicas[1])
    sim.go_on(sim.replicas[0])  # it had chosen the same address
    sim.deliver()

    assert sim.replicas[1].ready() == {FIRST}
    assert len(sim.replicas[0].entries) == 0


@pytest.mark.parametrize(
    "is_first", [False, True], ids=["answer, then watch", "watch, then answer"]
)
def test_stock_is_ready_once_both_watch_and_answer_arrived(
    sim: Simulation, *, is_first: bool
) -> None:
    replica = sim.replicas[0]
    replica.demand.keep = 1
    sim.create_ahead(most=0)
    sim.let(sim.next("webhook-0", "create"), keep_answer=True)

    if is_first:
        replica.watch.deliver()
    assert not replica.ready()
    sim.go_on(replica)
    assert bool(replica.ready()) == is_first
    replica.watch.deliver()

    assert replica.ready() == {FIRST}
    assert sim.pod("web-0").carries(FIRST)


@pytest.mark.parametrize("when", ["before the answer", "before the watch", "after both"])
def test_stock_that_another_client_changed_is_never_handed_out(sim: Simulation, when: str) -> None:
    replica = sim.replicas[0]
    replica.demand.keep = 1
    sim.create_ahead(most=0)
    sim.let(sim.next("webhook-0", "create"), keep_answer=when == "before the answer")
    if when == "after both":
        replica.watch.deliver()

    sim.cluster.label(FIRST, "backup", "yes")
    replica.watch.deliver()
    sim.go_on(replica)

    assert not replica.ready()
    assert sim.pod("web-0").carries(SECOND)


def test_stock_bound_to_a_stranger_is_forgotten(sim: Simulation) -> None:
    sim.stocked()
    stranger = sim.bypass("alien", FIRST)
    sim.late.append(sim.replicas[0].watch)
    sim.calm()
    assert sim.replicas[0].ready() == {FIRST}  # it does not know that yet

    sim.replicas[0].watch.deliver()

    assert sim.pod("web-0").carries(SECOND)
    assert owner(sim, FIRST).uid == stranger.uid


def test_stock_outside_a_smaller_range_is_not_handed_out(sim: Simulation) -> None:
    sim.stocked()

    sim.replicas[0].pool = Pool("default", (MacRange(SECOND, SECOND),))

    assert sim.pod("web-0").carries(SECOND)


def _snapshot(sim: Simulation) -> Snapshot:
    return dict(sim.cluster.allocated), sim.cluster.revision


def _restore(sim: Simulation, snapshot: Snapshot) -> None:
    """Restore etcd, while no object exists: all watches end, and versions are used again."""
    sim.cluster.allocated, sim.cluster.revision = dict(snapshot[0]), snapshot[1]
    for watch in sim.watches():
        watch.cut()
    sim.step()


def _list_again(sim: Simulation) -> None:
    """After a restore all programs list again."""
    for watch in sim.watches():
        watch.relist()
