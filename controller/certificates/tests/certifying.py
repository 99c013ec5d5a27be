"""A certifier on a real API server, and the objects that it keeps."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from controller.certificates.certifier import Certifier
from controller.certificates.intervals import Intervals
from controller.certificates.issuing import Pair, service_names
from controller.certificates.tests.test_issuing import shake_hands
from crds.names import AUTHORITY_SECRET, MUTATOR, NAMESPACE, SERVING_SECRET

if TYPE_CHECKING:
    from pathlib import Path

    from kube.client import Api
    from testbed.client import Client

INTERVALS = Intervals()
CONFIGURATIONS = "mutatingwebhookconfiguration"


@dataclass
class Scene:
    """A certifier, its monotonic clock, and the objects that it keeps."""

    api: Api
    client: Client
    folder: Path
    now_s: float = 0.0
    later: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.certifier = Certifier(
            self.api,
            NAMESPACE,
            INTERVALS,
            lambda: datetime.now(UTC) + self.later,
            self._monotonic_s,
        )

    def _monotonic_s(self) -> float:
        return self.now_s

    async def reconcile(self) -> float | None:
        return await self.certifier.reconcile()

    def delete(self, name: str) -> None:
        self.client.delete("secret", name, NAMESPACE)

    def secret(self, name: str) -> dict[str, Any]:
        return self.client.read("secret", name, NAMESPACE)

    def pair(self, name: str) -> Pair:
        data = self.secret(name)["data"]
        return Pair(b64decode(data["tls.crt"]), b64decode(data["tls.key"]))

    @property
    def ca(self) -> bytes:
        return self.pair(AUTHORITY_SECRET).certificate

    def webhooks(self) -> list[dict[str, Any]]:
        return list(self.client.read(CONFIGURATIONS, MUTATOR)["webhooks"])

    def bundles(self) -> set[bytes]:
        return {b64decode(hook["clientConfig"].get("caBundle", "")) for hook in self.webhooks()}

    def empty_bundle(self) -> None:
        """Remove the caBundle of the first webhook."""
        first, *others = self.webhooks()
        del first["clientConfig"]["caBundle"]
        self.client.patch(CONFIGURATIONS, MUTATOR, {"webhooks": [first, *others]})

    def versions(self) -> list[object]:
        secrets = (self.secret(name)["metadata"] for name in (AUTHORITY_SECRET, SERVING_SECRET))
        return [*secrets, *self.client.list(CONFIGURATIONS)]

    def call(self) -> None:
        """Do the handshake of an API server that knows the caBundle."""
        [bundle] = self.bundles()
        shake_hands(self.pair(SERVING_SECRET), bundle, service_names(NAMESPACE)[2], self.folder)
