"""The Lease on a real API server, held as the controller's service account."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING

import pytest

from crds.names import LEASE, NAMESPACE
from kube import leases
from kube.leases import LeaseLost, identity, lead

if TYPE_CHECKING:
    from testbed.client import Client
    from testbed.controlplane import ControlPlane


class Work:
    """Runs until it is cancelled, or until `outcome` is set."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> None:
        self.begun.set()
        try:
            await self.outcome
        finally:
            self.ended.set()


@pytest.fixture
def client(control_plane: ControlPlane) -> Client:
    """An administrator, in a cluster without the Lease."""
    client = control_plane.kubectl.client
    client.delete("lease", LEASE, NAMESPACE, missing_ok=True)
    return client


def holder(client: Client) -> str | None:
    found: str | None = client.read("lease", LEASE, NAMESPACE)["spec"].get("holderIdentity")
    return found


def replica(kubeconfig: str, name: str, work: Work) -> asyncio.Task[None]:
    return asyncio.create_task(
        lead(work, lease=LEASE, namespace=NAMESPACE, identity=name, kubeconfig=kubeconfig)
    )


async def leading(kubeconfig: str) -> tuple[asyncio.Task[None], Work]:
    """Start replica `first`, and return when it leads."""
    work = Work()
    leader = replica(kubeconfig, "first", work)
    await work.begun.wait()
    return leader, work


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_stopped_leader_releases_the_lease_for_the_standby(
    client: Client, kubeconfig: str
) -> None:
    leader, first = await leading(kubeconfig)
    second = Work()
    standby = replica(kubeconfig, "second", second)
    assert holder(client) == "first"
    assert not second.begun.is_set()

    await stop(leader)

    assert first.ended.is_set()
    assert holder(client) != "first"
    await second.begun.wait()
    assert holder(client) == "second"
    await stop(standby)
    assert holder(client) is None


async def test_work_that_ends_ends_the_leading(client: Client, kubeconfig: str) -> None:
    leader, work = await leading(kubeconfig)

    work.outcome.set_result(None)

    await leader
    assert holder(client) is None


async def test_work_that_fails_ends_the_leading_with_its_error(
    client: Client, kubeconfig: str
) -> None:
    leader, work = await leading(kubeconfig)

    work.outcome.set_exception(RuntimeError("it broke"))

    with pytest.raises(RuntimeError, match="it broke"):
        await leader
    assert holder(client) is None


async def test_work_ends_when_another_has_the_lease(client: Client, kubeconfig: str) -> None:
    leader, work = await leading(kubeconfig)

    client.patch("lease", LEASE, {"spec": {"holderIdentity": "other"}}, NAMESPACE)

    with pytest.raises(LeaseLost, match="first no longer holds the Lease"):
        await leader
    assert work.ended.is_set()
    assert holder(client) == "other"


async def test_a_deleted_lease_is_created_again_and_the_work_goes_on(
    client: Client, kubeconfig: str
) -> None:
    leader, work = await leading(kubeconfig)

    client.delete("lease", LEASE, NAMESPACE)

    await asyncio.to_thread(client.wait, "lease", LEASE, bool, "another Lease", NAMESPACE)
    assert not work.ended.is_set()
    await stop(leader)


async def test_work_ends_when_the_api_server_is_silent(
    client: Client,
    kubeconfig: str,
    control_plane: ControlPlane,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 4)
    monkeypatch.setattr(leases, "_CALL_S", 1.0)
    leader, work = await leading(kubeconfig)
    server = control_plane.process("kube-apiserver")

    server.pause()
    try:
        with pytest.raises(LeaseLost):
            await leader
    finally:
        server.resume()

    assert work.ended.is_set()
    assert holder(client) == "first"  # it could not be released


async def test_a_standby_waits_while_the_api_server_is_silent(
    client: Client,
    kubeconfig: str,
    control_plane: ControlPlane,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(leases, "_CALL_S", 1.0)
    server = control_plane.process("kube-apiserver")
    work = Work()

    server.pause()
    try:
        standby = replica(kubeconfig, "first", work)
        while "Error retrieving resource lock" not in caplog.text:
            await asyncio.wait({standby}, timeout=0.05)
            assert not standby.done()
    finally:
        server.resume()

    await work.begun.wait()
    assert holder(client) == "first"
    await stop(standby)


def test_a_pod_is_known_by_its_name() -> None:
    assert identity({"POD_NAME": "kubemacpool-controller-abc"}) == "kubemacpool-controller-abc"


def test_outside_a_pod_two_processes_differ() -> None:
    assert identity({}) == f"{socket.gethostname()}-{os.getpid()}"
