"""The programs as pods: rolled, killed, scaled away; users notice nothing, or are told."""

import time
from collections.abc import Callable, Iterator

import pytest

from e2e import pool
from e2e.functest.node_pods import NodePods, is_ready
from e2e.load import Crowd
from e2e.pods import OPT_IN
from testbed import release_on_nodes
from testbed.fixtures import fresh_namespace
from testbed.kind import KindCluster
from testbed.kubectl import Kubectl
from testbed.readiness import eventually
from testbed.release import wait_in_force

LAN = [{"name": "front"}]
INSTALLED = ("-n", release_on_nodes.NAMESPACE)
WEBHOOK, CONTROLLER = (
    f"deployment/{release_on_nodes.WEBHOOK}",
    f"deployment/{release_on_nodes.CONTROLLER}",
)
WEBHOOK_PODS = ("-l", "control-plane=mac-controller-manager", *INSTALLED)
REFUSED = 'failed calling webhook "mutatepods.kubemacpool.io"'
# One node may run both replicas: the one in the pod is known by its environment.
KILL = """for process in $(pgrep -f 'python -m controller'); do
  if grep -qz '^POD_NAME={pod}$' /proc/$process/environ; then kill -{signal} $process; fi
done"""
CLIENTS = 4
SOME = 40  # answers; about a second of them


def create_during(node_pods: NodePods, disturb: Callable[[], object]) -> Crowd:
    """Let clients create pods without pause while `disturb` runs, a while before and after it."""
    crowd = Crowd(
        node_pods.kubectl.kubeconfig, CLIENTS, scheduler="none"
    )  # no node could run them all
    with crowd.steadily(node_pods.namespace, LAN) as answered:
        eventually(lambda: answered() > SOME, "the load has begun")
        disturb()
        until = answered() + SOME
        eventually(lambda: answered() > until, "and goes on")
    return crowd


def test_no_pod_is_refused_while_the_webhook_is_rolled_out(node_pods: NodePods) -> None:
    def roll() -> None:
        node_pods.kubectl("rollout", "restart", WEBHOOK, *INSTALLED)
        node_pods.kubectl("rollout", "status", WEBHOOK, *INSTALLED, "--timeout=110s")

    crowd = create_during(node_pods, roll)

    assert crowd.refusals == []
    assert len(set(crowd.macs())) == len(crowd.pods)


def test_no_pod_is_refused_when_a_webhook_pod_is_deleted_under_load(node_pods: NodePods) -> None:
    pods = node_pods.kubectl.json("get", "pods", *WEBHOOK_PODS)["items"]
    # A pod that is still ending since the last rollout serves no requests.
    staying = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and is_ready(pod)]
    victim = staying[0]["metadata"]["name"]

    crowd = create_during(node_pods, lambda: node_pods.kubectl("delete", "pod", victim, *INSTALLED))

    assert crowd.refusals == []
    assert len(set(crowd.macs())) == len(crowd.pods)


@pytest.fixture
def critical(kubectl: Kubectl) -> Iterator[NodePods]:
    """A namespace of the platform's, labelled like one that has opted in."""
    for name in fresh_namespace(kubectl):
        own = NodePods(kubectl, name)
        own.attach("front")
        yield own


def test_without_any_webhook_only_those_who_need_it_are_refused(
    node_pods: NodePods, critical: NodePods
) -> None:
    node_pods.kubectl("label", "namespace", critical.namespace, "runlevel=0", OPT_IN)
    replicas = node_pods.kubectl.json("get", WEBHOOK, *INSTALLED)["spec"]["replicas"]
    node_pods.kubectl("scale", WEBHOOK, *INSTALLED, "--replicas=0")
    try:
        eventually(lambda: "No resources" in pods_of(node_pods.kubectl), "the webhook is gone", 120)

        refusal = node_pods.pods.refuses("web", LAN)
        node_pods.run("plain", None)
        critical.run("platform", LAN)
    finally:
        node_pods.kubectl("scale", WEBHOOK, *INSTALLED, f"--replicas={replicas}")
        release_on_nodes.rolled_out(node_pods.kubectl)
        wait_in_force(node_pods.kubectl)
    node_pods.run("web", LAN)

    assert REFUSED in refusal
    assert "kubemacpool-service.kubemacpool-system.svc" in refusal
    assert node_pods.inside("web")["net1"] == node_pods.allocated("web")["net1"]


def pods_of(kubectl: Kubectl) -> str:
    return kubectl.run("get", "pods", *WEBHOOK_PODS).stderr


@pytest.fixture
def range_kept(kubectl: Kubectl) -> Iterator[None]:
    """Whatever the test does to the range is undone."""
    before = pool.configured(kubectl)
    yield
    pool.configure(kubectl, *before)


@pytest.mark.usefixtures("range_kept")
def test_a_range_that_is_changed_live_counts_for_who_comes_next(node_pods: NodePods) -> None:
    node_pods.run("before", LAN)
    kept = node_pods.allocated("before")

    pool.configure(node_pods.kubectl, "06:00:00:00:00:00", "06:00:00:00:00:ff")
    node_pods.run("after", LAN)

    assert node_pods.allocated("after")["net1"].startswith("06:00:00:00:00:")
    assert node_pods.inside("after")["net1"] == node_pods.allocated("after")["net1"]
    assert node_pods.inside("before")["net1"] == kept["net1"]
    assert node_pods.allocated("before") == kept


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
def test_when_the_leading_controller_is_killed_or_freezes_addresses_are_bound_again(
    kind: KindCluster, node_pods: NodePods, signal: str
) -> None:
    leader = holder(node_pods.kubectl)
    pod = node_pods.kubectl.json("get", "pod", leader, *INSTALLED)

    kind.on_node(pod["spec"]["nodeName"], "sh", "-c", KILL.format(signal=signal, pod=leader))
    began = time.monotonic()
    node_pods.pods.create("orphan", LAN)
    (mac,) = (element["mac"] for element in node_pods.pods.elements("orphan"))
    node_pods.pods.bound(mac, "orphan")

    print(f"{mac} was bound {time.monotonic() - began:.1f} s after the leader got SIG{signal}")
    # A process that is started again in the same pod may go on at once: what it was is dead.
    assert signal == "KILL" or holder(node_pods.kubectl) != leader


def holder(kubectl: Kubectl) -> str:
    """The pod that holds the Lease."""
    lease = kubectl.json("get", "lease", release_on_nodes.CONTROLLER, *INSTALLED)
    name: str = lease["spec"]["holderIdentity"]
    return name
