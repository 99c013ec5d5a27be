"""The checklist on damaged certificates, and its steps one after the other: they always end."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.certificates.checklist import (
    Found,
    IssueAuthority,
    IssueServing,
    Settled,
    Step,
    WriteBundle,
    decide,
    ends,
)
from controller.certificates.intervals import Intervals
from controller.certificates.issuing import Pair, issue_authority, issue_serving
from controller.certificates.pairs import Reason
from controller.certificates.tests.test_checklist import (
    BOTH,
    CA,
    GOOD,
    INTERVALS,
    LONG,
    NOW,
    OTHER_CA,
    RSA,
    RSA_SERVING,
    SERVING,
)
from crds.names import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def as_pem(der: bytes) -> bytes:
    lines = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + lines + b"-----END CERTIFICATE-----\n"


def damaged(certificate: bytes) -> Iterator[bytes]:
    """Change each byte, one at a time, by one bit or by all. Most results can still be loaded.

    Without pytest's `--all`, a tenth of them: each tenth, so that all three bits occur.
    """
    der = x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER)
    damages = [(where, bits) for where in range(len(der)) for bits in (0x01, 0x80, 0xFF)]
    for where, bits in damages[:: 100 // settings().max_examples]:
        yield as_pem(der[:where] + bytes([der[where] ^ bits]) + der[where + 1 :])


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
@pytest.mark.parametrize(
    ("certificate", "found_with"),
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
def test_every_damaged_certificate_has_a_decision(
    certificate: bytes, found_with: Callable[[bytes], Found]
) -> None:
    for spoilt in damaged(certificate):
        found = found_with(spoilt)

        step = decide(found, NOW, INTERVALS, LONG)

        assert isinstance(step, Step)
        assert ends(found).keys() <= {"ca", "serving"}


def of_version_4(certificate: bytes) -> bytes:
    """Return the certificate with an unknown version; version 3 is encoded as a0 03 02 01 02."""
    der = x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER)
    return as_pem(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03", 1))


def test_a_certificate_of_an_unknown_version_is_replaced_in_each_place() -> None:
    authority = replace(GOOD, authority=Pair(of_version_4(CA.certificate), CA.key))
    serving = replace(GOOD, serving=Pair(of_version_4(SERVING.certificate), SERVING.key))
    bundle = replace(GOOD, bundles={"pods": of_version_4(OTHER_CA.certificate) + CA.certificate})

    assert decide(authority, NOW, INTERVALS, LONG) == IssueAuthority(Reason.CORRUPTED)
    assert decide(serving, NOW, INTERVALS, LONG) == IssueServing(Reason.CORRUPTED, CA)
    assert decide(bundle, NOW, INTERVALS, LONG) == WriteBundle(CA.certificate)


def test_the_ca_comes_first_then_the_bundle_then_the_serving_pair() -> None:
    assert follow(Found(NAMESPACE, None, None, {"pods": b""}), NOW, INTERVALS) == [
        IssueAuthority,
        WriteBundle,
        IssueServing,
    ]


def test_a_new_ca_is_followed_by_its_bundle_and_a_pair_that_it_signs() -> None:
    assert follow(replace(GOOD, authority=OTHER_CA), NOW, INTERVALS) == [WriteBundle, IssueServing]


def follow(found: Found, now: datetime, intervals: Intervals) -> list[type[Step]]:
    """Do each step until nothing is left, and return their types."""
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
def test_every_state_is_settled_in_at_most_six_steps(
    found: Found, now: datetime, intervals: Intervals
) -> None:
    steps = follow(found, now, intervals)

    # A serving pair comes last. Only a CA that was due before its use needs a second round.
    assert not steps or steps[-1] is not IssueAuthority
    assert steps.count(IssueAuthority) <= 2
