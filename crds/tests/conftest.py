"""A real API server with our CRDs, one for the session; what needs it asks for `api`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crds.client import Api
from crds.tests.api_server import ApiServer, serving
from e2e.cluster.controlplane import ControlPlane, ephemeral

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_CONTRACTS = ("contract", "contract_objects", "contract_machines")
pytest.register_assert_rewrite(*(f"crds.tests.{name}" for name in _CONTRACTS))

_CRDS = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    with ephemeral() as cluster:
        for crd in ("macallocation", "macpool"):
            cluster.kubectl.apply((_CRDS / f"{crd}.yaml").read_text())
            cluster.kubectl("wait", "--for=condition=Established", f"crd/{crd}s.kubemacpool.io")
        yield cluster


@pytest.fixture
async def api(control_plane: ControlPlane) -> AsyncIterator[Api]:
    async with Api("kubemacpool-tests", str(control_plane.kubeconfig)) as api:
        yield api


@pytest.fixture
def server() -> ApiServer:
    return ApiServer()


@pytest.fixture
async def kubeconfig(server: ApiServer, tmp_path: Path) -> AsyncIterator[Path]:
    async with serving(server, tmp_path) as path:
        yield Path(path)


@pytest.fixture
async def scripted(kubeconfig: Path) -> AsyncIterator[Api]:
    async with Api("kubemacpool-tests", str(kubeconfig)) as api:
        yield api
