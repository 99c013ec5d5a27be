"""Events (events.k8s.io/v1) as values; `kubectl describe` shows them to people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

import msgspec

# The longest note that the API server accepts (kubernetes pkg/apis/core/validation/events.go).
MOST_NOTE_BYTES = 1024


class ObjectReference(Protocol):
    """The object that an event is about (v1.ObjectReference)."""

    @property
    def api_version(self) -> str:
        """Group and version."""

    @property
    def kind(self) -> str:
        """Its kind."""

    @property
    def namespace(self) -> str:
        """Its namespace."""

    @property
    def name(self) -> str | None:
        """Its name; None until the API server has generated it."""

    @property
    def uid(self) -> str | None:
        """Its UID; None until it is stored."""


@dataclass(frozen=True, slots=True)
class Reporter:
    """The program that reports an event (reportingController, reportingInstance)."""

    controller: str
    instance: str


@dataclass(frozen=True, slots=True)
class Event:
    """A warning about one object.

    An event with a `name` is written once, because the API server refuses a second event of that
    name. With `name` None, the API server generates a name.
    """

    about: ObjectReference
    reason: str
    action: str
    note: str
    name: str | None = None

    @property
    def path(self) -> str:
        """Return the path to create it at: an event is in the namespace of its object."""
        return f"/apis/events.k8s.io/v1/namespaces/{quote(self.about.namespace, safe='')}/events"

    def body(self, now: str, reporter: Reporter) -> bytes:
        """Return it as JSON; `now` is the wall clock (RFC 3339, whole seconds)."""
        about = self.about
        named = {"name": self.name} if self.name else {"generateName": f"{about.name}-"}
        note = self.note.encode()[:MOST_NOTE_BYTES].decode(errors="ignore")
        return msgspec.json.encode(
            {
                "apiVersion": "events.k8s.io/v1",
                "kind": "Event",
                "metadata": {**named, "namespace": about.namespace},
                "eventTime": now.replace("Z", ".000000Z"),  # metav1.MicroTime
                "type": "Warning",
                "reason": self.reason,
                "action": self.action,
                "note": note,
                "reportingController": reporter.controller,
                "reportingInstance": reporter.instance,
                "regarding": {
                    "apiVersion": about.api_version,
                    "kind": about.kind,
                    "namespace": about.namespace,
                    "name": about.name,
                    "uid": about.uid or "",
                },
            }
        )
