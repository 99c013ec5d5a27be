"""An event loop whose clock a test moves."""

from __future__ import annotations

import asyncio


class SteeredLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when a test moves it.

    `now_s` is the time. Timers see it only after `strike`, as in a process that was paused: it may
    wake to the event that it waits for, or to its timeout.
    """

    now_s = 1000.0
    _struck_s = 1000.0

    def time(self) -> float:
        return self._struck_s

    def strike(self) -> None:
        """Let due timers fire at the next `rest`."""
        self._struck_s = self.now_s
        self.call_soon(lambda: None)  # so that `rest` runs

    def pass_time(self, by_s: float) -> None:
        """Move the clock, and run all that is due."""
        self.now_s += by_s
        self.strike()
        self.rest()

    def rest(self) -> None:
        """Run until all tasks wait."""
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
        """Cancel all waiting tasks, and close the loop."""
        for task in asyncio.all_tasks(self):
            task.cancel()
        self.rest()
        self.close()
