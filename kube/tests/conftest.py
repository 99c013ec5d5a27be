"""An API server with scripted answers, and a client of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kube import watch
from kube.client import Api
from kube.tests.api_server import ApiServer, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def server() -> ApiServer:
    return ApiServer()


@pytest.fixture
async def kubeconfig(server: ApiServer, tmp_path: Path) -> AsyncIterator[Path]:
    async with serving(server, tmp_path) as path:
        yield Path(path)


@pytest.fixture
async def scripted(kubeconfig: Path) -> AsyncIterator[Api]:
    async with Api("kubemacpool-tests", str(kubeconfig), field_manager="kubemacpool") as api:
        yield api


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_FIRST_WAIT_S", 0.0)
