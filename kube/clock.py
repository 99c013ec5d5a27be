"""The clocks of this machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class SystemClock:
    """The clocks of the operating system; implements Clock."""

    def monotonic_s(self) -> float:
        """Return seconds that never go back, and that count during a suspend."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def utc(self) -> datetime:
        """Return the wall clock."""
        return datetime.now(UTC)

    def now(self) -> str:
        """Return the wall clock in RFC 3339, as the API writes it."""
        return self.utc().strftime("%Y-%m-%dT%H:%M:%SZ")


class Clock(Protocol):
    """The time, as an argument."""

    def monotonic_s(self) -> float:
        """Return seconds that never go back, and that count during a suspend."""

    def now(self) -> str:
        """Return the wall clock (RFC 3339)."""
