"""A guest that moves to another node while it runs."""

from e2e.cluster.kind import KindCluster
from e2e.functest.ranch import BOOT_S, Ranch, reported


def test_a_guest_that_moves_to_another_node_takes_its_address_along(
    kind: KindCluster, ranch: Ranch
) -> None:
    assert len(kind.nodes) > 1
    macs = ranch.create("web", run_strategy="Always")
    source = ranch.up("web")

    ranch.machines.migrate("web", "move")
    ranch.machines.wait_migration("move", "Succeeded", BOOT_S)

    target = ranch.machines.target("move")
    vmi = ranch.machines.instance("web")
    assert vmi["status"]["nodeName"] == target["spec"]["nodeName"] != source["spec"]["nodeName"]
    assert reported(vmi) == macs
    assert ranch.domain(target) == list(macs.values())
    ranch.type(target, "cat /www/index.html")  # it has not booted again, so it has said nothing yet
    ranch.says(target, f"interface eth0 {macs['default']}")
    ranch.bound(macs["default"], "web")
