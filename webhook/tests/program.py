"""The webhook's server as it runs, on a free loopback port, with a fake cluster behind it."""

from __future__ import annotations

import asyncio
import dataclasses
import http.client
import json
import socket
import ssl
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crds.pools import only
from crds.tests.fake import FakeCluster
from kube.tls import TlsOptions
from webhook.certificate import Serving
from webhook.server import application, serve
from webhook.tests.authority import pair
from webhook.tests.replica import Replica
from webhook.tests.reviews import body, patched, pod, pool, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from crds.pool import Pool

CERTIFICATE = pair()
GOOD = '[{"name":"ovs-conf"}]'


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer received over HTTPS."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def response(self) -> dict[str, Any]:
        """The `response` of an AdmissionReview."""
        assert self.status == 200, self.text
        review = json.loads(self.body)
        assert (review["apiVersion"], review["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
        response: dict[str, Any] = review["response"]
        return response


@dataclass(slots=True)
class Program:
    """The running server, and what a test may change under it."""

    cluster: FakeCluster = field(default_factory=FakeCluster)
    pool: Pool | None = field(default_factory=lambda: pool(64))
    missing: list[str] = field(default_factory=list)
    port: int = 0

    async def ask(self, method: str, path: str, sent: bytes = b"", **headers: str) -> Answer:
        """Make one HTTPS request on a connection of its own."""
        return await asyncio.to_thread(self._ask, method, path, sent, headers)

    async def post(self, sent: bytes, **headers: str) -> Answer:
        """Send a body to /mutate-pods."""
        return await self.ask("POST", "/mutate-pods", sent, **headers)

    async def raw(self, sent: bytes) -> bytes:
        """Send bytes as they are on an encrypted connection, and read the answer."""
        return await asyncio.to_thread(self._raw, sent)

    async def leave(self, sent: bytes) -> None:
        """Send bytes on an encrypted connection and leave without reading."""
        await asyncio.to_thread(self._raw, sent, 0)

    async def plain(self, sent: bytes) -> bytes:
        """Send bytes unencrypted, and read until the connection is closed."""
        return await asyncio.to_thread(self._plain, sent)

    async def still_serves(self) -> bool:
        """Whether a good request gets its address."""
        new = pod(GOOD)
        answer = await self.post(body(request(new)))
        return '"mac":"02:00:00:00:00:' in str(patched(new, answer.body))

    def _ask(self, method: str, path: str, sent: bytes, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPSConnection(
            "localhost", self.port, context=_client_tls(), timeout=20
        )
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(connection):
            connection.request(method, path, sent or None, named)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())

    def _plain(self, sent: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as plain:
            plain.sendall(sent)
            try:
                return plain.recv(1 << 16)
            except ConnectionResetError:
                return b""

    def _raw(self, sent: bytes, most: int = 1 << 16) -> bytes:
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=20) as plain,
            _client_tls().wrap_socket(plain, server_hostname="localhost") as encrypted,
        ):
            encrypted.sendall(sent)
            return encrypted.recv(most) if most else b""


@asynccontextmanager
async def running() -> AsyncIterator[Program]:
    """Run the server until the block ends."""
    program = Program()
    replica = Replica(program.cluster)
    handlers = dataclasses.replace(
        replica.handlers,
        pools=lambda: only(program.pool),
        not_ready_because=lambda: program.missing,
    )
    serving = Serving(TlsOptions())
    serving.put(CERTIFICATE)
    app = application(handlers, lambda: program.missing)
    runner = await serve(app, [("127.0.0.1", 0)], serving.tls)
    program.port = runner.addresses[0][1]
    try:
        yield program
    finally:
        await runner.cleanup()


def _client_tls() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=CERTIFICATE.certificate.decode())
