"""One connection to an API server: requests, refusals, and what changes while one watches."""

import json
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

Object = dict[str, Any]

_ANSWER_S = 60.0
_RETRY_S = 0.2  # while the API server is away
_REFUSED = 400


class Refused(Exception):
    """The API server refused; the message is what kubectl prints after `Error from server`."""

    def __init__(self, status: int, body: bytes) -> None:
        found = _parsed(body)
        super().__init__(found.get("message") or body.decode(errors="replace").strip())
        self.status = status
        self.reason: str = found.get("reason", "")
        self.from_api = bool(found)  # if not, the path itself is unknown


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API server: its text and its warnings."""

    text: str
    warnings: tuple[str, ...]

    @property
    def object(self) -> Object:
        """The text as JSON."""
        found: Object = json.loads(self.text)
        return found


@dataclass(frozen=True, slots=True)
class Connection:
    """Requests to one API server as one user; connections are kept open between them."""

    _api: Any  # kubernetes.client.ApiClient, which has no types
    _impersonating: Mapping[str, str] = field(default_factory=dict)  # headers

    @classmethod
    def to(cls, kubeconfig: Path) -> "Connection":
        """Return a connection to the cluster of a kubeconfig."""
        # Imported here because that takes 0.5 s of CPU, which not every command needs.
        from kubernetes import config  # noqa: PLC0415

        return cls(config.new_client_from_config(str(kubeconfig)))  # type: ignore[no-untyped-call]

    def as_user(self, user: str, group: str = "") -> "Connection":
        """Return a connection that acts as another user, as `kubectl --as` does."""
        asked = {"Impersonate-User": user, "Impersonate-Group": group}
        return replace(self, _impersonating={name: value for name, value in asked.items() if value})

    def send(  # noqa: PLR0913 - a request has these many sides
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
        accept: str = "application/json, */*",
    ) -> Answer:
        """Make one request; raise Refused."""
        headers = {"Content-Type": content, "Accept": accept}
        response = self._open(method, path, query, headers, body=body)
        text = response.data.decode()
        return Answer(text, tuple(map(_warning, response.headers.getlist("Warning"))))

    def states(
        self, path: str, query: Mapping[str, str], deadline: float
    ) -> Iterator[Collection[Object]]:
        """Give all objects of a collection, at first and after each change, until the deadline."""
        while True:
            try:
                listed = self.send("GET", path, query=query).object
                found = {item["metadata"]["uid"]: item for item in listed["items"]}
                yield found.values()
                since = listed["metadata"]["resourceVersion"]
                for event in self._events(path, query, since, deadline):
                    uid = event["object"]["metadata"]["uid"]
                    if event["type"] == "DELETED":
                        found.pop(uid, None)
                    else:
                        found[uid] = event["object"]
                    yield found.values()
            except (urllib3.exceptions.HTTPError, Refused):
                time.sleep(_RETRY_S)  # the API server restarts, or the resource is new
            if time.monotonic() > deadline:
                return

    def _events(
        self, path: str, query: Mapping[str, str], since: str, deadline: float
    ) -> Iterator[Object]:
        """Changes since a version, until the deadline or until the API server ends the watch."""
        left_s = max(1, round(deadline - time.monotonic()))
        watch = {"watch": "true", "resourceVersion": since, "timeoutSeconds": f"{left_s}"}
        headers = {"Accept": "application/json"}
        response = self._open("GET", path, {**query, **watch}, headers, answer_s=left_s + 1)
        try:
            rest = b""
            for chunk in response.stream():
                *lines, rest = (rest + chunk).split(b"\n")
                for event in map(_parsed, filter(None, lines)):
                    if event["type"] == "ERROR":  # the version is too old
                        return
                    yield event
        finally:
            response.close()

    def _open(  # noqa: PLR0913 - a request has these many sides
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        headers: dict[str, str],
        *,
        body: object = None,
        answer_s: float = _ANSWER_S,
    ) -> urllib3.BaseHTTPResponse:
        """Send a request; return the response, whose body is not read yet; raise Refused."""
        headers.update(self._impersonating)
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = f"{self._api.configuration.host}{path}"
        response: urllib3.BaseHTTPResponse = self._api.rest_client.pool_manager.request(
            method,
            f"{url}?{urlencode(query)}" if query else url,
            body=None if body is None else json.dumps(body).encode(),
            headers=headers,
            timeout=urllib3.Timeout(connect=_ANSWER_S, read=answer_s),
            preload_content=False,
        )
        if response.status >= _REFUSED:
            raise Refused(response.status, response.data)
        return response


def _parsed(body: bytes) -> Object:
    """Return a JSON object, empty where the body is something else."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _warning(header: str) -> str:
    """Return the text of a Warning header (RFC 7234, section 5.5): `299 - "text"`."""
    quoted = header.partition('"')[2].rpartition('"')[0]
    return quoted.replace('\\"', '"').replace("\\\\", "\\")
