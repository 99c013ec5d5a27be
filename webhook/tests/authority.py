"""Certificates for tests."""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from webhook.certificate import Pair

_FROM, _TO = dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1)  # noqa: DTZ001 # UTC


def pair(name: str = "localhost", password: bytes | None = None) -> Pair:
    """A self-signed certificate for `name`, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_TO)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), pem)


def rsa_chain(name: str = "localhost") -> tuple[Pair, Pair]:
    """A root, and a pair for `name` by an intermediate CA, whose certificate follows its own.

    With RSA keys in the older format, as cert-manager writes them by default.
    """
    keys = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3)]
    chain = []
    for depth, subject in enumerate(("root", "intermediate", name)):
        signer = max(depth - 1, 0)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(subject))
            .issuer_name(_named(("root", "intermediate")[signer]))
            .public_key(keys[depth].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_FROM)
            .not_valid_after(_TO)
            .add_extension(x509.BasicConstraints(ca=subject != name, path_length=None), True)  # noqa: FBT003 # critical
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        )
        signed = builder.sign(keys[signer], hashes.SHA256())
        chain.append(signed.public_bytes(serialization.Encoding.PEM))
    root, leaf = (
        one.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        for one in (keys[0], keys[2])
    )
    return Pair(chain[0], root), Pair(chain[2] + chain[1], leaf)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
