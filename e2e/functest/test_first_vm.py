"""The walk to a first VM is what happens, from where KubeVirt and kubemacpool are there."""

from pathlib import Path

import pytest

from e2e.cluster.kubectl import Kubectl
from e2e.cluster.provider import Provider
from e2e.examples import examples, follow


def test_the_walk_to_a_first_vm_prints_what_it_shows(
    guest: str, provider: Provider, kubectl: Kubectl
) -> None:
    if guest not in Path("docs/examples/first-vm.yaml").read_text():
        pytest.skip("names the guest's image as a kind cluster has it")

    try:
        for example in examples("docs/first-vm.md"):
            follow(provider, example)
    finally:
        kubectl("delete", "namespace", "vms", "--ignore-not-found", "--wait=false")
