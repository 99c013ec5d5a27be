"""Certificates for tests."""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from webhook.certificate import Pair

_FROM, _TO = dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1)  # noqa: DTZ001 # UTC


_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def pair(name: str = "localhost", password: bytes | None = None) -> Pair:
    """A self-signed certificate for `name`, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    return Pair(_certificate(name, key, name, key), pem)


def rsa_chain(name: str = "localhost") -> tuple[Pair, Pair]:
    """A root, and a pair for `name` by an intermediate CA, whose certificate follows its own.

    With RSA keys in the older format, as cert-manager writes them by default.
    """
    root, middle, leaf = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3)
    )
    top = _certificate("root", root, "root", root)
    chain = _certificate(name, leaf, "intermediate", middle, is_ca=False)
    chain += _certificate("intermediate", middle, "root", root)
    return Pair(top, _traditional(root)), Pair(chain, _traditional(leaf))


def _certificate(name: str, key: _Key, issuer: str, signer: _Key, *, is_ca: bool = True) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_TO)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _traditional(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
