"""Access to the metrics, with the answers of a scripted API server; and over TLS."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from controller.certificates.issuing import issue_for_metrics
from controller.metrics.endpoint import serve
from kube import authorization as readers
from kube import tls
from kube.authorization import ADMITTED_S, MetricsAuthorizer, Refusal
from kube.client import Api
from kube.tests.api_server import ApiServer, hangs_up, refuses, says, serving
from kube.tls import TlsOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

USER = {"username": "system:serviceaccount:monitoring:prometheus", "groups": ["g"], "uid": "u"}
KNOWN = says(201, {"status": {"authenticated": True, "user": USER}})
UNKNOWN = says(201, {"status": {"error": "no such token"}})
MAY = says(201, {"status": {"allowed": True}})
MAY_NOT = says(201, {"status": {"allowed": False, "reason": "no"}})


@dataclass
class Scene:
    """An authorizer, an API server, and the bodies of its requests."""

    server: ApiServer
    api: Api
    now_s: float = 100.0
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.authorizer = MetricsAuthorizer(self.api, lambda: self.now_s)

    async def asks(self, authorization: str, *script: Any) -> int | None:  # noqa: ANN401
        """Return the status of the refusal, None: the client may read."""
        self.server.script.extend(map(self._noting, script))
        refusal = await self.authorizer.check(authorization)
        assert not self.server.script
        return refusal and refusal.status

    def _noting(self, answer: Any) -> Any:  # noqa: ANN401
        async def noted(request: web.Request) -> web.StreamResponse:
            self.bodies.append(await request.json())
            response: web.StreamResponse = await answer(request)
            return response

        return noted


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    server = ApiServer()
    async with serving(server, tmp_path) as kubeconfig, Api("tests", kubeconfig) as api:
        yield Scene(server, api)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearer \udcff"])
async def test_without_a_token_the_api_server_is_not_asked(scene: Scene, header: str) -> None:
    assert await scene.asks(header) == 401
    assert scene.server.asked == []


async def test_a_known_client_with_the_right_to_get_the_path_reads(scene: Scene) -> None:
    assert await scene.asks("Bearer t-9", KNOWN, MAY) is None

    token, access = scene.bodies
    assert token["spec"] == {"token": "t-9"}
    assert access["spec"] == {
        "user": USER["username"],
        "uid": "u",
        "groups": ["g"],
        "extra": {},
        "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
    }


async def test_an_unknown_client_and_one_without_the_right_are_refused_and_checked_again(
    scene: Scene,
) -> None:
    for _ in range(2):
        assert await scene.asks("Bearer t-9", UNKNOWN) == 401
        assert await scene.asks("Bearer t-9", KNOWN, MAY_NOT) == 403


async def test_a_client_with_the_right_is_checked_again_after_a_while(scene: Scene) -> None:
    await scene.asks("Bearer t-9", KNOWN, MAY)

    scene.now_s += ADMITTED_S - 1
    assert await scene.asks("bearer t-9") is None
    assert await scene.asks("Bearer t-8", UNKNOWN) == 401
    scene.now_s += 2
    assert await scene.asks("Bearer t-9", UNKNOWN) == 401


@pytest.mark.parametrize(
    "trouble",
    [refuses(403, "Forbidden"), refuses(500, "InternalError"), hangs_up, says(200, "[]")],
    ids=["forbidden", "broken", "hangs up", "nonsense"],
)
async def test_without_an_answer_no_client_reads(scene: Scene, trouble: Any) -> None:  # noqa: ANN401
    for script in ((trouble,), (KNOWN, trouble)):
        assert await scene.asks("Bearer t-9", *script) == 503


async def test_only_a_few_clients_are_checked_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "_MOST_ASKING", 1)
    arrived, go = asyncio.Event(), asyncio.Event()

    async def held(request: web.Request) -> web.StreamResponse:
        arrived.set()
        await go.wait()
        return await KNOWN(request)

    scene.server.script.append(held)
    first = asyncio.create_task(scene.authorizer.check("Bearer t-1"))
    await arrived.wait()

    assert await scene.asks("Bearer t-2") == 503
    scene.server.script.append(MAY)
    go.set()
    assert await first is None


async def test_only_a_few_clients_are_remembered(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "_MOST_ADMITTED", 2)
    for n in range(5):
        assert await scene.asks(f"Bearer t-{n}", KNOWN, MAY) is None

    assert len(scene.authorizer._admitted) <= 2
    assert await scene.asks("Bearer t-4") is None


async def test_metrics_are_served_over_tls_to_clients_with_the_right() -> None:
    async def check(authorization: str) -> Refusal | None:
        return None if authorization == "Bearer t" else Refusal(401, "who are you?")

    pair = issue_for_metrics(datetime.now(UTC))
    context = TlsOptions().context()
    tls.load(context, pair.certificate, pair.key)
    runner = await serve(("127.0.0.1", 0), context, lambda: b"kmp_leader 1.0\n", check)
    url = f"https://127.0.0.1:{runner.addresses[0][1]}/metrics"
    trusting = ssl.create_default_context(cadata=pair.certificate.decode())
    trusting.check_hostname = False
    async with aiohttp.ClientSession() as session:
        async with session.get(url, ssl=trusting) as answer:
            refused = answer.status, await answer.text(), answer.headers["WWW-Authenticate"]
        async with session.get(url, ssl=trusting, headers={"Authorization": "Bearer t"}) as answer:
            read = answer.status, await answer.text(), answer.headers["Content-Type"]
        async with session.get(url.replace("metrics", "healthz"), ssl=trusting) as answer:
            assert answer.status == 404
    await runner.cleanup()

    assert refused == (401, "who are you?", "Bearer")
    assert read == (200, "kmp_leader 1.0\n", "text/plain; version=0.0.4; charset=utf-8")
