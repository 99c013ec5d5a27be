"""Addresses of pods, as a user of kubectl sees them."""

import json
import re

from e2e.pods import NETWORKS, PodNamespace, manifest

MAC = re.compile(r"02(:[0-9a-f]{2}){5}")
OURS = "0a:00:00:00:"  # addresses of the tests' own, outside the pool's range


def test_an_element_without_an_address_gets_namespace_and_mac(pods: PodNamespace) -> None:
    [element] = pods.create("samplepod", [{"name": "ovs-conf"}])

    assert list(element) == ["name", "namespace", "mac"]
    assert element["namespace"] == pods.namespace
    assert MAC.fullmatch(element["mac"])


def test_the_allocation_shows_whose_the_address_is(pods: PodNamespace) -> None:
    [element] = pods.create("samplepod", [{"name": "ovs-conf", "interface": "lan"}])

    spec = pods.bound(element["mac"], "samplepod")

    assert spec["source"] == "Pool"
    assert spec["pool"] == "default"
    assert spec["owner"]["interface"] == "lan"
    assert spec["owner"]["network"] == f"{pods.namespace}/ovs-conf"
    assert element["mac"] in pods.kubectl("get", "macallocations")


def test_the_rest_of_the_annotation_stays_as_it_was(pods: PodNamespace) -> None:
    text = '[ {"name": "a", "ips": ["10.0.0.1/24"], "cni-args": {"x": 1.50}},\n  {"name":"b"} ]'

    pods.create("samplepod", text)

    written = pods.annotation("samplepod") or ""
    assert re.sub(r',"(namespace|mac)":"[^"]*"', "", written) == text


def test_nothing_else_of_the_pod_is_touched(pods: PodNamespace) -> None:
    pods.create("samplepod", [{"name": "ovs-conf"}], labels={"app": "shop"})

    metadata = pods.client.read("pod", "samplepod", pods.namespace)["metadata"]

    assert list(metadata["annotations"]) == [NETWORKS]
    assert metadata["labels"] == {"app": "shop"}
    assert "finalizers" not in metadata


def test_every_interface_gets_an_address_of_its_own(pods: PodNamespace) -> None:
    elements = pods.create("samplepod", [{"name": f"net-{n}"} for n in range(8)])

    macs = [element["mac"] for element in elements]
    assert len(set(macs)) == 8
    pods.eventually_owns(macs)


def test_the_comma_list_is_left_alone_with_a_warning(pods: PodNamespace) -> None:
    answer = pods.client.ask_create(manifest("samplepod", "ovs-conf,other/b"), pods.namespace)

    [warning] = answer.warnings
    assert "JSON form" in warning
    assert pods.annotation("samplepod") == "ovs-conf,other/b"
    assert pods.allocations() == []


def test_a_dry_run_shows_an_address_and_writes_nothing(pods: PodNamespace) -> None:
    asked = [{"name": "ovs-conf"}, {"name": "b", "mac": OURS + "00:01"}]

    first, second = pods.dry_run("samplepod", asked)

    assert MAC.fullmatch(first["mac"])
    assert pods.allocation(first["mac"]) is None
    assert pods.allocation(second["mac"]) is None


def test_a_dry_run_is_refused_an_address_in_use(pods: PodNamespace) -> None:
    pods.create("samplepod", [{"name": "a", "mac": OURS + "00:02"}])
    pods.bound(OURS + "00:02", "samplepod")

    said = pods.refuses("other", [{"name": "a", "mac": OURS + "00:02"}], dry_run=True)

    assert "belongs to Pod" in said


def test_a_requested_address_is_locked_and_left_as_written(pods: PodNamespace) -> None:
    spellings = ["0A-00-00-00-00-03", "0a00.0000.0004", "0A:00:00:00:00:05"]

    elements = pods.create("samplepod", [{"name": "a", "mac": mac} for mac in spellings])

    assert [element["mac"] for element in elements] == spellings
    for n in (3, 4, 5):
        assert pods.bound(f"{OURS}00:0{n}", "samplepod")["source"] == "Requested"


def test_a_taken_address_is_refused_naming_holder_and_remedy(pods: PodNamespace) -> None:
    [element] = pods.create("samplepod", [{"name": "ovs-conf"}])
    pods.bound(element["mac"], "samplepod")

    said = pods.refuses("other", [{"name": "ovs-conf", "mac": element["mac"].upper()}])

    assert f"Pod {pods.namespace}/other" in said
    assert element["mac"] in said
    assert f"belongs to Pod {pods.namespace}/samplepod" in said
    assert "choose another address" in said


def test_one_address_twice_in_one_pod_is_refused(pods: PodNamespace) -> None:
    twice = [{"name": "a", "mac": OURS + "00:06"}, {"name": "b", "mac": "0A-00-00-00-00-06"}]

    said = pods.refuses("samplepod", twice)

    assert f"duplicate address {twice[0]['mac']} in elements 1 (a) and 2 (b)" in said
    assert pods.allocation(OURS + "00:06") is None


def test_the_other_addresses_of_a_refused_pod_are_free_again(pods: PodNamespace) -> None:
    pods.create("samplepod", [{"name": "a", "mac": OURS + "00:07"}])

    pods.refuses(
        "other", [{"name": "a", "mac": OURS + "00:08"}, {"name": "b", "mac": OURS + "00:07"}]
    )

    assert pods.allocation(OURS + "00:08") is None


def test_an_unreadable_annotation_is_refused_saying_where(pods: PodNamespace) -> None:
    said = pods.refuses("samplepod", '[{"name": "a"')

    assert NETWORKS in said
    assert "at character 14" in said


def test_an_interface_attached_later_gets_an_address_and_the_first_keeps_its_own(
    pods: PodNamespace,
) -> None:
    [first] = pods.create("samplepod", [{"name": "a"}])

    networks = json.dumps([first, {"name": "b", "interface": "net7"}])
    pods.client.annotate("pod", "samplepod", {NETWORKS: networks}, pods.namespace)

    before, after = pods.elements("samplepod")
    assert before == first
    assert MAC.fullmatch(after["mac"])
    pods.eventually_owns([first["mac"], after["mac"]])


def test_the_same_manifest_applied_again_gets_its_addresses_back(pods: PodNamespace) -> None:
    pod = manifest("samplepod", [{"name": "a"}, {"name": "b", "interface": "lan"}])
    pods("apply", "-f", "-", stdin=pod)
    had = pods.elements("samplepod")

    pods("apply", "-f", "-", stdin=pod)

    assert pods.elements("samplepod") == had
    pods.eventually_owns([element["mac"] for element in had])


def test_a_namespace_that_has_not_opted_in_is_not_served(elsewhere: PodNamespace) -> None:
    [element] = elsewhere.create("samplepod", [{"name": "a"}])

    assert "mac" not in element
