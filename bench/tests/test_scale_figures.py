"""Latencies of the scale bench become figures."""

import pytest

from bench.scale.figures import Turn, added_ms, merged, ratio, spread


def turn(number: int, *latencies_ms: float) -> Turn:
    return Turn(number, latencies_ms)


def test_every_quantile_is_a_latency_that_was_measured() -> None:
    found = spread([float(ms) for ms in range(200, 0, -1)])

    assert (found.n, found.median_ms) == (200, 100.5)
    assert (found.p90_ms, found.p99_ms, found.max_ms) == (180, 198, 200)


def test_one_latency_is_all_of_its_quantiles() -> None:
    found = spread([7.0])

    assert (found.median_ms, found.p90_ms, found.p99_ms, found.max_ms) == (7, 7, 7, 7)


def test_turns_of_one_number_are_compared_whatever_the_machine_did_meanwhile() -> None:
    ours = [turn(1, 12.0, 12.0), turn(2, 120.0), turn(3, 24.0)]
    plain = [turn(3, 20.0), turn(2, 100.0), turn(1, 10.0, 10.0)]

    assert ratio(ours, plain) == pytest.approx(1.2)
    assert added_ms(ours, plain) == pytest.approx(4.0)


def test_a_turn_without_its_like_is_compared_with_nothing() -> None:
    assert ratio([turn(1, 30.0), turn(2, 99.0)], [turn(1, 10.0)]) == 3


def test_all_turns_together_have_every_latency() -> None:
    assert merged([turn(1, 1.0, 2.0), turn(2, 3.0)]) == [1.0, 2.0, 3.0]
