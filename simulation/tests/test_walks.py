"""Thousands of random walks with the moves of the state machine: a plain loop is faster.

pytest's `--all` runs all walks, else a tenth; `WALKS` sets their number, and `SEED` is the seed of
the first. A failure names its seed and its last steps.
"""

from __future__ import annotations

import os
import random

from hypothesis import settings

from simulation.moves import LIVES, Moves

_WALKS = int(os.environ.get("WALKS", 20 * settings().max_examples))
_SEED = int(os.environ.get("SEED", "1"))
_STEPS = 50


def test_no_walk_breaks_a_law() -> None:
    for seed in range(_SEED, _SEED + _WALKS):
        _walk(seed)


def _walk(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 # repeatable on purpose
    moves = Moves(chance.randrange)
    trail: list[str] = []
    try:
        weights = LIVES[seed % len(LIVES)]
        for move in chance.choices([*weights], [*weights.values()], k=_STEPS):
            trail.append(move.__name__)
            move(moves)
        trail.append("at rest")
        moves.sim.quiesce(repaired=True)
    except Exception as error:
        error.add_note(f"SEED={seed} WALKS=1, in step {len(trail)}: {', '.join(trail[-12:])}")
        raise
    finally:
        moves.sim.close()
