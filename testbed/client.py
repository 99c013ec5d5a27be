"""A client of the API server that keeps its connection: an answer costs 3 ms, a kubectl 300 ms.

Tests prepare and observe through it. They use `kubectl` only for commands that users type.
"""

import functools
import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from testbed.connection import Answer, Connection, Object, Refused
from testbed.discovery import ACCEPT, PATHS, Resource, resources
from testbed.readiness import READY_S, eventually

T = TypeVar("T")

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
_APPLY = "application/apply-patch+yaml"
_NOT_FOUND = 404


@dataclass(slots=True)
class Client:
    """One API server, one user. `kind` is any name that kubectl takes: `vm`, `pods`, `crd`.

    Without a namespace, `list` and `until` look at all of them, and the others at `default`.
    """

    connection: Connection
    _resources: dict[str, Resource] = field(default_factory=dict)

    def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """Return a stored object, or None."""
        try:
            return self.connection.send("GET", self.resource(kind).named(name, namespace)).object
        except Refused as refused:
            if refused.status == _NOT_FOUND and refused.from_api:
                return None
            raise

    def read(self, kind: str, name: str, namespace: str = "") -> Object:
        """Return a stored object; raise Refused if there is none."""
        return self.connection.send("GET", self.resource(kind).named(name, namespace)).object

    def list(
        self, kind: str, namespace: str = "", *, fields: str = "", labels: str = ""
    ) -> list[Object]:
        """Return the objects that match the selectors."""
        path = self.resource(kind).collection(namespace)
        items: list[Object] = self.connection.send(
            "GET", path, query=_selecting(fields, labels)
        ).object["items"]
        return items

    def create(
        self, manifest: str | Mapping[str, Any], namespace: str = "", *, dry_run: bool = False
    ) -> Object:
        """Create an object from a dict, JSON or YAML; return it as it is stored."""
        return self.ask_create(manifest, namespace, dry_run=dry_run).object

    def ask_create(
        self, manifest: str | Mapping[str, Any], namespace: str = "", *, dry_run: bool = False
    ) -> Answer:
        """Create an object; return the answer with its warnings."""
        body = _read(manifest)
        resource = self.resource(f"{body['apiVersion']}/{body['kind']}")
        within = namespace or body["metadata"].get("namespace", "default")
        return self.connection.send(
            "POST", resource.collection(within), body, query=_dry(dry_run=dry_run)
        )

    def apply(self, manifest: str | Mapping[str, Any], namespace: str = "") -> Object:
        """Create or change an object by a server-side apply, by force."""
        body = _read(manifest)
        resource = self.resource(f"{body['apiVersion']}/{body['kind']}")
        within = namespace or body["metadata"].get("namespace", "")
        path = resource.named(body["metadata"]["name"], within)
        query = {"fieldManager": "e2e", "force": "true"}
        return self.connection.send("PATCH", path, body, query=query, content=_APPLY).object

    def patch(  # noqa: PLR0913 - a patch has these many sides
        self,
        kind: str,
        name: str,
        change: object,
        namespace: str = "",
        *,
        subresource: str = "",
        content: str = MERGE,
        dry_run: bool = False,
    ) -> Object:
        """Patch an object; return it as it is stored then."""
        path = self.resource(kind).named(name, namespace, subresource)
        query = _dry(dry_run=dry_run)
        return self.connection.send("PATCH", path, change, query=query, content=content).object

    def label(
        self, kind: str, name: str, labels: Mapping[str, str | None], namespace: str = ""
    ) -> None:
        """Write labels; None removes."""
        self.patch(kind, name, {"metadata": {"labels": labels}}, namespace)

    def annotate(
        self, kind: str, name: str, annotations: Mapping[str, str | None], namespace: str = ""
    ) -> None:
        """Write annotations; None removes."""
        self.patch(kind, name, {"metadata": {"annotations": annotations}}, namespace)

    def delete(  # noqa: PLR0913 - as kubectl delete
        self,
        kind: str,
        name: str,
        namespace: str = "",
        *,
        grace_s: int | None = None,
        cascade: str = "background",
        wait: bool = True,
        missing_ok: bool = False,
    ) -> None:
        """Delete an object and, unless told not to, wait until it is gone."""
        options: Object = {"propagationPolicy": cascade.capitalize()}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        try:
            answer = self.connection.send(
                "DELETE", self.resource(kind).named(name, namespace), options
            )
        except Refused as refused:
            if missing_ok and refused.status == _NOT_FOUND:
                return
            raise
        left = answer.object  # the object, or a Status if it is already gone
        if wait:
            self.wait_gone(kind, name, namespace, (left.get("details") or left["metadata"])["uid"])

    def wait_gone(self, kind: str, name: str, namespace: str = "", uid: str = "") -> None:
        """Wait until there is no object of this name, or none of this UID."""

        def gone(found: Collection[Object]) -> bool:
            return not [left for left in found if uid in {"", left["metadata"]["uid"]}]

        self.until(kind, gone, f"{kind} {name} gone", namespace or self._home(kind), name=name)

    def until(  # noqa: PLR0913 - a list has these many sides
        self,
        kind: str,
        holds: Callable[[Collection[Object]], T],
        what: str,
        namespace: str = "",
        *,
        name: str = "",
        fields: str = "",
        labels: str = "",
        deadline_s: float = READY_S,
    ) -> T:
        """Watch objects; return the first true answer of `holds`, fail after the deadline.

        `holds` is asked of all objects that match, at first and after each change.
        """
        deadline = time.monotonic() + deadline_s
        named = ",".join(filter(None, (f"metadata.name={name}" if name else "", fields)))
        path = self.resource(kind).collection(namespace)
        for found in self.connection.states(path, _selecting(named, labels), deadline):
            if answer := holds(found):
                return answer
        raise AssertionError(f"not within {deadline_s:.0f} s: {what}")

    def wait(  # noqa: PLR0913 - as `until`
        self,
        kind: str,
        name: str,
        holds: Callable[[Object], T],
        what: str,
        namespace: str = "",
        *,
        deadline_s: float = READY_S,
    ) -> T:
        """Watch one object, which may come later; return the first true answer of `holds`."""

        def first(found: Collection[Object]) -> T | None:
            return next((answer for item in found if (answer := holds(item))), None)

        within = namespace or self._home(kind)
        answer = self.until(kind, first, what, within, name=name, deadline_s=deadline_s)
        assert answer is not None
        return answer

    def create_namespace(self, name: str, **labels: str) -> None:
        """Create a namespace with its labels; return when pods can be created in it."""
        metadata = {"name": name, "labels": labels}
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        self.wait_account(name)

    def wait_established(self, crd: str) -> None:
        """Wait until the API server serves the resources of a CustomResourceDefinition."""
        self.wait("crd", crd, lambda found: is_true(found, "Established"), f"{crd} established")
        eventually(lambda: self.serves(crd), f"{crd} in the discovery")  # it lags behind

    def wait_account(self, namespace: str) -> None:
        """Wait for a namespace's default service account, without which it takes no pods."""
        self.wait("serviceaccount", "default", bool, "the default service account", namespace)

    def token(self, account: str, namespace: str, life_s: int = 3600) -> str:
        """Return a fresh token of a service account."""
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": life_s},
        }
        path = self.resource("serviceaccount").named(account, namespace, "token")
        token: str = self.connection.send("POST", path, request).object["status"]["token"]
        return token

    def raw(self, path: str) -> str:
        """GET a path; return the text."""
        return self.connection.send("GET", path).text

    def resource(self, kind: str) -> Resource:
        """Return the resource of a name; asks the API server again for a name that is new."""
        if kind not in self._resources:
            lists = [self.connection.send("GET", path, accept=ACCEPT).object for path in PATHS]
            self._resources = resources([group for listed in lists for group in listed["items"]])
        if kind not in self._resources:
            raise LookupError(f"the server does not have a resource type {kind!r}")
        return self._resources[kind]

    def serves(self, kind: str) -> bool:
        """Return whether the API server has a resource of this name now."""
        try:
            self.resource(kind)
        except LookupError:
            return False
        return True

    def _home(self, kind: str) -> str:
        return "default" if self.resource(kind).namespaced else ""


