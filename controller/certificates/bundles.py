"""What a caBundle should hold: the CA, and every other whose certificate may still be served. Pure.

Law: what is trusted once is trusted until it expires. A certificate that somebody put there is no
exception: nobody can tell whether it is served, by a webhook of another origin or by one that has
not heard of the newest. Who empties the caBundle has it written anew, from what is in use alone.
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

# With the shortest intervals a CA comes every PROPAGATION and lasts for LEAST_OVERLAP and a second:
# 7 at once. More come of Secrets deleted again and again, and a configuration has its 1.5 MiB.
MOST = 8
# Who undoes it twice will do so again. Each write is an event for every API server; a minute, twice
# the longest pause, without one ends the quarrel.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _QUARREL_S = 1.0, 30.0, 60.0
_BEGIN = b"-----BEGIN CERTIFICATE-----"


class Unreadable(ValueError):
    """It is no certificate, or one of which nobody can tell what it certifies."""


def load(pem: bytes) -> x509.Certificate:
    """Read the first certificate in `pem` as a whole; Unreadable where that cannot be done.

    The library reads a key, the extensions and the algorithm when they are asked for: so a damaged
    certificate would fail in whoever asks.
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

    What stands before, between and after them is nobody's: readers pass over it (RFC 7468, 2).
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
    """Whether `certificate` names `signer` as its issuer, and carries its signature."""
    try:
        certificate.verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether a client with the clock `now` accepts it."""
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


def wanted(
    authority: x509.Certificate,
    in_use: Iterable[x509.Certificate],
    trusted: Iterable[x509.Certificate],
    now: datetime,
) -> list[x509.Certificate]:
    """Return what to trust: `authority`, the signers `in_use`, and what is `trusted` already."""

    def order(certificate: x509.Certificate) -> tuple[bool, datetime, bytes]:
        since = certificate.not_valid_before_utc
        return since <= now, since, certificate.public_bytes(Encoding.DER)

    newest_first = sorted(set(trusted), key=order, reverse=True)
    unexpired = [
        one
        for one in (*in_use, *newest_first)
        if one.not_valid_after_utc > now and one != authority
    ]
    return [authority, *dict.fromkeys(unexpired)][:MOST]


def write(certificates: Sequence[x509.Certificate]) -> bytes:
    """Write them as PEM."""
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


class Trust:
    """For how long every caBundle has been seen to hold the CA, by a monotonic clock.

    It is not kept: a controller that starts begins to count anew, and waits a little too long.
    """

    def __init__(self) -> None:
        self._authority: x509.Certificate | None = None
        self._since_s = 0.0

    def seen(self, authority: bytes, bundles: Collection[bytes], at_s: float) -> timedelta:
        """Take what was read before `at_s`, and say for how long it has been so.

        Of a chain in `authority` the first certificate counts: it is the one that signs.
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
    """Whether somebody else keeps undoing the caBundle: then it is written ever more slowly."""

    def __init__(self) -> None:
        self._written = b""
        self._at_s = 0.0
        self._times = 0

    def wrote(self, bundle: bytes, at_s: float) -> None:
        """Take note that `bundle` was written."""
        is_again = bundle == self._written and at_s - self._at_s < _QUARREL_S
        self._times = self._times + 1 if is_again else 1
        self._written, self._at_s = bundle, at_s

    def left(self, bundle: bytes, at_s: float) -> timedelta:
        """Return how long `bundle` is not to be written: not at all when it is undone once."""
        if bundle != self._written or self._times <= 1:
            return timedelta()
        pause_s = min(_FIRST_PAUSE_S * 2 ** min(self._times - 2, 9), _LONGEST_PAUSE_S)
        return timedelta(seconds=max(self._at_s + pause_s - at_s, 0.0))
