"""Writes events one after the other, beside the work that they are about.

Law: nobody waits for an event. When too many come, the oldest are left out, and the log says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING

from kube.errors import ApiError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kube.events import Event

_log = logging.getLogger(__name__)

# An event is one write to etcd, as a claim is: 5 a second are few beside the hundreds of those that
# it takes, and a thousand objects that collide at once are told within minutes.
PER_S = 5
# What has waited for 10 minutes tells of what was. With notes of 1 kB it is 6 MB.
MOST_WAITING = 600 * PER_S
# The API server is seldom away for longer, and what collides now will do so after a restart.
_RETRIES_S = (1.0, 4.0, 15.0)


class EventRecorder:
    """`write` creates an event; raises ApiError, Unreachable."""

    def __init__(self, write: Callable[[Event], Awaitable[object]]) -> None:
        self._write = write
        self._waiting: deque[Event] = deque()
        self._some = asyncio.Event()
        self._left_out = 0

    def record(self, event: Event) -> None:
        """Have it written soon."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            if not self._left_out:
                _log.warning("more than %d events wait: the oldest are left out", MOST_WAITING)
            self._left_out += 1
        self._waiting.append(event)
        self._some.set()

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        while True:
            await self._some.wait()
            while self._waiting:
                await self._one(self._waiting.popleft())
                await asyncio.sleep(1 / PER_S)
            self._some.clear()
            if self._left_out:
                _log.warning("%d events have been left out", self._left_out)
                self._left_out = 0

    async def _one(self, event: Event) -> None:
        """Write it, and try again a few times where that may help."""
        for wait_s in (*_RETRIES_S, None):
            try:
                await self._write(event)
            except ApiError as error:
                if error.status == HTTPStatus.CONFLICT:
                    return  # said already, by this process or the one before
                if error.status < HTTPStatus.INTERNAL_SERVER_ERROR or wait_s is None:
                    # 403 or 404: its namespace is going, or is gone.
                    _log.warning("the event on %s is not written: %s", event.about, error)
                    return
            except Unreachable as error:
                if wait_s is None:
                    _log.warning("the event on %s is not written: %s", event.about, error)
                    return
            except Exception:  # noqa: BLE001 # a fault of ours in one must not end all others
                _log.exception("the event on %s is not written", event.about)
                return
            else:
                return
            await asyncio.sleep(wait_s)
