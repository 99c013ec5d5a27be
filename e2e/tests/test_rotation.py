"""Certificates that are replaced every few seconds, or spoilt, while requests go on."""

import base64
import datetime as dt
import itertools
import json
import operator
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from kubernetes.client import ApiException, CoreV1Api
from kubernetes.config import new_client_from_config

from e2e import metrics
from e2e.conftest import QUIET_S
from e2e.pods import OPT_IN, manifest
from testbed.client import Client
from testbed.connection import Refused
from testbed.controlplane import ControlPlane
from testbed.fixtures import fresh_namespace
from testbed.programs import NAMESPACE, SERVICE, Program, start_controller
from testbed.readiness import eventually
from testbed.release import Installed

AUTHORITY = "kubemacpool-mutator-ca"
MUTATOR = "kubemacpool-mutator"
CALLED = f"{SERVICE}.{NAMESPACE}.svc"
SECONDS = {
    "CA_ROTATE_INTERVAL": "15s",
    "CA_OVERLAP_INTERVAL": "15s",
    "CERT_ROTATE_INTERVAL": "3s",
    "CERT_OVERLAP_INTERVAL": "1s",
}
QUIET = ("--quiet-s", f"{QUIET_S:g}")
# The controller allows API servers 10 s to learn of a caBundle: one that takes most of that.
BEHIND_S = 8.0


@dataclass(slots=True)
class Requests:
    """The answers to clients that create pods all the time, as dry runs."""

    allowed: list[int]  # by client
    refusals: list[str] = field(default_factory=list)


@contextmanager
def requests(cluster: ControlPlane, namespace: str, count: int = 1) -> Iterator[Requests]:
    """Keep asking, with `count` clients, until the block ends."""
    seen, over = Requests([0] * count), threading.Event()
    body = json.loads(manifest("steady", [{"name": "a"}]))

    def ask(one: int) -> None:
        api = CoreV1Api(new_client_from_config(str(cluster.kubeconfig)))  # type: ignore[no-untyped-call] # no types
        while not over.is_set():
            try:
                pod = api.create_namespaced_pod(namespace, body, dry_run="All")
            except ApiException as refusal:
                seen.refusals.append(str(refusal.body))
            else:
                assert '"mac"' in str(pod)
                seen.allowed[one] += 1

    with ThreadPoolExecutor(count) as threads:
        clients = [threads.submit(ask, number) for number in range(count)]
        try:
            yield seen
        finally:
            over.set()
    for client in clients:
        client.result()  # one that something unforeseen has ended asked no more


@dataclass(slots=True)
class Watcher:
    """Sees what is trusted and served, as an API server that is BEHIND_S late; call it often."""

    client: Client
    webhooks: list[Program]
    authorities: set[bytes] = field(default_factory=set)
    pairs: set[bytes] = field(default_factory=set)
    at_once: int = 0  # as many certificates were in a caBundle
    distrusted: list[str] = field(default_factory=list)
    _known: list[tuple[float, str]] = field(default_factory=list)

    def look(self) -> None:
        self.authorities.add(read(self.client, AUTHORITY)["tls.crt"])
        self.pairs.add(read(self.client, SERVICE)["tls.crt"])
        asked, bundle = time.monotonic(), bundle_of(self.client)
        self.at_once = max(self.at_once, bundle.count("BEGIN CERTIFICATE"))
        self._known.append((asked, bundle))
        for webhook in self.webhooks:
            since = time.monotonic() - BEHIND_S
            late = next((known for when, known in self._known if when >= since), bundle)
            for trusted in {late, bundle}:
                if said := distrust(webhook, trusted):
                    self.distrusted.append(said)


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
    """Shake hands as an API server would; return what it has against it, or nothing."""
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


@pytest.fixture(scope="module")
def namespace(release: Installed, cluster: ControlPlane) -> Iterator[str]:
    """An opted-in namespace."""
    assert release.webhooks
    for name in fresh_namespace(cluster.kubectl):
        cluster.kubectl("label", "namespace", name, OPT_IN)
        yield name


