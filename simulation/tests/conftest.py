"""A simulation for each test; at the end of the test it comes to rest, and the laws still hold."""

import logging
from collections.abc import Iterator

import pytest

from crds.mac import MacRange
from crds.pool import CollisionPolicy, Pool
from simulation.programs import FIRST, THIRD
from simulation.simulation import Simulation


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """Drop the log lines of thousands of lives."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def _until_rest(simulation: Simulation) -> Iterator[Simulation]:
    try:
        yield simulation
        simulation.quiesce()
    finally:
        simulation.close()


@pytest.fixture
def sim() -> Iterator[Simulation]:
    yield from _until_rest(Simulation())


@pytest.fixture
def warning() -> Iterator[Simulation]:
    """Under policy Warn."""
    yield from _until_rest(Simulation(policy=CollisionPolicy.WARN))


@pytest.fixture
def two_controllers() -> Iterator[Simulation]:
    yield from _until_rest(Simulation(controllers=2))


@pytest.fixture
def wide() -> Iterator[Simulation]:
    """Its pool has three addresses."""
    yield from _until_rest(Simulation(pool=Pool("default", (MacRange(FIRST, THIRD),))))
