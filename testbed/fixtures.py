"""Control planes that test files share, one of each kind in each pytest process.

The root conftest.py registers this module. Tests use names of their own and restore each part of
the release that they change. Tests that share one of `_SHARED` are in one xdist group: one process
runs them all, on one control plane.
"""

from collections.abc import Iterator

import pytest

from testbed.controlplane import ControlPlane, ephemeral
from testbed.release import apply_release, remove_release, stop

_SHARED = {"bare_cluster": "bare", "audited_cluster": "audited"}


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that share one of these clusters in one group."""
    for item in items:
        for fixture, group in _SHARED.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def bare_cluster() -> Iterator[ControlPlane]:
    """A cluster with the release manifest applied, on which our programs do not run."""
    with ephemeral() as cluster:
        apply_release(cluster.kubectl)
        yield cluster


@pytest.fixture
def empty_cluster(bare_cluster: ControlPlane) -> Iterator[ControlPlane]:
    """The same cluster without the release, as before a first installation."""
    remove_release(bare_cluster.kubectl)
    yield bare_cluster
    stop(bare_cluster)
    remove_release(bare_cluster.kubectl)
    apply_release(bare_cluster.kubectl)
