"""A real API server with the release manifest applied, and the controller's own rights on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crds.names import NAMESPACE
from kube.client import Api
from testbed.accounts import kubeconfig_of
from testbed.release import apply_release

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from testbed.controlplane import ControlPlane

MANIFEST = (Path(__file__).parents[1] / "deploy/kubemacpool.yaml").read_text()


@pytest.fixture(scope="package")
def control_plane(bare_cluster: ControlPlane) -> Iterator[ControlPlane]:
    """Tests may delete parts of the release; afterwards it is whole again."""
    yield bare_cluster
    apply_release(bare_cluster.kubectl)


@pytest.fixture(scope="package")
def kubeconfig(control_plane: ControlPlane) -> str:
    """The controller's service account: what its roles do not allow fails here, too."""
    return str(kubeconfig_of(control_plane, "kubemacpool-controller", NAMESPACE))


@pytest.fixture
async def api(kubeconfig: str) -> AsyncIterator[Api]:
    async with Api("kubemacpool-tests", kubeconfig, field_manager="kubemacpool") as api:
        yield api
