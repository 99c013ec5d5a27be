"""Random lives of addresses over two webhook replicas and the controller: never a duplicate among
live objects, never a lost allocation, and at rest no leak.

Hypothesis chooses the moves, and shrinks what fails; `EXAMPLES` says how many lives.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.moves import WEIGHTS, Moves

if TYPE_CHECKING:
    from collections.abc import Callable


class Protocol(RuleBasedStateMachine):
    """Its rules are the moves."""

    data: st.DataObject

    @initialize(data=st.data())
    def a_life_begins(self, data: st.DataObject) -> None:
        self.data = data
        self.moves = Moves(lambda most: self.data.draw(st.integers(0, most - 1)))

    def teardown(self) -> None:
        if hasattr(self, "moves"):
            try:
                self.moves.sim.quiesce()
            finally:
                self.moves.sim.close()


def _rule(move: Callable[[Moves], None]) -> object:
    def happens(self: Protocol, data: st.DataObject) -> None:
        self.data = data
        move(self.moves)

    happens.__name__ = move.__name__
    return rule(data=st.data())(happens)


for _move in WEIGHTS:
    setattr(Protocol, _move.__name__, _rule(_move))

TestProtocol = Protocol.TestCase
TestProtocol.settings = settings(
    max_examples=int(os.environ.get("EXAMPLES", "150")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
