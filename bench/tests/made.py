"""Results without a run."""

from collections.abc import Callable

from bench.cells import CELLS, SUSTAINED, Cell, Lane, Shape, Work
from bench.results import Batch, Results, Sustained

ONE = Shape(Work.POD, clients=1, interfaces=1)
PROCESSES = (
    "API server",
    "etcd",
    "controller",
    "no-op webhook",
    "constant patch",
    "synchronous",
    "stock",
)
# What each lane adds to the 10 ms of a request, in ms.
ADDS = {
    Lane.NOT_OPTED_IN: 0.0,
    Lane.NO_ANNOTATION: 0.0,
    Lane.NO_OP: 2.0,
    Lane.CONSTANT: 2.25,
    Lane.SYNCHRONOUS: 12.0,
    Lane.STOCK: 2.5,
}


def batch(turn: int, lane: Lane, *latencies_ms: float, shape: Shape = ONE) -> Batch:
    return Batch(turn, Cell(shape, lane), latencies_ms, seconds=0.5, cpu_s={"etcd": 0.01})


def sustained(lane: Lane, pods: int = 100) -> Sustained:
    return Sustained(
        lane=lane,
        clients=8,
        lag=20,
        seconds=10.0,
        latencies_ms=(10.0 + ADDS[lane],) * pods,
        released_s=61.0,
        cpu_s=dict.fromkeys(PROCESSES, 1.0),
        writes={"created": 2 * pods, "updated": pods, "deleted": pods},
        ahead=(0, pods),
    )


def results(turns: int = 6, machine: Callable[[int], float] = lambda _: 10.0) -> Results:
    """A run of that many turns; `machine` is what a request takes by itself in a turn, in ms."""
    return Results(
        machine={"commit": "c0ffee", "cores": "2"},
        seed=1,
        batches=tuple(
            Batch(
                turn,
                cell,
                (machine(turn) + ADDS[cell.lane],) * 4,
                0.5,
                dict.fromkeys(PROCESSES, 0.01),
            )
            for turn in range(1, turns + 1)
            for cell in CELLS
        ),
        idle_cpu_s={"etcd": 0.3},
        sustained=tuple(sustained(lane) for lane in SUSTAINED.values()),
    )
