"""A node loses its power and comes back: its pods keep their addresses all the while."""

from e2e.functest.node_pods import START_S, NodePods, is_ready
from testbed.kind import KindCluster
from testbed.readiness import eventually


def test_a_node_that_is_killed_and_started_brings_its_pods_back(
    kind: KindCluster, node_pods: NodePods
) -> None:
    node = kind.workers[0]
    node_pods.run("web", [{"name": "front"}], node=node)
    before = node_pods.allocated("web")
    uid = node_pods.pods.spec(before["net1"])["owner"]["uid"]

    kind.stop_node(node)
    try:
        # A replica of the webhook may have been there: Kubernetes sends it every other request
        # until it has noticed, 50 s later, that the node is gone; each of these waits for 10 s.
        eventually(
            lambda: "belongs to Pod" in refusal(node_pods, before["net1"]),
            "thieves refused",
            START_S,
        )
    finally:
        kind.start_nodes(node)
    eventually(lambda: runs_again(node_pods), "web runs again", START_S)

    assert node_pods.inside("web")["net1"] == before["net1"]
    assert node_pods.pods.spec(before["net1"])["owner"]["uid"] == uid


def refusal(node_pods: NodePods, mac: str) -> str:
    return node_pods.pods.refuses("thief", [{"name": "front", "mac": mac}])


def runs_again(node_pods: NodePods) -> bool:
    """Return True if the container was started again after its node."""
    pod = node_pods.kubectl.json("get", "pod", "web", "-n", node_pods.namespace)
    restarts: int = pod["status"]["containerStatuses"][0]["restartCount"]
    return restarts > 0 and is_ready(pod)
