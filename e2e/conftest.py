"""One cluster for a whole test session, and a namespace for each test."""

import secrets
from collections.abc import Iterator

import pytest

from e2e.cluster import external
from e2e.cluster.controlplane import ControlPlane, ephemeral
from e2e.cluster.kubectl import Kubectl


@pytest.fixture(scope="session")
def cluster() -> Iterator[ControlPlane]:
    """The session's own control plane; what needs only kubectl asks for `kubectl` instead."""
    if external.chosen():
        pytest.skip("needs a control plane of our own, not KUBEVIRT_PROVIDER=external")
    with ephemeral() as control_plane:
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
    name = f"e2e-{secrets.token_hex(4)}"
    kubectl("create", "namespace", name)
    kubectl("wait", "--for=create", "serviceaccount/default", "-n", name, "--timeout=60s")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")
