"""One cluster for a whole test session, and a namespace for each test."""

from collections.abc import Collection, Iterator
from typing import Any

import pytest

from e2e import audit, pool
from e2e.pods import OPTED_IN, PodNamespace
from testbed.controlplane import ControlPlane, ephemeral
from testbed.fixtures import fresh_namespace
from testbed.kubectl import Kubectl
from testbed.release import Installed, installed

QUIET_S = 2.0  # Q of the session's release; a test about Q has a release of its own


@pytest.fixture(scope="session")
def audited_cluster() -> Iterator[ControlPlane]:
    """A cluster whose audit log has every call of our programs (`e2e.audit`)."""
    with ephemeral(audit_policy=audit.POLICY) as control_plane:
        yield control_plane


@pytest.fixture(scope="session")
def release(cluster: ControlPlane) -> Iterator[Installed]:
    """The release, with two webhook replicas, and with a Q of 2 s instead of 60."""
    with installed(cluster, replicas=2, quiet_s=QUIET_S) as programs:
        yield programs


@pytest.fixture
def pods(release: Installed, kubectl: Kubectl) -> Iterator[PodNamespace]:
    """A new namespace that has opted in, on a cluster with the release."""
    assert release.webhooks
    for name in fresh_namespace(kubectl, **OPTED_IN):
        yield PodNamespace(kubectl, name)


@pytest.fixture
def elsewhere(pods: PodNamespace) -> Iterator[PodNamespace]:
    """A namespace that has not opted in."""
    for name in fresh_namespace(pods.kubectl):
        yield PodNamespace(pods.kubectl, name)


@pytest.fixture
def small_pool(release: Installed, kubectl: Kubectl) -> Iterator[str]:
    """The pool cut down to 64 addresses, all of them free, for one test."""
    assert release.webhooks
    start, end = "06:00:00:00:00:00", "06:00:00:00:00:3f"
    before = pool.configured(kubectl)
    pool.configure(kubectl, start, end)

    def are_free(found: Collection[dict[str, Any]]) -> bool:
        names = {allocation["metadata"]["name"] for allocation in found}
        return names.isdisjoint(f"06-00-00-00-00-{last:02x}" for last in range(64))

    kubectl.client.until("mac", are_free, "the addresses of earlier tests released")
    yield f"{start} - {end}"
    pool.configure(kubectl, *before)