@contextmanager
def hasty_controller(cluster: ControlPlane, release: Installed) -> Iterator[None]:
    """Replace certificates every few seconds until the block ends."""
    release.controller.process.stop()
    hasty = start_controller(cluster, "controller-1", *QUIET, env=SECONDS)
    try:
        hasty.wait_ready()
        yield
    finally:
        hasty.process.stop()
        release.controller = start_controller(cluster, "controller-1", *QUIET)
        release.controller.wait_ready()


@pytest.mark.parametrize(
    ("least_s", "authorities", "clients"),
    [
        pytest.param(0, 3, 1, id="two-cas"),
        pytest.param(60, 5, 4, id="a-minute-and-four-cas", marks=pytest.mark.long),
    ],
)
def test_rotations_refuse_no_request(  # noqa: PLR0913, PLR0917 - three are one row of the table
    cluster: ControlPlane,
    release: Installed,
    namespace: str,
    least_s: float,
    authorities: int,
    clients: int,
) -> None:
    with hasty_controller(cluster, release):
        watcher = Watcher(cluster.kubectl.client, release.webhooks)
        watcher.look()
        begun = time.monotonic()

        with requests(cluster, namespace, clients) as seen:
            answered = {len(watcher.authorities): list(seen.allowed)}

            def rotated() -> bool:
                watcher.look()
                answered.setdefault(len(watcher.authorities), list(seen.allowed))
                enough = len(watcher.authorities) >= authorities
                return time.monotonic() > begun + least_s and enough and watcher.at_once >= 2

            eventually(rotated, f"{authorities - 1} CAs after the first", 120)
    print(f"{seen.allowed} requests, {len(watcher.authorities)} CAs, {len(watcher.pairs)} pairs")

    assert seen.refusals == []
    assert watcher.distrusted == []
    # Each client had answers between one CA and the next; the first may come as the clients begin.
    _, *since = answered.values()
    assert len(since) >= 2
    for before, after in itertools.pairwise(since):
        assert all(map(operator.lt, before, after)), answered
    assert len(watcher.pairs) > len(watcher.authorities)
    assert all(webhook.process.alive for webhook in release.webhooks)


def delete(client: Client, name: str) -> None:
    client.delete("secret", name, NAMESPACE)


def spoil(client: Client, name: str, **files: bytes) -> None:
    """Write what a Secret of certificates holds; `tls_key` is tls.key."""
    data = {key.replace("_", "."): base64.b64encode(value).decode() for key, value in files.items()}
    client.patch("secret", name, {"data": data}, NAMESPACE)


def each(harms: dict[str, Callable[[Client], None]], *soon: str) -> pytest.MarkDecorator:
    """Do each harm; all but those of `soon` take the way of one of them, and are for check-all."""
    return pytest.mark.parametrize(
        "harm",
        [
            pytest.param(harm, id=name, marks=() if name in soon else pytest.mark.long)
            for name, harm in harms.items()
        ],
    )


UNNOTICED: dict[str, Callable[[Client], None]] = {
    "the CA's Secret deleted": lambda client: delete(client, AUTHORITY),
    "the CA's key lost": lambda client: spoil(client, AUTHORITY, tls_key=b"lost"),
    "the CA's certificate spoilt": lambda client: spoil(client, AUTHORITY, tls_crt=b"spoilt"),
    "the serving Secret deleted": lambda client: delete(client, SERVICE),
    "the serving pair spoilt": lambda client: spoil(
        client, SERVICE, tls_crt=b"spoilt", tls_key=b"spoilt"
    ),
}


@each(UNNOTICED, "the CA's Secret deleted", "the serving pair spoilt")
def test_what_happens_to_secrets_is_repaired_and_no_request_refused(
    cluster: ControlPlane,
    release: Installed,
    namespace: str,
    harm: Callable[[Client], None],
) -> None:
    client = cluster.kubectl.client
    before = read(client, AUTHORITY), read(client, SERVICE)

    with requests(cluster, namespace) as seen:
        harm(client)
        eventually(
            lambda: (
                (read(client, AUTHORITY), read(client, SERVICE)) != before
                and is_whole(client, release.webhooks)
            ),
            "new ones, that fit",
        )

    assert seen.refusals == []
    assert any(seen.allowed)


