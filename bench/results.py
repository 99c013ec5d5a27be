"""What a run found, as it is kept: `results.json`.

Written by one revision and read by another (`bench compare`), so whatever changes its meaning
raises SCHEMA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bench.cells import Cell, Lane

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
FILE = "results.json"


class Batch(msgspec.Struct, frozen=True):
    """What was measured: a latency per request, the whole duration, CPU seconds by process."""

    turn: int
    cell: Cell
    latencies_ms: tuple[float, ...]
    seconds: float
    cpu_s: dict[str, float]


class Sustained(msgspec.Struct, frozen=True):
    """One lane under creates and deletes for `seconds`, and then until all is released.

    Each of `clients` deletes the pod that it created `lag` creates ago.
    `released_s` counts from the end of the load. CPU seconds by process and `writes` of
    allocations (created, updated, deleted) are of both together; `writes` holds what was created
    ahead, too. `ahead` is how many addresses were kept ahead before and afterwards.
    """

    lane: Lane
    clients: int
    lag: int
    seconds: float
    latencies_ms: tuple[float, ...]
    released_s: float
    cpu_s: dict[str, float]
    writes: dict[str, int]
    ahead: tuple[int, int]

    @property
    def pods(self) -> int:
        """How many were created, and deleted in the end."""
        return len(self.latencies_ms)

    @property
    def rate(self) -> float:
        """Pods created per second, while as many were deleted."""
        return self.pods / self.seconds


class Results(msgspec.Struct, frozen=True):
    """All that came out of a run. CPU seconds of `idle_cpu_s` are per minute, by process."""

    machine: dict[str, str]
    seed: int
    batches: tuple[Batch, ...]
    idle_cpu_s: dict[str, float]
    sustained: tuple[Sustained, ...] = ()
    schema: int = SCHEMA

    @property
    def turns(self) -> int:
        """How many turns there were."""
        return max(batch.turn for batch in self.batches)


class OtherSchema(Exception):
    """The results were written by a revision that measures something else, or nothing."""


class _Dated(msgspec.Struct):
    schema: int = 0


def write(results: Results, folder: Path) -> None:
    """Write them into `folder`."""
    (folder / FILE).write_bytes(msgspec.json.encode(results))


def read(folder: Path) -> Results:
    """Read them back, or raise OtherSchema; FileNotFoundError where there are none."""
    raw = (folder / FILE).read_bytes()
    found = msgspec.json.decode(raw, type=_Dated).schema
    if found != SCHEMA:
        raise OtherSchema(f"{folder / FILE} has schema {found}, and this revision reads {SCHEMA}")
    return msgspec.json.decode(raw, type=Results)
