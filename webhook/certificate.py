"""The serving certificate: read from its Secret, and replaced without a restart.

Law: a certificate that does not fit its key never replaces one that works. Loading such a pair into
an SSLContext in use breaks every later handshake. So each pair gets its own context, and
`sni_callback` (also called without SNI) gives each new connection the newest one.
"""

from __future__ import annotations

import base64
import logging
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from kube import tls
from kube.resource import Resource

if TYPE_CHECKING:
    from kube.tls import TlsOptions

_log = logging.getLogger(__name__)


class _Data(msgspec.Struct):
    certificate: str = msgspec.field(default="", name="tls.crt")
    key: str = msgspec.field(default="", name="tls.key")


class _Secret(msgspec.Struct):
    data: _Data = msgspec.field(default_factory=_Data)


@dataclass(frozen=True, slots=True, repr=False)
class Pair:
    """Certificate chain and private key, PEM. Its repr is hidden: keys never reach a log."""

    certificate: bytes
    key: bytes


def read_secret(raw: bytes) -> Pair:
    """Read a Secret of type kubernetes.io/tls."""
    data = msgspec.json.decode(raw, type=_Secret).data
    return Pair(base64.b64decode(data.certificate), base64.b64decode(data.key))


SECRETS = Resource("/api/v1", "secrets", read_secret)


class Serving:
    """The TLS side of the server (a View for the Follower of its one Secret)."""

    def __init__(self, options: TlsOptions) -> None:
        self._options = options
        self._newest: ssl.SSLContext | None = None
        self.tls = options.context()
        self.tls.sni_callback = self._hand_over

    @property
    def is_ready(self) -> bool:
        """Return True if a handshake can succeed."""
        return self._newest is not None

    def reset(self, everything: list[Pair]) -> None:
        """See View.reset."""
        for pair in everything:
            self.put(pair)

    def put(self, item: Pair) -> None:
        """Use `item` from the next connection on, if its key fits its certificate."""
        context = self._options.context()
        try:
            tls.load(context, item.certificate, item.key)
        except (ssl.SSLError, ValueError) as error:
            _log.error("the serving certificate in the Secret does not work: %s", error)
        else:
            self._newest = context
            _log.info("serving certificate loaded")

    def drop(self, item: Pair) -> None:
        """Keep serving: the controller will write a new Secret."""

    def _hand_over(
        self, connection: ssl.SSLObject, _name: str | None, _first: ssl.SSLContext
    ) -> int | None:
        if self._newest is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self._newest
        return None
