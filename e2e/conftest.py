"""One cluster for a whole test session, and a namespace for each test."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import audit, pool
from e2e.pods import OPTED_IN, Shop
from testbed import external
from testbed.controlplane import ControlPlane, ephemeral
from testbed.kubectl import Kubectl
from testbed.kubevirt import KubeVirt, Machines, start
from testbed.release import Installed, installed

QUIET_S = 2.0  # Q of the session's release; a test about Q has a release of its own

_AUDIT_POLICY = Path(__file__).parents[1] / "docs" / "examples" / "audit-policy.yaml"


@pytest.fixture(scope="session")
def cluster() -> Iterator[ControlPlane]:
    """The session's own control plane, with the audit log of docs/gitops.md.

    Tests that need only kubectl ask for `kubectl` instead.
    """
    if external.chosen():
        pytest.skip("needs a control plane of our own, not KUBEVIRT_PROVIDER=external")
    with ephemeral(audit_policy=_AUDIT_POLICY.read_text()) as control_plane:
        yield control_plane


@pytest.fixture(scope="session")
def audited_cluster() -> Iterator[ControlPlane]:
    """Another one, whose audit log has every call of our programs (`e2e.audit`)."""
    with ephemeral(audit_policy=audit.POLICY) as control_plane:
        yield control_plane


@pytest.fixture(scope="session")
def kubectl(request: pytest.FixtureRequest) -> Kubectl:
    """Kubectl as an administrator of the session's cluster, or of the external one."""
    if external.chosen():
        return external.connect()
    control_plane: ControlPlane = request.getfixturevalue("cluster")
    return control_plane.kubectl


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A namespace of the test's own, in which pods can be created."""
    yield from fresh_namespace(kubectl)


def fresh_namespace(kubectl: Kubectl, **labels: str) -> Iterator[str]:
    """A namespace of one's own, in which pods can be created, until the generator ends."""
    name = f"e2e-{secrets.token_hex(4)}"
    kubectl.client.create_namespace(name, **labels)
    yield name
    kubectl.client.delete("namespace", name, wait=False, missing_ok=True)


@pytest.fixture(scope="session")
def release(cluster: ControlPlane) -> Iterator[Installed]:
    """The release, with two webhook replicas, and with a Q of 2 s instead of 60."""
    with installed(cluster, replicas=2, quiet_s=QUIET_S) as programs:
        yield programs


@pytest.fixture
def shop(release: Installed, kubectl: Kubectl) -> Iterator[Shop]:
    """A namespace of the test's own that has opted in, on a cluster with the release."""
    assert release.webhooks
    for name in fresh_namespace(kubectl, **OPTED_IN):
        yield Shop(kubectl, name)


@pytest.fixture
def elsewhere(shop: Shop) -> Iterator[Shop]:
    """A namespace that has not opted in."""
    for name in fresh_namespace(shop.kubectl):
        yield Shop(shop.kubectl, name)


@pytest.fixture
def small_pool(release: Installed, kubectl: Kubectl) -> Iterator[str]:
    """The pool cut down to 64 addresses, for one test."""
    assert release.webhooks
    start, end = "06:00:00:00:00:00", "06:00:00:00:00:3f"
    before = pool.configured(kubectl)
    pool.configure(kubectl, start, end)
    yield f"{start} - {end}"
    pool.configure(kubectl, *before)


@pytest.fixture(scope="session")
def kubevirt(cluster: ControlPlane) -> Iterator[KubeVirt]:
    """KubeVirt's own virt-controller and virt-api on the session's cluster."""
    running = start(cluster)
    yield running
    running.stop()


@pytest.fixture
def machines(kubevirt: KubeVirt, kubectl: Kubectl, namespace: str) -> Iterator[Machines]:
    """A namespace of the test's own, for virtual machines."""
    own = Machines(kubectl, namespace)
    yield own
    kubevirt.handler.end_all(own)
