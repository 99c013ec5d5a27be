"""What is measured, and in which order: pure.

Law: the lanes of one shape stand next to each other in every turn, in an order drawn by
chance, so whatever else the machine does is shared by all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator


class Work(StrEnum):
    """What is asked of the API server."""

    POD = "create a pod"
    VM = "create a VM"
    # An update that concerns no address: `matchConditions` keep it from both webhooks.
    EDIT = "stop a VM"
    # The manifest again, with one interface more and, as users write it, without any address.
    PLUG = "add an interface to a VM"


# Elements in a pod's annotation, or interfaces of a VM, before one is added.
INTERFACES = {Work.POD: (1, 4), Work.VM: (2,), Work.EDIT: (2,), Work.PLUG: (2,)}
# What is changed is created first, so a batch of 16 clients would take long to prepare.
CLIENTS = {Work.POD: (1, 8, 16), Work.VM: (1, 8, 16), Work.EDIT: (1, 8), Work.PLUG: (1, 8)}


class Lane(StrEnum):
    """What stands between a request and what is stored; each lane has namespaces of its own."""

    # The baseline: its pods carry the annotation, no webhook selects the namespace.
    NOT_OPTED_IN = "not opted in"
    # Ours selects the namespace; its pods carry the annotation's text under another key.
    NO_ANNOTATION = "no annotation"
    # A webhook on the same server stack that allows everything and changes nothing.
    NO_OP = "no-op webhook"
    # The same, but it writes an address that nobody keeps: the API server has a patch to apply.
    CONSTANT = "constant patch"
    # Ours with `--stock 0`: each address is created inside the request.
    SYNCHRONOUS = "synchronous"
    # Ours as it is released: addresses created ahead, and handed out from memory.
    STOCK = "stock"


# Both draw from the same pool, and the same controller binds what they give out.
OURS = (Lane.SYNCHRONOUS, Lane.STOCK)


@dataclass(frozen=True, slots=True, order=True)
class Shape:
    """How the load looks: what, by how many clients at the same time, with how many interfaces."""

    work: Work
    clients: int
    interfaces: int

    @property
    def addresses(self) -> int:
        """How many addresses either of ours gives out in a request."""
        return {Work.EDIT: 0, Work.PLUG: 1}.get(self.work, self.interfaces)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Where it is measured: a VM's interfaces need no annotation."""
        return tuple(one for one in Lane if self.work is Work.POD or one is not Lane.NO_ANNOTATION)


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the report."""

    shape: Shape
    lane: Lane

    @property
    def namespace(self) -> str:
        """Where its objects are created: VMs apart from pods, which are listed for some of them."""
        kind = "pods" if self.shape.work is Work.POD else "vms"
        return f"bench-{self.lane}-{kind}".replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Effort:
    """How often: `turns` times, `requests` of each cell in a row per turn, by number of clients.

    Before that, `warm_ups` turns are made that do not count. No further turn begins that would end
    after `within_s`, but ENOUGH_TURNS are made in any case. Then each lane has `sustained_s` of
    creates and deletes; 0 leaves that out. `quiet_s` is Q of our programs, None their default.
    """

    turns: int
    requests: dict[int, int]
    warm_ups: int = 1
    within_s: float = 720.0
    sustained_s: float = 60.0
    quiet_s: float | None = None


# The fewest from which order statistics give a 95 % interval: 2 x (1/2)^6 < 5 %.
ENOUGH_TURNS = 6


# 20 turns: a 95 % interval from order statistics; 20 x 24 = 480 requests for a p99 at one client.
# More at 8 and 16 clients, so that starting and ending together is a small part. On a busy machine
# the time ends it earlier: with 7 minutes of sustained load all of it takes about 20.
FULL = Effort(turns=20, requests={1: 24, 8: 64, 16: 96})
# A smoke run: every cell is there, no figure means anything.
_FEW = {1: 2, 8: 4, 16: 8}
QUICK = Effort(turns=1, requests=_FEW, warm_ups=0, sustained_s=1.0, quiet_s=2.0)

SHAPES = tuple(
    Shape(work, clients, interfaces)
    for work in Work
    for clients in CLIENTS[work]
    for interfaces in INTERFACES[work]
)
CELLS = tuple(Cell(shape, lane) for shape in SHAPES for lane in shape.lanes)


def turn(chance: random.Random) -> Iterator[Cell]:
    """Every cell once."""
    for shape in chance.sample(SHAPES, len(SHAPES)):
        for lane in chance.sample(shape.lanes, len(shape.lanes)):
            yield Cell(shape, lane)


# The lanes that are put under sustained load, each in a namespace of its own.
SUSTAINED = {
    f"bench-sustained-{lane}".replace(" ", "-"): lane
    for lane in Lane
    if lane is not Lane.NO_ANNOTATION
}
