"""The controller as a process on a real API server: as leader, as standby, stopped, replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from crds.names import LEASE, NAMESPACE
from testbed.kubeconfig import write_with_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from testbed.client import Client
    from testbed.controlplane import ControlPlane

CHECKOUT = Path(__file__).parents[2]
LEADS = "first leads"
ADOPTED = "every address in use has an allocation"
WAITS = "second is on standby: first leads"
# A line that does not come fails the test, and does not stop the whole run.
WITHIN_S = 120


@pytest.fixture
def client(control_plane: ControlPlane) -> Client:
    """An administrator, in a cluster where no controller leads."""
    client = control_plane.kubectl.client
    client.delete("lease", LEASE, NAMESPACE, missing_ok=True)
    return client


@dataclass
class Running:
    """A controller that serves on [::1], and the lines of its log."""

    process: asyncio.subprocess.Process
    health: str
    metrics: str

    async def says(self, text: str) -> None:
        """Wait for a line of the log."""
        assert self.process.stderr
        lines = []
        async with asyncio.timeout(WITHIN_S):
            async for raw in self.process.stderr:
                lines.append(raw.decode())
                if text in lines[-1]:
                    return
        raise AssertionError("".join(lines))

    async def get(self, url: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(url, ssl=False) as answer:
            return answer.status, await answer.text()

    async def stop(self) -> str:
        """Send SIGTERM, and return the rest of the log, which shows no trouble."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WITHIN_S):
            _, raw = await self.process.communicate()
        log = raw.decode()
        assert (self.process.returncode, "Traceback" in log) == (0, False), log
        return log


@asynccontextmanager
async def controller(kubeconfig: str, name: str) -> AsyncIterator[Running]:
    health, metrics = f"[::1]:{free_port()}", f"[::1]:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "controller", "--listen-addr", health, "--metrics-addr", metrics),
        cwd=CHECKOUT,
        env={**os.environ, "KUBECONFIG": kubeconfig, "POD_NAME": name},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Running(process, f"http://{health}", f"https://{metrics}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def free_port() -> int:
    with socket.socket(socket.AF_INET6) as listener:
        listener.bind(("::1", 0))
        return int(listener.getsockname()[1])


def holder(client: Client) -> str | None:
    found: str | None = client.read("lease", LEASE, NAMESPACE)["spec"].get("holderIdentity")
    return found


@pytest.mark.usefixtures("client")
async def test_a_leader_serves_health_and_metrics_on_an_address_of_ipv6(kubeconfig: str) -> None:
    async with controller(kubeconfig, "first") as leader:
        await leader.says(ADOPTED)

        assert await leader.get(f"{leader.health}/healthz") == (200, "ok")
        assert await leader.get(f"{leader.health}/readyz") == (200, "ok")
        status, _ = await leader.get(f"{leader.metrics}/metrics")
        assert status == 401


async def test_a_stopped_leader_hands_over_to_the_standby_and_both_end_without_an_error(
    client: Client, kubeconfig: str
) -> None:
    async with controller(kubeconfig, "first") as first:
        await first.says(LEADS)
        async with controller(kubeconfig, "second") as second:
            await second.says(WAITS)
            assert await second.get(f"{second.health}/readyz") == (200, "ok")

            assert "first has released the Lease" in await first.stop()
            await second.says(ADOPTED)

            assert holder(client) == "second"
            await second.stop()
            assert holder(client) is None


async def test_a_stopped_standby_ends_at_once_without_an_error(
    client: Client, kubeconfig: str
) -> None:
    async with controller(kubeconfig, "first") as first:
        await first.says(LEADS)
        async with controller(kubeconfig, "second") as second:
            await second.says(WAITS)

            assert "WARNING" not in await second.stop()
            assert holder(client) == "first"


async def test_a_leader_that_is_stopped_while_it_adopts_releases_the_lease(
    client: Client, kubeconfig: str
) -> None:
    async with controller(kubeconfig, "first") as leader:
        await leader.says(LEADS)

        await leader.stop()

        assert holder(client) is None


async def test_a_leader_that_loses_the_lease_ends_with_an_error_for_its_supervisor(
    client: Client, kubeconfig: str
) -> None:
    async with controller(kubeconfig, "first") as leader:
        await leader.says(ADOPTED)

        client.patch("lease", LEASE, {"spec": {"holderIdentity": "other"}}, NAMESPACE)

        await leader.says("first no longer holds the Lease")
        assert await leader.process.wait() == 1
        assert holder(client) == "other"


async def test_without_an_api_server_it_waits_as_a_live_standby(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    write_with_token(kubeconfig, "http://127.0.0.1:1", tmp_path, "user", "t")
    async with controller(str(kubeconfig), "first") as standby:
        for _ in range(2):
            await standby.says("Error retrieving resource lock kubemacpool-controller")

        assert await standby.get(f"{standby.health}/healthz") == (200, "ok")
        await standby.stop()
