"""Namespaces with virtual machines, and allocations on a cluster without our programs."""

import hashlib
from collections.abc import Iterator

import pytest

from e2e import metrics
from e2e.audit import CONTROLLER
from e2e.metrics import Scrape
from e2e.pods import OPTED_IN, OWNER, allocation, as_user, name_of
from e2e.vms import OPTED_IN_VMS, KubeVirtNamespace
from testbed.client import Client
from testbed.controlplane import ControlPlane, ephemeral
from testbed.fixtures import fresh_namespace
from testbed.kubectl import Kubectl
from testbed.kubevirt import KubeVirt
from testbed.release import Installed, wait_policy


@pytest.fixture
def vms(release: Installed, kubevirt: KubeVirt, kubectl: Kubectl) -> Iterator[KubeVirtNamespace]:
    """A namespace that has opted in for VMs and pods."""
    assert release.webhooks
    yield from _vm_namespaces(kubevirt, kubectl)


@pytest.fixture
def other_vms(
    release: Installed, kubevirt: KubeVirt, kubectl: Kubectl
) -> Iterator[KubeVirtNamespace]:
    """Another one that has opted in for VMs and pods."""
    assert release.webhooks
    yield from _vm_namespaces(kubevirt, kubectl)


def _vm_namespaces(kubevirt: KubeVirt, kubectl: Kubectl) -> Iterator[KubeVirtNamespace]:
    for name in fresh_namespace(kubectl, **OPTED_IN_VMS, **OPTED_IN):
        vms = KubeVirtNamespace(kubectl, name, kubevirt)
        vms.create_network("lan")
        yield vms


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[ControlPlane]:
    """A cluster whose programs these tests may stop."""
    with ephemeral() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def scrape(release: Installed, kubectl: Kubectl) -> Iterator[Scrape]:
    """The controller's metrics, read by an account with that right."""
    yield Scrape(release.controller.metrics_url, metrics.reader(kubectl))
    metrics.forget_reader(kubectl)


@pytest.fixture(scope="module")
def client(bare_cluster: ControlPlane) -> Client:
    """The administrator of a cluster on which no program releases made-up owners."""
    wait_policy(bare_cluster.kubectl.client)
    return bare_cluster.kubectl.client


@pytest.fixture(scope="module")
def controller(client: Client) -> Client:
    """The controller's account, which may write a whole allocation."""
    return as_user(client, CONTROLLER)


@pytest.fixture
def mac(request: pytest.FixtureRequest) -> str:
    """An address that no other test uses."""
    digest = hashlib.sha256(request.node.nodeid.encode()).digest()
    return bytes([0x0E, *digest[:5]]).hex(":")


@pytest.fixture
def bound(controller: Client, mac: str) -> str:
    """The name of an allocation that is Bound."""
    controller.create(allocation(mac, state="Bound", owner=OWNER, source="Pool"))
    return name_of(mac)


@pytest.fixture
def declared(client: Client, mac: str) -> str:
    """The name of an allocation that was created with nothing but the address."""
    client.create(allocation(mac))
    return name_of(mac)
