"""The checklist: every reason once, their order, and that following it always ends."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAMESPACE = "kubemacpool-system"
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
    """A pair such as the Go manager leaves behind; without a `signer` it signs itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = opened(CA).certificate.subject
    private = serialization.load_pem_private_key(signer.key, None) if signer else key
    assert isinstance(private, rsa.RSAPrivateKey)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + INTERVALS.ca_rotate)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False
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


def test_a_good_world_is_left_alone_until_the_first_renewal() -> None:
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


def as_pem(der: bytes) -> bytes:
    lines = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + lines + b"-----END CERTIFICATE-----\n"


def damaged(certificate: bytes) -> Iterator[bytes]:
    """Every byte wrong, one at a time, by one bit or by all: most of them can still be loaded.

    Without pytest's `--all`, a tenth of them: each tenth, so that all three bits occur.
    """
    der = x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER)
    damages = [(where, bits) for where in range(len(der)) for bits in (0x01, 0x80, 0xFF)]
    for where, bits in damages[:: 100 // settings().max_examples]:
        yield as_pem(der[:where] + bytes([der[where] ^ bits]) + der[where + 1 :])


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
@pytest.mark.parametrize(
    ("certificate", "world"),
    [
        (CA.certificate, lambda spoilt: replace(GOOD, authority=Pair(spoilt, CA.key))),
        (SERVING.certificate, lambda spoilt: replace(GOOD, serving=Pair(spoilt, SERVING.key))),
        (
            OTHER_CA.certificate,
            lambda spoilt: replace(GOOD, bundles={"pods": CA.certificate + spoilt}, signer=spoilt),
        ),
    ],
    ids=["CA", "serving", "caBundle"],
)
def test_no_damaged_certificate_keeps_it_from_deciding(
    certificate: bytes, world: Callable[[bytes], Found]
) -> None:
    for spoilt in damaged(certificate):
        found = world(spoilt)

        step = decide(found, NOW, INTERVALS, LONG)

        assert isinstance(step, Step)
        assert ends(found).keys() <= {"ca", "serving"}


def of_version_4(certificate: bytes) -> bytes:
    """The same, but of a version that there is not: its version 3 is written a0 03 02 01 02."""
    der = x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER)
    return as_pem(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03", 1))


def test_a_certificate_of_no_known_version_is_repaired_wherever_it_stands() -> None:
    authority = replace(GOOD, authority=Pair(of_version_4(CA.certificate), CA.key))
    serving = replace(GOOD, serving=Pair(of_version_4(SERVING.certificate), SERVING.key))
    bundle = replace(GOOD, bundles={"pods": of_version_4(OTHER_CA.certificate) + CA.certificate})

    assert decide(authority, NOW, INTERVALS, LONG) == IssueAuthority(Reason.CORRUPTED)
    assert decide(serving, NOW, INTERVALS, LONG) == IssueServing(Reason.CORRUPTED, CA)
    assert decide(bundle, NOW, INTERVALS, LONG) == WriteBundle(CA.certificate)


@pytest.mark.parametrize("bundle", [b"", b"nonsense", CA.certificate[:-40], b"\xff", RSA.key])
def test_one_caBundle_without_the_ca_has_all_written(bundle: bytes) -> None:  # noqa: N802
    found = replace(GOOD, bundles={"pods": CA.certificate, "vms": bundle})

    assert decide(found, NOW, INTERVALS, LONG) == WriteBundle(CA.certificate)


def test_a_new_ca_joins_those_that_any_caBundle_holds() -> None:  # noqa: N802
    bundles = {"pods": CA.certificate, "vms": RSA.certificate}
    found = replace(GOOD, authority=OTHER_CA, bundles=bundles)

    step = decide(found, NOW, INTERVALS, LONG)

    assert isinstance(step, WriteBundle)
    assert step.bundle.startswith(OTHER_CA.certificate)
    assert CA.certificate in step.bundle
    assert RSA.certificate in step.bundle


def test_a_caBundle_that_trusts_another_ca_besides_is_left_alone() -> None:  # noqa: N802
    found = replace(GOOD, bundles={"pods": BOTH})

    assert isinstance(decide(found, NOW, INTERVALS, NEVER), Settled)


def test_what_cannot_be_read_goes_from_the_caBundle() -> None:  # noqa: N802
    spoilt = OTHER_CA.certificate[:90] + b"\n" + BOTH
    found = replace(GOOD, bundles={"pods": spoilt, "vms": BOTH})

    assert decide(found, NOW, INTERVALS, LONG) == WriteBundle(BOTH)


def test_what_has_expired_goes_from_the_caBundle() -> None:  # noqa: N802
    old = issue_authority(NOW - INTERVALS.ca_life, INTERVALS).certificate
    recent = issue_authority(NOW - INTERVALS.ca_life + SECOND, INTERVALS).certificate
    found = replace(GOOD, bundles={"pods": CA.certificate + old + recent})

    assert decide(found, NOW, INTERVALS, LONG) == WriteBundle(CA.certificate + recent)


def test_an_emptied_caBundle_has_the_signer_of_what_is_served_again() -> None:  # noqa: N802
    found = replace(GOOD, authority=OTHER_CA, bundles={"pods": b""}, signer=CA.certificate)

    expected = WriteBundle(OTHER_CA.certificate + CA.certificate)
    assert decide(found, NOW, INTERVALS, LONG) == expected


def test_a_caBundle_is_bounded_and_keeps_the_signer_of_what_is_served() -> None:  # noqa: N802
    many = [issue_authority(NOW + n * SECOND, INTERVALS).certificate for n in range(-MOST, 1)]
    found = replace(GOOD, bundles={"pods": b"".join(many)}, signer=many[0])

    step = decide(found, NOW, INTERVALS, LONG)

    newest_first = many[:1:-1][: MOST - 2]
    assert step == WriteBundle(b"".join([CA.certificate, many[0], *newest_first]))
    assert len(newest_first) == MOST - 2


# The serving pair's signer is still trusted, and the CA is not long in the caBundle.
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
def test_while_another_pair_may_work_the_next_waits_until_its_signer_is_known(
    serving: Pair | None, reason: Reason
) -> None:
    found = replace(ROTATING, serving=serving)

    assert decide(found, NOW, INTERVALS, 4 * SECOND) == Waiting(reason, PROPAGATION - 4 * SECOND)
    assert decide(found, NOW, INTERVALS, LONG) == IssueServing(reason, OTHER_CA)


def test_a_foreign_pair_that_works_waits_too() -> None:
    found = replace(GOOD, serving=RSA_SERVING, bundles={"pods": CA.certificate + RSA.certificate})

    step = decide(found, NOW, INTERVALS, NEVER)

    assert step == Waiting(Reason.FOREIGN_KEY, PROPAGATION)


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
    found = replace(GOOD, bundles={"pods": BOTH})

    step = decide(found, NOW + INTERVALS.cert_rotate, INTERVALS, NEVER)

    assert step == IssueServing(Reason.DUE, CA)


def test_a_wait_ends_early_where_the_pair_expires() -> None:
    found = replace(ROTATING, serving=SERVING)
    end = NOW + INTERVALS.cert_life

    step = decide(found, end - SECOND, INTERVALS, NEVER)

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


def test_an_expiry_in_the_caBundle_is_waited_for() -> None:  # noqa: N802
    old = issue_authority(NOW + 7 * SECOND - INTERVALS.ca_life, INTERVALS).certificate
    found = replace(GOOD, bundles={"pods": CA.certificate + old})

    assert decide(found, NOW, INTERVALS, LONG) == Settled(7 * SECOND)


def test_a_shorter_interval_makes_what_was_issued_before_due() -> None:
    shorter = replace(INTERVALS, cert_rotate=timedelta(hours=1))

    step = decide(GOOD, NOW + timedelta(hours=1), shorter, LONG)

    assert step == IssueServing(Reason.DUE, CA)


def test_a_longer_overlap_makes_what_was_issued_before_due() -> None:
    longer = replace(INTERVALS, cert_overlap=INTERVALS.cert_rotate + timedelta(hours=25))

    assert decide(GOOD, NOW, longer, LONG) == IssueServing(Reason.DUE, CA)


def test_the_ends_are_of_what_can_be_read() -> None:
    assert ends(GOOD) == {"ca": NOW + INTERVALS.ca_life, "serving": NOW + INTERVALS.cert_life}
    assert ends(Found(NAMESPACE, None, Pair(b"", b""), {})) == {}


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
    while not isinstance(step := decide(found, now, intervals, LONG), Settled):
        steps.append(type(step))
        assert len(steps) <= 6
        match step:
            case IssueAuthority():
                found = replace(found, authority=issue_authority(now, intervals))
            case WriteBundle(bundle):
                found = replace(found, bundles=dict.fromkeys(found.bundles, bundle))
            case IssueServing(_, authority):
                pair = issue_serving(authority, found.namespace, now, intervals)
                found = replace(found, serving=pair, signer=authority.certificate)
    assert step.left > timedelta()
    return steps


_SPANS = st.integers(1, 10**6).map(lambda seconds: timedelta(seconds=seconds))
_PAIRS = st.sampled_from([None, Pair(b"", b""), CA, OTHER_CA, SERVING, RSA, RSA_SERVING])
_BUNDLES = st.dictionaries(
    st.sampled_from(["pods", "vms"]),
    st.sampled_from([b"", b"?", CA.certificate, OTHER_CA.certificate, BOTH, RSA.certificate]),
)
_TIMES = st.timedeltas(timedelta(days=-9000), timedelta(days=9000)).map(NOW.__add__)


@given(
    st.builds(Found, st.just(NAMESPACE), _PAIRS, _PAIRS, _BUNDLES),
    _TIMES,
    st.builds(
        Intervals, ca_rotate=_SPANS, ca_overlap=_SPANS, cert_rotate=_SPANS, cert_overlap=_SPANS
    ),
)
def test_every_world_settles_in_six_steps_at_most(
    found: Found, now: datetime, intervals: Intervals
) -> None:
    steps = follow(found, now, intervals)

    # A serving pair comes last; only a CA that was due before it was in use brings a second turn.
    assert not steps or steps[-1] is not IssueAuthority
    assert steps.count(IssueAuthority) <= 2
