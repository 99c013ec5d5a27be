"""How long certificates last: Go durations from the environment, under the names that users know.

Law: an invalid value (no unit, negative, under a second) stops the program with the variable's name
and an example. A valid value that is too short to be followed without a gap is followed as fast as
possible: a certificate always lasts until its successor is in use everywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Self

import durationpy

if TYPE_CHECKING:
    from collections.abc import Mapping


# The time from the write of a new caBundle until every API server knows it. Each API server watches
# the configurations, which takes milliseconds; Kubernetes' own tests of webhooks allow 10 s
# (test/integration/apiserver/admissionwebhook/broken_webhook_test.go).
PROPAGATION = timedelta(seconds=10)
# The minimum validity of a certificate after it is due: a CA waits PROPAGATION until it is in use,
# and its successor waits the same time after that. The rest is for webhooks to load the new pair,
# and for retried writes.
LEAST_OVERLAP = 2 * PROPAGATION + timedelta(seconds=40)


class BadInterval(ValueError):
    """The value of a variable is not an interval. The message has its name and an example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """When certificates are replaced, and how long an old one stays valid beside its successor.

    Whole seconds, as in certificates (RFC 5280, 4.1.2.5): with less, one could be due when issued.
    The defaults are the documented ones: a year for the CA, half a year for the serving pair.
    """

    ca_rotate: timedelta = timedelta(hours=8760)
    # A client that trusts only the old CA has a year to load the new one.
    ca_overlap: timedelta = timedelta(hours=8760)
    cert_rotate: timedelta = timedelta(hours=4380)
    # If the replacement fails, people have a day to repair it.
    cert_overlap: timedelta = timedelta(hours=24)

    @property
    def ca_life(self) -> timedelta:
        """Return the time that a CA is valid."""
        return self.ca_rotate + max(self.ca_overlap, LEAST_OVERLAP)

    @property
    def cert_life(self) -> timedelta:
        """Return the time that a serving certificate is valid."""
        return self.cert_rotate + max(self.cert_overlap, LEAST_OVERLAP)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the four variables; CA_OVERLAP_INTERVAL defaults to CA_ROTATE_INTERVAL."""
        ca_rotate = _interval(environ, "CA_ROTATE_INTERVAL", cls().ca_rotate, _SECOND)
        return cls(
            ca_rotate=ca_rotate,
            ca_overlap=_interval(environ, "CA_OVERLAP_INTERVAL", ca_rotate),
            cert_rotate=_interval(environ, "CERT_ROTATE_INTERVAL", cls().cert_rotate, _SECOND),
            cert_overlap=_interval(environ, "CERT_OVERLAP_INTERVAL", cls().cert_overlap),
        )


def parse_duration(text: str) -> timedelta:
    """Parse a Go duration (time.ParseDuration), such as 4380h0m0s. Raises ValueError.

    The bound is Go's: an int64 of nanoseconds, 292 years. The result is rounded to microseconds.
    """
    # durationpy accepts more: days, spaces, digits of any script.
    if not _GO_DURATION.fullmatch(text):
        raise ValueError("not a Go duration")
    try:
        duration: timedelta = durationpy.from_str(text)
    except durationpy.DurationError as error:  # more than a timedelta holds
        raise ValueError(_TOO_LONG) from error
    if abs(duration) > _LONGEST:
        raise ValueError(_TOO_LONG)
    return duration


_LONGEST = timedelta(microseconds=2**63 // 1000)
_TOO_LONG = "longer than 292 years"
# Both micro signs, as in Go: U+00B5 and the Greek mu U+03BC.
_GO_DURATION = re.compile(
    r"[-+]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)"
)
_SECOND = timedelta(seconds=1)


def _interval(
    environ: Mapping[str, str], name: str, default: timedelta, least: timedelta = timedelta()
) -> timedelta:
    if name not in environ:
        return default
    try:
        value = parse_duration(environ[name])
        if value < least:
            raise ValueError(f"it must be at least {least // _SECOND}s")  # noqa: TRY301 # one message
    except ValueError as error:
        example = f"{name}={default // timedelta(hours=1)}h0m0s"
        raise BadInterval(
            f'{name}="{environ[name]}": {error}; write, for example, {example}'
        ) from error
    return -(-value // _SECOND) * _SECOND  # rounded up
