"""kopf on a real API server, as the controller's service account: what changes reaches its task."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import kopf
import pytest

from controller import watched
from controller.collisions.namespaces import MUTATOR
from controller.conftest import MANIFEST, NAMESPACE
from controller.leading import Leading, Task
from controller.options import read_options
from controller.program import Program
from crds.names import AUTHORITY_SECRET, CONFIG_MAP, SERVING_SECRET
from kube.workqueue import PeriodicTasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from kube.client import Api
    from testbed.controlplane import ControlPlane
    from testbed.kubectl import Kubectl

WITHIN_S = 60
_TLS = {"tls.crt": "", "tls.key": ""}
_WEBHOOK = {
    "name": "mutatepods.kubemacpool.io",
    "clientConfig": {"url": "https://127.0.0.1:1/"},
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "namespaceSelector": {"matchLabels": {"managed": "yes"}},
    "failurePolicy": "Ignore",
    "rules": [],
}
SECRET: dict[str, object] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "type": "kubernetes.io/tls",
    "data": _TLS,
}
MUTATORS = "mutatingwebhookconfigurations"
OBJECTS: dict[tuple[str, str], dict[str, object]] = {
    ("configmaps", CONFIG_MAP): {"apiVersion": "v1", "kind": "ConfigMap"},
    ("macpools", "default"): {
        "apiVersion": "kubemacpool.io/v1beta1",
        "kind": "MacPool",
        "spec": {"ranges": [{"start": "02:00:00:00:00:00", "end": "02:00:00:00:00:0f"}]},
    },
    ("secrets", AUTHORITY_SECRET): SECRET,
    ("secrets", SERVING_SECRET): SECRET,
    (MUTATORS, MUTATOR): {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
    },
}
# A change of each that matters. Where there is a generation, one of a label does not.
CHANGES: dict[str, dict[str, object]] = {
    "configmaps": {"data": {"RANGE_START": "02:00:00:00:00:00"}},
    "secrets": {"metadata": {"labels": {"touched": "yes"}}},
    MUTATORS: {"webhooks": [_WEBHOOK]},
    "macpools": {"spec": {"reserved": [{"start": "02:00:00:00:00:01"}]}},
}
TASKS = {
    "configmaps": Task.POOL,
    "macpools": Task.POOL,
    "secrets": Task.CERTIFICATES,
    MUTATORS: Task.CERTIFICATES,
}


class Asked(PeriodicTasks):
    """Runs nothing; knows what was asked for and not yet waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: asyncio.Queue[str] = asyncio.Queue()

    def run_soon(self, name: str) -> None:
        self.names.put_nowait(name)

    async def wait(self, task: Task) -> None:
        """Wait until `task` is asked for, and forget what was asked for before."""
        async with asyncio.timeout(WITHIN_S):
            while await self.names.get() != task:
                pass


class Hosted(Program):
    """A program that leads at once and does nothing; `asked` is what the handlers asked of it."""

    def __init__(self, kubeconfig: str, api: Api, *flags: str) -> None:
        super().__init__(read_options(["--namespace", NAMESPACE, *flags], {}), "test", kubeconfig)
        self.asked = Asked()
        self._api = api

    async def start(self) -> None:
        self._leads.set_result(Leading(self.options, self._api, self._api, self.asked))

    def is_managed(self, namespace: str) -> bool:
        return self.leading.replica.namespaces.is_managed("Pod", namespace)


@pytest.fixture
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """An administrator, in a cluster that has none of our objects but the CRDs."""
    kubectl = control_plane.kubectl
    for plural, name in OBJECTS:
        kubectl("delete", plural, name, "-n", NAMESPACE, "--ignore-not-found")
    return kubectl


@contextlib.asynccontextmanager
async def following(kubeconfig: str, api: Api) -> AsyncIterator[Hosted]:
    """kopf, when it has seen the CRD of MacPool: nothing else is there to be seen.

    Not a fixture: when kopf ends it cancels the tasks that were made after its start.
    """
    program = Hosted(kubeconfig, api)
    operator = asyncio.create_task(watched.operate(program))
    try:
        await program.asked.wait(Task.POOL)
        yield program
        assert not operator.done()
    finally:
        program.ended.set()
        await operator


async def eventually(is_so: Callable[[], bool]) -> None:
    """Wait for what handlers put into a view."""
    async with asyncio.timeout(WITHIN_S):
        while not is_so():  # noqa: ASYNC110 # a view has no event
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("plural", "name"), OBJECTS, ids=[f"{plural}-{name}" for plural, name in OBJECTS]
)
async def test_an_object_that_comes_changes_and_goes_asks_for_its_task(
    kubectl: Kubectl, kubeconfig: str, api: Api, plural: str, name: str
) -> None:
    async with following(kubeconfig, api) as hosted:
        metadata = {"metadata": {"name": name, "namespace": NAMESPACE}}
        change = json.dumps(CHANGES[plural])

        kubectl.apply(json.dumps(OBJECTS[plural, name] | metadata))
        await hosted.asked.wait(TASKS[plural])
        kubectl("patch", plural, name, "-n", NAMESPACE, "--type=merge", "-p", change)
        await hosted.asked.wait(TASKS[plural])
        found = json.loads(kubectl("get", plural, name, "-n", NAMESPACE, "-ojson"))
        kubectl("delete", plural, name, "-n", NAMESPACE)
        await hosted.asked.wait(TASKS[plural])

        assert "finalizers" not in found["metadata"]
        annotations = found["metadata"].get("annotations", {})
        assert set(annotations) <= {"kubectl.kubernetes.io/last-applied-configuration"}


