"""How many to create ahead, for any course of requests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from webhook.stock.demand import LITTLE, SHARE, Demand

STOCK_USABLE_S = 300.0
AMPLE = 1_000_000_000

# Numbers of addresses, and the seconds since the request before.
Asked = list[tuple[int, float]]
courses = st.lists(st.tuples(st.integers(1, 600), st.floats(0, 200)), max_size=20)


def after(course: Asked) -> tuple[Demand, float]:
    """The demand that these have noted, and the time."""
    demand, now_s = Demand(STOCK_USABLE_S), 1000.0
    for addresses, later_s in course:
        now_s += later_s
        demand.note(addresses, now_s)
    return demand, now_s


def asked_since(course: Asked, since_s: float) -> int:
    now_s, asked = 1000.0, 0
    for addresses, later_s in course:
        now_s += later_s
        asked += addresses if now_s >= since_s else 0
    return asked


@given(courses, st.floats(0, 400), st.integers(0, 600), st.integers(-10, AMPLE))
def test_it_is_never_more_than_was_asked_for_nor_than_is_free_to_spare(
    course: Asked, later_s: float, most: int, free: int
) -> None:
    demand, now_s = after(course)
    now_s += later_s

    ahead = demand.ahead(now_s, most, free)

    assert 0 <= ahead <= most
    assert ahead <= asked_since(course, now_s - STOCK_USABLE_S)
    assert ahead * SHARE <= max(free, 0)
    assert ahead == 0 or free >= LITTLE


@given(courses)
def test_after_the_lifetime_without_demand_it_is_nothing(course: Asked) -> None:
    demand, now_s = after(course)

    assert demand.ahead(now_s + STOCK_USABLE_S + 1, 512, AMPLE) == 0


@given(courses, st.integers(1, 600))
def test_the_stock_keeps_at_least_as_many_addresses_as_the_last_request_asked_for(
    course: Asked, addresses: int
) -> None:
    demand, now_s = after(course)

    demand.note(addresses, now_s)

    assert demand.ahead(now_s, 10_000, AMPLE) >= addresses


def test_a_trickle_keeps_two_of_its_busiest_seconds() -> None:
    demand = Demand(STOCK_USABLE_S)
    for second in range(60):
        demand.note(3, 1000.0 + second)

    assert demand.ahead(1060.0, 512, AMPLE) == 6


def test_requests_within_a_second_count_together() -> None:
    demand = Demand(STOCK_USABLE_S)
    for tenth in range(5):
        demand.note(2, 1000.0 + tenth / 10)
    demand.note(10, 1200.0)

    assert demand.ahead(1200.0, 512, AMPLE) == 20


def test_a_pool_with_little_left_has_none() -> None:
    demand = Demand(STOCK_USABLE_S)
    demand.note(512, 1000.0)

    assert demand.ahead(1000.0, 512, LITTLE - 1) == 0
    assert demand.ahead(1000.0, 512, LITTLE) == LITTLE // SHARE
