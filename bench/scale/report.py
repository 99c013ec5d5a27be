"""The report: results become tables, with the targets beside the figures. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.scale.figures import Lane, added_ms, merged, ratio, spread
from bench.scale.targets import targets
from bench.tables import Row, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.scale.figures import Burst, Farewell, Level, Results, Size

_LATENCY = ("median", "p90", "p99")


def tables(results: Results) -> list[Table]:
    """All tables for which something was measured, the targets first."""
    sizes, levels = results.sizes, results.levels
    found = [_targets(results)]
    if sizes:
        found += [_starts(sizes), _latencies(sizes), _writes(sizes)]
    if levels:
        found.append(_levels(levels))
    if results.bursts:
        found.append(_bursts(results.bursts))
    if results.farewells:
        found += [_farewells(results), _calls(results.farewells)]
    return found


def text(results: Results, machine: Mapping[str, str]) -> str:
    """Write it for a terminal."""
    facts = [f"{name}: {value}" for name, value in _facts(results, machine)]
    return "\n".join([*(table.text() for table in tables(results)), *facts, ""])


def markdown(results: Results, machine: Mapping[str, str]) -> str:
    """Write it for the docs."""
    facts = "; ".join(f"{name}: {value}" for name, value in _facts(results, machine))
    return "\n".join([*(table.markdown() for table in tables(results)), f"{facts}.", ""])


def _facts(results: Results, machine: Mapping[str, str]) -> list[tuple[str, str]]:
    return [*machine.items(), ("Q", f"{results.quiet_s:g} s")]


def _targets(results: Results) -> Table:
    about = "What this should do, and what it did; nothing fails where it does not."
    rows = [
        [one.what, one.wanted, one.measured, "yes" if one.met else "no"] for one in targets(results)
    ]
    return _table("Targets", about, ["what", "target", "measured", "met"], [rows])


def _starts(sizes: Sequence[Size]) -> Table:
    about = (
        "Seconds from a process's birth until it is ready (webhook) or has looked at all that is"
        f" in use (controller); its resident memory then, and after {_requests(sizes)} creates of"
        " pods in each lane; 'each' is what an allocation adds to it."
    )
    groups = []
    for name in ("webhook", "controller"):
        rows = []
        for size in sizes:
            start = size.starts[name]
            after, first = size.afterwards[name], sizes[0]
            more = size.allocations - first.allocations
            grown_mb = start.memory.now_mb - first.starts[name].memory.now_mb
            rows.append(
                [
                    name,
                    f"{size.allocations:,}",
                    f"{start.seconds:.2f}",
                    f"{start.memory.now_mb:.0f}",
                    f"{start.memory.peak_mb:.0f}",
                    f"{after.now_mb:.0f}",
                    f"{after.peak_mb:.0f}",
                    f"{grown_mb * 1e6 / more:.0f}" if more else "",
                ]
            )
        groups.append(rows)
    head = ["program", "in use", "ready, s", "MB", "peak", "MB after", "peak", "each, bytes"]
    return _table("Starts and memory", about, head, groups)


def _requests(sizes: Sequence[Size]) -> int:
    return sum(len(turn.latencies_ms) for turn in sizes[0].turns[Lane.OURS])


def _latencies(sizes: Sequence[Size]) -> Table:
    about = (
        "The create of a pod with one interface, one client, in ms. 'added' is against not opted"
        " in, 'times' against the no-op webhook, both turn by turn (medians of them)."
    )
    groups = []
    for lane in Lane:
        rows = []
        for size in sizes:
            turns, plain = size.turns[lane], size.turns[Lane.NOT_OPTED_IN]
            added = "" if lane is Lane.NOT_OPTED_IN else f"{added_ms(turns, plain):+.2f}"
            times = f"{ratio(turns, size.turns[Lane.NO_OP]):.2f}" if lane is Lane.OURS else ""
            rows.append([lane, f"{size.allocations:,}", *_spread(merged(turns)), added, times])
        groups.append(rows)
    head = ["lane", "in use", "n", *_LATENCY, "added", "times"]
    return _table("Latency by allocations in use", about, head, groups)


def _writes(sizes: Sequence[Size]) -> Table:
    about = (
        "Writes to the MacAllocation of a pod with one interface, from create to release; 'spare'"
        " are creates ahead that no pod was given, by the number of pods."
    )
    rows = [
        [
            f"{size.allocations:,}",
            f"{size.writes.pods}",
            *(
                f"{count / max(size.writes.pods, 1):.2f}"
                for count in (
                    size.writes.created,
                    size.writes.updated,
                    size.writes.deleted,
                    size.writes.spare,
                )
            ),
        ]
        for size in sizes
    ]
    head = ["in use", "pods", "create", "update", "delete", "spare"]
    return _table("Writes per pod", about, head, [rows])


def _levels(levels: Sequence[Level]) -> Table:
    about = (
        f"The create of a pod with one interface, one client, in a pool of {levels[0].size:,}"
        " addresses, in ms. 'times' is against the empty pool, turn by turn; 'fullest' what was"
        " taken at most, with the addresses of pods just deleted."
    )
    rows = [
        [
            f"{level.percent:g} %",
            f"{level.size - level.taken:,}",
            *_spread(merged(level.turns)),
            f"{ratio(level.turns, levels[0].turns):.2f}",
            f"{level.fullest:.1%}",
            f"{len(level.refusals)}",
        ]
        for level in levels
    ]
    head = ["full", "free", "n", *_LATENCY, "times", "fullest", "refused"]
    return _table("A pool that gets full", about, head, [rows])


def _bursts(bursts: Sequence[Burst]) -> Table:
    about = f"Pods of one interface, created at once by {bursts[0].clients} clients; ms, then s."
    rows = []
    for burst in bursts:
        short = spread(burst.latencies_ms)
        rows.append(
            [
                f"{short.n:,}",
                *(f"{ms:.0f}" for ms in (short.median_ms, short.p99_ms, short.max_ms)),
                f"{burst.created_s:.1f}",
                f"{short.n / burst.created_s:.0f}",
                f"{burst.bound_s:.1f}",
                f"{len(burst.refusals)}",
            ]
        )
    head = ["pods", "median", "p99", "max", "all created, s", "per s", "all Bound, s", "refused"]
    return _table("Pods that come at once", about, head, [rows])


def _farewells(results: Results) -> Table:
    about = (
        "A namespace is deleted; seconds from then on. Before 'Q over' the last address may not"
        " be released; 'after Q' is what the controller took from there."
    )
    rows = [
        [
            one.age,
            f"{one.pods:,}",
            *(
                f"{seconds:.1f}"
                for seconds in (
                    one.pods_gone_s, one.owed_s, one.allocations_gone_s, one.after_s, one.cpu_s
                )
            ),
            f"{one.peak_mb:.0f}",
        ]
        for one in results.farewells
    ]  # fmt: skip
    head = [
        "pods are",
        "pods",
        "pods gone",
        "Q over",
        "all released",
        "after Q",
        "CPU s",
        "peak MB",
    ]
    return _table("Pods that go at once", about, head, [rows])


def _calls(farewells: Sequence[Farewell]) -> Table:
    about = "Of the controller, from the deletion until the last allocation is gone."
    names = sorted({name for one in farewells for name in one.calls}, key=_by_resource)
    rows = [[name, *(f"{one.calls.get(name, 0):,}" for one in farewells)] for name in names]
    head = ["call", *(one.age for one in farewells)]
    return _table("Calls for that", about, head, [rows])


def _table(title: str, note: str, head: Row, groups: list[list[Row]]) -> Table:
    """Lay it out with words in the first column."""
    return Table(title, note, head, groups, words=frozenset(head[:1]))


def _by_resource(name: str) -> tuple[str, str]:
    verb, _, resource = name.partition(" ")
    return resource, verb


def _spread(latencies_ms: Sequence[float]) -> list[str]:
    short = spread(latencies_ms)
    return [
        f"{short.n}",
        *(f"{ms:.2f}" for ms in (short.median_ms, short.p90_ms, short.p99_ms)),
    ]
