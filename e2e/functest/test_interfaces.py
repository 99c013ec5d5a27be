"""What `kubectl get macallocations` shows is what the interface in the container carries."""

import json

from e2e.functest.town import Town
from e2e.pods import NETWORKS, OPT_IN, Shop, manifest
from testbed.kind import KindCluster
from testbed.readiness import eventually


def test_one_interface_carries_the_address_of_its_allocation(town: Town) -> None:
    town.run("web", [{"name": "front"}])

    allocated = town.allocated("web")

    assert list(allocated) == ["net1"]
    assert town.inside("web")["net1"] == allocated["net1"]
    assert town.reported("web") == allocated
    assert [one["mac"] for one in town.shop.elements("web")] == [allocated["net1"]]


def test_three_interfaces_carry_three_addresses(town: Town) -> None:
    networks = [{"name": "front"}, {"name": "back"}, {"name": "storage", "interface": "store0"}]
    town.run("router", networks)

    allocated = town.allocated("router")

    inside = town.inside("router")
    assert set(allocated) == {"net1", "net2", "store0"}
    assert {name: inside[name] for name in allocated} == allocated
    assert town.reported("router") == allocated
    assert len(set(allocated.values())) == 3


def test_an_address_by_hand_is_what_the_interface_carries(town: Town) -> None:
    town.run("manual", [{"name": "front", "mac": "0A-0B-0C-0D-0E-0F"}])

    assert town.allocated("manual") == {"net1": "0a:0b:0c:0d:0e:0f"}
    assert town.inside("manual")["net1"] == "0a:0b:0c:0d:0e:0f"


def test_pods_of_two_nodes_have_addresses_and_their_own_network_beside_them(
    kind: KindCluster, town: Town
) -> None:
    """The bridges of these networks end at their nodes; the pods' own network does not."""
    here, there = kind.nodes[:2]
    for name, node in (("here", here), ("there", there)):
        town.run(name, [{"name": "front"}], node=node)
    pod = town.kubectl.json("get", "pod", "there", "-n", town.namespace)

    answer = town("exec", "here", "--", "ping", "-c1", "-W5", pod["status"]["podIP"])

    assert "1 packets received" in answer
    assert pod["spec"]["nodeName"] == there != here
    for name in ("here", "there"):
        assert town.inside(name)["net1"] == town.allocated(name)["net1"]


def test_a_namespace_opts_out_and_in_again(town: Town) -> None:
    town.run("before", [{"name": "front"}])
    key = OPT_IN.partition("=")[0]

    town.kubectl("label", "namespace", town.namespace, f"{key}-")
    unserved(town.shop)
    town.run("between", [{"name": "front"}])
    town.kubectl("label", "namespace", town.namespace, OPT_IN)
    served(town.shop)
    town.run("after", [{"name": "front"}])

    assert "mac" not in town.shop.elements("between")[0]
    # The kernel picked it, and Multus reported it: the pool does not give it to anybody else.
    assert town.reported("between")["net1"] == town.inside("between")["net1"]
    for pod in ("before", "after"):
        assert town.inside(pod)["net1"] == town.allocated(pod)["net1"]


def served(shop: Shop) -> None:
    """Wait until the API server asks for pods of this namespace: it learns of labels later."""
    eventually(lambda: "mac" in offered(shop), "the namespace is served")


def unserved(shop: Shop) -> None:
    """Wait until it does not."""
    eventually(lambda: "mac" not in offered(shop), "the namespace is not served")


def offered(shop: Shop) -> dict[str, str]:
    dry = ("create", "-f", "-", "-n", shop.namespace, "--dry-run=server", "-o", "json")
    shown = json.loads(shop.kubectl(*dry, stdin=manifest("probe", [{"name": "front"}])))
    element: dict[str, str] = json.loads(shown["metadata"]["annotations"][NETWORKS])[0]
    return element
