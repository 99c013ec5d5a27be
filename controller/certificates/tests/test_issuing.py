"""Issued pairs work in a handshake, and state their purpose."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from controller.certificates.intervals import Intervals
from controller.certificates.issuing import (
    BACKDATE,
    ForeignKey,
    Pair,
    issue_authority,
    issue_serving,
    opened,
    service_names,
)
from crds.names import NAMESPACE

if TYPE_CHECKING:
    from pathlib import Path

INTERVALS = Intervals()


def shake_hands(serving: Pair, bundle: bytes, host: str, folder: Path) -> None:
    """Do a TLS handshake in memory, the client as strict as OpenSSL can be."""
    (folder / "pair.pem").write_bytes(serving.key + serving.certificate)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(folder / "pair.pem")
    client_side = ssl.create_default_context(cadata=bundle.decode())
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


def test_a_client_with_the_ca_accepts_every_name_of_the_service(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    authority = issue_authority(now, INTERVALS)

    serving = issue_serving(authority, NAMESPACE, now, INTERVALS)

    assert service_names(NAMESPACE) == (
        "kubemacpool-service",
        "kubemacpool-service.kubemacpool-system",
        "kubemacpool-service.kubemacpool-system.svc",
        "kubemacpool-service.kubemacpool-system.svc.cluster.local",
    )
    for name in service_names(NAMESPACE):
        shake_hands(serving, authority.certificate, name, tmp_path)


def test_a_client_with_another_ca_refuses_it(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    serving = issue_serving(issue_authority(now, INTERVALS), NAMESPACE, now, INTERVALS)

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(
            serving,
            issue_authority(now, INTERVALS).certificate,
            service_names(NAMESPACE)[2],
            tmp_path,
        )


def test_it_is_valid_from_before_its_issue_until_after_its_overlap() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, 999, UTC)
    authority = issue_authority(now, INTERVALS)

    ca = opened(authority).certificate
    leaf = opened(issue_serving(authority, NAMESPACE, now, INTERVALS)).certificate

    whole = now.replace(microsecond=0)
    assert ca.not_valid_before_utc == leaf.not_valid_before_utc == whole - BACKDATE
    assert ca.not_valid_after_utc == whole + timedelta(days=730)
    assert leaf.not_valid_after_utc == whole + timedelta(hours=4380 + 24)


def test_the_ca_signs_no_other_ca_and_the_leaf_signs_nothing() -> None:
    now = datetime.now(UTC)
    authority = issue_authority(now, INTERVALS)
    leaf = opened(issue_serving(authority, NAMESPACE, now, INTERVALS)).certificate

    ca = opened(authority).certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    its = leaf.extensions.get_extension_for_class(x509.BasicConstraints)

    assert (ca.value.ca, ca.value.path_length) == (True, 0)
    assert not its.value.ca


def test_two_authorities_differ_in_name_and_key() -> None:
    now = datetime.now(UTC)

    first = opened(issue_authority(now, INTERVALS)).certificate
    second = opened(issue_authority(now + timedelta(seconds=1), INTERVALS)).certificate

    assert first.subject != second.subject
    assert first.public_key() != second.public_key()


def test_no_key_is_in_a_repr() -> None:
    pair = issue_authority(datetime.now(UTC), INTERVALS)

    assert "PRIVATE" not in repr(pair)
    assert "key" not in repr(pair)


def test_an_encrypted_key_is_unreadable_and_another_kind_of_key_is_foreign() -> None:

    pair = issue_authority(datetime.now(UTC), INTERVALS)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    locked = opened(pair).key.private_bytes(
        pem, pkcs8, serialization.BestAvailableEncryption(b"secret")
    )
    foreign = [
        key.private_bytes(pem, pkcs8, serialization.NoEncryption())
        for key in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1()))
    ]

    with pytest.raises(ValueError, match="encrypted"):
        opened(Pair(pair.certificate, locked))
    for key in foreign:
        with pytest.raises(ForeignKey):
            opened(Pair(pair.certificate, key))
