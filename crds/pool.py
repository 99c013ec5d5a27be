"""The addresses that a pool may give out. Pure arithmetic.

Law: a walk from any start visits every address of the pool exactly once, and never a group address,
the zero address or a reserved address.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from typing import TYPE_CHECKING

from crds.mac import MacAddress, MacRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OCTET = 1 << 40  # the addresses that share one first octet
_Span = tuple[int, int]  # half open: start <= bits < end


class CollisionPolicy(StrEnum):
    """The answer to a request for an address that another object has."""

    REJECT = "Reject"  # the request is refused
    WARN = "Warn"  # the request is allowed with a warning, and both share the address


@dataclass(frozen=True, slots=True)
class Pool:
    """The addresses of `ranges` without group addresses, the zero address and `reserved`.

    MacPool `spec.ranges` and `spec.reserved`; `start == end` is a pool of one.
    """

    name: str
    ranges: tuple[MacRange, ...]
    reserved: tuple[MacRange, ...] = ()
    _spans: tuple[_Span, ...] = field(init=False, repr=False, compare=False)
    _ends: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        spans = _without(_merged(_unicast(self.ranges)), _merged(map(_span, self.reserved)))
        object.__setattr__(self, "_spans", tuple(spans))
        object.__setattr__(self, "_ends", tuple(accumulate(end - start for start, end in spans)))

    @property
    def size(self) -> int:
        """The number of addresses that it can give out."""
        return self._ends[-1] if self._ends else 0

    def __contains__(self, mac: MacAddress) -> bool:
        at = bisect_right(self._spans, (mac.bits, 1 << 48)) - 1
        return at >= 0 and mac.bits < self._spans[at][1]

    def at(self, index: int) -> MacAddress:
        """Return the address with number `index`, 0 <= index < size."""
        span = bisect_right(self._ends, index)
        return MacAddress(self._spans[span][1] - (self._ends[span] - index))

    def walk(self, start: int) -> Iterator[MacAddress]:
        """Yield every address once, from number `start` to the end, then from the first."""
        for step in range(self.size):
            yield self.at((start + step) % self.size)

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(map(str, self.ranges)) or 'no range'})"


def _span(block: MacRange) -> _Span:
    return block.start.bits, block.end.bits + 1


def _unicast(blocks: Iterable[MacRange]) -> Iterator[_Span]:
    """Split the blocks at each first octet; leave out odd first octets and address zero."""
    for start, end in map(_span, blocks):
        for octet in range(start // _OCTET, (end - 1) // _OCTET + 1):
            if octet % 2 == 0:
                yield max(start, octet * _OCTET, 1), min(end, (octet + 1) * _OCTET)


def _merged(spans: Iterable[_Span]) -> list[_Span]:
    whole: list[_Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if whole and start <= whole[-1][1]:
            whole[-1] = whole[-1][0], max(end, whole[-1][1])
        else:
            whole.append((start, end))
    return whole


def _without(spans: list[_Span], holes: list[_Span]) -> list[_Span]:
    kept: list[_Span] = []
    for start, end in spans:
        at = start
        for hole_start, hole_end in holes:
            if hole_end <= at or hole_start >= end:
                continue
            if at < hole_start:
                kept.append((at, hole_start))
            at = max(at, hole_end)
        if at < end:
            kept.append((at, end))
    return kept
