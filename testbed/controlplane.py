"""A real control plane of processes on loopback: etcd, API server, controller manager, kubectl."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from testbed import certificates, components, kubeconfig, processes
from testbed.files import write_private
from testbed.kubectl import Kubectl
from testbed.plan import Plan
from testbed.readiness import NotReady, answers, wait_ready

_ATTEMPTS = 5  # one fails only if another process takes one of six ports within milliseconds
_GROUPS = {"admin": "system:masters"}


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """One cluster; all its files are in the folder `state`."""

    state: Path
    plan: Plan

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def authority(self) -> Path:
        """The certificate to trust for the API server."""
        return self.state / components.AUTHORITY

    @property
    def kubectl(self) -> Kubectl:
        """Kubectl as the administrator; its discovery cache is the cluster's own."""
        env = processes.environment(KUBECACHEDIR=str(self.state / "kubectl-cache"))
        return Kubectl(Path(self.plan.binaries["kubectl"]), self.kubeconfig, env)

    @property
    def ready(self) -> bool:
        """Return True if the API server is ready now."""
        return answers(components.ready_url("kube-apiserver", self.plan))

    def start(self, component: str) -> None:
        """Start one component and wait until it is ready."""
        self._launch(component)
        self._await(component)

    def process(self, component: str) -> processes.Process:
        """Return the running process of a component, to stop, kill, pause and resume."""
        for process in processes.recorded(self.state):
            if process.name == component:
                return process
        raise LookupError(f"{component} does not run in {self.state}")

    def down(self) -> None:
        """End every process recorded here, also our programs, the newest first."""
        for process in processes.recorded(self.state):
            process.stop()

    def _launch(self, component: str) -> None:
        processes.start(
            component,
            components.argv(component, self.plan, self.state),
            state=self.state,
            env=processes.environment(),
            lasting=self.plan.lasting,
        )

    def _await(self, component: str) -> None:
        wait_ready(self.process(component), components.ready_url(component, self.plan))

    def _up(self) -> None:
        first, second, *later = self.plan.components
        self._launch(first)
        self._launch(second)  # it waits for etcd by itself
        self._await(first)
        self._await(second)
        for component in later:
            self._launch(component)
        for component in later:
            self._await(component)
        # Pods are refused before the controller manager has written this.
        self.kubectl.client.wait_account("default")


def bring_up(state: Path, *, lasting: bool = False, audit_policy: str = "") -> ControlPlane:
    """Start a cluster in `state`, an empty folder or none, and return it when it is ready.

    A lasting one goes on when we end; `audit_policy` is the YAML of an audit Policy (the log is
    `<state>/audit.log`). Nothing is left running when it fails.
    """
    state = state.absolute()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    for attempt in range(1, _ATTEMPTS + 1):
        plan = Plan.new(lasting=lasting, audit=bool(audit_policy))
        cluster = ControlPlane(state, plan)
        _write_files(cluster, audit_policy)
        try:
            cluster._up()  # noqa: SLF001 - only here is a cluster brought up
        except NotReady as error:
            cluster.down()
            if "address already in use" not in str(error) or attempt == _ATTEMPTS:
                raise
            for component in plan.components:  # their data and certificates name the old address
                shutil.rmtree(state / component, ignore_errors=True)
        except BaseException:
            cluster.down()
            raise
        else:
            return cluster
    raise AssertionError("every attempt returns or raises")


def attach(state: Path) -> ControlPlane:
    """Return the cluster of the folder `state`; raises FileNotFoundError if there is none."""
    state = state.absolute()
    return ControlPlane(state, Plan.load(state))


# The clusters that `ephemeral` gives in this process: a failed test shows their logs.
EPHEMERAL: list[ControlPlane] = []


@contextmanager
def ephemeral(*, audit_policy: str = "") -> Iterator[ControlPlane]:
    """Yield a new cluster, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="kubemacpool-") as folder:
        cluster = bring_up(Path(folder), audit_policy=audit_policy)
        EPHEMERAL.append(cluster)
        try:
            yield cluster
        finally:
            EPHEMERAL.remove(cluster)
            cluster.down()


def _write_files(cluster: ControlPlane, audit_policy: str) -> None:
    state, plan = cluster.state, cluster.plan
    plan.save(state)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    write_private(state / "service-account.key", pem.decode())
    front_proxy = certificates.authority(f"{components.FRONT_PROXY}-ca")
    front_proxy.write(state, f"{components.FRONT_PROXY}-ca")
    client = front_proxy.issue(f"{components.FRONT_PROXY}-client")
    client.write(state, f"{components.FRONT_PROXY}-client")
    rows = [f"{token},{user},{user},{_GROUPS.get(user, '')}" for user, token in plan.tokens.items()]
    write_private(state / "tokens.csv", "\n".join(rows))
    for user, token in plan.tokens.items():
        path = state / f"{user.removeprefix('system:')}.kubeconfig"
        path = cluster.kubeconfig if user == "admin" else path
        kubeconfig.write_with_token(path, plan.server, cluster.authority, user, token)
    if audit_policy:
        (state / "audit-policy.yaml").write_text(audit_policy)
