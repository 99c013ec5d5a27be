"""The tables of the sustained load."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from bench.cells import Lane
from bench.summary import quantile
from bench.tables import Table

if TYPE_CHECKING:
    from bench.results import Results, Sustained

_LOAD = """{clients} clients create pods with one interface without pause, and each deletes the one
that it created {lag} creates ago, for {seconds:.0f} s. Latencies, in ms, are of the creates.
"released" is how long after the end, in s, the last address was free again: the controller keeps
each for a minute after it was bound."""
_LIFE = """CPU seconds per 1,000 pods, from the first create until the last address is free again,
and how often an allocation was created, updated and deleted per pod. What the stock created and did
not hand out counts, too; "ahead" is how many it kept before and afterwards. In a minute in which
nothing is asked the processes use, in CPU seconds: {idle}."""
_VERBS = ("created", "updated", "deleted")


def sustained_tables(results: Results) -> list[Table]:
    """Return what was found, in the order of the lanes; nothing where it was left out."""
    runs = sorted(results.sustained, key=lambda run: [*Lane].index(run.lane))
    if not runs:
        return []
    first = runs[0]
    idle = ", ".join(f"{name} {used_s:.2f}" for name, used_s in results.idle_cpu_s.items())
    return [
        Table(
            "Sustained load",
            _LOAD.format(clients=first.clients, lag=first.lag, seconds=first.seconds),
            ["lane", "pods", "pods per s", "median", "p99", "released"],
            [[_load(run) for run in runs]],
        ),
        Table(
            "A pod's whole life",
            _LIFE.format(idle=idle),
            ["lane", *first.cpu_s, "all", *_VERBS, "ahead"],
            [[_life(run) for run in runs]],
        ),
    ]


def _load(run: Sustained) -> list[str]:
    return [
        run.lane,
        str(run.pods),
        f"{run.rate:.1f}",
        f"{median(run.latencies_ms):.2f}",
        f"{quantile(run.latencies_ms, 0.99):.2f}",
        f"{run.released_s:.0f}",
    ]


def _life(run: Sustained) -> list[str]:
    per_thousand = [
        used_s / run.pods * 1000 for used_s in (*run.cpu_s.values(), sum(run.cpu_s.values()))
    ]
    before, after = run.ahead
    return [
        run.lane,
        *(f"{used_s:.2f}" for used_s in per_thousand),
        *(f"{run.writes.get(verb, 0) / run.pods:.2f}" for verb in _VERBS),
        f"{before} .. {after}" if run.lane is Lane.STOCK else "",
    ]
