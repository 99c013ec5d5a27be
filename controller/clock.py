"""The clocks of this machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Implements settling.Clock."""

    def monotonic_s(self) -> float:
        """Return seconds that never go back and go on during a suspend."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def utc(self) -> datetime:
        """Return the wall clock."""
        return datetime.now(UTC)

    def now(self) -> str:
        """Return the wall clock as people and the API write it (RFC 3339)."""
        return self.utc().strftime("%Y-%m-%dT%H:%M:%SZ")
