"""The kopf operator: its handlers start and stop the controller, and follow its settings.

kopf hosts the program. Its startup handler waits for the Lease, so a standby watches nothing. Its
event handlers follow our own objects and settings. Pods, VMs, VMIs and MacAllocations are followed
by our own watches (kube/watch.py, started in leading.py), because there are hundreds of thousands
of them.

Law: all handlers of objects are `on.event` handlers. They leave no annotation and no finalizer, and
kopf does not retry them. So they put the object into a view, or ask for a periodic task, which
retries. The other kinds of handlers would do harm here:
docs/decisions/2026-11-30-kopf-hosts-the-controller.md.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import aiohttp
import kopf
import msgspec

from controller.collisions.namespaces import Mutator, Namespace
from controller.leading import Task
from crds.names import AUTHORITY_SECRET, CONFIG_MAP, CONTROLLER, MUTATOR, POOL, SERVING_SECRET
from kube.login import Login

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.program import Program

_MACPOOLS = "macpools.kubemacpool.io"
_POOLS = ("kubemacpool.io", "v1beta1", "macpools")
_CRDS = ("apiextensions.k8s.io", "v1", "customresourcedefinitions")
_WEBHOOKS = ("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations")
_CONFIG_MAPS, _SECRETS = ("", "v1", "configmaps"), ("", "v1", "secrets")
_NAMESPACES = ("", "v1", "namespaces")
# Secrets are followed by namespace: a field selector cannot name two of them.
_OUR_SECRETS = frozenset({AUTHORITY_SECRET, SERVING_SECRET})
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 30.0


class Retries:
    """The delays before kopf's retries of a call: they grow to 30 s, and do not end.

    kopf's own list is finite. After its last delay the operator would end.
    """

    def __iter__(self) -> Iterator[float]:
        wait_s = _FIRST_RETRY_S
        while True:
            yield wait_s
            wait_s = min(2 * wait_s, _LONGEST_RETRY_S)


async def operate(program: Program) -> None:
    """Run until SIGTERM, or until the program ends. Raises what kopf does when it ends early."""
    await kopf.operator(
        registry=registry(program),
        settings=kopf.OperatorSettings(),
        standalone=True,  # peering pauses all replicas of the same priority; we have the Lease
        namespaces=[program.options.namespace],
        stop_flag=program.ended,
        # Otherwise kopf looks up the name of the user, and the user of a pod may have none.
        identity=CONTROLLER,  # type: ignore[arg-type] # its NewType is private
    )


def registry(program: Program) -> kopf.OperatorRegistry:
    """Return all handlers."""
    handlers = kopf.OperatorRegistry()
    _register_activities(handlers, program)
    _register_settings(handlers, program)
    if program.options.own_certificates:
        _register_certificates(handlers, program)
    return handlers


def configure(settings: kopf.OperatorSettings) -> None:
    """Bound kopf's calls, and let it ask for no more than our roles allow."""
    settings.posting.enabled = False  # kube.recorder writes our events
    # kopf would kill the process after this time; the grace period of the pod is shorter.
    settings.process.ultimate_exiting_timeout = None
    settings.networking.request_timeout = 30.0
    settings.networking.connect_timeout = 10.0
    settings.networking.error_backoffs = Retries()
    only = settings.watching.field_selectors
    only[_CONFIG_MAPS] = f"metadata.name={CONFIG_MAP}"
    only[_POOLS] = f"metadata.name={POOL}"
    only[_CRDS] = f"metadata.name={_MACPOOLS}"
    only[_WEBHOOKS] = f"metadata.name={MUTATOR}"
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # Both warn if a standby is stopped, because its startup handler waits for the Lease.
    for name in ("kopf._core.reactor.running", "kopf.activities"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _register_activities(handlers: kopf.OperatorRegistry, program: Program) -> None:
    @kopf.on.startup(registry=handlers, errors=kopf.ErrorsMode.PERMANENT)
    async def start(settings: kopf.OperatorSettings, **_: object) -> None:
        configure(settings)
        await program.start()

    @kopf.on.cleanup(registry=handlers, errors=kopf.ErrorsMode.PERMANENT)
    async def stop(**_: object) -> None:
        await program.stop()

    @kopf.on.login(registry=handlers)
    async def log_in(**_: object) -> kopf.AiohttpSession:
        return session(Login(program.kubeconfig))


def _register_settings(handlers: kopf.OperatorRegistry, program: Program) -> None:
    @kopf.on.event(*_CONFIG_MAPS, registry=handlers)
    @kopf.on.event(*_POOLS, registry=handlers)
    @kopf.on.event(*_CRDS, registry=handlers)  # a CRD that was created again has no pool
    async def pool_changed(type: str | None, meta: kopf.Meta, memo: kopf.Memo, **_: object) -> None:  # noqa: A002 # kopf's name
        if _is_new(type, meta, memo):
            program.leading.tasks.run_soon(Task.POOL)

    @kopf.on.event(*_NAMESPACES, registry=handlers)
    async def namespace_changed(event: kopf.RawEvent, **_: object) -> None:
        namespaces = program.leading.replica.namespaces
        namespace = msgspec.convert(event["object"], Namespace)
        if event["type"] == "DELETED":
            namespaces.drop(namespace)
        else:
            namespaces.put(namespace)

    @kopf.on.event(*_WEBHOOKS, registry=handlers)
    async def selectors_changed(event: kopf.RawEvent, **_: object) -> None:
        webhooks = program.leading.replica.namespaces.webhooks
        if event["type"] == "DELETED":
            webhooks.drop()
        else:
            webhooks.put(msgspec.convert(event["object"], Mutator))


def _register_certificates(handlers: kopf.OperatorRegistry, program: Program) -> None:
    @kopf.on.event(*_SECRETS, registry=handlers, when=lambda name, **_: name in _OUR_SECRETS)
    @kopf.on.event(*_WEBHOOKS, registry=handlers)
    async def certificates_changed(
        type: str | None,  # noqa: A002 # kopf's name
        meta: kopf.Meta,
        memo: kopf.Memo,
        **_: object,
    ) -> None:
        if _is_new(type, meta, memo):
            program.leading.tasks.run_soon(Task.CERTIFICATES)


def _is_new(type: str | None, meta: kopf.Meta, memo: kopf.Memo) -> bool:  # noqa: A002 # kopf's name
    """Return False if only the status changed, as by our own writes: the generation is the same."""
    generation, before = meta.get("generation"), memo.get("generation")
    memo["generation"] = generation
    return type != "MODIFIED" or generation is None or generation != before


def session(login: Login) -> kopf.AiohttpSession:
    """Log in as `kube.client` does. kopf asks again when the API server refuses the token."""
    authorization = login.authorization()
    return kopf.AiohttpSession(
        server=login.server,
        aiohttp_session=aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=login.tls),
            headers={"Authorization": authorization} if authorization else {},
        ),
    )
