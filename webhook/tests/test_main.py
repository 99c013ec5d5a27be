"""The whole program in process, with an API server behind it that answers what was written down."""

from __future__ import annotations

import argparse
import asyncio
import base64
import socket
import ssl
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from kube.client import Api
from kube.tests.api_server import ApiServer, page, says, serving
from webhook.__main__ import read_arguments, run
from webhook.server import serve
from webhook.tests.program import CERTIFICATE, GOOD, Program
from webhook.tests.reviews import body, pod, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_POOL = {
    "metadata": {"name": "default"},
    "spec": {"ranges": [{"start": "02:00:00:00:00:00", "end": "02:00:00:00:00:0f"}]},
    "status": {"conditions": [{"type": "Adopted", "status": "True"}]},
}
_SECRET = {
    "metadata": {"name": "kubemacpool-service"},
    "data": {
        "tls.crt": base64.b64encode(CERTIFICATE.certificate).decode(),
        "tls.key": base64.b64encode(CERTIFICATE.key).decode(),
    },
}


async def as_installed(request: web.Request) -> web.StreamResponse:
    """List one MacPool, one Secret and no allocation."""
    there: dict[str, list[object]] = {"macpools": [_POOL], "secrets": [_SECRET]}
    found = there.get(request.path.rpartition("/")[2], [])
    return await page(*found)(request)


class Running(Program):
    """The program, and its end: it is asked to stop, drains, and is done."""

    def __init__(self) -> None:
        super().__init__(port=_free_port())
        self.stop = asyncio.Event()
        self.draining = asyncio.Event()
        self.drained = asyncio.Event()
        self.drained_for_s = 0.0

    async def pause(self, pause_s: float) -> None:
        self.drained_for_s = pause_s
        self.draining.set()
        await self.drained.wait()

    async def until_ready(self) -> None:
        async with asyncio.timeout(20):
            while True:
                try:
                    if (await self.ask("GET", "/readyz")).status == 200:
                        return
                except OSError:
                    await asyncio.sleep(0)


@pytest.fixture
async def main(tmp_path: Path) -> AsyncIterator[tuple[Running, ApiServer, asyncio.Task[None]]]:
    server, running = ApiServer(), Running()
    server.script += [as_installed] * 3
    arguments = argparse.Namespace(
        listen_addr=[("127.0.0.1", running.port)],
        namespace="kubemacpool-system",
        tls_min_version="VersionTLS12",
        tls_cipher_suites=None,
        drain_s=7.0,
        stock=16,
        quiet_s=60.0,
    )
    async with serving(server, tmp_path) as kubeconfig:
        api = Api("kubemacpool-tests", kubeconfig)
        task = asyncio.create_task(run(arguments, api, running.stop, running.pause))
        await running.until_ready()
        yield running, server, task
        running.stop.set()
        running.drained.set()
        await asyncio.wait_for(task, 20)


async def test_a_program_told_to_stop_serves_on_and_is_not_ready(
    main: tuple[Running, ApiServer, asyncio.Task[None]],
) -> None:
    running, server, _ = main

    running.stop.set()
    await asyncio.wait_for(running.draining.wait(), 20)
    server.script.append(
        says(201, {"metadata": {"name": "x"}, "spec": {"mac": "02:00:00:00:00:00"}})
    )
    ready = await running.ask("GET", "/readyz")
    served = await running.post(body(request(pod(GOOD))))

    assert (ready.status, ready.text) == (503, "stopping")
    assert served.response["allowed"]
    assert running.drained_for_s == 7.0


async def test_a_drained_program_ends(main: tuple[Running, ApiServer, asyncio.Task[None]]) -> None:
    running, _, task = main

    running.stop.set()
    running.drained.set()
    await asyncio.wait_for(task, 20)

    with pytest.raises(ConnectionRefusedError):
        await running.ask("GET", "/healthz")


async def test_a_stopping_program_keeps_no_connection(
    main: tuple[Running, ApiServer, asyncio.Task[None]],
) -> None:
    running, _, _ = main
    review = body(request(pod("ovs-conf")))
    head = f"POST /mutate-pods HTTP/1.1\r\nHost: x\r\nContent-Length: {len(review)}\r\n\r\n"

    before = await running.raw(head.encode() + review)
    running.stop.set()
    after = await running.raw(head.encode() + review)

    assert b"Connection: close" not in before
    assert b"Connection: close" in after


async def test_without_a_host_it_listens_on_both_families() -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    runner = await serve(web.Application(), [(None, _free_port())], tls)

    hosts = {bound[0] for bound in runner.addresses}
    await runner.cleanup()

    assert hosts == ({"0.0.0.0", "::"} if _has_ipv6() else {"0.0.0.0"})


def _has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as one:
        try:
            one.bind(("::1", 0))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.mark.parametrize("text", ["-1", "many", ""])
def test_a_stock_that_is_no_number_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read_arguments([f"--stock={text}"])

    assert (
        f"argument --stock: invalid number of addresses {text!r}: expected"
        in capsys.readouterr().err
    )
