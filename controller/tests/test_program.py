"""The controller as a process on a real API server: on IPv6 alone, as standby, stopped, deposed."""

from __future__ import annotations

import asyncio
import json
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

from controller.conftest import NAMESPACE
from crds.names import LEASE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from testbed.controlplane import ControlPlane
    from testbed.kubectl import Kubectl

CHECKOUT = Path(__file__).parents[2]
LEADS = "every address in use has an allocation"
STANDBY = "is on standby"


@pytest.fixture
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """An administrator, in a cluster where no controller leads."""
    control_plane.kubectl("delete", "lease", LEASE, "-n", NAMESPACE, "--ignore-not-found")
    return control_plane.kubectl


@dataclass
class Running:
    """A controller that serves on [::1], and the lines of its log."""

    process: asyncio.subprocess.Process
    health: str
    metrics: str

    async def says(self, text: str) -> str:
        """Wait for a line of the log."""
        assert self.process.stderr
        lines = []
        async for raw in self.process.stderr:
            lines.append(raw.decode())
            if text in lines[-1]:
                return lines[-1]
        raise AssertionError("".join(lines))

    async def get(self, url: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(url, ssl=False) as answer:
            return answer.status, await answer.text()

    async def stop(self) -> tuple[int, str]:
        """Send SIGTERM; return the exit code and the rest of the log."""
        self.process.send_signal(signal.SIGTERM)
        _, log = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, log.decode()


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


def holder(kubectl: Kubectl) -> str:
    lease = json.loads(kubectl("get", "lease", LEASE, "-n", NAMESPACE, "-ojson"))
    return str(lease["spec"].get("holderIdentity", ""))


@pytest.mark.usefixtures("kubectl")
async def test_a_leader_serves_health_and_metrics_on_an_address_of_ipv6(kubeconfig: str) -> None:
    async with controller(kubeconfig, "first") as leader:
        await leader.says(LEADS)

        assert await leader.get(f"{leader.health}/healthz") == (200, "ok")
        assert await leader.get(f"{leader.health}/readyz") == (200, "ok")
        status, _ = await leader.get(f"{leader.metrics}/metrics")
        assert status == 401


async def test_a_stopped_leader_hands_over_to_the_standby_and_both_end_without_an_error(
    kubectl: Kubectl, kubeconfig: str
) -> None:
    async with controller(kubeconfig, "first") as first, controller(kubeconfig, "second") as second:
        await first.says(LEADS)
        await second.says(STANDBY)
        assert await second.get(f"{second.health}/readyz") == (200, "ok")

        code, log = await first.stop()
        await second.says(LEADS)

        assert (code, "Traceback" in log) == (0, False), log
        assert "first has released the Lease" in log
        assert holder(kubectl) == "second"
        assert (await second.stop())[0] == 0
        assert holder(kubectl) == ""


async def test_a_stopped_standby_ends_at_once_without_an_error(
    kubectl: Kubectl, kubeconfig: str
) -> None:
    async with controller(kubeconfig, "first") as first, controller(kubeconfig, "second") as second:
        await first.says(LEADS)
        await second.says(STANDBY)

        code, log = await second.stop()

        assert (code, "WARNING" in log, "Traceback" in log) == (0, False, False), log
        assert holder(kubectl) == "first"


async def test_a_leader_that_loses_the_lease_ends_with_an_error_for_its_supervisor(
    kubectl: Kubectl, kubeconfig: str
) -> None:
    async with controller(kubeconfig, "first") as leader:
        await leader.says(LEADS)
        theirs = json.dumps({"spec": {"holderIdentity": "other"}})

        kubectl("patch", "lease", LEASE, "-n", NAMESPACE, "--type=merge", "-p", theirs)

        await leader.says("first no longer holds the Lease")
        assert await leader.process.wait() == 1
        assert holder(kubectl) == "other"
