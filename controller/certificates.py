"""Which certificate is to be written next: a checklist over what the cluster holds, pure.

Law: one thing is written at a time, and each is decided from what was just read: first the CA, then
the caBundle of every webhook, which keeps the CAs before, and then the serving pair. That comes
only when every API server knows the caBundle, unless no request can succeed until it does. So
whatever fails or dies in between, whoever calls the webhook trusts what is served, and the next
look at the cluster goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from controller import bundles
from controller.intervals import PROPAGATION
from controller.issuing import (
    BACKDATE,
    ForeignKey,
    Opened,
    Pair,
    called_name,
    opened,
    service_names,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
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
    # A new CA is there, or the caBundle would not verify it.
    WRONG_SIGNER = "it is not signed by the CA"


@dataclass(frozen=True, slots=True)
class Found:
    """What the cluster holds; None for a Secret that is absent.

    `bundles` has the caBundle of every webhook by the webhook's name; it is empty while there is no
    webhook configuration. `signer` is ca.crt of the serving Secret: whoever signed that pair, which
    an emptied caBundle does not say any more.
    """

    namespace: str
    authority: Pair | None
    serving: Pair | None
    bundles: Mapping[str, bytes]
    signer: bytes = b""


@dataclass(frozen=True, slots=True)
class IssueAuthority:
    """Write a new CA."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class WriteBundle:
    """Write `bundle` into every webhook: at least one holds too little, or what has expired."""

    bundle: bytes


@dataclass(frozen=True, slots=True)
class IssueServing:
    """Write a new serving pair, signed by `authority`."""

    reason: Reason
    authority: Pair


