"""Waits until a process answers that it is ready, or raises an error with the reason."""

import http.client
import ssl
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from testbed.processes import Process, tail

T = TypeVar("T")

READY_S = 60.0  # a start takes 5 s on two idle cores; a loaded machine is allowed ten times that
_POLL_S = 0.05
_ANSWER_S = 2.0


class NotReady(Exception):
    """A process ended early or stayed silent; the message ends with its log's tail."""


def wait_ready(process: Process, url: str, deadline_s: float = READY_S) -> None:
    """Return when a GET of `url` answers 200; raise NotReady after the deadline."""
    deadline = time.monotonic() + deadline_s
    while refusal := _refusal(url):
        if not process.alive:
            raise NotReady(f"{process.name} ended before it was ready.\n{tail(process.log)}")
        if time.monotonic() > deadline:
            raise NotReady(
                f"{process.name} was not ready at {url} within {deadline_s:.0f} s: {refusal}\n"
                f"{tail(process.log)}"
            )
        time.sleep(_POLL_S)


def answers(url: str) -> bool:
    """Return True if a GET of `url` answers 200 now."""
    return not _refusal(url)


def eventually(
    condition: Callable[[], T], what: str, deadline_s: float = READY_S, *, period_s: float = _POLL_S
) -> T:
    """Call `condition` until its answer is true; return that answer, fail after the deadline."""
    deadline = time.monotonic() + deadline_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {deadline_s:.0f} s: {what}"
        time.sleep(period_s)
    return answer


def _refusal(url: str) -> str:
    """Return why a GET of `url` does not answer 200, or nothing; certificates are not verified."""
    parts = urlsplit(url)
    assert parts.hostname
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unverified.check_hostname = False
        unverified.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=_ANSWER_S, context=unverified
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_ANSWER_S)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        if answer.status == http.HTTPStatus.OK:
            return ""
        return f"{answer.status} {answer.read().decode(errors='replace').strip()}"
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
