"""Which certificate is to be written next: a checklist over what the cluster holds, pure.

Law: one thing is written at a time, and each is decided from what was just read: first the CA, then
the caBundle of every webhook, then the serving pair. So whatever fails or dies in between, the next
look at the cluster goes on from there, and the serving pair changes only when whoever calls the
webhook trusts its new signer already.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from controller.issuing import BACKDATE, ForeignKey, Opened, Pair, opened, service_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from controller.intervals import Intervals


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
    # Its validity is over: nobody renewed it, or the clock jumped.
    EXPIRED = "it has expired"
    # ..._ROTATE_INTERVAL has passed since it was issued, or less than the overlap remains.
    DUE = "it is due for renewal"
    # The certificate may not sign others (RFC 5280, 4.2.1.9).
    NOT_AN_AUTHORITY = "its certificate is not a CA's"
    # The API server asks for SERVICE.NAMESPACE.svc and refuses anything else.
    WRONG_NAMES = "it does not name the Service"
    # The caBundle would not verify it.
    WRONG_SIGNER = "it is not signed by the CA"


@dataclass(frozen=True, slots=True)
class Found:
    """What the cluster holds; None for a Secret that is absent.

    `bundles` has the caBundle of every webhook by the webhook's name; it is empty while there is no
    webhook configuration.
    """

    namespace: str
    authority: Pair | None
    serving: Pair | None
    bundles: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class IssueAuthority:
    """Write a new CA."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class WriteBundle:
    """Write `bundle` into every webhook: at least one does not trust the CA."""

    bundle: bytes


@dataclass(frozen=True, slots=True)
class IssueServing:
    """Write a new serving pair, signed by `authority`."""

    reason: Reason
    authority: Pair


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is to be written."""


Step = IssueAuthority | WriteBundle | IssueServing | Settled


def decide(found: Found, now: datetime, intervals: Intervals) -> Step:
    """Say what is to be written first; when it is written, look at the cluster and ask again."""
    if found.authority is None:
        return IssueAuthority(Reason.MISSING)
    authority = _open(found.authority)
    if isinstance(authority, Reason):
        return IssueAuthority(authority)
    look = _Look(authority, authority, found, now, intervals.ca_rotate, intervals.ca_overlap)
    if reason := _first(_AUTHORITY, look):
        return IssueAuthority(reason)
    if not all(_trusts(bundle, authority) for bundle in found.bundles.values()):
        return WriteBundle(_bundle(authority))
    if found.serving is None:
        return IssueServing(Reason.MISSING, found.authority)
    serving = _open(found.serving)
    if isinstance(serving, Reason):
        return IssueServing(serving, found.authority)
    look = _Look(serving, authority, found, now, intervals.cert_rotate, intervals.cert_overlap)
    if reason := _first(_SERVING, look):
        return IssueServing(reason, found.authority)
    return Settled()


class _Look(NamedTuple):
    """What a check may look at: the pair in question, and the world around it."""

    opened: Opened
    signer: Opened
    found: Found
    now: datetime
    rotate: timedelta
    overlap: timedelta


def _is_mismatched(look: _Look) -> bool:
    return look.opened.certificate.public_key() != look.opened.key.public_key()


def _is_early(look: _Look) -> bool:
    return look.now < look.opened.certificate.not_valid_before_utc


def _has_expired(look: _Look) -> bool:
    return look.now >= look.opened.certificate.not_valid_after_utc


def _is_due(look: _Look) -> bool:
    certificate = look.opened.certificate
    issued = certificate.not_valid_before_utc + BACKDATE
    # The second counts where the intervals were changed since it was issued.
    due = min(issued + look.rotate, certificate.not_valid_after_utc - look.overlap)
    return look.now >= due


def _is_no_authority(look: _Look) -> bool:
    try:
        extensions = look.opened.certificate.extensions
        return not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return True


def _has_wrong_names(look: _Look) -> bool:
    try:
        extensions = look.opened.certificate.extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return True
    has = set(names.get_values_for_type(x509.DNSName))
    return not has.issuperset(service_names(look.found.namespace))


def _has_wrong_signer(look: _Look) -> bool:
    try:
        look.opened.certificate.verify_directly_issued_by(look.signer.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return True
    return False


# The checklists: the first that holds is the reason.
_Checks = tuple[tuple["Callable[[_Look], bool]", Reason], ...]
_BOTH: _Checks = (
    (_is_mismatched, Reason.MISMATCHED),
    (_is_early, Reason.NOT_YET_VALID),
    (_has_expired, Reason.EXPIRED),
    (_is_due, Reason.DUE),
)
_AUTHORITY: _Checks = (*_BOTH, (_is_no_authority, Reason.NOT_AN_AUTHORITY))
_SERVING: _Checks = (
    *_BOTH,
    (_has_wrong_names, Reason.WRONG_NAMES),
    (_has_wrong_signer, Reason.WRONG_SIGNER),
)


def _first(checks: _Checks, look: _Look) -> Reason | None:
    return next((reason for holds, reason in checks if holds(look)), None)


def _open(pair: Pair) -> Opened | Reason:
    try:
        return opened(pair)
    except ForeignKey:
        return Reason.FOREIGN_KEY
    except (ValueError, UnsupportedAlgorithm):
        return Reason.CORRUPTED


def _trusts(bundle: bytes, authority: Opened) -> bool:
    try:
        return authority.certificate in x509.load_pem_x509_certificates(bundle)
    except ValueError:
        return False


def _bundle(authority: Opened) -> bytes:
    """Return the caBundle to write: today the CA alone.

    Rotation without a gap belongs here: the CA before stays beside it for the overlap.
    """
    return authority.certificate.public_bytes(Encoding.PEM)
