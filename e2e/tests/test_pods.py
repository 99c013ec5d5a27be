"""What a user of pods sees, through kubectl."""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import pytest

from e2e.pods import NETWORKS, OPTED_IN, Shop, manifest
from testbed.fixtures import fresh_namespace
from testbed.kubectl import Kubectl
from testbed.readiness import eventually
from testbed.release import Installed

MAC = re.compile(r"02(:[0-9a-f]{2}){5}")
OURS = "0a:00:00:00:"  # addresses of the tests' own, outside the pool's range


def test_an_element_without_an_address_gets_namespace_and_mac(shop: Shop) -> None:
    [element] = shop.create("samplepod", [{"name": "ovs-conf"}])

    assert list(element) == ["name", "namespace", "mac"]
    assert element["namespace"] == shop.namespace
    assert MAC.fullmatch(element["mac"])


def test_the_allocation_shows_whose_the_address_is(shop: Shop) -> None:
    [element] = shop.create("samplepod", [{"name": "ovs-conf", "interface": "lan"}])

    spec = shop.bound(element["mac"], "samplepod")

    assert spec["source"] == "Pool"
    assert spec["pool"] == "default"
    assert spec["owner"]["interface"] == "lan"
    assert spec["owner"]["network"] == f"{shop.namespace}/ovs-conf"
    assert element["mac"] in shop.kubectl("get", "macallocations")


def test_all_else_in_the_annotation_stays_as_it_was(shop: Shop) -> None:
    text = '[ {"name": "a", "ips": ["10.0.0.1/24"], "cni-args": {"x": 1.50}},\n  {"name":"b"} ]'

    shop.create("samplepod", text)

    written = shop.annotation("samplepod") or ""
    assert re.sub(r',"(namespace|mac)":"[^"]*"', "", written) == text


def test_nothing_else_of_the_pod_is_touched(shop: Shop) -> None:
    shop.create("samplepod", [{"name": "ovs-conf"}], labels={"app": "shop"})

    metadata = shop.client.read("pod", "samplepod", shop.namespace)["metadata"]

    assert list(metadata["annotations"]) == [NETWORKS]
    assert metadata["labels"] == {"app": "shop"}
    assert "finalizers" not in metadata


def test_every_interface_gets_an_address_of_its_own(shop: Shop) -> None:
    elements = shop.create("samplepod", [{"name": f"net-{n}"} for n in range(8)])

    macs = [element["mac"] for element in elements]
    assert len(set(macs)) == 8
    shop.eventually_owns(macs)


def test_the_comma_list_is_left_alone_with_a_warning(shop: Shop) -> None:
    answer = shop.client.ask_create(manifest("samplepod", "ovs-conf,other/b"), shop.namespace)

    [warning] = answer.warnings
    assert "JSON form" in warning
    assert shop.annotation("samplepod") == "ovs-conf,other/b"
    assert shop.allocations() == []


def test_a_dry_run_shows_an_address_and_writes_nothing(shop: Shop) -> None:
    asked = [{"name": "ovs-conf"}, {"name": "b", "mac": OURS + "00:01"}]

    first, second = shop.dry_run("samplepod", asked)

    assert MAC.fullmatch(first["mac"])
    assert shop.allocation(first["mac"]) is None
    assert shop.allocation(second["mac"]) is None


def test_a_dry_run_is_told_that_an_address_is_taken(shop: Shop) -> None:
    shop.create("samplepod", [{"name": "a", "mac": OURS + "00:02"}])
    shop.bound(OURS + "00:02", "samplepod")

    said = shop.refuses("other", [{"name": "a", "mac": OURS + "00:02"}], dry_run=True)

    assert "belongs to Pod" in said


def test_a_requested_address_is_locked_and_left_as_written(shop: Shop) -> None:
    spellings = ["0A-00-00-00-00-03", "0a00.0000.0004", "0A:00:00:00:00:05"]

    elements = shop.create("samplepod", [{"name": "a", "mac": mac} for mac in spellings])

    assert [element["mac"] for element in elements] == spellings
    for n in (3, 4, 5):
        assert shop.bound(f"{OURS}00:0{n}", "samplepod")["source"] == "Requested"


