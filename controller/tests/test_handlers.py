"""Kopf on a real API server, as the controller's service account: what changes is marked."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

from controller import handlers
from controller.certify import AUTHORITY_SECRET, SERVING_SECRET
from controller.handlers import FOLLOWED, Followed, Subject, follow
from controller.namespaces import MUTATOR
from controller.tests.conftest import MANIFEST, NAMESPACE, account_kubeconfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from e2e.cluster.controlplane import ControlPlane

_TLS = {"tls.crt": "", "tls.key": ""}
OBJECTS: dict[str, dict[str, object]] = {
    "configmaps": {"apiVersion": "v1", "kind": "ConfigMap"},
    "secrets": {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "data": _TLS},
    "mutatingwebhookconfigurations": {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
    },
    "macpools": {
        "apiVersion": "kubemacpool.io/v1beta1",
        "kind": "MacPool",
        "spec": {"ranges": [{"start": "02:00:00:00:00:00", "end": "02:00:00:00:00:0f"}]},
    },
}
# What makes each of them another; a label or a status would not, where there is a generation.
CHANGES: dict[str, dict[str, object]] = {
    "configmaps": {"data": {"RANGE_START": "02:00:00:00:00:00"}},
    "secrets": {"metadata": {"labels": {"touched": "yes"}}},
    "mutatingwebhookconfigurations": {
        "webhooks": [
            {
                "name": "nobody.kubemacpool.io",
                "clientConfig": {"url": "https://127.0.0.1:1/"},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ]
    },
    "macpools": {"spec": {"reserved": [{"start": "02:00:00:00:00:01"}]}},
}
ONE_OF_EACH = [
    (followed, name)
    for followed in FOLLOWED
    for name in sorted(followed.names)
    if followed.plural in OBJECTS
]


class Marked:
    """What has been marked and not yet waited for."""

    def __init__(self, task: asyncio.Task[None], marks: asyncio.Queue[Subject]) -> None:
        self.task = task
        self.marks = marks

    async def wait(self) -> Subject:
        """Return the next mark; an early end of the following is an error."""
        mark = asyncio.create_task(self.marks.get())
        async with asyncio.timeout(60):
            await asyncio.wait({mark, self.task}, return_when=asyncio.FIRST_COMPLETED)
        assert not self.task.done(), self.task
        return await mark


@contextlib.asynccontextmanager
async def following(kubeconfig: str) -> AsyncIterator[Marked]:
    marks: asyncio.Queue[Subject] = asyncio.Queue()
    task = asyncio.create_task(follow(marks.put_nowait, namespace=NAMESPACE, kubeconfig=kubeconfig))
    marked = Marked(task, marks)
    try:
        assert [await marked.wait() for _ in Subject] == list(Subject)  # as at every start
        yield marked
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        for thread in threading.enumerate():
            if thread.name == "kopf":
                thread.join(timeout=10)
                assert not thread.is_alive()


def test_the_table_names_what_is_configured_where() -> None:
    named = {name: followed.subject for followed in FOLLOWED for name in followed.names}

    assert named == {
        "kubemacpool-mac-range-config": Subject.POOL,
        "default": Subject.POOL,
        "macpools.kubemacpool.io": Subject.POOL,
        AUTHORITY_SECRET: Subject.CERTIFICATES,
        SERVING_SECRET: Subject.CERTIFICATES,
        MUTATOR: Subject.CERTIFICATES,
    }


@pytest.mark.parametrize(
    ("followed", "name"), ONE_OF_EACH, ids=[f"{one.plural}-{name}" for one, name in ONE_OF_EACH]
)
async def test_an_object_that_comes_changes_and_goes_is_marked(
    control_plane: ControlPlane,
    kubeconfig: str,
    monkeypatch: pytest.MonkeyPatch,
    followed: Followed,
    name: str,
) -> None:
    client, kind = control_plane.kubectl.client, followed.plural
    monkeypatch.setattr(handlers, "FOLLOWED", (followed,))
    client.delete(kind, name, NAMESPACE, missing_ok=True)
    manifest = OBJECTS[kind] | {"metadata": {"name": name}}

    async with following(kubeconfig) as marked:
        client.create(manifest, NAMESPACE)
        assert await marked.wait() is followed.subject
        client.patch(kind, name, CHANGES[kind], NAMESPACE)
        assert await marked.wait() is followed.subject
        found = client.read(kind, name, NAMESPACE)
        client.delete(kind, name, NAMESPACE)
        assert await marked.wait() is followed.subject

    assert "finalizers" not in found["metadata"]
    assert "annotations" not in found["metadata"]


async def test_an_object_of_another_name_is_not_marked(
    control_plane: ControlPlane, kubeconfig: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (followed,) = (one for one in FOLLOWED if one.plural == "configmaps")
    (name,) = followed.names
    monkeypatch.setattr(handlers, "FOLLOWED", (followed,))
    client = control_plane.kubectl.client
    for each in ("other", name):
        client.delete("configmap", each, NAMESPACE, missing_ok=True)

    async with following(kubeconfig) as marked:
        for each in ("other", name):
            client.create(OBJECTS["configmaps"] | {"metadata": {"name": each}}, NAMESPACE)
        await marked.wait()
        client.delete("configmap", name, NAMESPACE)
        await marked.wait()
        assert marked.marks.empty()


async def test_a_crd_that_comes_back_marks_the_pool(
    control_plane: ControlPlane, kubeconfig: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = control_plane.kubectl.client
    crd = next(
        one
        for one in MANIFEST.split("\n---\n")
        if "kind: CustomResourceDefinition" in one and "name: macpools.kubemacpool.io" in one
    )
    client.delete("crd", "macpools.kubemacpool.io")
    pools = tuple(one for one in FOLLOWED if one.subject is Subject.POOL)
    monkeypatch.setattr(handlers, "FOLLOWED", pools[1:])  # not the ConfigMap

    async with following(kubeconfig) as marked:
        client.create(crd)
        assert await marked.wait() is Subject.POOL


async def test_who_leaves_certificates_to_others_does_not_follow_them() -> None:
    plurals = {one.plural for one in FOLLOWED if one.subject is Subject.CERTIFICATES}

    async with contextlib.AsyncExitStack() as sessions:
        both, pool_only = (
            {
                str(handler.selector)
                for handler in handlers._registry(
                    lambda _: None, None, sessions, subjects
                )._watching.get_all_handlers()
            }
            for subjects in (tuple(Subject), (Subject.POOL,))
        )

    assert plurals == {"secrets", "mutatingwebhookconfigurations"}
    assert {one for one in both if any(plural in one for plural in plurals)}
    assert not {one for one in pool_only if any(plural in one for plural in plurals)}
    assert pool_only


async def test_an_early_end_is_followed_by_a_new_start_that_marks_everything(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "_FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(handlers, "_RETRIES_S", ())
    stranger = account_kubeconfig(control_plane, "default")  # may list nothing: kopf gives up

    async with following(stranger) as marked:
        for _ in range(2):
            assert [await marked.wait() for _ in Subject] == list(Subject)
