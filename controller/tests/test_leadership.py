"""The Lease on a real API server, held as the controller's service account."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from controller import leadership
from controller.leadership import LEASE, LeaseLost, identity, lead
from controller.tests.conftest import NAMESPACE

if TYPE_CHECKING:
    from e2e.cluster.controlplane import ControlPlane
    from e2e.cluster.kubectl import Kubectl


class Work:
    """Goes on until it is cancelled or told to end; says where it is."""

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
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """An administrator, in a cluster without the Lease."""
    control_plane.kubectl("delete", "lease", LEASE, "-n", NAMESPACE, "--ignore-not-found")
    return control_plane.kubectl


def holder(kubectl: Kubectl) -> Any:  # noqa: ANN401 # as in JSON
    lease = json.loads(kubectl("get", "lease", LEASE, "-n", NAMESPACE, "-ojson"))
    return lease["spec"].get("holderIdentity")


def replica(kubeconfig: str, name: str, work: Work) -> asyncio.Task[None]:
    return asyncio.create_task(
        lead(work, namespace=NAMESPACE, identity=name, kubeconfig=kubeconfig)
    )


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_stopped_leader_hands_the_lease_to_who_waits(
    kubectl: Kubectl, kubeconfig: str
) -> None:
    first, second = Work(), Work()
    leader = replica(kubeconfig, "first", first)
    await first.begun.wait()
    standby = replica(kubeconfig, "second", second)
    assert holder(kubectl) == "first"
    assert not second.begun.is_set()

    await stop(leader)

    assert first.ended.is_set()
    assert holder(kubectl) != "first"
    await second.begun.wait()
    assert holder(kubectl) == "second"
    await stop(standby)
    assert holder(kubectl) is None


async def test_a_standby_that_stops_leaves_the_lease_alone(
    kubectl: Kubectl, kubeconfig: str
) -> None:
    first, second = Work(), Work()
    leader = replica(kubeconfig, "first", first)
    await first.begun.wait()
    standby = replica(kubeconfig, "second", second)

    await stop(standby)

    assert holder(kubectl) == "first"
    assert not second.begun.is_set()
    await stop(leader)


async def test_work_that_ends_ends_the_leading(kubectl: Kubectl, kubeconfig: str) -> None:
    work = Work()
    leader = replica(kubeconfig, "first", work)
    await work.begun.wait()

    work.outcome.set_result(None)

    await leader
    assert holder(kubectl) is None


async def test_work_that_dies_ends_the_leading_with_its_error(
    kubectl: Kubectl, kubeconfig: str
) -> None:
    work = Work()
    leader = replica(kubeconfig, "first", work)
    await work.begun.wait()

    work.outcome.set_exception(RuntimeError("it broke"))

    with pytest.raises(RuntimeError, match="it broke"):
        await leader
    assert holder(kubectl) is None


async def test_work_ends_when_somebody_else_has_the_lease(
    kubectl: Kubectl, kubeconfig: str
) -> None:
    work = Work()
    leader = replica(kubeconfig, "first", work)
    await work.begun.wait()

    theirs = json.dumps({"spec": {"holderIdentity": "other"}})
    kubectl("patch", "lease", LEASE, "-n", NAMESPACE, "--type=merge", "-p", theirs)

    with pytest.raises(LeaseLost, match="first no longer holds the Lease"):
        await leader
    assert work.ended.is_set()
    assert holder(kubectl) == "other"


async def test_a_deleted_lease_is_created_again_and_the_work_goes_on(
    kubectl: Kubectl, kubeconfig: str
) -> None:
    work = Work()
    leader = replica(kubeconfig, "first", work)
    await work.begun.wait()

    kubectl("delete", "lease", LEASE, "-n", NAMESPACE)

    created = ("wait", "--for=create", f"lease/{LEASE}", "-n", NAMESPACE, "--timeout=60s")
    await asyncio.to_thread(kubectl, *created)
    assert not work.ended.is_set()
    await stop(leader)


async def test_work_ends_when_the_api_server_is_silent(
    kubectl: Kubectl,
    kubeconfig: str,
    control_plane: ControlPlane,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leadership, "RENEW_S", 4)
    monkeypatch.setattr(leadership, "_CALL_S", 1.0)
    work = Work()
    leader = replica(kubeconfig, "first", work)
    await work.begun.wait()
    server = control_plane.process("kube-apiserver")

    server.pause()
    try:
        with pytest.raises(LeaseLost):
            await leader
    finally:
        server.resume()

    assert work.ended.is_set()
    assert holder(kubectl) == "first"  # nobody could be told


async def test_a_standby_outlives_a_silent_api_server(
    kubectl: Kubectl,
    kubeconfig: str,
    control_plane: ControlPlane,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(leadership, "_CALL_S", 1.0)
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
    assert holder(kubectl) == "first"
    await stop(standby)


def test_a_pod_is_known_by_its_name() -> None:
    assert identity({"POD_NAME": "kubemacpool-controller-abc"}) == "kubemacpool-controller-abc"


def test_outside_a_pod_two_processes_differ() -> None:
    assert identity({}) == f"{socket.gethostname()}-{os.getpid()}"