def test_a_taken_address_is_refused_naming_holder_and_remedy(shop: Shop) -> None:
    [element] = shop.create("samplepod", [{"name": "ovs-conf"}])
    shop.bound(element["mac"], "samplepod")

    said = shop.refuses("other", [{"name": "ovs-conf", "mac": element["mac"].upper()}])

    assert f"Pod {shop.namespace}/other" in said
    assert element["mac"] in said
    assert f"belongs to Pod {shop.namespace}/samplepod" in said
    assert "choose another address" in said


def test_what_no_interface_can_own_is_refused(shop: Shop) -> None:
    refused = {
        "03:00:00:00:00:01": "group address",
        "ff:ff:ff:ff:ff:ff": "group address",
        "00:00:00:00:00:00": "zero address",
        "02:00:00:00:00": "is not a MAC address",
        "00:00:00:00:00:00:00:01": "is not a MAC address",
        "nonsense": "is not a MAC address",
    }

    said = {mac: shop.refuses("samplepod", [{"name": "a", "mac": mac}]) for mac in refused}

    for mac, why in refused.items():
        assert why in said[mac]
        assert f"Pod {shop.namespace}/samplepod" in said[mac]


def test_one_address_twice_in_one_pod_is_refused(shop: Shop) -> None:
    twice = [{"name": "a", "mac": OURS + "00:06"}, {"name": "b", "mac": "0A-00-00-00-00-06"}]

    said = shop.refuses("samplepod", twice)

    assert f"duplicate address {twice[0]['mac']} in elements 1 (a) and 2 (b)" in said
    assert shop.allocation(OURS + "00:06") is None


def test_what_a_refused_pod_got_for_its_other_interfaces_is_free_again(shop: Shop) -> None:
    shop.create("samplepod", [{"name": "a", "mac": OURS + "00:07"}])

    shop.refuses(
        "other", [{"name": "a", "mac": OURS + "00:08"}, {"name": "b", "mac": OURS + "00:07"}]
    )

    assert shop.allocation(OURS + "00:08") is None


def test_an_infiniband_element_is_left_alone(shop: Shop) -> None:
    guid = {"name": "ib", "infiniband-guid": "c2:11:22:33:44:55:66:77"}

    elements = shop.create("samplepod", [guid, {"name": "b"}])

    assert elements[0] == guid
    assert "mac" in elements[1]


def test_an_unreadable_annotation_is_refused_saying_where(shop: Shop) -> None:
    said = shop.refuses("samplepod", '[{"name": "a"')

    assert NETWORKS in said
    assert "at character 14" in said


def test_an_interface_attached_later_gets_an_address_and_the_first_keeps_its_own(
    shop: Shop,
) -> None:
    [first] = shop.create("samplepod", [{"name": "a"}])

    networks = json.dumps([first, {"name": "b", "interface": "net7"}])
    shop.client.annotate("pod", "samplepod", {NETWORKS: networks}, shop.namespace)

    before, after = shop.elements("samplepod")
    assert before == first
    assert MAC.fullmatch(after["mac"])
    shop.eventually_owns([first["mac"], after["mac"]])


def test_the_same_manifest_applied_again_gets_back_what_it_had(shop: Shop) -> None:
    pod = manifest("samplepod", [{"name": "a"}, {"name": "b", "interface": "lan"}])
    shop("apply", "-f", "-", stdin=pod)
    had = shop.elements("samplepod")

    shop("apply", "-f", "-", stdin=pod)

    assert shop.elements("samplepod") == had
    shop.eventually_owns([element["mac"] for element in had])


def test_a_running_pod_keeps_the_address_that_its_annotation_lost(shop: Shop) -> None:
    [element] = shop.create("samplepod", [{"name": "a"}])
    shop.bound(element["mac"], "samplepod")

    shop.client.annotate("pod", "samplepod", {NETWORKS: None}, shop.namespace)

    assert "belongs to Pod" in shop.refuses("other", [{"name": "a", "mac": element["mac"]}])


def test_a_pod_that_is_deleted_frees_its_address(shop: Shop) -> None:
    [element] = shop.create("samplepod", [{"name": "a"}])
    shop.bound(element["mac"], "samplepod")

    shop.delete("samplepod")

    shop.freed(element["mac"])


