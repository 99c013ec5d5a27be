"""The provider `control-plane`: processes on loopback, without root or Docker, and no kubelet."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from testbed import processes, release
from testbed.controlplane import ControlPlane, attach, bring_up
from testbed.kubectl import Kubectl
from testbed.kubevirt import whole
from testbed.progress import say
from testbed.readiness import NotReady
from testbed.versions import KUBERNETES


@dataclass(frozen=True, slots=True)
class OnControlPlane:
    """The control plane whose everything lies in `state`."""

    state: Path

    @property
    def is_up(self) -> bool:
        """See Provider."""
        return self._standing() is not None

    @property
    def kubectl(self) -> Kubectl:
        """See Provider."""
        return self._ready().kubectl

    def up(self) -> None:
        """See Provider."""
        if whole.wanted():
            self.bring_kubevirt()
        standing = self._standing()
        if standing and standing.ready:
            say(f"The cluster in {self.state} is already up.")
            return
        if standing:
            say(f"Removing what is left of an ended cluster in {self.state}.")
            self._remove(standing)
        elif self.state.exists() and any(self.state.iterdir()):
            raise NotReady(f"{self.state} is no cluster's: choose another folder.")
        bring_up(self.state, lasting=True)
        say(
            f"Kubernetes {KUBERNETES} is up in {self.state}; its logs are there, too. kubemacpool"
            f" is not on it (make cluster-sync does that), and no kubelet runs pods. To use it:"
        )

    def sync(self) -> None:
        """See Provider: the programs run as processes, from this checkout."""
        release.install(self._ready())
        say(
            "The release is installed; its two programs run beside the cluster, from this checkout."
        )

    def bring_kubevirt(self) -> None:
        """See Provider: no machine boots here."""
        raise NotReady(
            "KUBEVIRT=true: VMs boot on nodes, and the provider control-plane has none: choose"
            " KUBEVIRT_PROVIDER=kind."
        )

    def guest(self) -> str:
        """See Provider."""
        raise NotReady("The provider control-plane has no nodes that could run a guest.")

    def down(self) -> None:
        """See Provider."""
        standing = self._standing()
        if standing is None:
            say(f"There is no cluster in {self.state}.")
            return
        self._remove(standing)
        say(f"The cluster in {self.state} is gone.")

    def is_ready(self) -> bool:
        """See Provider."""
        standing = self._standing()
        if standing is None:
            say(f"There is no cluster in {self.state}.")
            return False
        for process in reversed(processes.recorded(self.state)):
            condition = "runs" if process.alive else "has ended"
            say(f"{process.name} {condition} (process {process.pid}, log {process.log})")
        ready = "" if standing.ready else "not "
        say(f"The API server at {standing.plan.server} is {ready}ready.")
        return standing.ready

    def ssh(self, node: str, command: list[str]) -> int:
        """See Provider."""
        say(f"{' '.join([node, *command])}: the provider control-plane has no nodes.")
        return 1

    def tests(self) -> str:
        """See Provider."""
        return "e2e/tests"

    def _standing(self) -> ControlPlane | None:
        try:
            return attach(self.state)
        except FileNotFoundError:
            return None

    def _ready(self) -> ControlPlane:
        standing = self._standing()
        if standing is None or not standing.ready:
            raise NotReady(f"No cluster runs in {self.state}: make cluster-up starts one.")
        return standing

    def _remove(self, standing: ControlPlane) -> None:
        standing.down()
        shutil.rmtree(self.state)
