"""kopf on a real API server, as the controller's service account: changes reach their task."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING, Any

import kopf
import pytest

from controller import watched
from controller.conftest import MANIFEST
from controller.leading import Leading, Task
from controller.options import read_options
from controller.program import Program
from crds.names import AUTHORITY_SECRET, CONFIG_MAP, MUTATOR, NAMESPACE, SERVING_SECRET
from kube.workqueue import PeriodicTasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from kube.client import Api
    from testbed.client import Client
    from testbed.controlplane import ControlPlane

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
WITHIN_S = 60
CONFIGURATIONS, CRD = "mutatingwebhookconfigurations", "macpools.kubemacpool.io"
_WEBHOOK = {
    "name": "mutatepods.kubemacpool.io",
    "clientConfig": {"url": "https://127.0.0.1:1/"},
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "namespaceSelector": {"matchLabels": {"managed": "yes"}},
    "failurePolicy": "Ignore",
    "rules": [],
}
_SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "type": "kubernetes.io/tls",
    "data": {"tls.crt": "", "tls.key": ""},
}
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    ("configmaps", CONFIG_MAP): {"apiVersion": "v1", "kind": "ConfigMap"},
    ("macpools", "default"): {
        "apiVersion": "kubemacpool.io/v1beta1",
        "kind": "MacPool",
        "spec": {"ranges": [{"start": "02:00:00:00:00:00", "end": "02:00:00:00:00:0f"}]},
    },
    ("secrets", AUTHORITY_SECRET): _SECRET,
    ("secrets", SERVING_SECRET): _SECRET,
    (CONFIGURATIONS, MUTATOR): {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
    },
}
# For each kind its task, and a change that matters. If there is a generation, a label does not.
CHANGES: dict[str, tuple[Task, dict[str, Any]]] = {
    "configmaps": (Task.POOL, {"data": {"RANGE_START": "02:00:00:00:00:00"}}),
    "macpools": (Task.POOL, {"spec": {"reserved": [{"start": "02:00:00:00:00:01"}]}}),
    "secrets": (Task.CERTIFICATES, {"metadata": {"labels": {"touched": "yes"}}}),
    CONFIGURATIONS: (Task.CERTIFICATES, {"webhooks": [_WEBHOOK]}),
}


def named(plural: str, name: str, like: str = "") -> dict[str, Any]:
    return OBJECTS[plural, like or name] | {"metadata": {"name": name}}


class Requested(PeriodicTasks):
    """Runs no task; keeps the names of the requested ones."""

    def __init__(self) -> None:
        super().__init__()
        self.names: asyncio.Queue[str] = asyncio.Queue()

    def run_soon(self, name: str) -> None:
        self.names.put_nowait(name)

    async def wait(self, task: Task) -> None:
        """Wait until `task` is requested, and forget the requests before it."""
        async with asyncio.timeout(WITHIN_S):
            while await self.names.get() != task:
                pass


class Hosted(Program):
    """A program that leads at once, and only records the requests of the handlers."""

    def __init__(self, kubeconfig: str, api: Api) -> None:
        super().__init__(read_options(["--namespace", NAMESPACE], {}), "test", kubeconfig)
        self.requested = Requested()
        self._api = api

    async def start(self) -> None:
        self._leads.set_result(Leading(self.options, self._api, self._api, self.requested))

    def is_managed(self, namespace: str) -> bool:
        return self.leading.replica.namespaces.is_managed("Pod", namespace)


@pytest.fixture(autouse=True)
def _collect_sockets() -> Iterator[None]:
    """Free what kopf leaves open when it is stopped in a list, before the next test is blamed."""
    yield
    gc.collect()


@pytest.fixture
def client(control_plane: ControlPlane) -> Client:
    """An administrator, in a cluster that has none of our objects but the CRDs."""
    client = control_plane.kubectl.client
    for plural, name in OBJECTS:
        client.delete(plural, name, NAMESPACE, missing_ok=True)
    return client


@contextlib.asynccontextmanager
async def following(kubeconfig: str, api: Api) -> AsyncIterator[Hosted]:
    """Run kopf. It is not a fixture: when kopf ends, it cancels the tasks that began after it."""
    program = Hosted(kubeconfig, api)
    operator = asyncio.create_task(watched.operate(program))
    try:
        yield program
        assert not operator.done()
    finally:
        program.ended.set()
        await operator


@contextlib.asynccontextmanager
async def followed(kubeconfig: str, api: Api) -> AsyncIterator[Hosted]:
    """Run kopf, and begin when it has seen the only object of ours, the CRD."""
    async with following(kubeconfig, api) as hosted:
        await hosted.requested.wait(Task.POOL)
        yield hosted


async def eventually(is_so: Callable[[], bool]) -> None:
    """Wait until a view shows it."""
    async with asyncio.timeout(WITHIN_S):
        while not is_so():  # noqa: ASYNC110 # a view has no event
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("plural", "name"), OBJECTS, ids=[name for _, name in OBJECTS])
async def test_an_object_that_comes_changes_and_goes_requests_its_task(
    client: Client, kubeconfig: str, api: Api, plural: str, name: str
) -> None:
    task, change = CHANGES[plural]
    async with followed(kubeconfig, api) as hosted:
        client.create(named(plural, name), NAMESPACE)
        await hosted.requested.wait(task)
        client.patch(plural, name, change, NAMESPACE)
        await hosted.requested.wait(task)
        metadata = client.read(plural, name, NAMESPACE)["metadata"]
        client.delete(plural, name, NAMESPACE)
        await hosted.requested.wait(task)

        assert not {"finalizers", "annotations"} & metadata.keys()


@pytest.mark.parametrize(
    ("plural", "name"), [("configmaps", CONFIG_MAP), ("secrets", SERVING_SECRET)]
)
async def test_an_object_of_another_name_requests_nothing(
    client: Client, kubeconfig: str, api: Api, plural: str, name: str
) -> None:
    task, _ = CHANGES[plural]
    async with followed(kubeconfig, api) as hosted:
        client.create(named(plural, "other", like=name), NAMESPACE)
        client.create(named(plural, name), NAMESPACE)
        await hosted.requested.wait(task)
        for each in ("other", name):
            client.delete(plural, each, NAMESPACE)
        await hosted.requested.wait(task)

        assert hosted.requested.names.empty()


async def test_a_change_of_the_status_requests_nothing(
    client: Client, kubeconfig: str, api: Api
) -> None:
    async with followed(kubeconfig, api) as hosted:
        client.create(named("macpools", "default"))
        await hosted.requested.wait(Task.POOL)

        status = {"status": {"allocated": 3}}
        client.patch("macpools", "default", status, subresource="status")
        client.delete("macpools", "default")
        await hosted.requested.wait(Task.POOL)

        assert hosted.requested.names.empty()


def test_an_event_is_new_unless_it_leaves_the_generation_as_it_was() -> None:
    # The tests with an API server may end before a request that is one too many.
    memo = kopf.Memo()

    def is_new(type_: str | None, generation: int | None) -> bool:
        meta: Any = {"generation": generation}  # kopf.Meta is such a mapping
        return watched._is_new(type_, meta, memo)

    events = [("ADDED", 1), ("MODIFIED", 1), ("MODIFIED", 2), ("MODIFIED", 2), (None, 2)]
    assert [is_new(*event) for event in events] == [True, False, True, False, True]
    assert is_new("DELETED", 2)
    assert is_new("MODIFIED", None)


async def test_only_secrets_of_ours_reach_the_handler() -> None:
    handlers = watched.registry(Program(read_options([], {}), "test"))._watching.get_all_handlers()
    filters: list[Any] = [  # kopf calls a filter with many more arguments
        handler.when
        for handler in handlers
        if handler.selector is not None and handler.selector.any_name == "secrets"
    ]

    [when] = filters

    names = (AUTHORITY_SECRET, SERVING_SECRET, "other")
    assert [when(name=name) for name in names] == [True, True, False]


async def test_labels_and_selectors_decide_which_namespaces_are_managed(
    client: Client, kubeconfig: str, api: Api
) -> None:
    client.create_namespace("farm")
    async with followed(kubeconfig, api) as hosted:
        client.create(named(CONFIGURATIONS, MUTATOR) | {"webhooks": [_WEBHOOK]})
        assert not hosted.is_managed("farm")

        client.label("namespace", "farm", {"managed": "yes"})
        await eventually(lambda: hosted.is_managed("farm"))
        await hosted.requested.wait(Task.COLLISIONS)
        client.label("namespace", "farm", {"managed": None})
        await eventually(lambda: not hosted.is_managed("farm"))
        client.label("namespace", "farm", {"managed": "yes"})
        await eventually(lambda: hosted.is_managed("farm"))
        client.delete(CONFIGURATIONS, MUTATOR)
        await eventually(lambda: not hosted.is_managed("farm"))


async def test_a_crd_that_is_created_again_requests_the_pool(
    client: Client, kubeconfig: str, api: Api
) -> None:
    crd = next(
        document
        for document in MANIFEST.split("\n---\n")
        if "kind: CustomResourceDefinition" in document and f"name: {CRD}" in document
    )
    client.delete("crd", CRD)
    async with following(kubeconfig, api) as hosted:
        client.create(crd)
        await hosted.requested.wait(Task.POOL)
        await asyncio.to_thread(client.wait_established, CRD)


@pytest.mark.parametrize(("flags", "follows"), [([], True), (["--certificates=external"], False)])
async def test_secrets_are_followed_only_if_the_certificates_are_our_own(
    flags: list[str], *, follows: bool
) -> None:
    program = Program(read_options(flags, {}), "test")
    selectors = watched.registry(program)._watching.get_all_selectors()

    assert any(selector.any_name == "secrets" for selector in selectors) is follows


def test_kopf_lists_only_objects_that_our_roles_allow() -> None:
    settings = kopf.OperatorSettings()

    watched.configure(settings)

    only = settings.watching.field_selectors
    assert {selector.any_name: only[selector] for selector in only} == {
        "configmaps": f"metadata.name={CONFIG_MAP}",
        "macpools": "metadata.name=default",
        "customresourcedefinitions": f"metadata.name={CRD}",
        CONFIGURATIONS: f"metadata.name={MUTATOR}",
    }


def test_kopf_retries_a_call_for_ever_with_a_growing_delay() -> None:
    settings = kopf.OperatorSettings()

    watched.configure(settings)

    delays = settings.networking.error_backoffs
    assert isinstance(delays, watched.Retries)
    first = [wait_s for wait_s, _ in zip(delays, range(8), strict=False)]
    assert first == [1, 2, 4, 8, 16, 30, 30, 30]
