"""Making certificates: ECDSA P-256, because handshakes come in bursts.

Pure but for the randomness of keys and serial numbers; time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from crds import names as fixed

if TYPE_CHECKING:
    from datetime import datetime

    from controller.certificates.intervals import Intervals

# The clocks of nodes differ: a certificate begins this long before the moment of its issue.
BACKDATE = timedelta(hours=1)
_LONGER_THAN_A_PROCESS = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Pair:
    """Certificate and private key, PEM. Its repr omits the key: keys never reach a log."""

    certificate: bytes
    key: bytes = field(repr=False)


class ForeignKey(ValueError):
    """The key is not ECDSA P-256."""


class Opened(NamedTuple):
    """A pair that could be read."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def opened(pair: Pair) -> Opened:
    """Read a pair. Raises ForeignKey if its key is of another kind, ValueError if it is not PEM."""
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    try:
        key = serialization.load_pem_private_key(pair.key, password=None)
    except TypeError as error:  # the key is encrypted
        raise ValueError(str(error)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ForeignKey
    return Opened(certificate, key)


def issue_authority(now: datetime, intervals: Intervals) -> Pair:
    """Make a CA that signs serving certificates and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    # The time in its name distinguishes two generations, for people and for chain builders.
    name = _name(f"{fixed.AUTHORITY_SECRET}@{int(now.timestamp())}")
    builder = (
        _builder(key, now, intervals.ca_life)
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def issue_serving(authority: Pair, namespace: str, now: datetime, intervals: Intervals) -> Pair:
    """Make a serving pair for the Service, signed by `authority`. Raises ValueError (`opened`)."""
    signer = opened(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    names = service_names(namespace)
    builder = (
        _builder(key, now, intervals.cert_life)
        .subject_name(_name(fixed.SERVICE))
        .issuer_name(signer.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()),
            critical=False,
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
    )
    return _pair(builder.sign(signer.key, hashes.SHA256()), key)


def issue_for_metrics(now: datetime) -> Pair:
    """Make a self-signed pair for one process. No client verifies it, so it is never renewed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(fixed.CONTROLLER)
    builder = (
        _builder(key, now, _LONGER_THAN_A_PROCESS)
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def service_names(namespace: str) -> tuple[str, ...]:
    """Return all names of the Service inside the cluster."""
    host = f"{fixed.SERVICE}.{namespace}"
    return fixed.SERVICE, host, called_name(namespace), f"{host}.svc.cluster.local"


def called_name(namespace: str) -> str:
    """Return the name by which the API server calls the Service, and which it verifies."""
    return f"{fixed.SERVICE}.{namespace}.svc"


def _builder(
    key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    now = now.replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