@dataclass(frozen=True, slots=True)
class Waiting:
    """A new serving pair is to be written, but after `left`: API servers may not trust it yet."""

    reason: Reason
    left: timedelta


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is to be written for `left`, unless somebody changes something."""

    left: timedelta


Step = IssueAuthority | WriteBundle | IssueServing | Waiting | Settled


def decide(found: Found, now: datetime, intervals: Intervals, trusted_for: timedelta) -> Step:
    """Say what is to be written first; when it is written, look at the cluster and ask again.

    `trusted_for` is how long every caBundle is known to have held the CA (see bundles.Trust).
    """
    if found.authority is None:
        return IssueAuthority(Reason.MISSING)
    authority = _open(found.authority)
    if isinstance(authority, Reason):
        return IssueAuthority(authority)
    rotation = intervals.ca_rotate, intervals.ca_life
    reason = _first(_AUTHORITY, _Look(authority, authority, found, now, *rotation))
    # The CA after this one waits until this one is in use: else intervals shorter than PROPAGATION
    # would replace one after the other, and none would ever serve.
    is_next = reason is Reason.DUE and not _is_in_use(authority, found.serving)
    if reason and not is_next:
        return IssueAuthority(reason)
    trust = _trust(authority, found, now)
    if not all(_holds(bundle, trust) for bundle in found.bundles.values()):
        return WriteBundle(bundles.write(trust))
    reason = _serving_reason(found, authority, now, intervals)
    left = _left(found, authority, trust, now, intervals)
    if reason is None:
        return Settled(left)
    if trusted_for < PROPAGATION and _may_work(found, reason, trust, now):
        return Waiting(reason, min(PROPAGATION - trusted_for, left))
    return IssueServing(reason, found.authority)


def ends(found: Found) -> dict[str, datetime]:
    """Return when the CA and the serving certificate expire, of those that can be read."""
    pairs = {"ca": found.authority, "serving": found.serving}
    certificates = {name: _certificate(pair) for name, pair in pairs.items()}
    return {name: one.not_valid_after_utc for name, one in certificates.items() if one}


def _trust(authority: Opened, found: Found, now: datetime) -> list[x509.Certificate]:
    in_use, _ = bundles.parse(found.signer)
    trusted = (one for bundle in found.bundles.values() for one in bundles.parse(bundle)[0])
    return bundles.wanted(authority.certificate, in_use, trusted, now)


def _holds(bundle: bytes, trust: Sequence[x509.Certificate]) -> bool:
    certificates, is_whole = bundles.parse(bundle)
    return is_whole and certificates == set(trust)


def _serving_reason(
    found: Found, authority: Opened, now: datetime, intervals: Intervals
) -> Reason | None:
    if found.serving is None:
        return Reason.MISSING
    serving = _open(found.serving)
    if isinstance(serving, Reason):
        return serving
    rotation = intervals.cert_rotate, intervals.cert_life
    return _first(_SERVING, _Look(serving, authority, found, now, *rotation))


def _is_in_use(authority: Opened, serving: Pair | None) -> bool:
    certificate = _certificate(serving)
    return certificate is not None and bundles.has_signed(authority.certificate, certificate)


def _may_work(
    found: Found, reason: Reason, trust: Sequence[x509.Certificate], now: datetime
) -> bool:
    """Whether webhooks may serve what API servers trust, though not by the CA: it must not break.

    By the CA: then whoever trusts that pair will trust the next one, too.
    """
    others = [one for one in trust[1:] if bundles.is_valid(one, now)]
    if not found.bundles or not others:
        return False
    if reason in _NOT_LOADED:
        return True
    certificate = _certificate(found.serving)
    return (
        certificate is not None
        and bundles.is_valid(certificate, now)
        and called_name(found.namespace) in _names(certificate)
        and any(bundles.has_signed(one, certificate) for one in others)
    )


def _left(
    found: Found,
    authority: Opened,
    trust: Sequence[x509.Certificate],
    now: datetime,
    intervals: Intervals,
) -> timedelta:
    """Return how long it is to the next moment at which time alone changes what is to be done."""

    def moments() -> Iterator[datetime]:
        yield _due(authority.certificate, intervals.ca_rotate, intervals.ca_life)
        if serving := _certificate(found.serving):
            yield _due(serving, intervals.cert_rotate, intervals.cert_life)
            yield serving.not_valid_after_utc
        yield from (one.not_valid_after_utc for one in trust)

    return min(moment - now for moment in moments() if moment > now)


class _Look(NamedTuple):
    """What a check may look at: the pair in question, and the world around it."""

    opened: Opened
    signer: Opened
    found: Found
    now: datetime
    rotate: timedelta
    life: timedelta


def _is_mismatched(look: _Look) -> bool:
    return look.opened.certificate.public_key() != look.opened.key.public_key()


def _is_early(look: _Look) -> bool:
    return look.now < look.opened.certificate.not_valid_before_utc


def _has_expired(look: _Look) -> bool:
    return look.now >= look.opened.certificate.not_valid_after_utc


def _is_due(look: _Look) -> bool:
    return look.now >= _due(look.opened.certificate, look.rotate, look.life)


def _is_no_authority(look: _Look) -> bool:
    try:
        extensions = look.opened.certificate.extensions
        return not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return True


def _has_wrong_names(look: _Look) -> bool:
    return not _names(look.opened.certificate).issuperset(service_names(look.found.namespace))


def _has_wrong_signer(look: _Look) -> bool:
    return not bundles.has_signed(look.signer.certificate, look.opened.certificate)


# The checklists: the first that holds is the reason.
_Checks = tuple[tuple["Callable[[_Look], bool]", Reason], ...]
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
# Such a pair in the Secret is not served: webhooks keep the one before.
_NOT_LOADED = {Reason.MISSING, Reason.CORRUPTED, Reason.MISMATCHED}


def _first(checks: _Checks, look: _Look) -> Reason | None:
    return next((reason for holds, reason in checks if holds(look)), None)


def _open(pair: Pair) -> Opened | Reason:
    try:
        bundles.load(pair.certificate)
        return opened(pair)
    except ForeignKey:
        return Reason.FOREIGN_KEY
    except (ValueError, UnsupportedAlgorithm):
        return Reason.CORRUPTED


def _certificate(pair: Pair | None) -> x509.Certificate | None:
    try:
        return bundles.load(pair.certificate) if pair else None
    except bundles.Unreadable:
        return None


def _due(certificate: x509.Certificate, rotate: timedelta, life: timedelta) -> datetime:
    issued = certificate.not_valid_before_utc + BACKDATE
    # The second counts where the intervals were changed since it was issued.
    return min(issued + rotate, certificate.not_valid_after_utc - (life - rotate))


def _names(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return set(names.get_values_for_type(x509.DNSName))
