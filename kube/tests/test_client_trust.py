"""The configuration may change, or be absent for a while, when the program runs."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import ssl
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kube.client import Api
from kube.errors import Unreachable
from kube.tests.api_server import ApiServer, kubeconfig_of, refuses, says

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_FROM, _TO = dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1)  # noqa: DTZ001 # UTC


class Cluster:
    """An API server with TLS, and the kubeconfig that its clients read."""

    def __init__(self, folder: Path, server: TestServer, ca: bytes) -> None:
        self.kubeconfig = folder / "kubeconfig"
        self.url = str(server.make_url("")).rstrip("/").replace("127.0.0.1", "localhost")
        self.ca = ca

    def trust(self, ca: bytes) -> None:
        """Write a kubeconfig that trusts `ca`."""
        trusted = base64.b64encode(ca).decode()
        cluster = {"server": self.url, "certificate-authority-data": trusted}
        self.kubeconfig.write_text(json.dumps(kubeconfig_of(cluster)))


@pytest.fixture
async def tls_server(tmp_path: Path) -> AsyncIterator[Cluster]:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text="{}")

    certificate, key = _pair()
    (tmp_path / "both.pem").write_bytes(key + certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "both.pem")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server(ssl=tls)
    yield Cluster(tmp_path, server, certificate)
    await server.close()


async def test_a_replaced_ca_is_read_again(tls_server: Cluster) -> None:
    tls_server.trust(_pair()[0])
    async with Api("kubemacpool-tests", str(tls_server.kubeconfig)) as api:
        with pytest.raises(Unreachable, match="certificate verify failed"):
            await api.get("/things/one")

        tls_server.trust(tls_server.ca)

        assert await api.get("/things/one") == b"{}"


async def test_a_watch_reads_a_replaced_ca_before_the_next_try(tls_server: Cluster) -> None:
    tls_server.trust(_pair()[0])
    async with Api("kubemacpool-tests", str(tls_server.kubeconfig)) as api:
        tls_server.trust(tls_server.ca)

        with pytest.raises(Unreachable, match="certificate verify failed"):
            [line async for line in api.watch("/things", "1", {}, lambda: None)]

        assert [line async for line in api.watch("/things", "1", {}, lambda: None)] == []


@pytest.mark.parametrize("content", [None, "", "{", "clusters: [", "\x00", "{}"])
async def test_a_configuration_that_cannot_be_read_is_unreachable(
    tmp_path: Path, content: str | None
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    if content is not None:
        kubeconfig.write_text(content)

    with pytest.raises(Unreachable, match="the configuration of the API server: "):
        await Api("kubemacpool-tests", str(kubeconfig)).__aenter__()


async def test_a_token_whose_configuration_is_gone_is_unreachable_until_it_is_back(
    scripted: Api, server: ApiServer, kubeconfig: Path
) -> None:
    server.script += [refuses(401, "Unauthorized"), says(200, "{}")]
    spoil(kubeconfig)

    with pytest.raises(Unreachable, match="the configuration of the API server: "):
        await scripted.get("/things/one")

    mend(kubeconfig)
    assert await scripted.get("/things/one") == b"{}"


async def test_a_retry_after_that_is_not_a_number_of_seconds_is_a_second(
    scripted: Api, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def sleep(wait_s: float) -> None:
        waits.append(wait_s)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    for said in ("Fri, 31 Dec 1999 23:59:59 GMT", "-1", "nan", "", "7"):
        server.script.append(refuses(429, "TooManyRequests", Retry_After=said))
    server.script.append(says(200, "{}"))

    assert await scripted.get("/things/one") == b"{}"

    assert waits == [1.0, 1.0, 1.0, 1.0, 7.0]


def spoil(kubeconfig: Path) -> None:
    kubeconfig.rename(kubeconfig.with_suffix(".good"))
    kubeconfig.write_text("{")


def mend(kubeconfig: Path) -> None:
    kubeconfig.with_suffix(".good").rename(kubeconfig)


def _pair() -> tuple[bytes, bytes]:
    """A self-signed certificate for localhost, and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_TO)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM), pem
