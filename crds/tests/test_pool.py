from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crds.mac import MacAddress, MacRange
from crds.pool import Pool

OCTET = 1 << 40
# Near the edges of first octets, where zero and group addresses are, and far from them.
EDGES = st.sampled_from([0, OCTET, 2 * OCTET, 3 * OCTET, 4 * OCTET, (1 << 48) - 40, 2 * OCTET + 99])


@st.composite
def small_ranges(draw: st.DrawFn) -> MacRange:
    start = max(0, draw(EDGES) + draw(st.integers(-30, 30)))
    end = start + draw(st.integers(0, 40))
    return MacRange(MacAddress(min(start, 2**48 - 1)), MacAddress(min(end, 2**48 - 1)))


POOLS = st.builds(
    Pool,
    st.just("default"),
    st.lists(small_ranges(), max_size=4).map(tuple),
    st.lists(small_ranges(), max_size=4).map(tuple),
)


def members(ranges: tuple[MacRange, ...]) -> set[int]:
    return {bits for block in ranges for bits in range(block.start.bits, block.end.bits + 1)}


def brute_force(pool: Pool) -> set[MacAddress]:
    unreserved = members(pool.ranges) - members(pool.reserved)
    return {MacAddress(bits) for bits in unreserved if bits and not MacAddress(bits).is_group}


@given(POOLS, st.integers(0, 1 << 48))
def test_a_walk_visits_every_address_exactly_once(pool: Pool, start: int) -> None:
    walked = list(pool.walk(start))

    assert len(walked) == len(set(walked)) == pool.size
    assert set(walked) == brute_force(pool)


@given(POOLS)
def test_an_address_is_in_the_pool_exactly_if_it_has_an_index(pool: Pool) -> None:
    around = members(pool.ranges) | members(pool.reserved)
    candidates = {bits + n for bits in around for n in (-1, 0, 1) if 0 <= bits + n < 1 << 48}

    numbered = {pool.at(index).bits for index in range(pool.size)}

    assert {bits for bits in candidates if MacAddress(bits) in pool} == numbered


@given(POOLS)
def test_addresses_are_numbered_in_their_order(pool: Pool) -> None:
    numbered = [pool.at(index) for index in range(pool.size)]

    assert all(low < high for low, high in itertools.pairwise(numbered))


@given(POOLS.filter(lambda pool: pool.size > 0), st.data())
def test_a_walk_begins_where_it_is_told(pool: Pool, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, pool.size - 1))

    assert next(pool.walk(start)) == pool.at(start)


def test_a_range_over_all_addresses_has_all_unicast_ones() -> None:
    everything = MacRange(MacAddress(0), MacAddress((1 << 48) - 1))

    pool = Pool("default", (everything,))

    assert pool.size == (1 << 47) - 1
    assert pool.at(0) == MacAddress(1)
    assert str(pool.at(pool.size - 1)) == "fe:ff:ff:ff:ff:ff"
    assert MacAddress.parse("03:00:00:00:00:00") not in pool
    assert str(next(pool.walk(OCTET - 1))) == "02:00:00:00:00:00"


def test_overlapping_ranges_count_once() -> None:
    mac = MacAddress.parse("02:00:00:00:00:10")
    upper = MacRange(mac, MacAddress(mac.bits + 9))
    lower = MacRange(MacAddress(mac.bits - 5), MacAddress(mac.bits + 4))

    assert Pool("default", (upper, lower, upper)).size == 15


@pytest.mark.parametrize(
    ("ranges", "reserved"),
    [
        ((), ()),
        (("03:00:00:00:00:00", "03:ff:ff:ff:ff:ff"), ()),
        (("00:00:00:00:00:00", "00:00:00:00:00:00"), ()),
        (("02:00:00:00:00:00", "02:00:00:00:00:0f"), ("00:00:00:00:00:00", "fe:ff:ff:ff:ff:ff")),
    ],
    ids=["no range", "only group addresses", "only zero", "all reserved"],
)
def test_a_pool_may_be_empty(ranges: tuple[str, ...], reserved: tuple[str, ...]) -> None:
    pool = Pool("default", blocks(*ranges), blocks(*reserved))

    assert pool.size == 0
    assert list(pool.walk(0)) == []
    assert MacAddress.parse("02:00:00:00:00:00") not in pool


def test_start_and_end_may_be_the_same() -> None:
    pool = Pool("default", blocks("02:00:00:00:00:2a", "02:00:00:00:00:2a"))

    assert [str(mac) for mac in pool.walk(7)] == ["02:00:00:00:00:2a"]


def test_the_text_of_a_pool_has_its_name_and_ranges() -> None:
    pool = Pool("default", blocks("02:00:00:00:00:00", "02:00:00:00:00:0f"))

    assert str(pool) == "default (02:00:00:00:00:00 - 02:00:00:00:00:0f)"
    assert str(Pool("default", ())) == "default (no range)"


def blocks(*ends: str) -> tuple[MacRange, ...]:
    macs = [MacAddress.parse(text) for text in ends]
    return tuple(MacRange(*pair) for pair in zip(macs[::2], macs[1::2], strict=True))
