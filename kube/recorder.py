"""Writes events one after the other, in the background.

Law: no caller waits for an event. If too many wait, the oldest are dropped, and the log says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from kube.errors import ApiError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kube.events import Event

_log = logging.getLogger(__name__)

# An event is one write to etcd, like a claim. 5 events a second are few compared with hundreds of
# claims, and a thousand collisions at once are reported within minutes.
PER_S = 5
# After 10 minutes an event is out of date. With notes of 1 kB, the queue has up to 6 MB.
MOST_WAITING = 600 * PER_S
# The API server is rarely unavailable for longer. A collision that lasts is reported again after a
# restart.
_RETRIES_S = (1.0, 4.0, 15.0)


class EventRecorder:
    """Queues events; `write` creates one, and may raise ApiError or Unreachable."""

    def __init__(self, write: Callable[[Event], Awaitable[object]]) -> None:
        self._write = write
        self._waiting: deque[Event] = deque()
        self._some = asyncio.Event()
        self._dropped = 0

    def record(self, event: Event) -> None:
        """Queue `event`, and return at once."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            if not self._dropped:
                _log.warning("more than %d events wait: the oldest are dropped", MOST_WAITING)
            self._dropped += 1
        self._waiting.append(event)
        self._some.set()

    async def run(self) -> None:
        """Write the queued events, until cancelled."""
        while True:
            await self._some.wait()
            while self._waiting:
                await self._try_to_write(self._waiting.popleft())
                await asyncio.sleep(1 / PER_S)
            self._some.clear()
            if self._dropped:
                _log.warning("%d events have been dropped", self._dropped)
                self._dropped = 0

    async def _try_to_write(self, event: Event) -> None:
        """Write `event`; retry a few times if that may help."""
        for wait_s in (*_RETRIES_S, None):
            try:
                await self._write(event)
            except ApiError as error:
                if error.is_conflict:
                    return  # it exists: this process or its predecessor wrote it
                if not error.is_server_error or wait_s is None:
                    # 403 or 404: its namespace is being deleted, or is gone.
                    _log.warning("the event on %s is not written: %s", event.about, error)
                    return
            except Unreachable as error:
                if wait_s is None:
                    _log.warning("the event on %s is not written: %s", event.about, error)
                    return
            except Exception:  # noqa: BLE001 # a bug in one event must not stop the others
                _log.exception("the event on %s is not written", event.about)
                return
            else:
                return
            await asyncio.sleep(wait_s)
