"""Lets a client read the metrics if the API server allows it to `get` the path /metrics.

Kubernetes' own components do the same: a TokenReview of the bearer token, then a
SubjectAccessReview. Law: without an answer of the API server, no client reads the metrics.
"""

from __future__ import annotations

import hashlib
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kube.errors import ApiError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.client import Api

_log = logging.getLogger(__name__)

# An answer is valid for a minute, because Prometheus reads every 15 to 60 s. A client that loses
# the right can read for this time.
ADMITTED_S = 60.0
_MOST_ADMITTED = 64  # one or two Prometheus servers, and people
# An unknown client costs the API server two calls. Beyond this number at once, clients are refused
# without a call.
_MOST_ASKING = 8
_REVIEW = "/apis/authentication.k8s.io/v1/tokenreviews"
_ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_PATH = "/metrics"


class Refusal(NamedTuple):
    """The HTTP status of the answer, and the reason."""

    status: int
    why: str


class _User(msgspec.Struct, omit_defaults=True):
    username: str = ""
    uid: str = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}


class _Status(msgspec.Struct):
    authenticated: bool = False
    allowed: bool = False
    user: _User = msgspec.field(default_factory=_User)


class _Review(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


class MetricsAuthorizer:
    """Asks the API server about each bearer token; `now_s` is a monotonic clock."""

    def __init__(self, api: Api, now_s: Callable[[], float]) -> None:
        self._api = api
        self._now_s = now_s
        self._admitted: dict[bytes, float] = {}  # hash of the token -> time when its answer expires
        self._asking = 0

    async def check(self, authorization: str) -> Refusal | None:
        """Return why the sender of this header must not read the metrics, or None."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or not token.isascii():
            return Refusal(
                HTTPStatus.UNAUTHORIZED,
                "send the bearer token of a service account that may get /metrics",
            )
        digest = hashlib.sha256(token.encode()).digest()
        if self._admitted.get(digest, 0.0) > self._now_s():
            return None
        if self._asking >= _MOST_ASKING:
            return Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE, "too many clients are being checked: retry"
            )
        self._asking += 1
        try:
            refusal = await self._ask(token)
        except (ApiError, Unreachable, ValueError) as error:
            _log.warning("a client of the metrics cannot be checked: %s", error)
            return Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE, "the API server did not say who you are: retry"
            )
        finally:
            self._asking -= 1
        if refusal is None:
            if len(self._admitted) >= _MOST_ADMITTED:
                self._admitted.clear()
            self._admitted[digest] = self._now_s() + ADMITTED_S
        return refusal

    async def _ask(self, token: str) -> Refusal | None:
        known = await self._review(_REVIEW, "authentication.k8s.io/v1", {"token": token})
        if not known.authenticated:
            return Refusal(HTTPStatus.UNAUTHORIZED, "the API server does not know this token")
        user = known.user
        spec: dict[str, object] = {
            "user": user.username,
            "uid": user.uid,
            "groups": user.groups,
            "extra": user.extra,
            "nonResourceAttributes": {"path": _PATH, "verb": "get"},
        }
        if not (await self._review(_ACCESS, "authorization.k8s.io/v1", spec)).allowed:
            return Refusal(
                HTTPStatus.FORBIDDEN,
                f"{user.username} may not get {_PATH} (nonResourceURLs of a role)",
            )
        return None

    async def _review(self, path: str, group: str, spec: dict[str, object]) -> _Status:
        kind = "TokenReview" if path == _REVIEW else "SubjectAccessReview"
        body = {"apiVersion": group, "kind": kind, "spec": spec}
        raw = await self._api.post(path, msgspec.json.encode(body))
        return msgspec.json.decode(raw, type=_Review).status