def connect(kubeconfig: Path) -> Client:
    """Return the client of a kubeconfig, one for each version of the file."""
    return _connect(kubeconfig, kubeconfig.stat().st_mtime_ns)


def is_true(found: Mapping[str, Any], kind: str) -> bool:
    """Return True if the condition `kind` in the status of an object is True."""
    conditions = (found.get("status") or {}).get("conditions") or []
    return any((each["type"], each["status"]) == (kind, "True") for each in conditions)


def refusal(call: Callable[[], object]) -> str:
    """Return what the API server says when it refuses a call, nothing when it does not."""
    try:
        call()
    except Refused as refused:
        return str(refused)
    return ""


@functools.lru_cache(maxsize=32)
def _connect(kubeconfig: Path, _version: int) -> Client:
    return Client(Connection.to(kubeconfig))


def _read(manifest: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a manifest as a dict: it may be JSON or YAML text."""
    if not isinstance(manifest, str):
        return manifest
    is_json = manifest.lstrip().startswith("{")
    found: Object = json.loads(manifest) if is_json else yaml.safe_load(manifest)
    return found


def _selecting(fields: str, labels: str) -> dict[str, str]:
    asked = {"fieldSelector": fields, "labelSelector": labels}
    return {name: selector for name, selector in asked.items() if selector}


def _dry(*, dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}
