"""Real handshakes over loopback while the Secret changes."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import pytest

from kube.tls import TlsOptions
from webhook.certificate import Pair, Serving, read_secret
from webhook.tests.authority import pair, rsa_chain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

FIRST, SECOND = pair(), pair()
# asyncio may close the connection before the alert that says why has left.
REFUSED = (ssl.SSLError, ConnectionError)


@pytest.fixture
def serving() -> Serving:
    return Serving(TlsOptions())


@asynccontextmanager
async def listening(serving: Serving) -> AsyncIterator[int]:
    """Serve an echo of lines on a free port, which this gives."""
    ended: list[asyncio.Task[None]] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.ensure_future(echo(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=serving.tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*ended)


def trusting(*pairs: Pair, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client that trusts these certificates only."""
    authorities = "".join(trusted.certificate.decode() for trusted in pairs)
    context = ssl.create_default_context(cadata=authorities)
    if version is not None:
        context.maximum_version = version
    return context


@contextmanager
def connection(port: int, context: ssl.SSLContext, name: str | None) -> Iterator[ssl.SSLSocket]:
    """Connect and shake hands, blocking: call it in a thread."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=name) as encrypted,
    ):
        yield encrypted


def shake(port: int, context: ssl.SSLContext, name: str | None) -> bytes:
    with connection(port, context, name) as client:
        echoes(client)
        der = client.getpeercert(binary_form=True)
        assert der is not None
        return ssl.DER_cert_to_PEM_cert(der).encode()


def echoes(client: ssl.SSLSocket) -> None:
    client.sendall(b"line\n")
    assert client.recv(9) == b"line\n"


async def shown(port: int, context: ssl.SSLContext, name: str | None = "localhost") -> bytes:
    """Shake hands, pass a line, and return the certificate that was shown (PEM)."""
    return await asyncio.to_thread(shake, port, context, name)


async def test_the_certificate_of_the_secret_is_served(serving: Serving) -> None:
    serving.reset([FIRST])

    async with listening(serving) as port:
        assert await shown(port, trusting(FIRST)) == FIRST.certificate

    assert serving.is_ready


async def test_a_client_that_names_no_server_is_served(serving: Serving) -> None:
    serving.put(FIRST)
    nameless = trusting(FIRST)
    nameless.check_hostname = False

    async with listening(serving) as port:
        assert await shown(port, nameless, name=None) == FIRST.certificate


async def test_a_replaced_certificate_is_served_from_the_next_connection_on(
    serving: Serving,
) -> None:
    serving.put(FIRST)

    def replaced_during_handshake(port: int) -> bytes:
        with connection(port, trusting(FIRST), "localhost") as early:
            serving.put(SECOND)
            late = shake(port, trusting(SECOND), "localhost")
            echoes(early)
            return late

    async with listening(serving) as port:
        assert await asyncio.to_thread(replaced_during_handshake, port) == SECOND.certificate


async def test_an_rsa_pair_with_its_chain_is_served_as_cert_manager_writes_it(
    serving: Serving,
) -> None:
    root, leaf = rsa_chain()
    serving.put(leaf)

    async with listening(serving) as port:
        assert leaf.certificate.startswith(await shown(port, trusting(root)))


@pytest.mark.parametrize(
    "wrong",
    [
        Pair(SECOND.certificate, FIRST.key),
        Pair(b"", b""),
        Pair(b"nonsense", FIRST.key),
        Pair(FIRST.certificate, b"nonsense"),
        Pair(SECOND.certificate, b""),
        Pair(SECOND.certificate.replace(b"M", b"\xff", 1), SECOND.key),
    ],
    ids=["mismatched", "empty", "no certificate", "no key", "key missing", "damaged"],
)
async def test_a_pair_that_does_not_work_never_replaces_one_that_does(
    serving: Serving, wrong: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    serving.put(FIRST)

    serving.put(wrong)

    async with listening(serving) as port:
        assert await shown(port, trusting(FIRST)) == FIRST.certificate
    assert "the serving certificate in the Secret does not work" in caplog.text


def test_an_encrypted_key_is_refused_without_a_password_prompt(
    serving: Serving,
) -> None:
    serving.put(pair(password=b"secret"))

    assert not serving.is_ready


@pytest.mark.parametrize("wrong", [None, Pair(FIRST.certificate, SECOND.key)])
async def test_without_a_pair_a_handshake_fails_and_the_next_may_succeed(
    serving: Serving, wrong: Pair | None
) -> None:
    if wrong is not None:
        serving.put(wrong)
    assert not serving.is_ready

    async with listening(serving) as port:
        with pytest.raises(REFUSED):
            await shown(port, trusting(FIRST))
        serving.put(FIRST)
        assert await shown(port, trusting(FIRST)) == FIRST.certificate


async def test_a_deleted_secret_leaves_the_last_pair_serving(serving: Serving) -> None:
    serving.put(FIRST)

    serving.drop(FIRST)
    serving.reset([])

    async with listening(serving) as port:
        assert await shown(port, trusting(FIRST)) == FIRST.certificate


async def test_an_older_tls_than_asked_for_is_refused() -> None:
    serving = Serving(TlsOptions(ssl.TLSVersion.TLSv1_3))
    serving.put(FIRST)

    async with listening(serving) as port:
        with pytest.raises(REFUSED):
            await shown(port, trusting(FIRST, version=ssl.TLSVersion.TLSv1_2))
        assert await shown(port, trusting(FIRST)) == FIRST.certificate


async def test_only_the_ciphers_asked_for_are_spoken() -> None:
    serving = Serving(TlsOptions(ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"))
    serving.put(FIRST)
    client = trusting(FIRST, version=ssl.TLSVersion.TLSv1_2)

    async with listening(serving) as port:
        client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        with pytest.raises(REFUSED):
            await shown(port, client)
        client.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
        assert await shown(port, client) == FIRST.certificate


def test_a_secret_is_read() -> None:
    data = {
        "tls.crt": base64.b64encode(FIRST.certificate).decode(),
        "tls.key": base64.b64encode(FIRST.key).decode(),
        "ca.crt": "",
    }
    secret = {"kind": "Secret", "type": "kubernetes.io/tls", "data": data}

    assert read_secret(json.dumps(secret).encode()) == FIRST
    assert read_secret(b'{"kind":"Secret"}') == Pair(b"", b"")


def test_a_key_never_shows() -> None:
    assert "PRIVATE" not in repr(FIRST)
    assert "PRIVATE" not in str([FIRST])
