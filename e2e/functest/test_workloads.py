"""Deployments, StatefulSets and Jobs: every pod that runs has an address of its own."""

import json

from e2e.functest.town import START_S, Town, annotations, macs, pod_spec
from testbed.readiness import eventually

LAN = [{"name": "front"}]


def test_a_deployment_of_twenty_scales_up_and_down(town: Town) -> None:
    town.deploy("Deployment", "web", 20, LAN)
    before = town.all_ready("web", 20)

    carried = {one["metadata"]["name"]: macs(one)[0] for one in before}
    inside = {name: town.inside(name)["net1"] for name in carried}
    town.deploy("Deployment", "web", 3, LAN)
    after = {macs(one)[0] for one in town.all_ready("web", 3)}

    assert inside == carried
    assert len(set(carried.values())) == 20
    assert after < set(carried.values())
    town.freed(sorted(set(carried.values()) - after))
    town.shop.eventually_owns(sorted(after))


def test_a_statefulset_that_is_created_again_is_served_again(town: Town) -> None:
    town.deploy("StatefulSet", "db", 2, LAN)
    before = {mac for one in town.all_ready("db", 2) for mac in macs(one)}

    town("delete", "statefulset", "db")
    town.deploy("StatefulSet", "db", 2, LAN)
    after = {one["metadata"]["name"]: macs(one)[0] for one in town.all_ready("db", 2)}

    assert {name: town.inside(name)["net1"] for name in after} == after
    assert not before.intersection(after.values())
    town.freed(sorted(before))


def test_a_pod_with_a_fixed_address_is_replaced_at_once_by_its_next_life(town: Town) -> None:
    fixed = [{"name": "front", "mac": "0a:00:00:00:00:17"}]
    town.deploy("StatefulSet", "db", 1, fixed)
    first = town.all_ready("db", 1)[0]["metadata"]["uid"]

    town("delete", "pod", "db-0")
    second = eventually(
        lambda: [one for one in town.pods("db") if one["metadata"]["uid"] != first],
        "db-0 created again",
        START_S,
    )[0]

    town.ready("pod/db-0")
    assert town.inside("db-0")["net1"] == "0a:00:00:00:00:17"
    assert (
        town.shop.bound("0a:00:00:00:00:17", "db-0")["owner"]["uid"] == (second["metadata"]["uid"])
    )


def test_the_pods_of_a_job_release_when_they_complete(town: Town) -> None:
    spec = pod_spec() | {"restartPolicy": "Never"}
    spec["containers"][0]["command"] = ["true"]
    template = {"metadata": {"annotations": annotations(LAN)}, "spec": spec}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once"},
        "spec": {"completions": 3, "parallelism": 3, "template": template},
    }

    town("create", "-f", "-", stdin=json.dumps(job))
    town("wait", "job/once", "--for=condition=Complete", "--timeout=100s")

    ended = town.kubectl.json("get", "pods", "-n", town.namespace)["items"]
    carried = [macs(one)[0] for one in ended]
    assert len(set(carried)) == 3
    town.freed(carried)
    assert len(town.kubectl.json("get", "pods", "-n", town.namespace)["items"]) == 3
