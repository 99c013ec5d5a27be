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

from controller.certificates.bundles import Reverts, Trust
from controller.certificates.checklist import (
    Found,
    IssueAuthority,
    IssueServing,
    Settled,
    Waiting,
    WriteBundle,
    decide,
    ends,
)
from controller.certificates.issuing import Pair, issue_authority, issue_serving
from controller.collisions.namespaces import MUTATOR
from crds.names import AUTHORITY_SECRET, SERVING_SECRET
from kube.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from controller.certificates.intervals import Intervals
    from kube.client import Api

T = TypeVar("T")


_log = logging.getLogger(__name__)
_MISSING = (
    f"there is no MutatingWebhookConfiguration {MUTATOR}: nobody is served until you apply the"
    " manifest again; its caBundle is written then"
)
_REVERTED = (
    f"MutatingWebhookConfiguration {MUTATOR}: somebody else keeps changing its caBundle, which is"
    " written ever more slowly meanwhile, and requests are refused: see who does in"
    " metadata.managedFields, and stop it"
)
_CONFIGURATION = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{MUTATOR}"
# Three writes make everything, six where the CA is then due at once; the others are for whoever
# writes at the same time.
_MOST_LOOKS = 10


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: str


class _Data(msgspec.Struct):
    certificate: bytes = msgspec.field(default=b"", name="tls.crt")
    key: bytes = msgspec.field(default=b"", name="tls.key")
    signer: bytes = msgspec.field(default=b"", name="ca.crt")


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
            self.serving.data.signer if self.serving else b"",
        )


class Certifier:
    """Keeps them; `ends` says when the certificates last read expire, by `ca` and `serving`."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        intervals: Intervals,
        now: Callable[[], datetime],
        monotonic_s: Callable[[], float],
    ) -> None:
        """`now` is the wall clock, aware of its zone: certificates know no other."""
        self.ends: Mapping[str, datetime] = {}
        self._api = api
        self._namespace = namespace
        self._intervals = intervals
        self._now = now
        self._monotonic_s = monotonic_s
        self._trust = Trust()
        self._reverts = Reverts()
        self._last_said = ""

    async def reconcile(self) -> float | None:
        """Look and write until nothing is left to write, and say when that will change, in seconds.

        Raises ApiError, Unreachable.
        """
        for _ in range(_MOST_LOOKS):
            world = await self._look()
            try:
                left = await self._step(world)
            except ApiError as error:
                if not (error.is_conflict or error.is_not_found):
                    raise
                _log.info("certificates: somebody else was faster, looking again: %s", error)
            else:
                if left is not None:
                    return left.total_seconds()
        _log.warning("certificates: others keep changing them; leaving them for now")
        return None

    async def _step(self, world: _World) -> timedelta | None:
        """Do the one thing that comes first; where there is none, say for how long."""
        found = world.found(self._namespace)
        self.ends = ends(found)
        signed = found.authority.certificate if found.authority else b""
        trusted_for = self._trust.seen(signed, found.bundles.values(), self._monotonic_s())
        match decide(found, self._now(), self._intervals, trusted_for):
            case IssueAuthority(reason):
                _log.info("issuing a CA (Secret %s): %s", AUTHORITY_SECRET, reason)
                pair = issue_authority(self._now(), self._intervals)
                await self._write(AUTHORITY_SECRET, world.authority, pair)
            case WriteBundle(bundle):
                if left := self._reverts.left(bundle, self._monotonic_s()):
                    self._say(_REVERTED)
                    return left
                _log.info("writing the caBundle of %s", MUTATOR)
                assert world.configuration is not None  # noqa: S101 # it has webhooks
                await self._distribute(world.configuration, bundle)
                self._reverts.wrote(bundle, self._monotonic_s())
            case IssueServing(reason, authority):
                _log.info("issuing a certificate (Secret %s): %s", SERVING_SECRET, reason)
                pair = issue_serving(authority, self._namespace, self._now(), self._intervals)
                await self._write(SERVING_SECRET, world.serving, pair, authority.certificate)
            case Waiting(reason, left):
                self._say(
                    f"a certificate (Secret {SERVING_SECRET}) follows within 10 s, when every API"
                    f" server knows the new caBundle: {reason}"
                )
                return left
            case Settled(left):
                self._say(_MISSING if world.configuration is None else "")
                return left
            case never:
                assert_never(never)
        return None

    def _say(self, what: str) -> None:
        """Log what stays as it is, once."""
        if what and what != self._last_said:
            is_wrong = what in {_MISSING, _REVERTED}
            _log.log(logging.WARNING if is_wrong else logging.INFO, "%s", what)
        self._last_said = what

    async def _look(self) -> _World:
        return _World(
            await self._read(f"{self._secrets}/{AUTHORITY_SECRET}", _Secret),
            await self._read(f"{self._secrets}/{SERVING_SECRET}", _Secret),
            await self._read(_CONFIGURATION, _Configuration),
        )

    async def _read(self, path: str, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode(await self._api.get(path), type=kind)
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    async def _write(self, name: str, old: _Secret | None, pair: Pair, signer: bytes = b"") -> None:
        data = {"tls.crt": pair.certificate, "tls.key": pair.key}
        if (
            signer
        ):  # in the same write, so that whoever holds the pair can tell who is to be trusted
            data["ca.crt"] = signer
        if old is None:
            secret = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name},
                "type": "kubernetes.io/tls",
                "data": data,
            }
            await self._api.post(self._secrets, msgspec.json.encode(secret))
        else:  # what else it holds stays, and its type, which cannot be changed
            version = {"resourceVersion": old.metadata.resource_version}
            change = {"metadata": version, "data": data}
            await self._api.merge(f"{self._secrets}/{name}", msgspec.json.encode(change))

    async def _distribute(self, configuration: _Configuration, bundle: bytes) -> None:
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
        await self._api.merge(_CONFIGURATION, msgspec.json.encode(change))

    @property
    def _secrets(self) -> str:
        return f"/api/v1/namespaces/{self._namespace}/secrets"


def _pair(secret: _Secret | None) -> Pair | None:
    return Pair(secret.data.certificate, secret.data.key) if secret else None


def _bundle(webhook: dict[str, Any]) -> bytes:
    return base64.b64decode(webhook["clientConfig"].get("caBundle") or "")
