"""Pods and allocations as tests speak of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from e2e.cluster.kubectl import Kubectl
from e2e.cluster.readiness import eventually

NETWORKS = "k8s.v1.cni.cncf.io/networks"
OPT_IN = "mutatepods.kubemacpool.io=allocate"


def manifest(name: str, networks: object = None, **metadata: object) -> str:
    """Return a pod that asks for `networks`: text as it is, anything else as JSON."""
    annotations = {} if networks is None else {NETWORKS: as_text(networks)}
    named = {"name": name} if name else {}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**named, "annotations": annotations, **metadata},
            "spec": {"containers": [{"name": "app", "image": "app"}]},
        }
    )


def declaration(mac: str, **spec: object) -> str:
    """Return a MacAllocation that declares an address."""
    return json.dumps(
        {
            "apiVersion": "kubemacpool.io/v1beta1",
            "kind": "MacAllocation",
            "metadata": {"name": mac.replace(":", "-")},
            "spec": {"mac": mac, **spec},
        }
    )


def as_text(networks: object) -> str:
    """Return the annotation's text."""
    return networks if isinstance(networks, str) else json.dumps(networks)


@dataclass(frozen=True, slots=True)
class Shop:
    """An opted-in namespace."""

    kubectl: Kubectl
    namespace: str

    def __call__(self, *args: str, stdin: str = "") -> str:
        """Run kubectl in it."""
        return self.kubectl(*args, "-n", self.namespace, stdin=stdin)

    def create(
        self, name: str, networks: object = None, **metadata: object
    ) -> list[dict[str, Any]]:
        """Create a pod and return its elements."""
        self("create", "-f", "-", stdin=manifest(name, networks, **metadata))
        return self.elements(name)

    def refuses(self, name: str, networks: object, *args: str) -> str:
        """Create a pod that is refused, and return what kubectl says."""
        stdin = manifest(name, networks)
        return self.kubectl.fails("create", "-f", "-", "-n", self.namespace, *args, stdin=stdin)

    def annotation(self, name: str) -> str | None:
        """Return the networks annotation of a stored pod."""
        pod = self.kubectl.json("get", "pod", name, "-n", self.namespace)
        text: str | None = pod["metadata"].get("annotations", {}).get(NETWORKS)
        return text

    def elements(self, name: str) -> list[dict[str, Any]]:
        """Return the elements of a stored pod's annotation."""
        text = self.annotation(name)
        if text is None or "[" not in text:
            return []
        elements: list[dict[str, Any]] = json.loads(text)
        return elements

    def delete(self, name: str) -> None:
        """Delete a pod at once."""
        self("delete", "pod", name, "--grace-period=0", "--force")

    def end(self, name: str, phase: str) -> None:
        """Give a pod the phase that a kubelet would give it."""
        patch = json.dumps({"status": {"phase": phase}})
        self("patch", "pod", name, "--subresource=status", "--type=merge", "-p", patch)

    def allocation(self, mac: str) -> dict[str, Any] | None:
        """Return the MacAllocation of an address, or None."""
        name = mac.lower().replace(":", "-")
        found = self.kubectl("get", "mac", name, "--ignore-not-found", "-o", "json")
        parsed: dict[str, Any] | None = json.loads(found) if found.strip() else None
        return parsed

    def spec(self, mac: str) -> dict[str, Any]:
        """Return the spec of an address's MacAllocation, empty where there is none."""
        found = self.allocation(mac)
        return found["spec"] if found else {}

    def bound(self, mac: str, owner: str) -> dict[str, Any]:
        """Wait until `mac` is bound to the pod `owner` as it is now; return the spec."""

        def spec() -> dict[str, Any]:
            found = self.spec(mac)
            if found.get("state") != "Bound" or found["owner"].get("name") != owner:
                return {}
            pod = self.kubectl.json("get", "pod", owner, "-n", self.namespace)
            return found if found["owner"]["uid"] == pod["metadata"]["uid"] else {}

        return eventually(spec, f"{mac} bound to {owner}")

    def freed(self, mac: str) -> None:
        """Wait until `mac` has no allocation any more."""
        eventually(lambda: self.allocation(mac) is None, f"{mac} released")

    def allocations(self) -> list[dict[str, Any]]:
        """Return the specs of all allocations that objects of this namespace own."""
        return self.owned_by(self.namespace)

    def owned_by(self, namespace: str) -> list[dict[str, Any]]:
        """Return the specs of all allocations that objects of `namespace` own."""
        selector = f"spec.owner.namespace={namespace}"
        return [
            one["spec"]
            for one in self.kubectl.json("get", "macs", "--field-selector", selector)["items"]
        ]

    def eventually_owns(self, macs: Sequence[str]) -> None:
        """Wait until exactly `macs` are bound to objects of this namespace."""

        def same() -> bool:
            specs = self.allocations()
            bound = all(spec["state"] == "Bound" for spec in specs)
            return bound and sorted(spec["mac"] for spec in specs) == sorted(macs)

        eventually(same, f"{self.namespace} owning exactly {len(macs)} addresses")
