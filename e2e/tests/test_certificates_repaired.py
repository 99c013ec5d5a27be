"""Certificates that are deleted or spoilt are repaired."""

import base64
import datetime as dt
import ssl
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from e2e.pods import PodNamespace
from e2e.rotation import AUTHORITY, CALLED, MUTATOR, bundle_of, read, requests, served
from testbed.client import Client
from testbed.controlplane import ControlPlane
from testbed.programs import NAMESPACE, SERVICE, Program
from testbed.readiness import eventually
from testbed.release import Installed, serves


def delete(client: Client, name: str) -> None:
    client.delete("secret", name, NAMESPACE)


def spoil(client: Client, name: str, **files: bytes) -> None:
    """Write files into a Secret of certificates; `tls_key` is tls.key."""
    data = {key.replace("_", "."): base64.b64encode(value).decode() for key, value in files.items()}
    client.patch("secret", name, {"data": data}, NAMESPACE)


def each(harms: dict[str, Callable[[Client], None]], *soon: str) -> pytest.MarkDecorator:
    """Run the test with each harm; those that are not in `soon` run in check-all only."""
    return pytest.mark.parametrize(
        "harm",
        [
            pytest.param(harm, id=name, marks=() if name in soon else pytest.mark.long)
            for name, harm in harms.items()
        ],
    )


DAY = dt.timedelta(days=1)
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
def test_spoilt_secrets_are_repaired_and_no_request_is_refused(
    cluster: ControlPlane,
    release: Installed,
    pods: PodNamespace,
    harm: Callable[[Client], None],
) -> None:
    client = cluster.kubectl.client
    before = read(client, AUTHORITY), read(client, SERVICE)

    with requests(cluster, pods.namespace) as seen:
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
    """Return True if all webhooks serve a certificate that verifies with the CA alone."""
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
    """Empty the caBundle of every webhook."""
    webhooks = client.read("mutatingwebhookconfiguration", MUTATOR)["webhooks"]
    for webhook in webhooks:
        del webhook["clientConfig"]["caBundle"]
    client.patch("mutatingwebhookconfiguration", MUTATOR, {"webhooks": webhooks})


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
def test_damage_that_stops_admission_is_repaired(
    cluster: ControlPlane,
    release: Installed,
    pods: PodNamespace,
    harm: Callable[[Client], None],
) -> None:
    client = cluster.kubectl.client
    before = read(client, SERVICE)

    harm(client)

    eventually(lambda: is_whole(client, release.webhooks), "certificates that fit")
    eventually(lambda: serves(client, pods.namespace), "pods served again")
    assert (read(client, SERVICE) == before) == (harm is empty_bundles)
