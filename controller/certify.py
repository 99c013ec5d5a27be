"""Keeps CA, caBundle and serving certificate as `certificates.decide` wants them.

Law: every write is a compare-and-swap on what was read, so no controller undoes another's, and is
followed by a new look.
"""

from __future__ import annotations

import base64
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

import msgspec

from controller.certificates import (
    Found,
    IssueAuthority,
    IssueServing,
    Settled,
    WriteBundle,
    decide,
)
from controller.issuing import SERVICE, Pair, issue_authority, issue_serving
from controller.namespaces import MUTATOR
from crds.client import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from controller.intervals import Intervals
    from crds.client import Api

T = TypeVar("T")

AUTHORITY_SECRET = "kubemacpool-mutator-ca"  # noqa: S105 # a name
SERVING_SECRET = SERVICE

_log = logging.getLogger(__name__)
_NOT_FOUND, _CONFLICT = 404, 409
_CONFIGURATION = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{MUTATOR}"
# Three writes make everything; the others are for whoever writes at the same time.
_MOST_LOOKS = 10


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: str


class _Data(msgspec.Struct):
    certificate: bytes = msgspec.field(default=b"", name="tls.crt")
    key: bytes = msgspec.field(default=b"", name="tls.key")


class _Secret(msgspec.Struct):
    metadata: _Metadata
    data: _Data = msgspec.field(default_factory=_Data)

    __repr__ = object.__repr__  # keys never reach a log


class _Configuration(msgspec.Struct):
    metadata: _Metadata
    webhooks: list[dict[str, Any]] = []  # whole, because they are written back whole


@dataclass(frozen=True, slots=True)
class _World:
    """The objects as they were read, with the versions that a write depends on."""

    authority: _Secret | None
    serving: _Secret | None
    configuration: _Configuration | None

    def found(self, namespace: str) -> Found:
        webhooks = self.configuration.webhooks if self.configuration else []
        return Found(
            namespace,
            _pair(self.authority),
            _pair(self.serving),
            {webhook["name"]: _bundle(webhook) for webhook in webhooks},
        )


@dataclass(frozen=True, slots=True)
class Certifier:
    """`now` is the wall clock, aware of its zone: certificates know no other."""

    api: Api
    namespace: str
    intervals: Intervals
    now: Callable[[], datetime]

    async def settle(self) -> None:
        """Look and write until nothing is left to write. Raises ApiError, Unreachable."""
        for _ in range(_MOST_LOOKS):
            world = await self._look()
            try:
                if await self._step(world):
                    return
            except ApiError as error:
                if error.status not in {_CONFLICT, _NOT_FOUND}:
                    raise
                _log.info("certificates: somebody else was faster, looking again: %s", error)
        _log.warning("certificates: others keep changing them; leaving them for now")

    async def _step(self, world: _World) -> bool:
        """Do the one thing that comes first; say whether there was nothing to do."""
        found = world.found(self.namespace)
        match decide(found, self.now(), self.intervals):
            case IssueAuthority(reason):
                _log.info("issuing a CA (Secret %s): %s", AUTHORITY_SECRET, reason)
                pair = issue_authority(self.now(), self.intervals)
                await self._write(AUTHORITY_SECRET, world.authority, pair)
            case WriteBundle(bundle):
                _log.info("writing the caBundle of %s: it lacks the CA", MUTATOR)
                assert world.configuration is not None  # noqa: S101 # it has webhooks
                await self._trust(world.configuration, bundle)
            case IssueServing(reason, authority):
                _log.info("issuing a certificate (Secret %s): %s", SERVING_SECRET, reason)
                pair = issue_serving(authority, self.namespace, self.now(), self.intervals)
                await self._write(SERVING_SECRET, world.serving, pair)
            case Settled():
                if world.configuration is None:
                    _log.warning(
                        "there is no MutatingWebhookConfiguration %s: nobody is served until you"
                        " apply the manifest again; its caBundle is written then",
                        MUTATOR,
                    )
                return True
            case never:
                assert_never(never)
        return False

    async def _look(self) -> _World:
        return _World(
            await self._read(f"{self._secrets}/{AUTHORITY_SECRET}", _Secret),
            await self._read(f"{self._secrets}/{SERVING_SECRET}", _Secret),
            await self._read(_CONFIGURATION, _Configuration),
        )

    async def _read(self, path: str, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode(await self.api.get(path), type=kind)
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def _write(self, name: str, old: _Secret | None, pair: Pair) -> None:
        data = {"tls.crt": pair.certificate, "tls.key": pair.key}
        if old is None:
            secret = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name},
                "type": "kubernetes.io/tls",
                "data": data,
            }
            await self.api.post(self._secrets, msgspec.json.encode(secret))
        else:  # what else it holds stays, and its type, which cannot be changed
            version = {"resourceVersion": old.metadata.resource_version}
            change = {"metadata": version, "data": data}
            await self.api.merge(f"{self._secrets}/{name}", msgspec.json.encode(change))

    async def _trust(self, configuration: _Configuration, bundle: bytes) -> None:
        """Write the caBundle into every webhook as it was read.

        Sent is the whole list, which a merge patch cannot do without, under its resourceVersion: so
        users' edits stay. As an update it owns the caBundles alone, and applying the manifest again
        leaves them. Server-side apply would own the webhooks, too: then nobody else's could remove
        one, and the API server would refuse the remainder.
        """
        encoded = base64.b64encode(bundle).decode()
        change = {
            "metadata": {"resourceVersion": configuration.metadata.resource_version},
            "webhooks": [
                {**webhook, "clientConfig": {**webhook["clientConfig"], "caBundle": encoded}}
                for webhook in configuration.webhooks
            ],
        }
        await self.api.merge(_CONFIGURATION, msgspec.json.encode(change))

    @property
    def _secrets(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/secrets"


def _pair(secret: _Secret | None) -> Pair | None:
    return Pair(secret.data.certificate, secret.data.key) if secret else None


def _bundle(webhook: dict[str, Any]) -> bytes:
    return base64.b64decode(webhook["clientConfig"].get("caBundle") or "")
