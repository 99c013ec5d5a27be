"""The checklist: every reason once, their order, and that the steps always end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from controller.certificates.bundles import MOST
from controller.certificates.checklist import (
    Found,
    IssueAuthority,
    IssueServing,
    Settled,
    Step,
    Waiting,
    WriteBundle,
    decide,
    ends,
)
from controller.certificates.intervals import PROPAGATION, Intervals
from controller.certificates.issuing import BACKDATE, Pair, issue_authority, issue_serving, opened
from controller.certificates.pairs import Reason
from crds.names import NAMESPACE

INTERVALS = Intervals()
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NEVER, LONG = timedelta(), PROPAGATION

CA = issue_authority(NOW, INTERVALS)
SERVING = issue_serving(CA, NAMESPACE, NOW, INTERVALS)
OTHER_CA = issue_authority(NOW, INTERVALS)
BOTH = CA.certificate + OTHER_CA.certificate
GOOD = Found(NAMESPACE, CA, SERVING, {"pods": CA.certificate, "vms": CA.certificate})


def rsa_pair(signer: Pair | None = None, *names: str) -> Pair:
    """Return a pair such as those of the Go manager; without a `signer` it is self-signed."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = opened(CA).certificate.subject
    private = serialization.load_pem_private_key(signer.key, None) if signer else key
    assert isinstance(private, rsa.RSAPrivateKey)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + INTERVALS.ca_rotate)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
        .sign(private, hashes.SHA256())
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
RSA_SERVING = rsa_pair(RSA, f"kubemacpool-service.{NAMESPACE}.svc")


def test_good_certificates_are_left_alone_until_the_first_renewal() -> None:
    assert decide(GOOD, NOW, INTERVALS, NEVER) == Settled(INTERVALS.cert_rotate)


def test_without_a_webhook_configuration_the_secrets_suffice() -> None:
    found = replace(GOOD, bundles={}, serving=None)

    assert decide(found, NOW, INTERVALS, NEVER) == IssueServing(Reason.MISSING, CA)
    assert isinstance(decide(replace(GOOD, bundles={}), NOW, INTERVALS, NEVER), Settled)


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
    found = replace(GOOD, authority=authority)

    assert decide(found, NOW, INTERVALS, LONG) == IssueAuthority(reason)


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
    found = replace(GOOD, serving=serving)

    assert decide(found, NOW, INTERVALS, NEVER) == IssueServing(reason, CA)


OLD = issue_authority(NOW - INTERVALS.ca_life, INTERVALS).certificate
RECENT = issue_authority(NOW - INTERVALS.ca_life + SECOND, INTERVALS).certificate
CUT = OTHER_CA.certificate[:90] + b"\n"


@pytest.mark.parametrize(
    ("pods", "vms", "written"),
    [
        (CA.certificate, b"", CA.certificate),
        (CA.certificate, b"nonsense", CA.certificate),
        (CA.certificate, CA.certificate[:-40], CA.certificate),
        (CA.certificate, RSA.key, CA.certificate),
        (CA.certificate, BOTH, BOTH),
        (CUT + BOTH, BOTH, BOTH),
        (CA.certificate + OLD + RECENT, CA.certificate, CA.certificate + RECENT),
        (BOTH, BOTH, None),
    ],
    ids=["empty", "nonsense", "cut", "a key", "less", "unreadable", "expired", "another CA"],
)
def test_every_caBundle_holds_the_ca_and_all_others_that_are_valid(  # noqa: N802
    pods: bytes, vms: bytes, written: bytes | None
) -> None:
    found = replace(GOOD, bundles={"pods": pods, "vms": vms})

    step = WriteBundle(written) if written else Settled(INTERVALS.cert_rotate)
    assert decide(found, NOW, INTERVALS, LONG) == step


@pytest.mark.parametrize(
    ("bundles", "signer", "others"),
    [
        ({"pods": CA.certificate, "vms": RSA.certificate}, b"", {CA.certificate, RSA.certificate}),
        ({"pods": b""}, CA.certificate, {CA.certificate}),
    ],
    ids=["those in any caBundle", "the signer of the pair that is served"],
)
def test_a_new_ca_joins_the_former_ones(
    bundles: dict[str, bytes], signer: bytes, others: set[bytes]
) -> None:
    found = replace(GOOD, authority=OTHER_CA, bundles=bundles, signer=signer)

    step = decide(found, NOW, INTERVALS, LONG)

    assert isinstance(step, WriteBundle)
    begin = b"-----BEGIN"
    first, *rest = [begin + piece for piece in step.bundle.split(begin)[1:]]
    assert (first, set(rest)) == (OTHER_CA.certificate, others)


def test_a_caBundle_is_bounded_and_keeps_the_signer_of_what_is_served() -> None:  # noqa: N802
    many = [issue_authority(NOW + n * SECOND, INTERVALS).certificate for n in range(-MOST, 1)]
    found = replace(GOOD, bundles={"pods": b"".join(many)}, signer=many[0])

    step = decide(found, NOW, INTERVALS, LONG)

    newest_first = many[:1:-1][: MOST - 2]
    assert step == WriteBundle(b"".join([CA.certificate, many[0], *newest_first]))
    assert len(newest_first) == MOST - 2


# The signer of the serving pair is still trusted, and the new CA is in the caBundle.
ROTATING = replace(
    GOOD, authority=OTHER_CA, bundles={"pods": OTHER_CA.certificate + CA.certificate}
)


