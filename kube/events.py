"""Events for people (events.k8s.io/v1), as values; `kubectl describe` shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from crds import names

if TYPE_CHECKING:
    from crds.allocation import Owner

# The longest note that the API server accepts (kubernetes pkg/apis/core/validation/events.go).
MOST_NOTE_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Event:
    """A warning about one object.

    With a `name` it is written once: the API server refuses a second of that name. `name` None: the
    API server generates one.
    """

    about: Owner
    reason: str
    action: str
    note: str
    name: str | None = None

    @property
    def path(self) -> str:
        """Where it is created; the API server wants it in the namespace of its object."""
        return f"/apis/events.k8s.io/v1/namespaces/{quote(self.about.namespace, safe='')}/events"

    def body(self, now: str) -> bytes:
        """Write it as JSON; `now` is the time for people (RFC 3339, whole seconds)."""
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
                "reportingController": names.REPORTING_CONTROLLER,
                "reportingInstance": names.CONTROLLER,
                "regarding": {
                    "apiVersion": about.api_version,
                    "kind": about.kind,
                    "namespace": about.namespace,
                    "name": about.name,
                    "uid": about.uid or "",
                },
            }
        )
