"""The certificates in a caBundle, and the time for which it has held the CA."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from controller.certificates import bundles
from controller.certificates.bundles import Reverts, Trust
from controller.certificates.intervals import Intervals
from controller.certificates.issuing import issue_authority

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ONE, OTHER = (issue_authority(NOW, Intervals()).certificate for _ in range(2))
SECOND = timedelta(seconds=1)


def test_certificates_are_found_in_any_text_around_them() -> None:
    found, is_whole = bundles.parse(b"# ours\n" + ONE + b"# theirs\n" + OTHER + b"garbage")

    assert bundles.write(sorted(found, key=lambda certificate: certificate.serial_number)) in {
        ONE + OTHER,
        OTHER + ONE,
    }
    assert is_whole


def test_one_that_is_cut_off_takes_no_other_with_it() -> None:
    found, is_whole = bundles.parse(ONE[:90] + b"\n" + OTHER)

    assert bundles.write(list(found)) == OTHER
    assert not is_whole


def test_an_empty_bundle_has_no_certificate() -> None:
    assert bundles.parse(b"") == (set(), True)
    assert bundles.parse(b"nonsense") == (set(), True)


@pytest.mark.parametrize(
    "looks",
    [
        [(ONE, [ONE, OTHER + ONE], 100, 0), (ONE, [ONE, ONE], 104, 4)],
        *(
            [(ca + next_, [ca], 100, 0), (ca + next_, [ca], 104, 4), (ca + next_, [next_], 108, 0)]
            for ca, next_ in ((ONE, OTHER), (OTHER, ONE))
        ),
        [
            (ONE, [ONE], 100, 0),
            (ONE, [ONE, OTHER], 101, 0),
            (ONE, [ONE, ONE], 104, 0),
            (ONE, [ONE, ONE], 106, 2),
        ],
        [
            (ONE, [ONE + OTHER], 100, 0),
            (OTHER, [ONE + OTHER], 107, 0),
            (ONE, [ONE + OTHER], 109, 0),
        ],
        [(ONE, [], 100, 0), (ONE, [ONE], 110, 0)],
        [
            (ONE, [ONE], 100, 0),
            (b"nonsense", [b"nonsense"], 104, 0),
            (b"", [], 104, 0),
            (ONE, [ONE], 108, 0),
        ],
    ],
    ids=[
        *("found", "the first of a chain is the CA", "and so in the other order"),
        *("again after a look without it", "again for another CA", "no caBundle", "unreadable"),
    ],
)
def test_trust_counts_from_the_first_look_that_found_the_ca_everywhere(
    looks: list[tuple[bytes, list[bytes], float, int]],
) -> None:
    trust = Trust()

    for ca, found, at_s, trusted_s in looks:
        assert trust.seen(ca, found, at_s) == trusted_s * SECOND


def test_a_bundle_that_is_reverted_twice_is_written_after_growing_pauses() -> None:
    reverts, now_s = Reverts(), 100.0
    assert reverts.left(ONE, now_s) == timedelta()

    for pause_s in (0, 1, 2, 4, 8, 16, 30, 30):
        reverts.wrote(ONE, now_s)
        assert reverts.left(ONE, now_s) == pause_s * SECOND
        now_s += pause_s
        assert reverts.left(ONE, now_s) == timedelta()


def test_the_pauses_end_after_a_minute_or_with_another_bundle() -> None:
    reverts = Reverts()
    for at_s in (100.0, 100.0, 101.0):
        reverts.wrote(ONE, at_s)

    assert reverts.left(OTHER, 101.0) == timedelta()
    reverts.wrote(ONE, 161.0)
    assert reverts.left(ONE, 161.0) == timedelta()
