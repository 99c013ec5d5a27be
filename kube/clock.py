"""The clocks of this machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class SystemClock:
    """Implements Clock."""

    def monotonic_s(self) -> float:
        """Return seconds that never go back and go on during a suspend."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def utc(self) -> datetime:
        """Return the wall clock."""
        return datetime.now(UTC)

    def now(self) -> str:
        """Return the wall clock as people and the API write it (RFC 3339)."""
        return self.utc().strftime("%Y-%m-%dT%H:%M:%SZ")


class Clock(Protocol):
    """Time, from outside."""

    def monotonic_s(self) -> float:
        """Return seconds that never go back and go on during a suspend."""

    def now(self) -> str:
        """Return the time for people (RFC 3339)."""
