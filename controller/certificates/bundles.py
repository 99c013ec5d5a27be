"""Decides which CAs a caBundle holds: the current one, and each that may still be in use. Pure.

Law: a certificate that is in the caBundle stays there until it expires. This includes certificates
that another client added, because a webhook may still serve a pair that they signed. If the
caBundle is emptied, it is rebuilt from the certificates in use.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

# With the shortest intervals, a new CA comes every PROPAGATION and is valid for LEAST_OVERLAP and a
# second: 7 at once. If Secrets are deleted again and again, there are more. The limit keeps the
# configuration below the 1.5 MiB of an object.
MOST = 8
# A client that reverts the caBundle twice will do so again, and each write is an event for every
# API server. After a minute without one (twice the longest pause), the pauses begin again.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _REVERTED_WITHIN_S = 1.0, 30.0, 60.0
_BEGIN = b"-----BEGIN CERTIFICATE-----"


class Unreadable(ValueError):
    """It is not a certificate, or some of its fields cannot be read."""


def load(pem: bytes) -> x509.Certificate:
    """Read the first certificate in `pem` completely. Raises Unreadable.

    The library reads the key, the extensions and the algorithm at their first use. Without this
    check, a damaged certificate would raise its error there.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        certificate.public_key()
        _ = certificate.extensions, certificate.signature_hash_algorithm
    except (
        ValueError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise Unreadable(str(error)) from error
    if certificate.serial_number < 0:  # RFC 5280, 4.1.2.2; API servers refuse it, too (Go 1.23)
        raise Unreadable("its serial number is negative")
    return certificate


def parse(bundle: bytes) -> tuple[set[x509.Certificate], bool]:
    """Return the certificates, and whether all of them could be read.

    Text before, between and after the certificates is ignored (RFC 7468, section 2).
    """
    found: set[x509.Certificate] = set()
    is_whole = True
    for piece in bundle.split(_BEGIN)[1:]:
        try:
            found.add(load(_BEGIN + piece))
        except Unreadable:
            is_whole = False
    return found, is_whole


def has_signed(signer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Return True if `certificate` names `signer` as its issuer, and has its signature."""
    try:
        certificate.verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    """Return True if a client with the clock `now` accepts it."""
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


def wanted(
    authority: x509.Certificate,
    in_use: Iterable[x509.Certificate],
    trusted: Iterable[x509.Certificate],
    now: datetime,
) -> list[x509.Certificate]:
    """Return the CAs to trust: `authority`, the signers `in_use`, and those already `trusted`."""

    def order(certificate: x509.Certificate) -> tuple[bool, datetime, bytes]:
        since = certificate.not_valid_before_utc
        return since <= now, since, certificate.public_bytes(Encoding.DER)

    newest_first = sorted(set(trusted), key=order, reverse=True)
    unexpired = [
        certificate
        for certificate in (*in_use, *newest_first)
        if certificate.not_valid_after_utc > now and certificate != authority
    ]
    return [authority, *dict.fromkeys(unexpired)][:MOST]


def write(certificates: Sequence[x509.Certificate]) -> bytes:
    """Return them as PEM."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


class Trust:
    """Measures for how long every caBundle has held the CA, by a monotonic clock.

    It is not stored: after a restart the controller counts again, and waits a little too long.
    """

    def __init__(self) -> None:
        self._authority: x509.Certificate | None = None
        self._since_s = 0.0

    def seen(self, authority: bytes, bundles: Collection[bytes], at_s: float) -> timedelta:
        """Take a read that ended at `at_s`, and return for how long the CA has been everywhere.

        If `authority` is a chain, its first certificate counts: it is the one that signs.
        """
        try:
            now = load(authority)
        except Unreadable:
            now = None
        everywhere = bool(bundles) and all(now in parse(bundle)[0] for bundle in bundles)
        if now is None or not everywhere:
            self._authority = None
            return timedelta()
        if now != self._authority:
            self._authority, self._since_s = now, at_s
        return timedelta(seconds=max(at_s - self._since_s, 0.0))


class Reverts:
    """Slows down the writes of a caBundle that another client keeps reverting."""

    def __init__(self) -> None:
        self._written = b""
        self._at_s = 0.0
        self._times = 0

    def wrote(self, bundle: bytes, at_s: float) -> None:
        """Record that `bundle` was written."""
        is_again = bundle == self._written and at_s - self._at_s < _REVERTED_WITHIN_S
        self._times = self._times + 1 if is_again else 1
        self._written, self._at_s = bundle, at_s

    def left(self, bundle: bytes, at_s: float) -> timedelta:
        """Return the pause before `bundle` is written again; none if it was reverted only once."""
        if bundle != self._written or self._times <= 1:
            return timedelta()
        pause_s = min(_FIRST_PAUSE_S * 2 ** min(self._times - 2, 9), _LONGEST_PAUSE_S)
        return timedelta(seconds=max(self._at_s + pause_s - at_s, 0.0))
