"""The checklist: every reason once, their order, and that following it always ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.certificates import (
    Found,
    IssueAuthority,
    IssueServing,
    Reason,
    Settled,
    Step,
    WriteBundle,
    decide,
)
from controller.intervals import Intervals
from controller.issuing import BACKDATE, Pair, issue_authority, issue_serving, opened

if TYPE_CHECKING:
    from collections.abc import Callable

NAMESPACE = "kubemacpool-system"
INTERVALS = Intervals()
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)

CA = issue_authority(NOW, INTERVALS)
SERVING = issue_serving(CA, NAMESPACE, NOW, INTERVALS)
OTHER_CA = issue_authority(NOW, INTERVALS)
GOOD = Found(NAMESPACE, CA, SERVING, {"pods": CA.certificate, "vms": CA.certificate})


def rsa_pair() -> Pair:
    """A pair such as the Go manager leaves behind."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = opened(CA).certificate.subject
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + INTERVALS.ca_rotate)
        .sign(key, hashes.SHA256())
    )
    return Pair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


RSA = rsa_pair()


def test_a_good_world_is_left_alone() -> None:
    assert decide(GOOD, NOW, INTERVALS) == Settled()


def test_without_a_webhook_configuration_the_secrets_suffice() -> None:
    assert decide(replace(GOOD, bundles={}), NOW, INTERVALS) == Settled()


@pytest.mark.parametrize(
    ("authority", "reason"),
    [
        (None, Reason.MISSING),
        (Pair(b"", b""), Reason.CORRUPTED),
        (Pair(CA.certificate, b"nonsense"), Reason.CORRUPTED),
        (Pair(CA.certificate[:100], CA.key), Reason.CORRUPTED),
        (Pair(b"\xff\x00", CA.key), Reason.CORRUPTED),
        (RSA, Reason.FOREIGN_KEY),
        (Pair(CA.certificate, OTHER_CA.key), Reason.MISMATCHED),
        (SERVING, Reason.NOT_AN_AUTHORITY),
    ],
)
def test_a_broken_ca_is_issued_again(authority: Pair | None, reason: Reason) -> None:
    # Short overlap, so that the serving pair in the CA's place is not merely due.
    intervals = replace(INTERVALS, ca_overlap=timedelta())

    assert decide(replace(GOOD, authority=authority), NOW, intervals) == IssueAuthority(reason)


@pytest.mark.parametrize(
    ("serving", "reason"),
    [
        (None, Reason.MISSING),
        (Pair(b"", b""), Reason.CORRUPTED),
        (Pair(SERVING.key, SERVING.certificate), Reason.CORRUPTED),
        (RSA, Reason.FOREIGN_KEY),
        (Pair(SERVING.certificate, CA.key), Reason.MISMATCHED),
        (issue_serving(CA, "elsewhere", NOW, INTERVALS), Reason.WRONG_NAMES),
        (CA, Reason.WRONG_NAMES),
        (issue_serving(OTHER_CA, NAMESPACE, NOW, INTERVALS), Reason.WRONG_SIGNER),
    ],
)
def test_a_broken_serving_pair_is_issued_again(serving: Pair | None, reason: Reason) -> None:
    assert decide(replace(GOOD, serving=serving), NOW, INTERVALS) == IssueServing(reason, CA)


@pytest.mark.parametrize(
    "bundle", [b"", b"nonsense", OTHER_CA.certificate, CA.certificate[:-40], b"\xff"]
)
def test_one_caBundle_without_the_ca_has_all_written(bundle: bytes) -> None:  # noqa: N802
    found = replace(GOOD, bundles={"pods": CA.certificate, "vms": bundle})

    assert decide(found, NOW, INTERVALS) == WriteBundle(CA.certificate)


