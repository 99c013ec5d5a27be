"""A cluster in which time passes: the controller, webhooks, and API servers that are late.

An API server may know any caBundle of the last PROPAGATION, and a webhook may serve any pair of the
last WEBHOOK_LAG_S: all of them must fit, at every moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TypeVar, assert_never

from cryptography import x509

from controller.certificates import bundles
from controller.certificates.bundles import Trust
from controller.certificates.checklist import (
    Found,
    IssueAuthority,
    IssueServing,
    Settled,
    Waiting,
    WriteBundle,
    decide,
)
from controller.certificates.intervals import PROPAGATION, Intervals
from controller.certificates.issuing import Pair, called_name, issue_authority, issue_serving
from crds.names import NAMESPACE

T = TypeVar("T")

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
LAG_S = int(PROPAGATION.total_seconds())
WEBHOOK_LAG_S = 10
# How often the controller looks when nothing is due (controller/leading.py).
EVERY_S = 60
GARBAGE = Pair(b"garbage", b"garbage")


@dataclass
class Cluster:
    """The objects of the API server, their history, and a controller with its memory.

    `pause_s` is how long the controller takes from one look to the next; each look may end in one
    write. It dies after as many as `dies_after`. Time passes in whole seconds.
    """

    intervals: Intervals
    pause_s: int = 0
    now: datetime = NOW
    at_s: int = 0
    found: Found = field(default_factory=lambda: Found(NAMESPACE, None, None, {"pods": b""}))
    writes: int = 0
    authorities: int = 0
    known: list[tuple[int, bytes]] = field(default_factory=lambda: [(0, b"")])
    served: list[tuple[int, Pair]] = field(default_factory=list)
    trust: Trust = field(default_factory=Trust)
    wakes_s: int = 0
    checked_from_s: int = 0
    dies_after: int | None = None

    def install(self) -> None:
        """Let the controller fill the empty cluster. API servers have not called us before."""
        while self.step():
            pass
        self.known = self.known[-1:]

    def step(self) -> bool:
        """Do one step of the controller. Return True if it wrote something; it then looks again."""
        found, now, at_s = self.found, self.now, float(self.at_s)
        signed = found.authority.certificate if found.authority else b""
        trusted_for = self.trust.seen(signed, found.bundles.values(), at_s)
        match decide(found, now, self.intervals, trusted_for):
            case IssueAuthority():
                self.authorities += 1
                self.write_authority(issue_authority(now, self.intervals))
            case WriteBundle(bundle):
                self.write_bundle(bundle)
            case IssueServing(_, authority):
                pair = issue_serving(authority, NAMESPACE, now, self.intervals)
                self.found = replace(found, signer=authority.certificate)
                self.write_serving(pair)
            case Waiting(left=left) | Settled(left=left):
                assert left > timedelta()
                self.wakes_s = self.at_s + min(-int(-left.total_seconds() // 1), EVERY_S)
                return False
            case never:
                assert_never(never)
        self.writes += 1
        self.wakes_s = self.at_s + self.pause_s
        if self.writes == self.dies_after:
            self.crash()
        return True

    def write_authority(self, pair: Pair | None) -> None:
        self.found = replace(self.found, authority=pair)

    def forget_signer(self) -> None:
        self.found = replace(self.found, signer=b"")

    def write_bundle(self, bundle: bytes) -> None:
        self.found = replace(self.found, bundles=dict.fromkeys(self.found.bundles, bundle))
        self.known.append((self.at_s, bundle))

    def write_serving(self, pair: Pair | None) -> None:
        """Write the Secret. Webhooks keep the former pair if this is none."""
        self.found = replace(self.found, serving=pair)
        if pair is not None and pair != GARBAGE:
            self.served.append((self.at_s, pair))

    def crash(self) -> None:
        """The controller ends, and another one takes over."""
        self.trust = Trust()
        self.wakes_s = self.at_s + self.pause_s

    def jump(self, by: timedelta) -> None:
        self.now += by

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            while self.wakes_s <= self.at_s and self.step():
                self.check()
            self.check()
            self.at_s += 1
            self.now += timedelta(seconds=1)
        self.check()

    def check(self) -> None:
        """Every API server trusts every webhook."""
        if self.at_s < self.checked_from_s:
            return
        self.known = _lately(self.known, self.at_s - LAG_S)
        self.served = _lately(self.served, self.at_s - WEBHOOK_LAG_S)
        for bundle in {bundle for _, bundle in self.known}:
            for certificate in {pair.certificate for _, pair in self.served}:
                assert trusts(bundle, certificate, self.now), (self.at_s, self.known, self.served)


def trusts(bundle: bytes, certificate: bytes, now: datetime) -> bool:
    """Return True if an API server with this caBundle and clock accepts the certificate."""
    leaf, names = _leaf(certificate)
    return (
        called_name(NAMESPACE) in names
        and bundles.is_valid(leaf, now)
        and any(bundles.is_valid(signer, now) for signer in _signers(bundle, certificate))
    )


def _lately(history: list[tuple[int, T]], since_s: int) -> list[tuple[int, T]]:
    """Return the values that were in force since `since_s`, each with its start."""
    ends = [*(start for start, _ in history[1:]), since_s + 1]
    return [entry for entry, end in zip(history, ends, strict=False) if end > since_s]


@cache
def _signers(bundle: bytes, certificate: bytes) -> list[x509.Certificate]:
    leaf, _ = _leaf(certificate)
    return [ca for ca in bundles.parse(bundle)[0] if bundles.has_signed(ca, leaf)]


@cache
def _leaf(certificate: bytes) -> tuple[x509.Certificate, list[str]]:
    leaf = x509.load_pem_x509_certificate(certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return leaf, names.get_values_for_type(x509.DNSName)
