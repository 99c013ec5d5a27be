"""A namespace whose VMs get launcher pods on nodes with Multus; no guest boots in them."""

import json
from dataclasses import dataclass
from typing import Any

from e2e.cluster.kind import KindCluster
from e2e.cluster.kubevirt.machines import Interface, manifest
from e2e.cluster.readiness import eventually
from e2e.farm import NAT, Pasture
from e2e.functest.town import START_S, STATUS, Town

FRONT = Interface("front", network="front")


@dataclass(frozen=True, slots=True)
class Ranch(Pasture):
    """One namespace that has opted in, with a network `front`."""

    cluster: KindCluster

    def wait_served(self) -> None:
        """Wait until the API server asks for VMs of this namespace: it learns of labels later."""
        probe = json.dumps(manifest("probe", [NAT], run_strategy="Halted"))
        dry = ("create", "-f", "-", "-n", self.namespace, "--dry-run=server", "-o", "json")
        eventually(
            lambda: "macAddress" in self.kubectl.run(*dry, stdin=probe).stdout,
            "the namespace is served",
        )

    def run(self, name: str) -> dict[str, str]:
        """Create a VM that is started, and return its addresses by interface."""
        return self.create(name, NAT, FRONT, run_strategy="Always")

    def wired(self, name: str) -> dict[str, Any]:
        """Return the launcher pod of a VM, when its sandbox has its networks."""

        def reported() -> dict[str, Any] | None:
            pod = self.machines.launcher(name)
            return pod if STATUS in pod["metadata"]["annotations"] else None

        found = eventually(reported, f"the launcher of {name} on a node", START_S)
        assert found
        return found

    def on_node(self, pod: dict[str, Any]) -> list[str]:
        """Return what `ip link` says on the pod's node of every interface in every sandbox."""
        command = ("ip", "-all", "netns", "exec", "ip", "-o", "link")
        return self.cluster.on_node(pod["spec"]["nodeName"], *command).splitlines()

    def halted(self, name: str) -> None:
        """Wait until a VM has neither a VMI nor a launcher pod."""
        eventually(lambda: self.machines.gone("vmi", name), f"the VMI {name} gone", START_S)
        eventually(lambda: not self("get", "pods", "-o", "name"), "no launcher is left", START_S)

    def freed(self, *macs: str) -> None:
        """Wait until none of `macs` has an allocation, after Q."""
        Town(self.kubectl, self.namespace).freed(macs)
