"""Random lives of two webhook replicas and the controller keep the laws (simulation/laws.py).

Hypothesis chooses the moves, and shrinks a life that fails. pytest's `--all` runs all lives, else a
tenth; `EXAMPLES` sets their number.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from simulation.moves import LIVES, Moves

EXAMPLES = int(os.environ.get("EXAMPLES", 3 * settings().max_examples))
ALL = LIVES[-1]
MOVES = {move.__name__: move for move in ALL}
# One rule for all moves: with many rules Hypothesis leaves some out of each life, but most
# accidents need six or seven different moves.
WEIGHTED = [move.__name__ for move, weight in ALL.items() for _ in range(weight)]


class Protocol(RuleBasedStateMachine):
    """Any move, at any time."""

    data: st.DataObject

    @initialize(data=st.data())
    def a_life_begins(self, data: st.DataObject) -> None:
        self.data = data
        self.moves = Moves(lambda most: self.data.draw(st.integers(0, most - 1)))

    @rule(data=st.data(), move=st.sampled_from(WEIGHTED))
    def next_is(self, data: st.DataObject, move: str) -> None:
        self.data = data
        MOVES[move](self.moves)

    def teardown(self) -> None:
        if hasattr(self, "moves"):
            try:
                self.moves.sim.quiesce(repaired=True)
            finally:
                self.moves.sim.close()


TestProtocol = Protocol.TestCase
TestProtocol.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
