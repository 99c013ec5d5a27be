"""One revision in times of another."""

from dataclasses import astuple
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cells import Lane
from bench.results import Batch
from bench.tests.made import ADDS, ONE, results
from bench.versus import Pair, changes, order


def block(slowness: float, ours_adds: float = 1.0) -> tuple[Batch, ...]:
    """A block in which everything takes `slowness` times as long; ours adds so many times more."""
    made = []
    for batch in results(turns=2).batches:
        lane = batch.cell.lane
        adds = ADDS[lane] * (ours_adds if lane in (Lane.SYNCHRONOUS, Lane.STOCK) else 1)
        made.append(msgspec.structs.replace(batch, latencies_ms=((10 + adds) * slowness,)))
    return tuple(made)


def test_blocks_alternate_so_that_neither_revision_is_always_first() -> None:
    heads = ["AB"[is_head] for _, is_head in order(4)]

    assert "".join(heads) == "ABBAABBA"
    assert [pair for pair, _ in order(2)] == [0, 0, 1, 1]


@settings(deadline=None, max_examples=settings().max_examples // 5)
@given(st.lists(st.floats(min_value=0.1, max_value=50), min_size=3, max_size=4))
def test_a_machine_that_drifts_makes_no_difference(slowness: list[float]) -> None:
    pairs = [Pair(block(one), block(other)) for one, other in pairwise(slowness)]

    found = changes(pairs, seed=1, draws=5)

    for one in found:
        assert astuple(one.whole) == pytest.approx((1, 1, 1))
        assert astuple(one.added) == pytest.approx((1, 1, 1))


def test_what_adds_half_as_much_is_told_as_half() -> None:
    pairs = [Pair(base=block(1.0), head=block(3.0, ours_adds=0.5))] * 2

    found = {one.lane: one for one in changes(pairs, seed=1, draws=5) if one.shape == ONE}

    synchronous = found[Lane.SYNCHRONOUS]
    assert synchronous.added.median == pytest.approx(0.5)
    assert synchronous.whole.median == pytest.approx(16 / 22)