def is_whole(client: Client, webhooks: list[Program]) -> bool:
    """Whether all webhooks serve what the CA has signed and its certificate alone verifies."""
    authority, pair = read(client, AUTHORITY), read(client, SERVICE)
    if not authority or not pair or authority["tls.crt"].decode() not in bundle_of(client):
        return False
    try:
        shown = {served(webhook, authority["tls.crt"].decode()) for webhook in webhooks}
    except (ssl.SSLError, ValueError):
        return False
    return shown == {pair["tls.crt"].decode()}


def signed(client: Client, name: str, begins: dt.timedelta, life: dt.timedelta) -> None:
    """Replace the serving pair by one for `name` that the CA itself has signed."""
    authority = read(client, AUTHORITY)
    signer = serialization.load_pem_private_key(authority["tls.key"], None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key, begin = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC) + begins
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.load_pem_x509_certificate(authority["tls.crt"]).subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + life)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    spoil(
        client,
        SERVICE,
        tls_crt=certificate.public_bytes(pem),
        tls_key=key.private_bytes(pem, pkcs8, plain),
    )


def empty_bundles(client: Client) -> None:
    """Take the caBundle out of every webhook."""
    webhooks = client.read("mutatingwebhookconfiguration", MUTATOR)["webhooks"]
    for webhook in webhooks:
        del webhook["clientConfig"]["caBundle"]
    client.patch("mutatingwebhookconfiguration", MUTATOR, {"webhooks": webhooks})


DAY = dt.timedelta(days=1)
NOTICED: dict[str, Callable[[Client], None]] = {
    "a wrong name": lambda client: signed(client, "elsewhere.example.com", -DAY, 30 * DAY),
    "expired, as after a clock that jumped ahead": lambda client: signed(
        client, CALLED, -30 * DAY, DAY
    ),
    "of the future, as after a clock that jumped back": lambda client: signed(
        client, CALLED, DAY, 30 * DAY
    ),
    "an emptied caBundle": empty_bundles,
}


@each(NOTICED, "a wrong name", "an emptied caBundle")
def test_what_stops_admission_is_repaired(
    cluster: ControlPlane,
    release: Installed,
    namespace: str,
    harm: Callable[[Client], None],
) -> None:
    client = cluster.kubectl.client
    before = read(client, SERVICE)

    harm(client)

    eventually(lambda: is_whole(client, release.webhooks), "certificates that fit")
    eventually(lambda: is_served(client, namespace), "pods served again")
    assert (read(client, SERVICE) == before) == (harm is empty_bundles)


def is_served(client: Client, namespace: str) -> bool:
    """Whether a pod would get an address."""
    pod = manifest("probe", [{"name": "a"}])
    try:
        return '"mac"' in str(client.create(pod, namespace, dry_run=True))
    except Refused:
        return False


def test_days_left_are_a_metric(cluster: ControlPlane, release: Installed) -> None:
    kubectl = cluster.kubectl
    scrape = metrics.Scrape(release.controller.metrics_url, metrics.reader(kubectl))
    try:
        said = scrape()
    finally:
        metrics.forget_reader(kubectl)

    for label, secret in (("ca", AUTHORITY), ("serving", SERVICE)):
        end = x509.load_pem_x509_certificate(
            read(kubectl.client, secret)["tls.crt"]
        ).not_valid_after_utc
        left = said[f'kmp_certificate_days_left{{certificate="{label}"}}']
        assert abs((end - dt.datetime.now(dt.UTC)) / DAY - left) < 0.1
        expiry = f'kmp_certificate_expiry_timestamp_seconds{{certificate="{label}"}}'
        assert said[expiry] == end.timestamp()
