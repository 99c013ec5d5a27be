"""Decides which certificate is written next, from the Secrets and caBundles of the cluster. Pure.

Law: each decision is one write, and follows a new read: first the CA, then the caBundle of every
webhook, which keeps the former CAs, and then the serving pair. The pair is written only when every
API server knows the caBundle, unless no request can succeed before that. So API servers trust the
pair that is served, even if a write or the controller fails, and the next read continues the work.
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
    """The certificates in the cluster; None for a Secret that does not exist.

    `bundles` has the caBundle of each webhook, by the webhook's name. It is empty if there is no
    webhook configuration. `signer` is ca.crt of the serving Secret: the CA that signed the pair. It
    is needed if the caBundle was emptied.
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
    """Write `bundle` into every webhook: in one or more, a CA is missing or has expired."""

    bundle: bytes


@dataclass(frozen=True, slots=True)
class IssueServing:
    """Write a new serving pair, signed by `authority`."""

    reason: Reason
    authority: Pair


@dataclass(frozen=True, slots=True)
class Waiting:
    """A new serving pair is written after `left`: API servers may not trust it before that."""

    reason: Reason
    left: timedelta


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is to be written for `left`, unless a Secret or a caBundle changes."""

    left: timedelta


Step = IssueAuthority | WriteBundle | IssueServing | Waiting | Settled


def decide(found: Found, now: datetime, intervals: Intervals, trusted_for: timedelta) -> Step:
    """Return the next write. After it, read the cluster and decide again.

    `trusted_for` is the time for which every caBundle has held the CA (see bundles.Trust).
    """
    if found.authority is None:
        return IssueAuthority(Reason.MISSING)
    authority = read(found.authority)
    if isinstance(authority, Reason):
        return IssueAuthority(authority)
    rotation = intervals.ca_rotate, intervals.ca_life
    reason = authority_fault(Look(authority, authority, found.namespace, now, *rotation))
    # The next CA waits until this one is in use. Otherwise, if intervals are shorter than
    # PROPAGATION, each CA would be replaced before it is used.
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
    """Return when the CA and the serving certificate expire. Omits those that cannot be read."""
    pairs = {"ca": found.authority, "serving": found.serving}
    certificates = {name: certificate_of(pair) for name, pair in pairs.items()}
    return {name: found.not_valid_after_utc for name, found in certificates.items() if found}


def _trust(authority: Opened, found: Found, now: datetime) -> list[x509.Certificate]:
    in_use, _ = bundles.parse(found.signer)
    trusted = (ca for bundle in found.bundles.values() for ca in bundles.parse(bundle)[0])
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
    """Return True if webhooks may serve a pair that API servers trust, signed by a former CA.

    A pair signed by the current CA needs no wait: API servers that trust it trust the next one.
    """
    others = [ca for ca in trust[1:] if bundles.is_valid(ca, now)]
    if not found.bundles or not others:
        return False
    if reason in NOT_LOADED:
        return True
    certificate = certificate_of(found.serving)
    return (
        certificate is not None
        and bundles.is_valid(certificate, now)
        and called_name(found.namespace) in names_in(certificate)
        and any(bundles.has_signed(ca, certificate) for ca in others)
    )


def _left(
    found: Found,
    authority: Opened,
    trust: Sequence[x509.Certificate],
    now: datetime,
    intervals: Intervals,
) -> timedelta:
    """Return the time until the clock alone changes the decision."""

    def moments() -> Iterator[datetime]:
        yield due(authority.certificate, intervals.ca_rotate, intervals.ca_life)
        if serving := certificate_of(found.serving):
            yield due(serving, intervals.cert_rotate, intervals.cert_life)
            yield serving.not_valid_after_utc
        yield from (ca.not_valid_after_utc for ca in trust)

    return min(moment - now for moment in moments() if moment > now)
