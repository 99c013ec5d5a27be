"""A run that can be repeated: a test moves the clock of the loop, and lets each call through.

Law: between two decisions of the test every program runs until all it can do is wait.
"""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass

from crds.store import StoreUnavailable
from crds.tests.gates import Call
from kube.tests.steered import SteeredLoop

# The purpose of a task: an admission request, or a controller's work on an address. A task passes
# it to the tasks that it starts.
DOING: ContextVar[object] = ContextVar("DOING", default=None)


@dataclass(slots=True, eq=False)
class Parked:
    """A call that has not begun, or, `is_done`, one whose answer has not come.

    With `lose_answer` it happens and then fails; with `keep_answer` it happens and parks again.
    """

    call: Call
    doing: object
    go: asyncio.Future[None]
    is_done: bool = False
    lose_answer: bool = False
    keep_answer: bool = False

    def __str__(self) -> str:
        return str(self.call)


class Calls:
    """The gates of the fake API server: every call parks here."""

    def __init__(self, loop: SteeredLoop) -> None:
        self.parked: list[Parked] = []
        self._loop = loop
        self._losing: list[Call] = []
        self._keeping: list[Call] = []

    async def gate(self, call: Call) -> None:
        """Wait for the test (FakeCluster.gate)."""
        parked = await self._park(Parked(call, DOING.get(), self._loop.create_future()))
        if parked.lose_answer:
            self._losing.append(call)
        if parked.keep_answer:
            self._keeping.append(call)

    async def answer(self, call: Call) -> None:
        """Lose or hold the answer if the test said so (FakeCluster.answer)."""
        if call in self._keeping:
            self._keeping.remove(call)
            await self._park(Parked(call, DOING.get(), self._loop.create_future(), is_done=True))
        if call in self._losing:
            self._losing.remove(call)
            raise StoreUnavailable(f"the answer was lost: {call}")

    async def _park(self, parked: Parked) -> Parked:
        self.parked.append(parked)
        try:
            await parked.go
        finally:
            if parked in self.parked:  # its program died or gave up
                self.parked.remove(parked)
        return parked

    def of(self, doing: object) -> list[Parked]:
        """Return the calls made on behalf of `doing`."""
        return [parked for parked in self.parked if parked.doing == doing]

    def let(self, which: Parked, *, keep_answer: bool = False) -> None:
        """Let a call through; with `keep_answer` its answer parks, too."""
        self.parked.remove(which)
        which.keep_answer = keep_answer and not which.is_done
        which.go.set_result(None)
        self._loop.rest()

    def fail(self, which: Parked, *, after: bool) -> None:
        """Fail a call, before its effect or after."""
        self.parked.remove(which)
        if after and not which.is_done:
            which.lose_answer = True
            which.go.set_result(None)
        else:
            which.go.set_exception(StoreUnavailable(f"no way through: {which.call}"))
        self._loop.rest()
