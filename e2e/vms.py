"""Virtual machines and the allocations of their addresses, as tests speak of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from e2e.pods import PodNamespace
from testbed.client import refusal
from testbed.kubevirt import KubeVirt, VirtualMachines
from testbed.kubevirt.virtualmachines import Interface, manifest

# The namespace controller looks at what is left ever more slowly.
NAMESPACE_GOES_S = 180
OPT_IN_VMS = "mutatevirtualmachines.kubemacpool.io=allocate"
OPTED_IN_VMS = {"mutatevirtualmachines.kubemacpool.io": "allocate"}
NAT = Interface("default")
LAN = Interface("lan", network="lan")
_INTERFACES = ("spec", "template", "spec", "domain", "devices", "interfaces")


@dataclass(frozen=True, slots=True)
class VmNamespace(VirtualMachines):
    """A namespace for VMs that do not run: it needs no more of KubeVirt than its CRDs."""

    @property
    def pods(self) -> PodNamespace:
        """Its pods and allocations."""
        return PodNamespace(self.kubectl, self.namespace)

    def __call__(self, *args: str, stdin: str = "") -> str:
        """Run kubectl in it."""
        return self.kubectl(*args, "-n", self.namespace, stdin=stdin)

    def create(
        self, name: str, *interfaces: Interface, run_strategy: str = "Halted"
    ) -> dict[str, str]:
        """Create a VM and return its addresses by interface."""
        vm = manifest(name, interfaces or (NAT, LAN), run_strategy=run_strategy)
        return addresses(self.client.create(vm, self.namespace))

    def refuses(self, name: str, *interfaces: Interface) -> str:
        """Create a VM that is refused, and return what the API server says."""
        vm = manifest(name, interfaces, run_strategy="Halted")
        said = refusal(lambda: self.client.create(vm, self.namespace))
        assert said, f"the VM {name} was created"
        return said

    def addresses(self, name: str) -> dict[str, str]:
        """Return the addresses in a stored VM, by interface."""
        return addresses(self.get("vm", name))

    def interfaces(self, name: str) -> list[dict[str, Any]]:
        """Return the interfaces of a stored VM."""
        return _interfaces(self.get("vm", name))

    def networks(self, name: str) -> list[dict[str, Any]]:
        """Return the networks of a stored VM."""
        networks: list[dict[str, Any]] = self.get("vm", name)["spec"]["template"]["spec"][
            "networks"
        ]
        return networks

    def edit(
        self,
        name: str,
        interfaces: Sequence[dict[str, Any]],
        networks: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        """Write other interfaces (and networks) into a VM."""
        self.client.patch("vm", name, edited(interfaces, networks), self.namespace)

    def delete(
        self, kind: str, name: str, *, cascade: str = "background", wait: bool = True
    ) -> None:
        """Delete an object and, unless told not to, wait until it is gone."""
        self.client.delete(kind, name, self.namespace, cascade=cascade, wait=wait)

    def bound(self, mac: str, name: str, kind: str = "VirtualMachine") -> dict[str, Any]:
        """Wait until `mac` is bound to the machine `name` as it is now; return the spec."""

        def spec(found: dict[str, Any]) -> dict[str, Any]:
            wanted: dict[str, Any] = found["spec"]
            owner = wanted.get("owner", {})
            if wanted["state"] != "Bound" or (owner["kind"], owner.get("name")) != (kind, name):
                return {}
            uid = self.get(kind.lower(), name)["metadata"]["uid"]
            return wanted if owner["uid"] == uid else {}

        return self.pods.holds(mac, spec, f"{mac} bound to {kind} {name}")

    def outlast_quiet(self) -> None:
        """Return when all that could be released by now has been: a VM made now is, and gone."""
        mac = self.create("marker", LAN)["lan"]
        self.bound(mac, "marker")
        self.delete("vm", "marker")
        self.freed(mac)

    def freed(self, *macs: str) -> None:
        """Wait until none of `macs` has an allocation any more."""
        for mac in macs:
            self.pods.freed(mac)


@dataclass(frozen=True, slots=True)
class KubeVirtNamespace(VmNamespace):
    """A namespace with a network `lan`, on a cluster with KubeVirt, where VMs run."""

    kubevirt: KubeVirt

    def run(self, name: str) -> dict[str, Any]:
        """Start a VM and return its VMI, which runs."""
        self.run_strategy(name, "Always")
        return self.kubevirt.handler.run(self, name)

    def halt(self, name: str) -> None:
        """Stop a VM and wait until its VMI is gone."""
        self.run_strategy(name, "Halted")
        self.end(name)

    def end(self, name: str) -> None:
        """Let a VMI that is being deleted end, and wait until it is gone."""
        self.wait_instance(name, lambda vmi: "deletionTimestamp" in vmi["metadata"])
        self.kubevirt.handler.stop(self, name)
        self.wait_gone("vmi", name)


def addresses(vm: dict[str, Any]) -> dict[str, str]:
    """Return the addresses in a VM that was read, by interface."""
    return {interface["name"]: interface.get("macAddress", "") for interface in _interfaces(vm)}


def _interfaces(vm: dict[str, Any]) -> list[dict[str, Any]]:
    found: Any = vm
    for key in _INTERFACES:
        found = found.get(key, {})
    return found or []


def edited(
    interfaces: Sequence[dict[str, Any]], networks: Sequence[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return the merge patch that writes them into a VM."""
    spec: dict[str, Any] = {"domain": {"devices": {"interfaces": list(interfaces)}}}
    if networks is not None:
        spec["networks"] = list(networks)
    return {"spec": {"template": {"spec": spec}}}
