"""An event loop whose clock a test moves."""

from __future__ import annotations

import asyncio


class SteeredLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still until a test moves it.

    `now_s` is the time; timers, and so time-outs, know of it only after `strike`: a process that
    was paused wakes to what it waited for first, or to its deadline.
    """

    now_s = 1000.0
    _struck_s = 1000.0

    def time(self) -> float:
        return self._struck_s

    def strike(self) -> None:
        """Let due timers go off (at the next `rest`)."""
        self._struck_s = self.now_s
        self.call_soon(lambda: None)  # it has something to wake for

    def rest(self) -> None:
        """Run until nobody can go on."""
        if self._has_work():
            self.call_soon(self._turn)
            self.run_forever()

    def _turn(self) -> None:
        if self._has_work():
            self.call_soon(self._turn)
        else:
            self.stop()

    def _has_work(self) -> bool:
        # asyncio has no public way to ask.
        return bool(self._ready)  # type: ignore[attr-defined]

    def end(self) -> None:
        """Cancel all that still waits, and close."""
        for task in asyncio.all_tasks(self):
            task.cancel()
        self.rest()
        self.close()
