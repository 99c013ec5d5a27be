"""Deployments, StatefulSets and Jobs: every pod that runs has an address of its own."""

import json

from e2e.functest.node_pods import START_S, NodePods, annotations, macs, pod_spec
from testbed.readiness import eventually

LAN = [{"name": "front"}]


def test_a_deployment_of_twenty_scales_up_and_down(node_pods: NodePods) -> None:
    node_pods.deploy("Deployment", "web", 20, LAN)
    before = node_pods.all_ready("web", 20)

    carried = {pod["metadata"]["name"]: macs(pod)[0] for pod in before}
    inside = {name: node_pods.inside(name)["net1"] for name in carried}
    node_pods.deploy("Deployment", "web", 3, LAN)
    after = {macs(pod)[0] for pod in node_pods.all_ready("web", 3)}

    assert inside == carried
    assert len(set(carried.values())) == 20
    assert after < set(carried.values())
    node_pods.freed(sorted(set(carried.values()) - after))
    node_pods.pods.eventually_owns(sorted(after))


def test_a_statefulset_that_is_created_again_is_served_again(node_pods: NodePods) -> None:
    node_pods.deploy("StatefulSet", "db", 2, LAN)
    before = {mac for pod in node_pods.all_ready("db", 2) for mac in macs(pod)}

    node_pods("delete", "statefulset", "db")
    node_pods.deploy("StatefulSet", "db", 2, LAN)
    after = {pod["metadata"]["name"]: macs(pod)[0] for pod in node_pods.all_ready("db", 2)}

    assert {name: node_pods.inside(name)["net1"] for name in after} == after
    assert not before.intersection(after.values())
    node_pods.freed(sorted(before))


def test_a_pod_with_a_fixed_address_is_replaced_at_once_by_its_next_life(
    node_pods: NodePods,
) -> None:
    fixed = [{"name": "front", "mac": "0a:00:00:00:00:17"}]
    node_pods.deploy("StatefulSet", "db", 1, fixed)
    first = node_pods.all_ready("db", 1)[0]["metadata"]["uid"]

    node_pods("delete", "pod", "db-0")
    second = eventually(
        lambda: [pod for pod in node_pods.workload_pods("db") if pod["metadata"]["uid"] != first],
        "db-0 created again",
        START_S,
    )[0]

    node_pods.ready("pod/db-0")
    assert node_pods.inside("db-0")["net1"] == "0a:00:00:00:00:17"
    owner = node_pods.pods.bound("0a:00:00:00:00:17", "db-0")["owner"]
    assert owner["uid"] == second["metadata"]["uid"]


def test_the_pods_of_a_job_release_when_they_complete(node_pods: NodePods) -> None:
    spec = pod_spec() | {"restartPolicy": "Never"}
    spec["containers"][0]["command"] = ["true"]
    template = {"metadata": {"annotations": annotations(LAN)}, "spec": spec}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once"},
        "spec": {"completions": 3, "parallelism": 3, "template": template},
    }

    node_pods("create", "-f", "-", stdin=json.dumps(job))
    node_pods("wait", "job/once", "--for=condition=Complete", "--timeout=100s")

    ended = node_pods.kubectl.json("get", "pods", "-n", node_pods.namespace)["items"]
    carried = [macs(pod)[0] for pod in ended]
    assert len(set(carried)) == 3
    node_pods.freed(carried)
    assert len(node_pods.kubectl.json("get", "pods", "-n", node_pods.namespace)["items"]) == 3
