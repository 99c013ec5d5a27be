"""Which certificate is to be written next: a checklist over what the cluster holds, pure.

Law: one thing is written at a time, and each is decided from what was just read: first the CA, then
the caBundle of every webhook, which keeps the CAs before, and then the serving pair. That comes
only when every API server knows the caBundle, unless no request can succeed until it does. So
whatever fails or dies in between, whoever calls the webhook trusts what is served, and the next
look at the cluster goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.certificates import bundles
from controller.certificates.intervals import PROPAGATION
from controller.certificates.issuing import called_name
from controller.certificates.pairs import (
    NOT_LOADED,
    Look,
    Reason,
    authority_fault,
    certificate_of,
    due,
    names_in,
    read,
    serving_fault,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from cryptography import x509

    from controller.certificates.intervals import Intervals
    from controller.certificates.issuing import Opened, Pair


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
    authority = read(found.authority)
    if isinstance(authority, Reason):
        return IssueAuthority(authority)
    rotation = intervals.ca_rotate, intervals.ca_life
    reason = authority_fault(Look(authority, authority, found.namespace, now, *rotation))
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
    certificates = {name: certificate_of(pair) for name, pair in pairs.items()}
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
    serving = read(found.serving)
    if isinstance(serving, Reason):
        return serving
    rotation = intervals.cert_rotate, intervals.cert_life
    return serving_fault(Look(serving, authority, found.namespace, now, *rotation))


def _is_in_use(authority: Opened, serving: Pair | None) -> bool:
    certificate = certificate_of(serving)
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
    if reason in NOT_LOADED:
        return True
    certificate = certificate_of(found.serving)
    return (
        certificate is not None
        and bundles.is_valid(certificate, now)
        and called_name(found.namespace) in names_in(certificate)
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
        yield due(authority.certificate, intervals.ca_rotate, intervals.ca_life)
        if serving := certificate_of(found.serving):
            yield due(serving, intervals.cert_rotate, intervals.cert_life)
            yield serving.not_valid_after_utc
        yield from (one.not_valid_after_utc for one in trust)

    return min(moment - now for moment in moments() if moment > now)
