"""Marks the tests that need a control plane, so that `make unit` can do without."""

import pytest

_NEEDING = {"control_plane", "cluster", "kubectl", "own_cluster"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """See pytest's hook of this name."""
    for item in items:
        if _NEEDING.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("cluster")
