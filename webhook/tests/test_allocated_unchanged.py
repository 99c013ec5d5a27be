"""An allocation counts as unchanged from Q after it was first seen here, within a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crds.allocation import QUIET_S, Allocation, Stored
from crds.resources import NameAndVersion
from webhook.allocated import AllocatedNames
from webhook.tests.reviews import mac

if TYPE_CHECKING:
    from crds.mac import MacAddress

Q = QUIET_S


async def never() -> list[NameAndVersion]:
    raise AssertionError("no test asks for a list")


class Watched:
    """AllocatedNames with a clock that a test moves; versions are those of one API server."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.allocated = AllocatedNames(never, lambda: self.now_s)
        self.allocated.reset([])

    def put(self, last: int, version: int) -> None:
        self.allocated.put(NameAndVersion(mac(last), version))

    def drop(self, last: int, version: int) -> None:
        self.allocated.drop(NameAndVersion(mac(last), version))

    def reset(self, **versions: int) -> None:
        self.allocated.reset(
            [NameAndVersion(mac(int(name[1:])), at) for name, at in versions.items()]
        )

    def is_unchanged(self, last: int, version: int | str, after_s: float = 0.0) -> bool:
        self.now_s += after_s
        return self.allocated.is_unchanged(Stored(Allocation(mac=mac(last)), "u-1", str(version)))


@pytest.mark.parametrize(
    ("after_s", "quiet"),
    [(0.0, False), (Q - 1, False), (Q - 0.01, False), (Q + 1, True), (1e6, True)],
)
async def test_an_allocation_without_a_change_for_q_is_quiet(
    *, after_s: float, quiet: bool
) -> None:
    watched = Watched()
    watched.put(1, 7)

    assert watched.is_unchanged(1, 7, after_s) is quiet


@pytest.mark.parametrize(
    "version", ["6", "8", "07", "", "x", "7 "], ids=["older", "newer", "07", "empty", "x", "spaced"]
)
async def test_a_state_that_was_never_seen_here_is_not_quiet(version: str) -> None:
    watched = Watched()
    watched.put(1, 7)

    assert not watched.is_unchanged(1, version, 10 * Q)


async def test_no_more_times_are_remembered_than_one_a_second_for_q() -> None:
    watched = Watched()
    for step in range(10_000):
        watched.now_s += 0.1
        watched.put(step % 9, step)

    assert len(watched.allocated._newest) <= Q + 2


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "drop", "reset", "restore"]),
        st.integers(1, 3),
        # Quarters, which a float holds exactly.
        st.sampled_from([0.0, 0.0, 0.25, 0.75, 1.0, 1.25, Q / 2, Q - 1, Q - 0.25, Q, Q + 1]),
    ),
    max_size=40,
)


@given(_STEPS)
async def test_quiet_is_never_too_soon_and_comes_within_a_second(
    steps: list[tuple[str, int, float]],
) -> None:
    watched = Watched()
    version = 100
    known: dict[MacAddress, tuple[int, float]] = {}  # the version, and when it was first seen

    for what, last, after_s in steps:
        watched.now_s += after_s
        version += 1
        if what == "put":
            watched.put(last, version)
            known[mac(last)] = version, watched.now_s
        elif what == "drop":
            watched.drop(last, version)
            known.pop(mac(last), None)
        else:
            if what == "restore":  # etcd's: everything is as it was, and versions begin again
                version = 10 + 3
                known = {address: (10 + n, 0.0) for n, address in enumerate(known)}
            known = {address: (at, watched.now_s) for address, (at, _) in known.items()}
            watched.allocated.reset(
                [NameAndVersion(address, at) for address, (at, _) in known.items()]
            )
        for number in range(1, 4):
            at, since_s = known.get(mac(number), (0, watched.now_s))
            quiet = watched.is_unchanged(number, at)

            assert not (quiet and watched.now_s - since_s < Q)
            assert quiet or watched.now_s - since_s < Q + 1
            assert not watched.is_unchanged(number, at + 1)
            assert not watched.is_unchanged(number, at - 1)