def test_a_caBundle_that_trusts_another_ca_besides_is_left_alone() -> None:  # noqa: N802
    both = OTHER_CA.certificate + CA.certificate

    assert decide(replace(GOOD, bundles={"pods": both}), NOW, INTERVALS) == Settled()


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (-BACKDATE - SECOND, IssueAuthority(Reason.NOT_YET_VALID)),
        (-BACKDATE, Settled()),
        (INTERVALS.cert_rotate - SECOND, Settled()),
        (INTERVALS.cert_rotate, IssueServing(Reason.DUE, CA)),
        (INTERVALS.cert_rotate + INTERVALS.cert_overlap, IssueServing(Reason.EXPIRED, CA)),
        (INTERVALS.ca_rotate - SECOND, IssueServing(Reason.EXPIRED, CA)),
        (INTERVALS.ca_rotate, IssueAuthority(Reason.DUE)),
        (INTERVALS.ca_rotate + INTERVALS.ca_overlap, IssueAuthority(Reason.EXPIRED)),
    ],
)
def test_time_alone_brings_each_to_its_end(after: timedelta, expected: Step) -> None:
    assert decide(GOOD, NOW + after, INTERVALS) == expected


def test_a_serving_pair_of_the_future_is_issued_again() -> None:
    future = issue_serving(CA, NAMESPACE, NOW + BACKDATE + SECOND, INTERVALS)

    step = decide(replace(GOOD, serving=future), NOW, INTERVALS)

    assert step == IssueServing(Reason.NOT_YET_VALID, CA)


def test_a_shorter_interval_makes_what_was_issued_before_due() -> None:
    shorter = replace(INTERVALS, cert_rotate=timedelta(hours=1))

    assert decide(GOOD, NOW + timedelta(hours=1), shorter) == IssueServing(Reason.DUE, CA)


def test_a_longer_overlap_makes_what_was_issued_before_due() -> None:
    longer = replace(INTERVALS, cert_overlap=INTERVALS.cert_rotate + timedelta(hours=25))

    assert decide(GOOD, NOW, longer) == IssueServing(Reason.DUE, CA)


def test_the_ca_comes_first_then_the_bundle_then_the_serving_pair() -> None:
    assert follow(Found(NAMESPACE, None, None, {"pods": b""}), NOW, INTERVALS) == [
        IssueAuthority,
        WriteBundle,
        IssueServing,
    ]


def test_a_new_ca_is_followed_by_its_bundle_and_a_pair_that_it_signs() -> None:
    assert follow(replace(GOOD, authority=OTHER_CA), NOW, INTERVALS) == [WriteBundle, IssueServing]


def follow(found: Found, now: datetime, intervals: Intervals) -> list[type[Step]]:
    """Do as decided until nothing is left, and name the steps."""
    steps: list[type[Step]] = []
    while not isinstance(step := decide(found, now, intervals), Settled):
        steps.append(type(step))
        assert len(steps) <= 3
        match step:
            case IssueAuthority():
                found = replace(found, authority=issue_authority(now, intervals))
            case WriteBundle(bundle):
                found = replace(found, bundles=dict.fromkeys(found.bundles, bundle))
            case IssueServing(_, authority):
                pair = issue_serving(authority, found.namespace, now, intervals)
                found = replace(found, serving=pair)
    return steps


_SPANS = st.integers(1, 10**6).map(lambda seconds: timedelta(seconds=seconds))
_PAIRS = st.sampled_from([None, Pair(b"", b""), CA, OTHER_CA, SERVING, RSA])
_BUNDLES = st.dictionaries(
    st.sampled_from(["pods", "vms"]),
    st.sampled_from([b"", b"?", CA.certificate, OTHER_CA.certificate]),
)
_TIMES = st.timedeltas(timedelta(days=-9000), timedelta(days=9000)).map(NOW.__add__)


@settings(deadline=None)  # keys are generated
@given(
    st.builds(Found, st.just(NAMESPACE), _PAIRS, _PAIRS, _BUNDLES),
    _TIMES,
    st.builds(
        Intervals, ca_rotate=_SPANS, ca_overlap=_SPANS, cert_rotate=_SPANS, cert_overlap=_SPANS
    ),
)
def test_every_world_settles_in_three_steps_at_most(
    found: Found, now: datetime, intervals: Intervals
) -> None:
    steps = follow(found, now, intervals)

    order: Callable[[type[Step]], int] = [IssueAuthority, WriteBundle, IssueServing].index
    assert steps == sorted(steps, key=order)
