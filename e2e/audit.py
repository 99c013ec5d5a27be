"""What the API server was asked, by whom: its audit log, where a cluster is brought up with one."""

import http
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from e2e.cluster.controlplane import ControlPlane
from e2e.cluster.programs import NAMESPACE

CONTROLLER = f"system:serviceaccount:{NAMESPACE}:kubemacpool-controller"
WEBHOOK = f"system:serviceaccount:{NAMESPACE}:kubemacpool-webhook"
POLICY = f"""
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {{level: Metadata, users: ["{CONTROLLER}", "{WEBHOOK}"]}}
  - {{level: None}}
"""


@dataclass(frozen=True, slots=True)
class Audit:
    """The log of a cluster that was brought up with `POLICY`."""

    cluster: ControlPlane

    def calls(self, user: str) -> Counter[tuple[str, str]]:
        """Return how often `user` has called, by verb and resource.

        A call counts when it is answered, a watch when its answer begins.
        """
        counted: Counter[tuple[str, str]] = Counter()
        for line in self._lines():
            event = json.loads(line)
            stage = "ResponseStarted" if event["verb"] == "watch" else "ResponseComplete"
            if event["user"]["username"] == user and event["stage"] == stage:
                counted[event["verb"], _resource(event)] += 1
        return counted

    def created(self, resource: str) -> list[tuple[str, str]]:
        """Return who has created which object of that resource, in the order of the answers."""
        return [
            (event["user"]["username"], event["objectRef"]["name"])
            for event in map(json.loads, self._lines())
            if event["verb"] == "create"
            and _resource(event) == resource
            and event["responseStatus"]["code"] == http.HTTPStatus.CREATED
        ]

    def _lines(self) -> list[str]:
        """All whole lines: the last one may be half written."""
        text = (self.cluster.state / "audit.log").read_text()
        return text[: text.rfind("\n") + 1].splitlines()


def _resource(event: dict[str, Any]) -> str:
    """Return `resource` or `resource/subresource`, else the path."""
    named = event.get("objectRef")
    if named is None or "resource" not in named:
        path: str = event["requestURI"]
        return path.partition("?")[0]
    return "/".join(filter(None, (named["resource"], named.get("subresource"))))
