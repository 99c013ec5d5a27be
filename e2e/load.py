"""Many clients that create pods at the same time, each with a connection of its own."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.client import ApiException

from e2e.pods import manifest


@dataclass(slots=True)
class Crowd:
    """`count` clients that create pods; `pods` and `refusals` are the results of their requests."""

    kubeconfig: Path
    clients: int
    scheduler: str = "default-scheduler"  # one that there is not leaves pods unscheduled
    pods: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    _own: threading.local = field(default_factory=threading.local)

    def create(self, namespace: str, names: list[str], networks: object, tries: int = 1) -> None:
        """Create a pod for each of `names`, all clients at once; return when all have an answer."""
        with self.begin(namespace, names, networks, tries):
            pass

    @contextmanager
    def begin(
        self, namespace: str, names: list[str], networks: object, tries: int = 1
    ) -> Iterator[Callable[[], int]]:
        """Begin to create them; gives a function that says how many have an answer so far."""
        with ThreadPoolExecutor(self.clients) as threads:
            begun = [threads.submit(self._one, namespace, name, networks, tries) for name in names]
            yield lambda: len(self.pods) + len(self.refusals)
        _raise_what_ended(begun)

    @contextmanager
    def steadily(self, namespace: str, networks: object) -> Iterator[Callable[[], int]]:
        """Create pods without pause until the context ends, and delete each at once."""
        over, numbers = threading.Event(), itertools.count()

        def client() -> None:
            while not over.is_set():
                name = f"steady-{next(numbers)}"
                self._one(namespace, name, networks, 1)
                with suppress(ApiException):  # it was refused
                    self._api().delete_namespaced_pod(name, namespace, grace_period_seconds=0)

        with ThreadPoolExecutor(self.clients) as threads:
            begun = [threads.submit(client) for _ in range(self.clients)]
            try:
                yield lambda: len(self.pods) + len(self.refusals)
            finally:
                over.set()
        _raise_what_ended(begun)

    def macs(self) -> list[str]:
        """Return every address that a created pod was given."""
        key = "k8s.v1.cni.cncf.io/networks"
        elements = [json.loads(pod["metadata"]["annotations"][key]) for pod in self.pods]
        return [element["mac"] for network in elements for element in network]

    def _one(self, namespace: str, name: str, networks: object, tries: int) -> None:
        body = json.loads(manifest(name, networks))
        body["spec"]["schedulerName"] = self.scheduler
        said = ""
        for _ in range(tries):
            try:
                pod = self._api().create_namespaced_pod(namespace, body)
            except ApiException as refusal:
                said = json.loads(refusal.body)["message"] if refusal.body else str(refusal)
            except Exception as error:  # noqa: BLE001 # it is a result here, and is asserted on
                said = repr(error)
            else:
                self.pods.append(self._own.client.sanitize_for_serialization(pod))
                return
        self.refusals.append(said)

    def _api(self) -> client.CoreV1Api:
        if not hasattr(self._own, "api"):
            self._own.client = config.new_client_from_config(  # type: ignore[no-untyped-call] # no types
                str(self.kubeconfig)
            )
            self._own.api = client.CoreV1Api(self._own.client)
        api: client.CoreV1Api = self._own.api
        return api


def _raise_what_ended(clients: list[Future[None]]) -> None:
    """Fail the test if a client ended with an unexpected error: it sent no more requests."""
    for running in clients:
        running.result()
