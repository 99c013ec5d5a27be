"""The programs as pods: rolled, killed, scaled away; users notice nothing, or are told."""

import time
from collections.abc import Callable, Iterator

import pytest

from e2e import pool
from e2e.functest.town import Town, is_ready
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


def create_during(town: Town, disturb: Callable[[], object]) -> Crowd:
    """Let clients create pods without pause while `disturb` runs, a while before and after it."""
    crowd = Crowd(town.kubectl.kubeconfig, CLIENTS, scheduler="none")  # no node could run them all
    with crowd.steadily(town.namespace, LAN) as answered:
        eventually(lambda: answered() > SOME, "the load has begun")
        disturb()
        until = answered() + SOME
        eventually(lambda: answered() > until, "and goes on")
    return crowd


def test_a_rolled_webhook_refuses_nobody(town: Town) -> None:
    def roll() -> None:
        town.kubectl("rollout", "restart", WEBHOOK, *INSTALLED)
        town.kubectl("rollout", "status", WEBHOOK, *INSTALLED, "--timeout=110s")

    crowd = create_during(town, roll)

    assert crowd.refusals == []
    assert len(set(crowd.macs())) == len(crowd.pods)


def test_a_webhook_pod_that_is_deleted_during_a_load_refuses_nobody(town: Town) -> None:
    pods = town.kubectl.json("get", "pods", *WEBHOOK_PODS)["items"]
    # One that still ends since the last rollout serves nobody.
    staying = [one for one in pods if "deletionTimestamp" not in one["metadata"] and is_ready(one)]
    victim = staying[0]["metadata"]["name"]

    crowd = create_during(town, lambda: town.kubectl("delete", "pod", victim, *INSTALLED))

    assert crowd.refusals == []
    assert len(set(crowd.macs())) == len(crowd.pods)


@pytest.fixture
def critical(kubectl: Kubectl) -> Iterator[Town]:
    """A namespace of the platform's, labelled like one that has opted in."""
    for name in fresh_namespace(kubectl):
        own = Town(kubectl, name)
        own.attach("front")
        yield own


def test_without_any_webhook_only_those_who_need_it_are_refused(town: Town, critical: Town) -> None:
    town.kubectl("label", "namespace", critical.namespace, "runlevel=0", OPT_IN)
    replicas = town.kubectl.json("get", WEBHOOK, *INSTALLED)["spec"]["replicas"]
    town.kubectl("scale", WEBHOOK, *INSTALLED, "--replicas=0")
    try:
        eventually(lambda: "No resources" in pods_of(town.kubectl), "the webhook is gone", 120)

        refusal = town.shop.refuses("web", LAN)
        town.run("plain", None)
        critical.run("platform", LAN)
    finally:
        town.kubectl("scale", WEBHOOK, *INSTALLED, f"--replicas={replicas}")
        release_on_nodes.rolled_out(town.kubectl)
        wait_in_force(town.kubectl)
    town.run("web", LAN)

    assert REFUSED in refusal
    assert "kubemacpool-service.kubemacpool-system.svc" in refusal
    assert town.inside("web")["net1"] == town.allocated("web")["net1"]


def pods_of(kubectl: Kubectl) -> str:
    return kubectl.run("get", "pods", *WEBHOOK_PODS).stderr


@pytest.fixture
def range_kept(kubectl: Kubectl) -> Iterator[None]:
    """Whatever the test does to the range is undone."""
    before = pool.configured(kubectl)
    yield
    pool.configure(kubectl, *before)


@pytest.mark.usefixtures("range_kept")
def test_a_range_that_is_changed_live_counts_for_who_comes_next(town: Town) -> None:
    town.run("before", LAN)
    kept = town.allocated("before")

    pool.configure(town.kubectl, "06:00:00:00:00:00", "06:00:00:00:00:ff")
    town.run("after", LAN)

    assert town.allocated("after")["net1"].startswith("06:00:00:00:00:")
    assert town.inside("after")["net1"] == town.allocated("after")["net1"]
    assert town.inside("before")["net1"] == kept["net1"]
    assert town.allocated("before") == kept


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
def test_when_the_leading_controller_is_killed_or_freezes_addresses_are_bound_again(
    kind: KindCluster, town: Town, signal: str
) -> None:
    leader = holder(town.kubectl)
    pod = town.kubectl.json("get", "pod", leader, *INSTALLED)

    kind.on_node(pod["spec"]["nodeName"], "sh", "-c", KILL.format(signal=signal, pod=leader))
    began = time.monotonic()
    town.shop.create("orphan", LAN)
    (mac,) = (one["mac"] for one in town.shop.elements("orphan"))
    town.shop.bound(mac, "orphan")

    print(f"{mac} was bound {time.monotonic() - began:.1f} s after the leader got SIG{signal}")
    # A process that is started again in the same pod may go on at once: what it was is dead.
    assert signal == "KILL" or holder(town.kubectl) != leader


def holder(kubectl: Kubectl) -> str:
    """The pod that holds the Lease."""
    lease = kubectl.json("get", "lease", release_on_nodes.CONTROLLER, *INSTALLED)
    name: str = lease["spec"]["holderIdentity"]
    return name
