"""Our two programs as processes beside the cluster, with the rights that their pods would have.

The release manifest must be applied first: it brings the service accounts, their roles and the
Service on whose ClusterIP the webhook listens.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from testbed import accounts, processes
from testbed.controlplane import ControlPlane
from testbed.ports import free_ports
from testbed.readiness import READY_S, wait_ready

NAMESPACE = "kubemacpool-system"
SERVICE = "kubemacpool-service"
WEBHOOK_PORT = 8000
_CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Program:
    """One running program; use `process` to stop, kill, pause and resume it."""

    process: processes.Process
    ready_url: str
    metrics_url: str = ""  # of a controller

    def wait_ready(self, deadline_s: float = READY_S) -> None:
        """Wait until `ready_url` answers 200; raises NotReady with the end of its log."""
        wait_ready(self.process, self.ready_url, deadline_s)


def start(  # noqa: PLR0913 - a process has these many sides
    cluster: ControlPlane,
    name: str,
    argv: Sequence[str],
    *,
    account: str,
    ready_url: str,
    env: Mapping[str, str] | None = None,
) -> Program:
    """Start `python ARGV...` as the service account `account`; the log is `<state>/<name>.log`.

    Returns at once: a webhook is ready only after a controller, so start both, then wait. In a
    lasting cluster the program lasts, too, until `cluster-down`.
    """
    config = accounts.kubeconfig_of(cluster, account, NAMESPACE)
    pod = {"POD_NAME": name, "POD_NAMESPACE": NAMESPACE}
    bed = {"KUBECONFIG": str(config), "PYTHONPATH": str(_CHECKOUT), "PYTHONUNBUFFERED": "1"}
    process = processes.start(
        name,
        [sys.executable, *argv],
        state=cluster.state,
        env=processes.environment(**{**pod, **bed, **(env or {})}),
        lasting=cluster.plan.lasting,
    )
    return Program(process, ready_url)


def start_webhook(
    cluster: ControlPlane,
    name: str = "webhook-1",
    *flags: str,
    env: Mapping[str, str] | None = None,
) -> Program:
    """Start one replica on the Service's address, which all share, and on its own address."""
    own = _own_listener(cluster)
    shared = f"{service_address(cluster)}:{WEBHOOK_PORT}"
    listen = ["--listen-addr", shared, "--listen-addr", own]
    # No Service sends clients to another replica here, so draining after SIGTERM gains nothing.
    argv = ["-m", "webhook", *listen, "--drain-s", "0", *flags]
    return start(
        cluster,
        name,
        argv,
        account="kubemacpool-webhook",
        ready_url=f"https://{own}/readyz",
        env=env,
    )


def start_controller(
    cluster: ControlPlane,
    name: str = "controller-1",
    *flags: str,
    env: Mapping[str, str] | None = None,
) -> Program:
    """Start one replica of the controller, with its own addresses for health and metrics."""
    address = cluster.plan.address
    own, metrics = (f"{address}:{port}" for port in free_ports(address, 2))
    program = start(
        cluster,
        name,
        ["-m", "controller", "--listen-addr", own, "--metrics-addr", metrics, *flags],
        account="kubemacpool-controller",
        ready_url=f"http://{own}/readyz",
        env=env,
    )
    return replace(program, metrics_url=f"https://{metrics}/metrics")


def service_address(cluster: ControlPlane) -> str:
    """Return the ClusterIP at which the API server calls the webhook."""
    service = cluster.kubectl.client.read("service", SERVICE, NAMESPACE)
    address: str = service["spec"]["clusterIP"]
    return address


def _own_listener(cluster: ControlPlane) -> str:
    address = cluster.plan.address
    return f"{address}:{free_ports(address, 1)[0]}"
