"""The configuration plane: kopf follows what people and other controllers edit, and we are told.

Law: a handler only marks what to look at again. An `on.event` handler leaves no annotation and no
finalizer, and is never called twice for one event; so looking, and trying again, are not its.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import ssl
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import aiohttp
import kopf

from controller.certify import AUTHORITY_SECRET, SERVING_SECRET
from controller.configuration import CONFIG_MAP
from controller.namespaces import MUTATOR
from crds.login import configuration as configured

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_log = logging.getLogger(__name__)

# kopf ends early on errors that it does not expect (a watch's ERROR, a list's 5xx): it is started
# again, ever more slowly, and at once again if it ran for longer than the longest wait.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
# Its own tries of one call (its default: 54 s), after which it ends and we go on trying.
_RETRIES_S = (1.0, 2.0, 4.0)
# Its workers have 2 s to end (settings.queueing.exit_timeout), its other tasks 5 s.
_STOP_S = 10.0
# How long aiohttp's connections take to say goodbye (its "Graceful Shutdown").
_TLS_CLOSE_S = 0.25


class Subject(StrEnum):
    """What is to be looked at again."""

    POOL = "pool"
    CERTIFICATES = "certificates"


@dataclass(frozen=True, slots=True)
class Followed:
    """Events of the objects `names` of a resource mark `subject`."""

    group: str
    version: str
    plural: str
    names: frozenset[str]
    subject: Subject


_CRDS, _MACPOOLS = "apiextensions.k8s.io", "macpools.kubemacpool.io"
_WEBHOOKS = "admissionregistration.k8s.io"
FOLLOWED = (
    Followed("", "v1", "configmaps", frozenset({CONFIG_MAP}), Subject.POOL),
    Followed("kubemacpool.io", "v1beta1", "macpools", frozenset({"default"}), Subject.POOL),
    # Deleted and created again, as by an uninstall, it comes back without the pool.
    Followed(_CRDS, "v1", "customresourcedefinitions", frozenset({_MACPOOLS}), Subject.POOL),
    Followed(
        "",
        "v1",
        "secrets",
        frozenset({AUTHORITY_SECRET, SERVING_SECRET}),
        Subject.CERTIFICATES,
    ),
    Followed(
        _WEBHOOKS,
        "v1",
        "mutatingwebhookconfigurations",
        frozenset({MUTATOR}),
        Subject.CERTIFICATES,
    ),
)


async def follow(
    mark: Callable[[Subject], None],
    *,
    namespace: str,
    kubeconfig: str | None = None,
    subjects: Collection[Subject] = tuple(Subject),
) -> None:
    """Call `mark`, on this loop, for what changes about `subjects`, until cancelled.

    Everything is marked whenever the following begins anew, because what happened in between has
    no event. kopf has a thread of its own: it takes signals and cancels tasks of the loop it is on.
    """
    loop = asyncio.get_running_loop()
    wait_s = _FIRST_WAIT_S
    while True:
        began = loop.time()
        for subject in subjects:
            mark(subject)
        try:
            await _run(_handing_over(mark, loop), namespace, kubeconfig, subjects)
        except Exception as error:  # noqa: BLE001 # whatever ended it, it is started again
            _log.warning("kopf ended: %s: %s", type(error).__name__, str(error))
        if loop.time() - began > _LONGEST_WAIT_S:
            wait_s = _FIRST_WAIT_S
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


async def _run(
    mark: Callable[[Subject], None],
    namespace: str,
    kubeconfig: str | None,
    subjects: Collection[Subject],
) -> None:
    """Run kopf once; when cancelled, ask it to stop and wait for that."""
    stop: concurrent.futures.Future[None] = concurrent.futures.Future()
    outcome: concurrent.futures.Future[None] = concurrent.futures.Future()
    outcome.set_running_or_notify_cancel()  # cancelling our wait does not cancel it

    async def operate() -> None:
        # Of several failures kopf raises one; the others are reported when they are collected.
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: _log.debug("kopf: %s", context["message"])
        )
        async with contextlib.AsyncExitStack() as sessions:
            # First in, last out: TLS connections take a moment to say goodbye.
            sessions.push_async_callback(asyncio.sleep, _TLS_CLOSE_S)
            await kopf.operator(
                registry=_registry(mark, kubeconfig, sessions, subjects),
                settings=_settings(namespace),
                standalone=True,
                # Else it looks for the user's name, which a pod's user need not have.
                identity="kubemacpool-controller",  # type: ignore[arg-type] # its NewType is private
                namespaces=[namespace],
                # Given the thread-safe one itself, it blocks a thread on it: an early end hangs.
                stop_flag=asyncio.wrap_future(stop),
            )

    def work() -> None:
        try:
            outcome.set_result(asyncio.run(operate()))
        except BaseException as error:  # noqa: BLE001 # it is the other thread's to judge
            outcome.set_exception(error)

    # A daemon: should kopf ever hang, the process can end all the same.
    threading.Thread(target=work, name="kopf", daemon=True).start()
    ended = asyncio.wrap_future(outcome)
    try:
        await asyncio.wait({ended})
    finally:
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            stop.set_result(None)
        await asyncio.wait({ended}, timeout=_STOP_S)
        if ended.done():
            ended.exception()  # looked at, so that it is not reported when we were cancelled
    ended.result()


def _registry(
    mark: Callable[[Subject], None],
    kubeconfig: str | None,
    sessions: contextlib.AsyncExitStack,
    subjects: Collection[Subject],
) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: object) -> kopf.AiohttpSession:
        login = _login(kubeconfig)
        sessions.push_async_callback(login.aiohttp_session.close)
        return login

    for followed in FOLLOWED:
        if followed.subject in subjects:
            _register(registry, followed, mark)
    return registry


def _register(
    registry: kopf.OperatorRegistry, followed: Followed, mark: Callable[[Subject], None]
) -> None:
    generations: dict[str, int | None] = {}

    @kopf.on.event(
        followed.group,
        followed.version,
        followed.plural,
        registry=registry,
        id=followed.plural,
        when=lambda name, **_: name in followed.names,
    )
    async def changed(type: str | None, uid: str, meta: kopf.Meta, **_: object) -> None:  # noqa: A002 # kopf's name
        # The generation counts changes of the spec: our own writes of a status are no news.
        generation = meta.get("generation")
        if type != "MODIFIED" or generation is None or generations.get(uid) != generation:
            mark(followed.subject)
        generations[uid] = generation


def _handing_over(
    mark: Callable[[Subject], None], loop: asyncio.AbstractEventLoop
) -> Callable[[Subject], None]:
    def hand_over(subject: Subject) -> None:
        with contextlib.suppress(RuntimeError):  # our loop is closed: nobody looks any more
            loop.call_soon_threadsafe(mark, subject)

    return hand_over


def _login(kubeconfig: str | None) -> kopf.AiohttpSession:
    """Log in as `crds.client` does; kopf asks again when the API server refuses the token.

    The session is ours to close: kopf does not when it ends early.
    """
    configuration = configured(kubeconfig)
    token = configuration.get_api_key_with_prefix("authorization") or (
        configuration.get_api_key_with_prefix("BearerToken")
    )
    tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        tls.load_cert_chain(configuration.cert_file, configuration.key_file)
    return kopf.AiohttpSession(
        server=configuration.host,
        aiohttp_session=aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls),
            headers={"Authorization": token} if token else {},
        ),
    )


def _settings(namespace: str) -> kopf.OperatorSettings:
    """Return new ones for each start: kopf writes into them."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    # It kills the process so long after an early end; the pod's grace period does better.
    settings.process.ultimate_exiting_timeout = None
    settings.networking.request_timeout = 30.0
    settings.networking.connect_timeout = 10.0
    settings.networking.error_backoffs = _RETRIES_S
    # It follows namespaces and CRDs to start and stop watches: these two are all that matter.
    only = settings.watching.field_selectors
    only["v1", "namespaces"] = f"metadata.name={namespace}"
    only[_CRDS, "customresourcedefinitions"] = f"metadata.name={_MACPOOLS}"
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # Warns at each start that signals are not its, which is what we want.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    return settings
