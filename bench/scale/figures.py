"""What comes out of a run, as values: pure.

Latencies are in ms, durations in s, memory in MB (10^6 bytes).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING

from bench.summary import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence


class Lane(StrEnum):
    """What stands between a pod's create and what is stored; each has a namespace of its own."""

    NOT_OPTED_IN = "not opted in"
    # A webhook on the same server stack that allows everything and changes nothing.
    NO_OP = "no-op webhook"
    OURS = "ours"

    @property
    def namespace(self) -> str:
        """Where its pods are created."""
        return f"scale-{self.value}".replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Turn:
    """Some creates in a row, in one lane or at one level; turns of one number stand together."""

    number: int
    latencies_ms: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        """Its median."""
        return median(self.latencies_ms)


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident set of a process: now, and at its highest since its birth."""

    now_mb: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Start:
    """From the birth of a process until it does its work, and its memory just then."""

    seconds: float
    memory: Memory


@dataclass(frozen=True, slots=True)
class Writes:
    """Writes to the MacAllocations of pods of one interface, from create to release.

    `spare`: creates of addresses that no pod was given meanwhile.
    """

    pods: int
    created: int
    updated: int
    deleted: int
    spare: int


@dataclass(frozen=True, slots=True)
class Size:
    """A cluster with so many allocations in use, of VMs with 20 interfaces.

    `requests` is how many creates of pods one lane has had before memory was looked at again.
    """

    allocations: int
    machines: int
    starts: dict[str, Start]  # by program
    afterwards: dict[str, Memory]
    turns: dict[Lane, list[Turn]]
    writes: Writes
    refusals: list[str]


@dataclass(frozen=True, slots=True)
class Level:
    """A pool, `percent` of which was taken before each create; `fullest` is the highest share."""

    percent: float
    size: int
    taken: int
    fullest: float
    turns: list[Turn]
    refusals: list[str]


@dataclass(frozen=True, slots=True)
class Burst:
    """Pods created at once, and how long until the last of them was created, and Bound."""

    clients: int
    latencies_ms: list[float]
    created_s: float
    bound_s: float
    refusals: list[str]


@dataclass(frozen=True, slots=True)
class Farewell:
    """A namespace full of pods deleted at once; seconds count from the deletion.

    `owed_s`: when the last pod's Q ended, Q being counted from when it was bound (0: before).
    `calls` are the controller's until the last allocation had gone, by "verb resource".
    """

    age: str
    pods: int
    pods_gone_s: float
    allocations_gone_s: float
    owed_s: float
    cpu_s: float
    peak_mb: float
    calls: dict[str, int]

    @property
    def after_s(self) -> float:
        """From when the last release was allowed until it had happened."""
        return self.allocations_gone_s - self.owed_s


@dataclass(frozen=True, slots=True)
class Results:
    """All parts; those that were not asked for are empty."""

    quiet_s: float
    sizes: list[Size]
    levels: list[Level]
    bursts: list[Burst]
    farewells: list[Farewell]


@dataclass(frozen=True, slots=True)
class Spread:
    """Latencies in short."""

    n: int
    median_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


def spread(latencies_ms: Sequence[float]) -> Spread:
    """Sum up one latency or more; every figure but the median is one that was measured."""
    p90_ms, p99_ms = (quantile(latencies_ms, share) for share in (0.90, 0.99))
    return Spread(len(latencies_ms), median(latencies_ms), p90_ms, p99_ms, max(latencies_ms))


def merged(turns: Sequence[Turn]) -> list[float]:
    """Return the latencies of all turns."""
    return [one for turn in turns for one in turn.latencies_ms]


def ratio(turns: Sequence[Turn], base: Sequence[Turn]) -> float:
    """How many times as long as in `base`: the median over turns of the ratio of medians."""
    return median(own.median_ms / other.median_ms for own, other in _pairs(turns, base))


def added_ms(turns: Sequence[Turn], base: Sequence[Turn]) -> float:
    """How much longer than in `base`: the median over turns of the difference of medians."""
    return median(own.median_ms - other.median_ms for own, other in _pairs(turns, base))


def _pairs(turns: Sequence[Turn], base: Sequence[Turn]) -> list[tuple[Turn, Turn]]:
    """The turns of one number: what the machine did just then, both have in common."""
    others = {turn.number: turn for turn in base}
    return [(turn, others[turn.number]) for turn in turns if turn.number in others]
