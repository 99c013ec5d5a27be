"""A client of a real API server with our CRDs: tests that need it ask for `api`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kube.client import Api
from kube.tests.conftest import kubeconfig, scripted, server
from testbed.accounts import kubeconfig_of
from testbed.readiness import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from testbed.controlplane import ControlPlane

__all__ = ["kubeconfig", "scripted", "server"]  # fixtures

_CONTRACTS = ("contract", "contract_objects", "contract_vms")
pytest.register_assert_rewrite(*(f"crds.tests.{name}" for name in _CONTRACTS))

_ACCOUNT, _NAMESPACE = "kubemacpool-webhook", "kubemacpool-system"
_USER = f"system:serviceaccount:{_NAMESPACE}:{_ACCOUNT}"
_BINDING = "crds-tests"
_KUBEVIRT = ("virtualmachines.kubevirt.io", "virtualmachineinstances.kubevirt.io")


@pytest.fixture(scope="package")
def writer(bare_cluster: ControlPlane) -> Iterator[Path]:
    """The kubeconfig of an account that may write every object, on a cluster without allocations.

    The release's admission policy lets only our programs write the whole of an allocation.
    """
    kubectl = bare_cluster.kubectl
    kubectl("delete", "macallocations", "--all", f"--as={_USER}", "--as-group=system:masters")
    role = ("--clusterrole=cluster-admin", f"--user={_USER}")
    kubectl("create", "clusterrolebinding", _BINDING, *role)
    may = ("auth", "can-i", "*", "*", f"--as={_USER}")
    eventually(lambda: kubectl.run(*may).returncode == 0, "the account may write every object")
    yield kubeconfig_of(bare_cluster, _ACCOUNT, _NAMESPACE)
    kubectl("delete", "clusterrolebinding", _BINDING)
    kubectl("delete", "crd", *_KUBEVIRT, "--ignore-not-found")


@pytest.fixture
async def api(writer: Path) -> AsyncIterator[Api]:
    async with Api("kubemacpool-tests", str(writer), field_manager="kubemacpool") as api:
        yield api
