"""Results without a run."""

from collections.abc import Callable

from bench.latency.plan import SHAPES, Shape, Work
from bench.latency.requests import Batch, Requests
from bench.variants import OURS, Variant

ONE = Shape(Work.POD, clients=1, interfaces=1)
# The latency that each variant adds to the 10 ms of a request, in ms.
ADDS = {
    Variant.NOT_OPTED_IN: 0.0,
    Variant.NO_ANNOTATION: 0.0,
    Variant.NO_OP: 2.0,
    Variant.CONSTANT: 2.25,
    Variant.SYNCHRONOUS: 12.0,
    Variant.STOCK: 2.5,
}


def requests(
    turns: int = 6,
    host: Callable[[int], float] = lambda _: 10.0,
    ours: float = 1.0,
    slowness: float = 1.0,
) -> Requests:
    """Return a run; `host` is the time of a plain request in each turn, in ms."""

    def ms(turn: int, variant: Variant) -> float:
        return (host(turn) + ADDS[variant] * (ours if variant in OURS else 1)) * slowness

    batches = [
        Batch(turn, shape, variant, [ms(turn, variant)] * 4, seconds=0.5)
        for turn in range(1, turns + 1)
        for shape in SHAPES
        for variant in shape.variants
    ]
    return Requests(batches, seed=1, draws=20)
