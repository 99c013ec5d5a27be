"""The running cluster, with the release on it as `make cluster-sync` installs it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.functest.booted_vms import BootedVms
from e2e.functest.node_pods import NodePods
from e2e.pods import OPT_IN
from e2e.vms import OPT_IN_VMS
from testbed import release_on_nodes
from testbed.kind import KindCluster
from testbed.kind.kubevirt import count_storage
from testbed.kubectl import Kubectl
from testbed.kubevirt import whole
from testbed.provider import STATE, Provider, chosen
from testbed.provider_kind import OnKind
from testbed.release import wait_in_force

_DEFAULT_STATE = Path(__file__).parents[2] / ".cluster"


@pytest.fixture(scope="session")
def provider() -> Provider:
    """The cluster that KUBEVIRT_PROVIDER names, otherwise the one that is running."""
    return chosen(Path(os.environ.get(STATE, _DEFAULT_STATE)))


@pytest.fixture(scope="session")
def kubectl(provider: Provider) -> Kubectl:
    """Kubectl as an administrator of a cluster on which the release serves."""
    kubectl = provider.kubectl
    release_on_nodes.rolled_out(kubectl)
    wait_in_force(kubectl)
    return kubectl


@pytest.fixture
def kind(provider: Provider) -> KindCluster:
    """The kind cluster, whose nodes a test may stop."""
    if not isinstance(provider, OnKind) or not provider.cluster.workers:
        pytest.skip("stops nodes or processes of a kind cluster with a worker")
    return provider.cluster


@pytest.fixture
def node_pods(kubectl: Kubectl, namespace: str) -> Iterator[NodePods]:
    """A namespace of the test's own that has opted in, with three networks."""
    kubectl("label", "namespace", namespace, OPT_IN)
    own = NodePods(kubectl, namespace)
    own.attach("front", "back", "storage")
    yield own
    release_on_nodes.rolled_out(kubectl)  # a test may have stopped our programs


@pytest.fixture(scope="session")
def guest(provider: Provider, kubectl: Kubectl) -> str:
    """The image of a guest, on a cluster with KubeVirt, which stays with the cluster."""
    ours = isinstance(provider, OnKind) and whole.is_there(kubectl)
    if not whole.wanted() and not ours:
        pytest.skip("boots VMs: make functest KUBEVIRT=true")
    provider.bring_kubevirt()
    return provider.guest()


@pytest.fixture
def booted_vms(guest: str, provider: Provider, kubectl: Kubectl, namespace: str) -> BootedVms:
    """A namespace of the test's own that has opted in for VMs and pods, with a network."""
    if isinstance(provider, OnKind):
        count_storage(kubectl)  # tests start nodes again
    own = BootedVms(kubectl, namespace, guest)
    own.attach()
    kubectl("label", "namespace", namespace, OPT_IN_VMS, OPT_IN)
    own.wait_served()
    return own
