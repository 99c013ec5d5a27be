"""A node loses its power and comes back: its pods keep their addresses all the while."""

from e2e.functest.town import START_S, Town, is_ready
from testbed.kind import KindCluster
from testbed.readiness import eventually


def test_a_node_that_is_killed_and_started_brings_its_pods_back(
    kind: KindCluster, town: Town
) -> None:
    node = kind.workers[0]
    town.run("web", [{"name": "front"}], node=node)
    before = town.allocated("web")
    uid = town.shop.spec(before["net1"])["owner"]["uid"]

    kind.stop_node(node)
    try:
        # A replica of the webhook may have been there: Kubernetes sends it every other request
        # until it has noticed, 50 s later, that the node is gone; each of these waits for 10 s.
        eventually(
            lambda: "belongs to Pod" in refusal(town, before["net1"]), "thieves refused", START_S
        )
    finally:
        kind.start_nodes(node)
    eventually(lambda: runs_again(town), "web runs again", START_S)

    assert town.inside("web")["net1"] == before["net1"]
    assert town.shop.spec(before["net1"])["owner"]["uid"] == uid


def refusal(town: Town, mac: str) -> str:
    return town.shop.refuses("thief", [{"name": "front", "mac": mac}])


def runs_again(town: Town) -> bool:
    """Whether the container was started anew after its node was."""
    pod = town.kubectl.json("get", "pod", "web", "-n", town.namespace)
    restarts: int = pod["status"]["containerStatuses"][0]["restartCount"]
    return restarts > 0 and is_ready(pod)
