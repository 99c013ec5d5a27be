"""Checks a pair of certificate and private key, and returns the first fault. Pure.

Law: there is an answer for every content of a Secret; no content raises an error.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from controller.certificates import bundles
from controller.certificates.issuing import (
    BACKDATE,
    ForeignKey,
    Opened,
    Pair,
    opened,
    service_names,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta


class Reason(StrEnum):
    """Why a pair is issued; the text reaches the log."""

    # There is no such Secret.
    MISSING = "there is none"
    # tls.crt or tls.key is no PEM, or no certificate and private key.
    CORRUPTED = "it cannot be read"
    # Another kind of key, such as an RSA one of the Go manager, which makes handshakes slow.
    FOREIGN_KEY = "its key is not ECDSA P-256"
    # The key is not the one in the certificate: every handshake would fail.
    MISMATCHED = "certificate and key do not belong together"
    # The clock was set back since it was issued.
    NOT_YET_VALID = "it is not valid yet"
    # Its validity is over: it was not renewed, or the clock jumped.
    EXPIRED = "it has expired"
    # ..._ROTATE_INTERVAL has passed since it was issued, or less than the overlap remains.
    DUE = "it is due for renewal"
    # The certificate may not sign others (RFC 5280, 4.2.1.9).
    NOT_AN_AUTHORITY = "its certificate is not a CA's"
    # The API server asks for SERVICE.NAMESPACE.svc and refuses anything else.
    WRONG_NAMES = "it does not name the Service"
    # A new CA is there, or the caBundle would not verify it.
    WRONG_SIGNER = "it is not signed by the CA"


class Look(NamedTuple):
    """The input of a check: the pair, and the signer, names and times that it must match."""

    opened: Opened
    signer: Opened
    namespace: str
    now: datetime
    rotate: timedelta
    life: timedelta


# Webhooks do not load such a pair. They keep the former one.
NOT_LOADED = {Reason.MISSING, Reason.CORRUPTED, Reason.MISMATCHED}


def read(pair: Pair) -> Opened | Reason:
    """Return certificate and key, or why they cannot be used at all."""
    try:
        bundles.load(pair.certificate)
        return opened(pair)
    except ForeignKey:
        return Reason.FOREIGN_KEY
    except (ValueError, UnsupportedAlgorithm):
        return Reason.CORRUPTED


def certificate_of(pair: Pair | None) -> x509.Certificate | None:
    """Return the certificate of any pair; None if it cannot be read."""
    try:
        return bundles.load(pair.certificate) if pair else None
    except bundles.Unreadable:
        return None


def authority_fault(look: Look) -> Reason | None:
    """Return the first reason to replace this CA."""
    return _first(_AUTHORITY, look)


def serving_fault(look: Look) -> Reason | None:
    """Return the first reason to replace this serving pair."""
    return _first(_SERVING, look)


def due(certificate: x509.Certificate, rotate: timedelta, life: timedelta) -> datetime:
    """Return when it is to be replaced."""
    issued = certificate.not_valid_before_utc + BACKDATE
    # The second limit applies only if the intervals were changed after it was issued.
    return min(issued + rotate, certificate.not_valid_after_utc - (life - rotate))


def names_in(certificate: x509.Certificate) -> set[str]:
    """Return the DNS names in the certificate."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return set(names.get_values_for_type(x509.DNSName))


def _is_mismatched(look: Look) -> bool:
    return look.opened.certificate.public_key() != look.opened.key.public_key()


def _is_early(look: Look) -> bool:
    return look.now < look.opened.certificate.not_valid_before_utc


def _has_expired(look: Look) -> bool:
    return look.now >= look.opened.certificate.not_valid_after_utc


def _is_due(look: Look) -> bool:
    return look.now >= due(look.opened.certificate, look.rotate, look.life)


def _is_no_authority(look: Look) -> bool:
    try:
        extensions = look.opened.certificate.extensions
        return not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return True


def _has_wrong_names(look: Look) -> bool:
    return not names_in(look.opened.certificate).issuperset(service_names(look.namespace))


def _has_wrong_signer(look: Look) -> bool:
    return not bundles.has_signed(look.signer.certificate, look.opened.certificate)


# The checklists: the first that holds is the reason.
_Checks = tuple[tuple["Callable[[Look], bool]", Reason], ...]
_BOTH: _Checks = (
    (_is_mismatched, Reason.MISMATCHED),
    (_is_early, Reason.NOT_YET_VALID),
    (_has_expired, Reason.EXPIRED),
)
_AUTHORITY: _Checks = (
    *_BOTH,
    (_is_no_authority, Reason.NOT_AN_AUTHORITY),
    (_is_due, Reason.DUE),
)
_SERVING: _Checks = (
    *_BOTH,
    (_has_wrong_names, Reason.WRONG_NAMES),
    (_has_wrong_signer, Reason.WRONG_SIGNER),
    (_is_due, Reason.DUE),
)


def _first(checks: _Checks, look: Look) -> Reason | None:
    return next((reason for holds, reason in checks if holds(look)), None)
