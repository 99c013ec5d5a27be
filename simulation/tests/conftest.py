"""A simulation for each test that asks for `sim`, closed at its end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from crds.pool import CollisionPolicy
from simulation.simulation import Simulation

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """Thousands of lives log what nobody reads."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def sim() -> Iterator[Simulation]:
    simulation = Simulation()
    yield simulation
    simulation.close()


@pytest.fixture
def warning() -> Iterator[Simulation]:
    """One under policy Warn."""
    simulation = Simulation(policy=CollisionPolicy.WARN)
    yield simulation
    simulation.close()


@pytest.fixture
def two_controllers() -> Iterator[Simulation]:
    simulation = Simulation(controllers=2)
    yield simulation
    simulation.close()
