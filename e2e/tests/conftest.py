"""Namespaces with virtual machines."""

from collections.abc import Iterator

import pytest

from e2e.farm import OPTED_IN_VMS, Farm
from e2e.pods import OPTED_IN
from testbed.fixtures import fresh_namespace
from testbed.kubectl import Kubectl
from testbed.kubevirt import KubeVirt
from testbed.release import Installed


@pytest.fixture
def farm(release: Installed, kubevirt: KubeVirt, kubectl: Kubectl) -> Iterator[Farm]:
    """A namespace that has opted in for VMs and pods."""
    assert release.webhooks
    yield from _farms(kubevirt, kubectl)


@pytest.fixture
def meadow(release: Installed, kubevirt: KubeVirt, kubectl: Kubectl) -> Iterator[Farm]:
    """Another one that has opted in for VMs and pods."""
    assert release.webhooks
    yield from _farms(kubevirt, kubectl)


def _farms(kubevirt: KubeVirt, kubectl: Kubectl) -> Iterator[Farm]:
    for name in fresh_namespace(kubectl, **OPTED_IN_VMS, **OPTED_IN):
        farm = Farm(kubectl, name, kubevirt)
        farm.machines.create_network("lan")
        yield farm
