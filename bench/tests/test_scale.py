"""The tables and targets of scale and adoption."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bench.adoption import Adoption
from bench.adoption import Start as FirstStart
from bench.host import Memory
from bench.ledger import Writes
from bench.report import Part, Report
from bench.scale.bursts import OLD, YOUNG, Burst, Bursts, Deletion
from bench.scale.filling import Filling, Level
from bench.scale.growth import Growth, Size
from bench.testcluster import Start
from bench.variants import Variant

PROGRAMS = ("webhook", "controller")


def size(
    allocations: int, *, ours_ms: float, noop_ms: float = 10.0, mb: float = 60.0, s: float = 1.0
) -> Size:
    memory = Memory(mb, mb + 10)
    latencies = {Variant.NOT_OPTED_IN: 8.0, Variant.NO_OP: noop_ms, Variant.STOCK: ours_ms}
    return Size(
        allocations,
        dict.fromkeys(PROGRAMS, Start(s, memory)),
        dict.fromkeys(PROGRAMS, memory),
        {variant: {1: [ms]} for variant, ms in latencies.items()},
        Writes(pods=4, created=4, updated=4, deleted=4, spare=2),
        refusals=[],
    )


def level(percent: float, ms: float, refusals: Sequence[str] = ()) -> Level:
    return Level(percent, 4096, 0, 41, {1: [ms]}, [*refusals])


BURST = Burst([5.0, 9.0, 70.0], created_s=0.5, bound_s=1.5, refusals=[])
YOUNG_PODS = Deletion(YOUNG, 5000, 20.0, 75.0, 60.0, 9.0, 120.0, {"delete macallocations": 5000})
OLD_PODS = replace(YOUNG_PODS, age=OLD, kept_s=0.0, calls={"get pods": 1234})
NONE = size(0, ours_ms=10.0)
GROWTH = Growth([size(0, ours_ms=12.0), size(100_000, ours_ms=13.0, mb=85.0, s=3.0)])
FILLING = Filling([level(0, 10.0), level(99.9, 25.0)])
BURSTS = Bursts([BURST], [YOUNG_PODS, OLD_PODS])
ADOPTION = Adoption([FirstStart(2000, 3.5, 1.25, 99.6, {"create macallocations": 4000})])


@pytest.mark.parametrize(
    ("part", "row"),
    [
        (GROWTH, "| webhook | 100,000 | 3.00 | 85 | 95 | 85 | 95 | 250 |"),
        (GROWTH, "| stock | 100,000 | 1 | 13.00 | 13.00 | 13.00 | +5.00 | 1.30 |"),
        (GROWTH, "| 100,000 | 4 | 1.00 | 1.00 | 1.00 | 0.50 |"),
        (FILLING, "| 99.9 % | 4,096 | 1 | 25.00 | 25.00 | 25.00 | 2.50 | 1.0% | 0 |"),
        (BURSTS, "| 3 | 9 | 70 | 70 | 0.5 | 6 | 1.5 | 0 |"),
        (BURSTS, "| younger than Q | 5,000 | 20.0 | 60.0 | 75.0 | 15.0 | 9.0 | 120 |"),
        (BURSTS, "| delete macallocations | 5,000 | 0 |"),
        (ADOPTION, "| seconds until Adopted | 3.50 |"),
        (ADOPTION, "| create macallocations | 4000 |"),
    ],
)
def test_a_table_has_the_row(part: Part, row: str) -> None:
    assert row in Report([part], {}).markdown()


def test_these_figures_meet_every_target() -> None:
    targets = [goal for part in (GROWTH, FILLING, BURSTS) for goal in part.targets()]

    assert [goal.verdict for goal in targets] == ["met"] * 8


@pytest.mark.parametrize(
    ("part", "missed"),
    [
        (Growth([NONE, size(9, ours_ms=10.0, s=5.1)]), "webhook ready"),
        (Growth([NONE, size(9, ours_ms=10.0, mb=141.0)]), "peak memory"),
        (Growth([NONE, size(9, ours_ms=13.0, noop_ms=13.0)]), "median latency"),
        (Growth([size(0, ours_ms=10.0, noop_ms=13.0), NONE]), "no-op webhook"),
        (Growth([NONE, replace(NONE, refusals=["late"])]), "refused"),
        (Filling([level(0, 10.0), level(99.9, 31.0)]), "99.9 % full"),
        (Filling([level(0, 10.0), level(99.9, 10.0, ["full"])]), "refused"),
        (Bursts([replace(BURST, refusals=["late"])], []), "refused"),
    ],
)
def test_a_missed_target_is_shown(part: Part, missed: str) -> None:
    assert [missed in goal.what for goal in part.targets() if goal.verdict == "missed"] == [True]
