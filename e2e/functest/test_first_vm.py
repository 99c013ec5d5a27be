"""The walk to a first VM is what happens, from where KubeVirt and kubemacpool are there."""

import pytest

from e2e.examples import examples, follow
from e2e.functest.booted_vms import BOOT_S
from e2e.vms import NAMESPACE_GOES_S
from testbed.kind import KindCluster
from testbed.kubectl import Kubectl
from testbed.provider import Provider

_DEFAULT_NODES = 2


@pytest.mark.usefixtures("guest")
def test_the_walk_to_a_first_vm_prints_what_it_shows(
    kind: KindCluster, provider: Provider, kubectl: Kubectl
) -> None:
    if len(kind.nodes) != _DEFAULT_NODES:
        pytest.skip("shows what a cluster of two nodes prints")
    assert not kubectl("get", "namespace", "vms", "--ignore-not-found"), "vms is in use: delete it"

    try:
        for example in examples("docs/first-vm.md"):
            follow(provider, example, BOOT_S)
    finally:
        gone = ("--ignore-not-found", f"--timeout={NAMESPACE_GOES_S}s")
        kubectl("delete", "namespace", "vms", *gone)