def test_a_pod_that_has_succeeded_or_failed_frees_its_address(shop: Shop) -> None:
    macs = {}
    for phase in ("Succeeded", "Failed"):
        [element] = shop.create(phase.lower(), [{"name": "a"}])
        macs[phase] = element["mac"]
        shop.bound(element["mac"], phase.lower())

    for phase in macs:
        shop.end(phase.lower(), phase)

    for mac in macs.values():
        shop.freed(mac)


def test_a_pod_deleted_and_created_again_is_never_refused_for_its_former_self(shop: Shop) -> None:
    networks = [{"name": "a", "mac": OURS + "01:01"}]
    shop.create("samplepod", networks)
    uids = set()

    for _ in range(5):
        shop.delete("samplepod")
        shop.create("samplepod", networks)
        uids.add(shop.bound(OURS + "01:01", "samplepod")["owner"]["uid"])

    assert len(uids) == 5


def test_two_pods_of_one_deployment_are_never_both_given_its_fixed_address(shop: Shop) -> None:
    networks = json.dumps([{"name": "a", "mac": OURS + "01:02"}])
    template = {
        "metadata": {"labels": {"app": "web"}, "annotations": {NETWORKS: networks}},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }

    shop.client.create(deployment, shop.namespace)

    def refused(sets: Collection[dict[str, Any]]) -> str:
        conditions = [one for each in sets for one in each["status"].get("conditions", [])]
        return " ".join(one["message"] for one in conditions if one["type"] == "ReplicaFailure")

    said = shop.client.until("replicaset", refused, "the second pod refused", shop.namespace)
    assert OURS + "01:02" in said
    assert len(shop.client.list("pod", shop.namespace)) == 1


def test_what_a_later_stage_refuses_leaks_nothing(shop: Shop) -> None:
    quota = {"kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": 0}}}
    shop.client.create({"apiVersion": "v1", **quota}, shop.namespace)
    eventually(lambda: "exceeded quota" in shop.refusal("early", None), "the quota in force")

    said = shop.refuses("samplepod", [{"name": "a", "mac": OURS + "01:03"}])

    assert "exceeded quota" in said
    assert shop.spec(OURS + "01:03").get("state") in {"Pending", None}  # None: Q is over
    shop.freed(OURS + "01:03")


def test_a_namespace_that_has_not_opted_in_is_not_served(elsewhere: Shop) -> None:

    [element] = elsewhere.create("samplepod", [{"name": "a"}])

    assert "mac" not in element


@pytest.fixture
def critical(release: Installed, kubectl: Kubectl) -> Iterator[Shop]:
    """A namespace of the cluster itself, labelled like one that has opted in."""
    assert release.webhooks
    for name in fresh_namespace(kubectl, runlevel="0", **OPTED_IN):
        yield Shop(kubectl, name)


def test_a_namespace_of_the_cluster_itself_is_never_touched(critical: Shop) -> None:
    [element] = critical.create("samplepod", [{"name": "a"}])

    assert "mac" not in element


def test_an_address_that_nobody_allocated_is_adopted_wherever_it_is(
    shop: Shop, elsewhere: Shop
) -> None:
    elsewhere.create("wild", [{"name": "a", "mac": OURS + "01:04"}])

    spec = elsewhere.bound(OURS + "01:04", "wild")

    assert spec["source"] == "Adopted"
    assert "belongs to Pod" in shop.refuses("tame", [{"name": "a", "mac": OURS + "01:04"}])


def test_a_second_carrier_is_noted_as_a_conflict_until_it_goes(shop: Shop, elsewhere: Shop) -> None:
    shop.create("tame", [{"name": "a", "mac": OURS + "01:05"}])
    shop.bound(OURS + "01:05", "tame")

    elsewhere.create("wild", [{"name": "a", "mac": OURS + "01:05"}])
    shop.in_conflict(OURS + "01:05", "wild")
    elsewhere.delete("wild")
    shop.in_conflict(OURS + "01:05")
    assert shop.spec(OURS + "01:05")["owner"]["name"] == "tame"
