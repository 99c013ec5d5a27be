"""The place of the measurement: a control plane with the release, whose programs are timed."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.hooks import create_namespaces, label, start_noop
from bench.process import age_s, resident
from bench.scale.figures import Lane, Memory, Start
from e2e.audit import CONTROLLER
from kube.client import Api
from testbed import accounts, processes
from testbed.controlplane import ControlPlane, ephemeral
from testbed.kubevirt import apply_machine_crds
from testbed.programs import NAMESPACE, Program, start_controller, start_webhook
from testbed.progress import Progress
from testbed.readiness import NotReady, answers, eventually
from testbed.release import apply_release, stop, wait_in_force

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A hundred times what it takes with nothing in the cluster: what is not ready by then never is.
_WITHIN_S = 600.0
# What the controller logs after its first full pass. Its /readyz alone is true before it leads.
_REPAIRED = "every address in use has an allocation"
_USER = "kubemacpool-bench"
_NOOP = "scale-noop"
_OPTED_IN = {"mutatepods.kubemacpool.io": "allocate"}
# 6 kB for the life of a pod: a full run stays below the 100 MB at which the log is rotated.
_AUDIT = f"""
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {{level: Metadata, users: ["{CONTROLLER}"]}}
  - {{level: None}}
"""


@dataclass(frozen=True, slots=True)
class Programs:
    """One controller and one webhook that work, and how their starts went."""

    running: dict[str, Program]
    starts: dict[str, Start]

    @property
    def controller_pid(self) -> int:
        """The controller's process."""
        return self.running["controller"].process.pid

    def memory(self) -> dict[str, Memory]:
        """Return what each holds now, by program."""
        return {name: memory(one.process.pid) for name, one in self.running.items()}


@dataclass(frozen=True, slots=True)
class Place:
    """A control plane to which the release was applied; `quiet_s` is Q."""

    cluster: ControlPlane
    quiet_s: float

    def admin(self) -> Api:
        """Speak to the API server as its administrator."""
        return Api(_USER, str(self.cluster.kubeconfig))

    def controller(self) -> Api:
        """Speak to it as the controller: only that may write allocations that are in use."""
        config = accounts.kubeconfig_of(self.cluster, "kubemacpool-controller", NAMESPACE)
        return Api(_USER, str(config))

    def start(self, name: str) -> Programs:
        """Start the programs, the controller first; return when both work."""
        flags = ("--quiet-s", f"{self.quiet_s:g}")
        controller = start_controller(self.cluster, f"controller-{name}", *flags)
        log = controller.process.log
        begun = {"controller": _started(controller, lambda: _REPAIRED in log.read_text())}
        webhook = start_webhook(self.cluster, f"webhook-{name}", *flags)
        begun["webhook"] = _started(webhook, lambda: answers(webhook.ready_url))
        return Programs({"controller": controller, "webhook": webhook}, begun)

    def wait_in_force(self) -> None:
        """Wait until pods get addresses: needed once, after the first start."""
        wait_in_force(self.cluster.kubectl)

    def stop(self) -> None:
        """End the programs."""
        stop(self.cluster)

    def opted_in(self, name: str) -> None:
        """Create a namespace whose pods get addresses."""
        create_namespaces(self.cluster.kubectl, {name: _OPTED_IN})

    def lanes(self) -> None:
        """Create a namespace for each lane, and the no-op webhook."""
        labels = {Lane.NOT_OPTED_IN: {}, Lane.NO_OP: label(_NOOP), Lane.OURS: _OPTED_IN}
        create_namespaces(self.cluster.kubectl, {lane.namespace: labels[lane] for lane in Lane})
        start_noop(self.cluster, _NOOP)


@contextmanager
def place(quiet_s: float, *, audited: bool = False) -> Iterator[Place]:
    """Give a place of one's own, and leave nothing of it; `audited`: with the controller's calls.

    No program of ours runs yet.
    """
    progress = Progress("Bringing a control plane and the release up")
    with ephemeral(audit_policy=_AUDIT if audited else "") as cluster:
        apply_machine_crds(cluster.kubectl)
        apply_release(cluster.kubectl)
        progress.done()
        yield Place(cluster, quiet_s)


def memory(pid: int) -> Memory:
    """Return the memory of a process."""
    found = resident(pid)
    return Memory(found.now / 1e6, found.peak / 1e6)


def _started(program: Program, works: Callable[[], bool]) -> Start:
    process = program.process
    progress = Progress(f"Starting {process.name}")

    def has_ended_or_works() -> bool:
        progress.tick()
        return works() or not process.alive

    eventually(has_ended_or_works, f"{process.name} works", _WITHIN_S)
    seconds = age_s(process)
    if not process.alive:
        raise NotReady(f"{process.name} ended early.\n{processes.tail(process.log)}")
    return Start(seconds, memory(process.pid))
