"""The requests to measure, and their order. Pure.

The variants of one shape follow each other in every turn, in a random order. So other work of the
host affects all of them.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from bench.figures import DRAWS
from bench.variants import Variant


class Work(StrEnum):
    """The kind of request."""

    POD = "create a pod"
    VM = "create a VM"
    # The manifest again with one more interface, and without addresses, as users write it.
    PLUG = "add an interface to a VM"


@dataclass(frozen=True, slots=True, order=True)
class Shape:
    """The load: the work, concurrent clients, and interfaces of each object before the request."""

    work: Work
    clients: int
    interfaces: int

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The variants to measure: interfaces of a VM need no annotation."""
        left_out = None if self.work is Work.POD else Variant.NO_ANNOTATION
        return tuple(variant for variant in Variant if variant is not left_out)

    def row(self, variant: Variant) -> list[str]:
        """Return the first cells of a row."""
        return [self.work, str(self.clients), str(self.interfaces), variant]


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the report."""

    shape: Shape
    variant: Variant


@dataclass(frozen=True, slots=True)
class Effort:
    """The amount of work.

    Each turn sends `requests` requests in each cell, by the number of clients, after `warm_ups`
    turns that do not count. `rest_s` and `refill_s`: how long nothing changes before the next
    batch, the second after a batch that used the stock. Each variant has `sustained_s` of creates
    and deletes.
    """

    turns: int
    requests: dict[int, int]
    warm_ups: int = 1
    sustained_s: float = 60.0
    idle_s: float = 10.0
    # The last watch events of a batch arrive within 0.1 s. The stock is refilled if no client asks
    # for a fifth of a second.
    rest_s: float = 0.1
    refill_s: float = 0.5
    draws: int = DRAWS


# The 95 % interval of 12 turns goes from the 3rd to the 10th value; 12 x 24 = 288 requests of one
# client give a p99. 8 clients need more for a steady load.
FULL = Effort(turns=12, requests={1: 24, 8: 64})
# A smoke run: its figures mean nothing.
QUICK = Effort(
    turns=1, requests={1: 1, 8: 2}, warm_ups=0, sustained_s=0.2, idle_s=0.2, rest_s=0.0,
    refill_s=0.0, draws=20,
)  # fmt: skip
# A block of `bench compare`.
BLOCK = Effort(turns=3, requests=FULL.requests)

SHAPES = tuple(
    Shape(work, clients, interfaces)
    for work, sizes in ((Work.POD, (1, 4)), (Work.VM, (2,)), (Work.PLUG, (2,)))
    for clients in FULL.requests
    for interfaces in sizes
)
SUSTAINED = tuple(variant for variant in Variant if variant is not Variant.NO_ANNOTATION)


def turn(chance: random.Random) -> Iterator[Cell]:
    """Yield every cell once."""
    for shape in chance.sample(SHAPES, len(SHAPES)):
        for variant in chance.sample(shape.variants, len(shape.variants)):
            yield Cell(shape, variant)
