"""Chooses the cluster of a command: `KUBEVIRT_PROVIDER`, the running one, or the best available."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from testbed.kind import engine
from testbed.kubectl import Kubectl
from testbed.provider_controlplane import OnControlPlane
from testbed.provider_external import OnExternal
from testbed.provider_kind import OnKind

VARIABLE = "KUBEVIRT_PROVIDER"
STATE = "KUBEMACPOOL_CLUSTER"  # the folder that names it, for the tests that a command runs


class NoSuchProvider(Exception):
    """KUBEVIRT_PROVIDER names none."""


class Provider(Protocol):
    """One way to have a cluster."""

    @property
    def is_up(self) -> bool:
        """Return True if there is a cluster to use or to end, ready or not."""

    @property
    def kubectl(self) -> Kubectl:
        """Kubectl as the administrator of the running cluster."""

    def up(self) -> None:
        """Bring it up, or say that it is up."""

    def sync(self) -> None:
        """Build what runs there, install the release, and return when it serves."""

    def bring_kubevirt(self) -> None:
        """Put KubeVirt on it, unless it is there; return when machines can boot."""

    def guest(self) -> str:
        """Return the image of a guest that its nodes have or can pull."""

    def down(self) -> None:
        """End it, if it is ours."""

    def is_ready(self) -> bool:
        """Say what runs; whether the API server is ready."""

    def ssh(self, node: str, command: list[str]) -> int:
        """Run a command on a node, or a shell; return its exit code."""

    def tests(self) -> str:
        """Return the folder of the tests that `make functest` runs there."""


PROVIDERS: dict[str, Callable[[Path], Provider]] = {
    "kind": OnKind,
    "control-plane": OnControlPlane,
    "external": OnExternal,
}
_OURS = ("kind", "control-plane")


def chosen(state: Path) -> Provider:
    """Return the provider that the environment names, else the running one, else the best."""
    if concerned := standing(state):
        return concerned[0]
    return PROVIDERS["kind" if engine.runs() else "control-plane"](state)


def standing(state: Path) -> list[Provider]:
    """Return the provider that the environment names, else all that have a cluster here."""
    if name := os.environ.get(VARIABLE):
        if name not in PROVIDERS:
            raise NoSuchProvider(
                f"{VARIABLE}={name}: there is no such provider; choose {', '.join(PROVIDERS)}."
            )
        return [PROVIDERS[name](state)]
    return [provider for name in _OURS if (provider := PROVIDERS[name](state)).is_up]
