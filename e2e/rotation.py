"""Clients that create pods all the time, and the certificates that they are served."""

import base64
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from kubernetes.client import ApiException, CoreV1Api
from kubernetes.config import new_client_from_config

from e2e.pods import manifest
from testbed.client import Client
from testbed.controlplane import ControlPlane
from testbed.programs import NAMESPACE, SERVICE, Program

AUTHORITY = "kubemacpool-mutator-ca"
MUTATOR = "kubemacpool-mutator"
CALLED = f"{SERVICE}.{NAMESPACE}.svc"


@dataclass(slots=True)
class Requests:
    """The answers to clients that create pods all the time, as dry runs."""

    allowed: list[int]  # by client
    refusals: list[str] = field(default_factory=list)


@contextmanager
def requests(cluster: ControlPlane, namespace: str, count: int = 1) -> Iterator[Requests]:
    """Create pods with `count` clients until the block ends."""
    seen, over = Requests([0] * count), threading.Event()
    body = json.loads(manifest("steady", [{"name": "a"}]))

    def ask(number: int) -> None:
        api = CoreV1Api(new_client_from_config(str(cluster.kubeconfig)))  # type: ignore[no-untyped-call] # no types
        while not over.is_set():
            try:
                pod = api.create_namespaced_pod(namespace, body, dry_run="All")
            except ApiException as refusal:
                seen.refusals.append(str(refusal.body))
            else:
                assert '"mac"' in str(pod)
                seen.allowed[number] += 1

    with ThreadPoolExecutor(count) as threads:
        clients = [threads.submit(ask, number) for number in range(count)]
        try:
            yield seen
        finally:
            over.set()
    for client in clients:
        client.result()  # raises the unexpected error of a client


def read(client: Client, name: str) -> dict[str, bytes]:
    """Return the data of a Secret, empty while there is none."""
    data = (client.get("secret", name, NAMESPACE) or {"data": {}})["data"]
    return {key: base64.b64decode(value) for key, value in data.items()}


def bundle_of(client: Client) -> str:
    """Return the caBundle, which all webhooks have in common."""
    found = client.read("mutatingwebhookconfiguration", MUTATOR)["webhooks"]
    [bundle] = {webhook["clientConfig"].get("caBundle", "") for webhook in found}
    return base64.b64decode(bundle).decode()


def distrust(webhook: Program, bundle: str) -> str:
    """Return why an API server that trusts `bundle` refuses the webhook, or nothing."""
    try:
        served(webhook, bundle)
    except ssl.SSLError as error:
        return str(error)
    return ""


def served(webhook: Program, bundle: str) -> str:
    """Return the certificate (PEM) that a webhook shows to a client that trusts `bundle`."""
    where = urlsplit(webhook.ready_url)
    context = ssl.create_default_context(cadata=bundle)
    with (
        socket.create_connection((where.hostname, where.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=CALLED) as encrypted,
    ):
        shown = encrypted.getpeercert(binary_form=True)
        assert shown is not None
        return ssl.DER_cert_to_PEM_cert(shown)
