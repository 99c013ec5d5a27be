"""The cluster of an experiment: a control plane, the release, and its programs as processes.

The programs come from this checkout, or from another one: so two revisions are compared.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import webhooks
from bench.host import CHECKOUT, Memory, age_s, memory
from bench.variants import Variant
from e2e.audit import CONTROLLER
from kube.client import Api
from testbed import accounts, processes, programs
from testbed.controlplane import ControlPlane, ephemeral
from testbed.kubevirt import apply_vm_crds
from testbed.programs import Program
from testbed.progress import Progress
from testbed.readiness import NotReady, answers, eventually
from testbed.release import stop, wait_in_force

# The controller logs this after its first full pass. Its /readyz is true before it leads.
REPAIRED = "every address in use has an allocation"
# A hundred times the usual duration with an empty cluster.
_WITHIN_S = 600.0
_USER = "kubemacpool-bench"
_KINDS = ("macallocations.kubemacpool.io", "macpools.kubemacpool.io")
# Metadata is 6 kB for each pod: a full run stays below the 100 MB at which the log is rotated.
_AUDIT = f"""
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {{level: Metadata, users: ["{CONTROLLER}"]}}
  - {{level: None}}
"""


@dataclass(frozen=True, slots=True)
class Start:
    """The seconds from the start of a process until it works, and its memory at that time."""

    seconds: float
    memory: Memory


@dataclass(slots=True)
class TestCluster:
    """A control plane with the release; `running` are the programs by their name in reports."""

    control_plane: ControlPlane
    quiet_s: float
    checkout: Path = CHECKOUT
    running: dict[str, Program] = field(default_factory=dict)
    _started: int = 0

    def api(self) -> Api:
        """Return a connection as administrator."""
        return Api(_USER, str(self.control_plane.kubeconfig))

    def controller_api(self) -> Api:
        """Return a connection as the controller: only it may write allocations in use."""
        config = accounts.kubeconfig_of(
            self.control_plane, "kubemacpool-controller", programs.NAMESPACE
        )
        return Api(_USER, str(config))

    def start_controller(self) -> None:
        """Start a controller; return at once."""
        self._run("controller", programs.start_controller)

    def start_webhook(self) -> None:
        """Start a webhook; return at once."""
        self._run(Variant.STOCK, programs.start_webhook)

    def start_both(self) -> None:
        """Start a controller and a webhook; return when pods get addresses."""
        self.start_controller()
        self.start_webhook()
        for program in self.running.values():
            program.wait_ready()
        self.wait_in_force()

    def start_other_webhooks(self, variants: Sequence[Variant]) -> None:
        """Let the API server call another webhook for each variant, and start them."""
        for variant in variants:
            webhooks.register(self.control_plane, variant)
            if variant is Variant.SYNCHRONOUS:
                self._run(variant, webhooks.start_synchronous)
            else:
                self.running[variant] = webhooks.start_noop(self.control_plane, variant)
        for variant in variants:
            self.running[variant].wait_ready()

    def wait_in_force(self) -> None:
        """Wait until pods get addresses: needed once, after the first start."""
        wait_in_force(self.control_plane.kubectl)

    def wait_repaired(self) -> Start:
        """Wait until the controller has looked at all objects in use."""
        log = self.running["controller"].process.log
        return self._wait("controller", lambda: REPAIRED in log.read_text())

    def wait_webhook(self) -> Start:
        """Wait until the webhook is ready."""
        url = self.running[Variant.STOCK].ready_url
        return self._wait(Variant.STOCK, lambda: answers(url))

    def stop_programs(self) -> None:
        """Stop the controller and the webhook."""
        stop(self.control_plane)
        self.running.clear()

    def create_namespaces(self, content: str, variants: Sequence[Variant]) -> None:
        """Create the namespace of each variant for this content."""
        for variant in variants:
            client = self.control_plane.kubectl.client
            client.create_namespace(variant.namespace(content), **variant.labels)

    def pids(self) -> dict[str, int]:
        """Return the process ids, by the names in the report."""
        return {
            "API server": self.control_plane.process("kube-apiserver").pid,
            "etcd": self.control_plane.process("etcd").pid,
            **{name: program.process.pid for name, program in self.running.items()},
        }

    def _run(self, name: str, start: Callable[..., Program]) -> None:
        """Start a program of the checkout: its folder is the only one of ours that it imports."""
        self._started += 1
        own = f"{'controller' if name == 'controller' else 'webhook'}-{self._started}"
        env = {"PYTHONPATH": str(self.checkout), "PYTHONSAFEPATH": "1"}
        flags = ("--quiet-s", f"{self.quiet_s:g}")
        self.running[name] = start(self.control_plane, own, *flags, env=env)

    def _wait(self, name: str, works: Callable[[], bool]) -> Start:
        process = self.running[name].process
        progress = Progress(f"Starting {process.name}")

        def has_ended_or_works() -> bool:
            progress.tick()
            return works() or not process.alive

        eventually(has_ended_or_works, f"{process.name} works", _WITHIN_S)
        seconds = age_s(process)
        if not process.alive:
            raise NotReady(f"{process.name} ended early.\n{processes.tail(process.log)}")
        return Start(seconds, memory(process.pid))


@contextmanager
def start_cluster(
    quiet_s: float, *, audited: bool = False, checkout: Path = CHECKOUT
) -> Iterator[TestCluster]:
    """Give a new cluster with the release of `checkout`, and remove it. No program runs yet."""
    progress = Progress("Starting a control plane with the release")
    with ephemeral(audit_policy=_AUDIT if audited else "") as control_plane:
        kubectl = control_plane.kubectl
        apply_vm_crds(kubectl)
        kubectl("apply", "-f", str(checkout / "deploy" / "kubemacpool.yaml"))
        for name in _KINDS:
            kubectl.client.wait_established(name)
        progress.done()
        cluster = TestCluster(control_plane, quiet_s, checkout)
        try:
            yield cluster
        finally:
            for program in cluster.running.values():
                program.process.stop()