@pytest.mark.parametrize(
    ("serving", "reason"),
    [
        (SERVING, Reason.WRONG_SIGNER),
        (None, Reason.MISSING),
        (Pair(b"", b""), Reason.CORRUPTED),
        (Pair(SERVING.certificate, CA.key), Reason.MISMATCHED),
    ],
)
def test_while_the_served_pair_may_work_the_next_one_waits_until_its_signer_is_known(
    serving: Pair | None, reason: Reason
) -> None:
    found = replace(ROTATING, serving=serving)

    assert decide(found, NOW, INTERVALS, 4 * SECOND) == Waiting(reason, PROPAGATION - 4 * SECOND)
    assert decide(found, NOW, INTERVALS, LONG) == IssueServing(reason, OTHER_CA)


def test_a_foreign_pair_that_works_waits_too() -> None:
    found = replace(GOOD, serving=RSA_SERVING, bundles={"pods": CA.certificate + RSA.certificate})

    assert decide(found, NOW, INTERVALS, NEVER) == Waiting(Reason.FOREIGN_KEY, PROPAGATION)


@pytest.mark.parametrize(
    ("serving", "reason"),
    [
        (issue_serving(CA, "elsewhere", NOW, INTERVALS), Reason.WRONG_NAMES),
        (issue_serving(CA, NAMESPACE, NOW - INTERVALS.cert_life, INTERVALS), Reason.EXPIRED),
        (issue_serving(CA, NAMESPACE, NOW + timedelta(days=1), INTERVALS), Reason.NOT_YET_VALID),
        (
            issue_serving(issue_authority(NOW, INTERVALS), NAMESPACE, NOW, INTERVALS),
            Reason.WRONG_SIGNER,
        ),
        (RSA, Reason.FOREIGN_KEY),
    ],
)
def test_a_pair_that_cannot_work_is_replaced_at_once(serving: Pair, reason: Reason) -> None:
    found = replace(ROTATING, serving=serving)

    assert decide(found, NOW, INTERVALS, NEVER) == IssueServing(reason, OTHER_CA)


def test_the_next_pair_of_a_ca_whose_pair_works_need_not_wait() -> None:
    found, now = replace(GOOD, bundles={"pods": BOTH}), NOW + INTERVALS.cert_rotate

    assert decide(found, now, INTERVALS, NEVER) == IssueServing(Reason.DUE, CA)


def test_a_wait_ends_early_if_the_pair_expires() -> None:
    now = NOW + INTERVALS.cert_life - SECOND

    step = decide(replace(ROTATING, serving=SERVING), now, INTERVALS, NEVER)

    assert step == Waiting(Reason.WRONG_SIGNER, SECOND)


def test_a_ca_that_is_due_before_it_is_in_use_is_used_first() -> None:
    now = NOW + INTERVALS.ca_rotate
    works = issue_serving(CA, NAMESPACE, now, INTERVALS)
    found = replace(ROTATING, serving=works)

    assert decide(found, now, INTERVALS, NEVER) == Waiting(Reason.WRONG_SIGNER, PROPAGATION)
    assert decide(found, now, INTERVALS, LONG) == IssueServing(Reason.WRONG_SIGNER, OTHER_CA)
    used = replace(found, serving=issue_serving(OTHER_CA, NAMESPACE, now, INTERVALS))
    assert decide(used, now, INTERVALS, LONG) == IssueAuthority(Reason.DUE)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (-BACKDATE - SECOND, IssueAuthority(Reason.NOT_YET_VALID)),
        (-BACKDATE, Settled(BACKDATE + INTERVALS.cert_rotate)),
        (INTERVALS.cert_rotate - SECOND, Settled(SECOND)),
        (INTERVALS.cert_rotate, IssueServing(Reason.DUE, CA)),
        (INTERVALS.cert_life, IssueServing(Reason.EXPIRED, CA)),
        (INTERVALS.ca_rotate - SECOND, IssueServing(Reason.EXPIRED, CA)),
        (INTERVALS.ca_rotate, IssueAuthority(Reason.DUE)),
        (INTERVALS.ca_life, IssueAuthority(Reason.EXPIRED)),
    ],
)
def test_time_alone_brings_each_to_its_end(after: timedelta, expected: Step) -> None:
    assert decide(GOOD, NOW + after, INTERVALS, LONG) == expected


def test_the_expiry_of_a_ca_in_the_caBundle_is_the_next_step() -> None:  # noqa: N802
    old = issue_authority(NOW + 7 * SECOND - INTERVALS.ca_life, INTERVALS).certificate
    found = replace(GOOD, bundles={"pods": CA.certificate + old})

    assert decide(found, NOW, INTERVALS, LONG) == Settled(7 * SECOND)


@pytest.mark.parametrize(
    "changed",
    [
        {"cert_rotate": timedelta(hours=1)},
        {"cert_overlap": INTERVALS.cert_rotate + timedelta(hours=25)},
    ],
)
def test_a_shorter_interval_or_a_longer_overlap_makes_a_certificate_due(
    changed: dict[str, timedelta],
) -> None:
    intervals = replace(INTERVALS, **changed)

    assert decide(GOOD, NOW + timedelta(hours=1), intervals, LONG) == IssueServing(Reason.DUE, CA)


def test_the_expiry_of_an_unreadable_certificate_is_omitted() -> None:
    assert ends(GOOD) == {"ca": NOW + INTERVALS.ca_life, "serving": NOW + INTERVALS.cert_life}
    assert ends(Found(NAMESPACE, None, Pair(b"", b""), {})) == {}
