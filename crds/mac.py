"""EUI-48 addresses and ranges of them. Pure.

Law: all spellings of one address are one value, so an address cannot be locked under two names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import NoReturn

# The spellings that Go's net.ParseMAC reads as six octets. Multus and the CNI plugins use it.
_SPELLINGS = re.compile(
    r"[0-9a-fA-F]{2}([:-])[0-9a-fA-F]{2}(?:\1[0-9a-fA-F]{2}){4}"
    r"|[0-9a-fA-F]{4}(?:\.[0-9a-fA-F]{4}){2}"
)
_SHOWN_LENGTH = 64


class MalformedMac(ValueError):
    """The text is not an EUI-48 address that an interface can own."""


@total_ordering
class MacAddress:
    """An EUI-48 address, stored as an integer (0 <= bits < 2**48).

    It is not a dataclass: msgspec would encode the fields of a dataclass, and an address must be
    encoded as text.
    """

    __slots__ = ("bits",)
    bits: int

    def __init__(self, bits: int) -> None:
        object.__setattr__(self, "bits", bits)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name} of an address never changes")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MacAddress) and self.bits == other.bits

    def __lt__(self, other: MacAddress) -> bool:
        return self.bits < other.bits

    def __hash__(self) -> int:
        return self.bits

    def __repr__(self) -> str:
        return f"MacAddress({self})"

    @classmethod
    def parse(cls, text: str) -> MacAddress:
        """Read 02:00:00:00:00:2a, 02-00-00-00-00-2a or 0200.0000.002a, in any case."""
        if not _SPELLINGS.fullmatch(text):
            raise MalformedMac(
                f"{shown(text)} is not a MAC address: write six octets, such as 02:00:00:00:00:2a"
            )
        return cls(int(text.replace(":", "").replace("-", "").replace(".", ""), 16))

    @classmethod
    def parse_unicast(cls, text: str) -> MacAddress:
        """Read an address that an interface can own: neither zero nor a group address."""
        mac = cls.parse(text)
        if not mac.bits:
            raise MalformedMac(f"{mac} is the zero address: no interface can own it")
        if mac.is_group:
            raise MalformedMac(
                f"{mac} is a group address (its first octet is odd): no interface can own it;"
                f" use an even first octet, such as 02"
            )
        return mac

    @classmethod
    def read(cls, text: str | None) -> MacAddress | None:
        """Read an address that an interface can own; None if `text` is absent or not one."""
        try:
            return cls.parse_unicast(text or "")
        except MalformedMac:
            return None

    @property
    def is_group(self) -> bool:
        """True if the Group bit is set (RFC 9542, 2.1). No interface may own such an address."""
        return bool(self.bits >> 40 & 1)

    @property
    def name(self) -> str:
        """The name of its MacAllocation: 02-00-00-00-00-2a."""
        return self.bits.to_bytes(6).hex("-")

    def __str__(self) -> str:
        return self.bits.to_bytes(6).hex(":")


@dataclass(frozen=True, slots=True)
class MacRange:
    """All addresses from `start` to `end`, both included."""

    start: MacAddress
    end: MacAddress

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise MalformedMac(f"the range starts at {self.start}, after its end {self.end}")

    def __str__(self) -> str:
        return f"{self.start} - {self.end}"


def shown(text: str) -> str:
    """Return text from outside for a message: quoted, printable and short."""
    return repr(text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "...")
