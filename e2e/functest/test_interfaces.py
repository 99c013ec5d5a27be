"""What `kubectl get macallocations` shows is what the interface in the container carries."""

import json

from e2e.functest.node_pods import NodePods
from e2e.pods import NETWORKS, OPT_IN, PodNamespace, manifest
from testbed.kind import KindCluster
from testbed.readiness import eventually


def test_one_interface_carries_the_address_of_its_allocation(node_pods: NodePods) -> None:
    node_pods.run("web", [{"name": "front"}])

    allocated = node_pods.allocated("web")

    assert list(allocated) == ["net1"]
    assert node_pods.inside("web")["net1"] == allocated["net1"]
    assert node_pods.reported("web") == allocated
    assert [element["mac"] for element in node_pods.pods.elements("web")] == [allocated["net1"]]


def test_three_interfaces_carry_three_addresses(node_pods: NodePods) -> None:
    networks = [{"name": "front"}, {"name": "back"}, {"name": "storage", "interface": "store0"}]
    node_pods.run("router", networks)

    allocated = node_pods.allocated("router")

    inside = node_pods.inside("router")
    assert set(allocated) == {"net1", "net2", "store0"}
    assert {name: inside[name] for name in allocated} == allocated
    assert node_pods.reported("router") == allocated
    assert len(set(allocated.values())) == 3


def test_an_address_by_hand_is_what_the_interface_carries(node_pods: NodePods) -> None:
    node_pods.run("manual", [{"name": "front", "mac": "0A-0B-0C-0D-0E-0F"}])

    assert node_pods.allocated("manual") == {"net1": "0a:0b:0c:0d:0e:0f"}
    assert node_pods.inside("manual")["net1"] == "0a:0b:0c:0d:0e:0f"


def test_pods_of_two_nodes_have_addresses_and_their_own_network_beside_them(
    kind: KindCluster, node_pods: NodePods
) -> None:
    """The bridges of these networks end at their nodes; the pods' own network does not."""
    here, there = kind.nodes[:2]
    for name, node in (("here", here), ("there", there)):
        node_pods.run(name, [{"name": "front"}], node=node)
    pod = node_pods.kubectl.json("get", "pod", "there", "-n", node_pods.namespace)

    answer = node_pods("exec", "here", "--", "ping", "-c1", "-W5", pod["status"]["podIP"])

    assert "1 packets received" in answer
    assert pod["spec"]["nodeName"] == there != here
    for name in ("here", "there"):
        assert node_pods.inside(name)["net1"] == node_pods.allocated(name)["net1"]


def test_a_namespace_opts_out_and_in_again(node_pods: NodePods) -> None:
    node_pods.run("before", [{"name": "front"}])
    key = OPT_IN.partition("=")[0]

    node_pods.kubectl("label", "namespace", node_pods.namespace, f"{key}-")
    unserved(node_pods.pods)
    node_pods.run("between", [{"name": "front"}])
    node_pods.kubectl("label", "namespace", node_pods.namespace, OPT_IN)
    served(node_pods.pods)
    node_pods.run("after", [{"name": "front"}])

    assert "mac" not in node_pods.pods.elements("between")[0]
    # The kernel picked it, and Multus reported it: the pool does not give it to anybody else.
    assert node_pods.reported("between")["net1"] == node_pods.inside("between")["net1"]
    for pod in ("before", "after"):
        assert node_pods.inside(pod)["net1"] == node_pods.allocated(pod)["net1"]


def served(pods: PodNamespace) -> None:
    """Wait until the API server asks for pods of this namespace: it learns of labels later."""
    eventually(lambda: "mac" in offered(pods), "the namespace is served")


def unserved(pods: PodNamespace) -> None:
    """Wait until it does not."""
    eventually(lambda: "mac" not in offered(pods), "the namespace is not served")


def offered(pods: PodNamespace) -> dict[str, str]:
    dry = ("create", "-f", "-", "-n", pods.namespace, "--dry-run=server", "-o", "json")
    shown = json.loads(pods.kubectl(*dry, stdin=manifest("probe", [{"name": "front"}])))
    element: dict[str, str] = json.loads(shown["metadata"]["annotations"][NETWORKS])[0]
    return element
