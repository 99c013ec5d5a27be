"""Reads the audit log of a cluster: which client asked the API server for which call."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from testbed.controlplane import ControlPlane
from testbed.programs import NAMESPACE

CONTROLLER = f"system:serviceaccount:{NAMESPACE}:kubemacpool-controller"
WEBHOOK = f"system:serviceaccount:{NAMESPACE}:kubemacpool-webhook"
POLICY = f"""
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Request
    users: ["{CONTROLLER}"]
    resources: [{{group: kubemacpool.io, resources: [macpools/status]}}]
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
        for event in self.events():
            terminal = "ResponseStarted" if event["verb"] == "watch" else "ResponseComplete"
            if event["user"]["username"] == user and event["stage"] == terminal:
                counted[event["verb"], resource(event)] += 1
        return counted

    def events(self) -> list[dict[str, Any]]:
        """Return all events, in the order of the answers (audit.k8s.io/v1 Event).

        A last line that is not complete yet is left out.
        """
        text = (self.cluster.state / "audit.log").read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def resource(event: dict[str, Any]) -> str:
    """Return `resource` or `resource/subresource`, else the path."""
    named = event.get("objectRef")
    if named is None or "resource" not in named:
        path: str = event["requestURI"]
        return path.partition("?")[0]
    return "/".join(filter(None, (named["resource"], named.get("subresource"))))
