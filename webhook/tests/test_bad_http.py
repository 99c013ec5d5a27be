"""Invalid HTTP requests: each gets a clear answer, and the process lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from webhook.tests.program import GOOD
from webhook.tests.reviews import body, pod, request

if TYPE_CHECKING:
    from webhook.tests.program import Program

WHOLE = body(request(pod(GOOD)))
MIB = 1 << 20


async def test_a_body_of_9_mib_is_too_large(program: Program) -> None:
    answer = await program.post(WHOLE + b" " * 9 * MIB)

    assert answer.status == 413
    assert "Maximum request body size 8388608 exceeded" in answer.text
    assert await program.still_serves()


async def test_a_body_of_7_mib_is_served(program: Program) -> None:
    answer = await program.post(WHOLE + b" " * 7 * MIB)

    assert answer.response["allowed"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-protobuf", "nonsense", ""])
async def test_a_review_is_served_with_any_content_type(
    program: Program, content_type: str
) -> None:
    answer = await program.post(WHOLE, Content_Type=content_type)

    assert answer.response["allowed"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/mutate-pods", 405),
        ("PUT", "/mutate-pods", 405),
        ("POST", "/readyz", 405),
        ("POST", "/", 404),
        ("POST", "/mutate-pods/", 404),
        ("POST", "/mutate-pods/../mutate-pods%00", 404),
        ("POST", "/mutate-everything", 404),
    ],
)
async def test_other_paths_and_methods_are_refused(
    program: Program, method: str, path: str, status: int
) -> None:
    answer = await program.ask(method, path, WHOLE)

    assert answer.status == status
    assert await program.still_serves()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00" * 64 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /mutate-pods HTTP/1.1\r\nHost: x\r\nContent-Length: minus\r\n\r\n",
        b"POST /mutate-pods HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /mutate-pods HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /mutate-pods HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"b" * 20_000 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["zeros", "no path", "length", "two lengths", "chunk", "long header", "http/2"],
)
async def test_bytes_that_are_no_http_are_answered_400(program: Program, sent: bytes) -> None:
    answer = await program.raw(sent)

    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert await program.still_serves()


async def test_a_client_without_tls_disturbs_no_other(program: Program) -> None:
    assert await program.plain(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == b""

    assert await program.still_serves()


async def test_a_client_that_leaves_halfway_disturbs_no_other(program: Program) -> None:
    head = f"POST /mutate-pods HTTP/1.1\r\nHost: x\r\nContent-Length: {len(WHOLE)}\r\n\r\n"

    await program.leave(head.encode() + WHOLE[:40])

    assert program.cluster.calls == []
    assert await program.still_serves()