@pytest.mark.parametrize("plural", ["configmaps", "secrets"])
async def test_an_object_of_another_name_asks_for_nothing(
    kubectl: Kubectl, kubeconfig: str, api: Api, plural: str
) -> None:
    async with following(kubeconfig, api) as hosted:
        name = next(name for key, name in OBJECTS if key == plural)
        other = OBJECTS[plural, name] | {"metadata": {"name": "other", "namespace": NAMESPACE}}
        ours = OBJECTS[plural, name] | {"metadata": {"name": name, "namespace": NAMESPACE}}

        kubectl.apply(json.dumps(other))
        kubectl.apply(json.dumps(ours))
        await hosted.asked.wait(TASKS[plural])
        kubectl("delete", plural, "other", name, "-n", NAMESPACE)
        await hosted.asked.wait(TASKS[plural])

        assert hosted.asked.names.empty()


async def test_a_status_that_changes_asks_for_nothing(
    kubectl: Kubectl, kubeconfig: str, api: Api
) -> None:
    async with following(kubeconfig, api) as hosted:
        pool = OBJECTS["macpools", "default"] | {"metadata": {"name": "default"}}
        status = json.dumps({"status": {"allocated": 3}})
        kubectl.apply(json.dumps(pool))
        await hosted.asked.wait(Task.POOL)

        kubectl("patch", "macpool", "default", "--subresource=status", "--type=merge", "-p", status)
        kubectl("delete", "macpool", "default")
        await hosted.asked.wait(Task.POOL)

        assert hosted.asked.names.empty()


async def test_namespaces_are_managed_as_their_labels_and_the_selectors_say(
    kubectl: Kubectl, kubeconfig: str, api: Api
) -> None:
    mutator = {
        **OBJECTS[MUTATORS, MUTATOR],
        "metadata": {"name": MUTATOR},
        "webhooks": [_WEBHOOK],
    }
    kubectl.run("create", "namespace", "farm")
    kubectl("label", "namespace", "farm", "managed-")
    async with following(kubeconfig, api) as hosted:
        kubectl.apply(json.dumps(mutator))
        assert not hosted.is_managed("farm")

        kubectl("label", "namespace", "farm", "managed=yes")
        await eventually(lambda: hosted.is_managed("farm"))
        await hosted.asked.wait(Task.COLLISIONS)
        kubectl("label", "namespace", "farm", "managed-")
        await eventually(lambda: not hosted.is_managed("farm"))
        kubectl("label", "namespace", "farm", "managed=yes")
        await eventually(lambda: hosted.is_managed("farm"))
        kubectl("delete", MUTATORS, MUTATOR)
        await eventually(lambda: not hosted.is_managed("farm"))


async def test_a_crd_that_comes_back_asks_for_the_pool(
    control_plane: ControlPlane, kubeconfig: str, api: Api
) -> None:
    kubectl = control_plane.kubectl
    crd = next(
        document
        for document in MANIFEST.split("\n---\n")
        if "kind: CustomResourceDefinition" in document
        and "name: macpools.kubemacpool.io" in document
    )
    kubectl("delete", "crd", "macpools.kubemacpool.io")
    kubectl("delete", "configmap", CONFIG_MAP, "-n", NAMESPACE, "--ignore-not-found")
    program = Hosted(kubeconfig, api)
    operator = asyncio.create_task(watched.operate(program))
    try:
        kubectl.apply(crd)
        await program.asked.wait(Task.POOL)
        kubectl("wait", "--for=condition=Established", "crd/macpools.kubemacpool.io")
    finally:
        program.ended.set()
        await operator


async def test_without_certificates_of_our_own_kopf_does_not_follow_the_secrets() -> None:
    def follows_secrets(*flags: str) -> bool:
        program = Program(read_options(list(flags), {}), "test")
        selectors = watched.registry(program)._watching.get_all_selectors()
        return any(selector.any_name == "secrets" for selector in selectors)

    assert follows_secrets()
    assert not follows_secrets("--certificates=external")


def test_kopf_retries_a_call_for_ever_with_a_growing_delay() -> None:
    settings = kopf.OperatorSettings()

    watched.configure(settings)

    delays = settings.networking.error_backoffs
    assert isinstance(delays, watched.Retries)
    assert [wait_s for wait_s, _ in zip(delays, range(8), strict=False)] == [
        *(1, 2, 4, 8, 16),
        *(30, 30, 30),
    ]


async def test_a_program_that_cannot_listen_fails_with_the_reason(kubeconfig: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        server = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0)
        await stack.enter_async_context(server)
        port = server.sockets[0].getsockname()[1]
        options = read_options([f"--listen-addr=127.0.0.1:{port}", "--metrics-addr=0"], {})
        program = Program(options, "test", kubeconfig)

        with pytest.raises(Exception, match="handlers failed"):  # kopf's ActivityError
            await watched.operate(program)

        assert isinstance(program.failure, OSError)
