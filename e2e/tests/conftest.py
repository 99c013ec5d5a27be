"""Namespaces with virtual machines."""

from collections.abc import Iterator

import pytest

from e2e.pods import OPTED_IN
from e2e.vms import OPTED_IN_VMS, KubeVirtNamespace
from testbed.fixtures import fresh_namespace
from testbed.kubectl import Kubectl
from testbed.kubevirt import KubeVirt
from testbed.release import Installed


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
