"""Results of the scale bench become tables, and are compared with the targets."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bench.scale.figures import (
    Burst,
    Farewell,
    Lane,
    Level,
    Memory,
    Results,
    Size,
    Start,
    Turn,
    Writes,
)
from bench.scale.report import markdown, text
from bench.scale.targets import targets

MACHINE = {"commit": "c0ffee", "cores": "2"}


def turns(*latencies_ms: float) -> list[Turn]:
    return [Turn(number, (ms,)) for number, ms in enumerate(latencies_ms, 1)]


def size(
    allocations: int, *, ours_ms: float, noop_ms: float = 10.0, mb: float = 60.0, s: float = 1.0
) -> Size:
    memory = Memory(mb, mb + 10)
    return Size(
        allocations=allocations,
        machines=allocations // 20,
        starts={name: Start(s, memory) for name in ("webhook", "controller")},
        afterwards=dict.fromkeys(("webhook", "controller"), memory),
        turns={
            Lane.NOT_OPTED_IN: turns(8.0),
            Lane.NO_OP: turns(noop_ms),
            Lane.OURS: turns(ours_ms),
        },
        writes=Writes(pods=4, created=4, updated=4, deleted=4, spare=2),
        refusals=[],
    )


def level(percent: float, *latencies_ms: float, refusals: Sequence[str] = ()) -> Level:
    return Level(percent, 4096, 0, percent / 100, turns(*latencies_ms), list(refusals))


BURST = Burst(
    clients=32, latencies_ms=[5.0, 9.0, 70.0], created_s=0.5, bound_s=1.5, refusals=[]
)  # fmt: skip
YOUNG = Farewell(
    age="younger than Q",
    pods=5000,
    pods_gone_s=20.0,
    allocations_gone_s=75.0,
    owed_s=60.0,
    cpu_s=9.0,
    peak_mb=120.0,
    calls={"get pods": 5000, "delete macallocations": 5000},
)
OLD = replace(YOUNG, age="older than Q", owed_s=0.0, calls={"get pods": 1234})
ALL = Results(
    quiet_s=60,
    sizes=[size(0, ours_ms=12.0), size(100_000, ours_ms=13.0, mb=85.0, s=3.0)],
    levels=[level(0, 10.0), level(99.9, 25.0)],
    bursts=[BURST],
    farewells=[YOUNG, OLD],
)
NONE = Results(quiet_s=60, sizes=[], levels=[], bursts=[], farewells=[])


def test_every_part_has_its_table_in_text_and_in_markdown() -> None:
    written, in_markdown = text(ALL, MACHINE), markdown(ALL, MACHINE)

    for title in (
        "Targets",
        "Starts and memory",
        "Latency by allocations in use",
        "Writes per pod",
        "A pool that gets full",
        "Pods that come at once",
        "Pods that go at once",
        "Calls for that",
    ):
        assert title.upper() in written
        assert f"### {title}\n" in in_markdown


def test_what_was_not_measured_has_no_table() -> None:
    written = text(replace(NONE, bursts=[BURST]), MACHINE)

    assert "PODS THAT COME AT ONCE" in written
    assert not any(word in written for word in ("STARTS", "LATENCY", "FULL", "GO AT ONCE"))


def test_the_report_says_where_and_with_which_q_it_was_measured() -> None:
    for written in (text(ALL, MACHINE), markdown(ALL, MACHINE)):
        for fact in ("commit: c0ffee", "cores: 2", "Q: 60 s"):
            assert fact in written


def test_memory_that_grows_is_told_by_the_allocation() -> None:
    assert "| 100,000 | 3.00 | 85 | 95 | 85 | 95 | 250 |" in markdown(ALL, MACHINE)


def test_latency_is_compared_with_the_other_lanes() -> None:
    assert "| ours | 100,000 | 1 | 13.00 | 13.00 | 13.00 | +5.00 | 1.30 |" in markdown(ALL, MACHINE)


def test_writes_are_told_by_the_pod() -> None:
    assert "| 100,000 | 4 | 1.00 | 1.00 | 1.00 | 0.50 |" in markdown(ALL, MACHINE)


def test_of_a_farewell_q_is_told_apart() -> None:
    shown = "| younger than Q | 5,000 | 20.0 | 60.0 | 75.0 | 15.0 | 9.0 | 120 |"

    assert shown in markdown(ALL, MACHINE)


def test_a_call_that_only_one_farewell_took_is_none_in_the_other() -> None:
    assert "| delete macallocations | 5,000 | 0 |" in markdown(ALL, MACHINE)


def test_with_these_figures_every_target_is_met() -> None:
    assert [one.what for one in targets(ALL) if not one.met] == []
    assert len(targets(ALL)) == 6


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({"sizes": [size(0, ours_ms=1.0), size(9, ours_ms=1.0, s=5.1)]}, "webhook ready"),
        ({"sizes": [size(0, ours_ms=1.0), size(9, ours_ms=1.0, mb=141.0)]}, "peak memory"),
        (
            {"sizes": [size(0, ours_ms=10.0), size(9, ours_ms=13.0, noop_ms=13.0)]},
            "median latency",
        ),
        (
            {"sizes": [size(0, ours_ms=10.0, noop_ms=13.0), size(9, ours_ms=10.0)]},
            "no-op webhook's",
        ),
        ({"levels": [level(0, 10.0), level(99.9, 31.0)]}, "99.9 % full"),
        ({"levels": [level(0, 10.0), level(99.9, 10.0, refusals=["full"])]}, "refused"),
        ({"bursts": [replace(BURST, refusals=["late"])]}, "refused"),
    ],
)
def test_a_target_that_is_missed_is_told(changed: dict[str, object], missed: str) -> None:
    found = targets(replace(ALL, **changed))  # type: ignore[arg-type] # one field each

    assert [missed in one.what for one in found if not one.met] == [True]
