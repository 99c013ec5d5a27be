"""Marks the tests that need a control plane, so that `make unit` can do without.

And Hypothesis measures no time: how busy the machine is, says nothing of the code.
"""

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["e2e.cluster.fixtures"]

_NEEDING = {
    "audited_cluster",
    "bare_cluster",
    "control_plane",
    "cluster",
    "kubectl",
    "own_cluster",
}

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """See pytest's hook of this name."""
    for item in items:
        if _NEEDING.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("cluster")
