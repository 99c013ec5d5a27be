"""Reads the Secrets and the webhook configuration, and writes what `checklist.decide` returns.

Law: every write is a compare-and-swap, so that no controller reverts a write of another one. After
each write everything is read again.
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
from crds.names import AUTHORITY_SECRET, MUTATOR, SERVING_SECRET
from kube.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from controller.certificates.intervals import Intervals
    from kube.client import Api

T = TypeVar("T")


_log = logging.getLogger(__name__)
_MISSING = (
    f"there is no MutatingWebhookConfiguration {MUTATOR}: no object gets an address until you apply"
    " the manifest again; its caBundle is written then"
)
_REVERTED = (
    f"MutatingWebhookConfiguration {MUTATOR}: another client keeps changing its caBundle, so it is"
    " written again only after growing pauses, and requests are refused until then: find the client"
    " in metadata.managedFields, and stop it"
)
_CONFIGURATION = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{MUTATOR}"
# Three writes are enough, or six if the CA is due at once. The others are for the conflicts with
# another writer.
_MOST_READS = 10


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
class _Objects:
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
    """Issues and renews the certificates. `ends` has their expiry by name: `ca`, `serving`."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        intervals: Intervals,
        now: Callable[[], datetime],
        monotonic_s: Callable[[], float],
    ) -> None:
        """`now` is the wall clock, with its zone, as certificates need it."""
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
        """Read and write until nothing is left to write. Return in how many seconds that changes.

        Raises ApiError, Unreachable.
        """
        for _ in range(_MOST_READS):
            objects = await self._read_all()
            try:
                left = await self._step(objects)
            except ApiError as error:
                if not (error.is_conflict or error.is_not_found):
                    raise
                _log.info("certificates: another client wrote first, reading again: %s", error)
            else:
                if left is not None:
                    return left.total_seconds()
        _log.warning("certificates: other clients keep changing them; trying again later")
        return None

    async def _step(self, objects: _Objects) -> timedelta | None:
        """Do the next write; if there is none, return for how long."""
        found = objects.found(self._namespace)
        self.ends = ends(found)
        signed = found.authority.certificate if found.authority else b""
        trusted_for = self._trust.seen(signed, found.bundles.values(), self._monotonic_s())
        match decide(found, self._now(), self._intervals, trusted_for):
            case IssueAuthority(reason):
                _log.info("issuing a CA (Secret %s): %s", AUTHORITY_SECRET, reason)
                pair = issue_authority(self._now(), self._intervals)
                await self._write(AUTHORITY_SECRET, objects.authority, pair)
            case WriteBundle(bundle):
                if left := self._reverts.left(bundle, self._monotonic_s()):
                    self._say(_REVERTED)
                    return left
                _log.info("writing the caBundle of %s", MUTATOR)
                assert objects.configuration is not None  # noqa: S101 # it has webhooks
                await self._distribute(objects.configuration, bundle)
                self._reverts.wrote(bundle, self._monotonic_s())
            case IssueServing(reason, authority):
                _log.info("issuing a certificate (Secret %s): %s", SERVING_SECRET, reason)
                pair = issue_serving(authority, self._namespace, self._now(), self._intervals)
                await self._write(SERVING_SECRET, objects.serving, pair, authority.certificate)
            case Waiting(reason, left):
                self._say(
                    f"a certificate (Secret {SERVING_SECRET}) follows within 10 s, when every API"
                    f" server knows the new caBundle: {reason}"
                )
                return left
            case Settled(left):
                self._say(_MISSING if objects.configuration is None else "")
                return left
            case never:
                assert_never(never)
        return None

    def _say(self, what: str) -> None:
        """Log a state once, when it begins."""
        if what and what != self._last_said:
            is_wrong = what in {_MISSING, _REVERTED}
            _log.log(logging.WARNING if is_wrong else logging.INFO, "%s", what)
        self._last_said = what

    async def _read_all(self) -> _Objects:
        return _Objects(
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
        if signer:  # in the same write: a reader of the pair also has the CA to trust
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
        else:  # other keys stay, and so does its type, which cannot be changed
            version = {"resourceVersion": old.metadata.resource_version}
            change = {"metadata": version, "data": data}
            await self._api.merge(f"{self._secrets}/{name}", msgspec.json.encode(change))

    async def _distribute(self, configuration: _Configuration, bundle: bytes) -> None:
        """Write the caBundle into every webhook as it was read.

        A merge patch needs the whole list. It is sent with its resourceVersion, so users' edits
        stay. As an update it owns only the caBundles, and applying the manifest again leaves them.
        Server-side apply would also own the webhooks: then another owner could not remove one, and
        the API server would refuse the rest of it.
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
