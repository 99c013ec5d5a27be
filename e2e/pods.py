"""Pods and allocations: manifests, and the calls that tests need."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from testbed.client import Client, refusal
from testbed.kubectl import Kubectl

T = TypeVar("T")

NETWORKS = "k8s.v1.cni.cncf.io/networks"
OWNER = {  # of allocations that no program judges
    "apiVersion": "v1",
    "kind": "Pod",
    "namespace": "shop",
    "name": "samplepod",
    "uid": "6c1a1c56-2a3c-4d7e-9b7a-0d8d7a0f3b11",
    "interface": "net1",
    "network": "shop/ovs-conf",
}
_COLLIDING = "reason=MACCollision,involvedObject.name={}"
OPT_IN = "mutatepods.kubemacpool.io=allocate"
OPTED_IN = {"mutatepods.kubemacpool.io": "allocate"}


def manifest(name: str, networks: object = None, **metadata: object) -> str:
    """Return a pod that asks for `networks`: text as it is, anything else as JSON."""
    annotations = {} if networks is None else {NETWORKS: _text(networks)}
    named = {"name": name} if name else {}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**named, "annotations": annotations, **metadata},
            "spec": {"containers": [{"name": "app", "image": "app"}]},
        }
    )


def allocation(mac: str, name: str = "", /, **spec: object) -> str:
    """Return a MacAllocation; without a `spec`, it declares the address."""
    return json.dumps(
        {
            "apiVersion": "kubemacpool.io/v1beta1",
            "kind": "MacAllocation",
            "metadata": {"name": name or name_of(mac)},
            "spec": {"mac": mac, **spec},
        }
    )


def as_user(client: Client, user: str, group: str = "") -> Client:
    """Return a client that impersonates another user."""
    return Client(client.connection.as_user(user, group))


@dataclass(frozen=True, slots=True)
class PodNamespace:
    """An opted-in namespace."""

    kubectl: Kubectl
    namespace: str

    @property
    def client(self) -> Client:
        """The client of its cluster."""
        return self.kubectl.client

    def __call__(self, *args: str, stdin: str = "") -> str:
        """Run kubectl in it."""
        return self.kubectl(*args, "-n", self.namespace, stdin=stdin)

    def create(
        self, name: str, networks: object = None, **metadata: object
    ) -> list[dict[str, Any]]:
        """Create a pod and return its elements."""
        return _elements(self.client.create(manifest(name, networks, **metadata), self.namespace))

    def dry_run(self, name: str, networks: object) -> list[dict[str, Any]]:
        """Return the elements that a pod would have."""
        answer = self.client.create(manifest(name, networks), self.namespace, dry_run=True)
        return _elements(answer)

    def refuses(self, name: str, networks: object, *, dry_run: bool = False) -> str:
        """Create a pod that is refused, and return what the API server says."""
        said = self.refusal(name, networks, dry_run=dry_run)
        assert said, f"the pod {name} was created"
        return said

    def refusal(self, name: str, networks: object, *, dry_run: bool = False) -> str:
        """Create a pod; return what the API server says if it refuses, otherwise nothing."""
        pod = manifest(name, networks)
        return refusal(lambda: self.client.create(pod, self.namespace, dry_run=dry_run))

    def annotation(self, name: str) -> str | None:
        """Return the networks annotation of a stored pod."""
        return _annotation(self.client.read("pod", name, self.namespace))

    def elements(self, name: str) -> list[dict[str, Any]]:
        """Return the elements of a stored pod's annotation."""
        return _elements(self.client.read("pod", name, self.namespace))

    def delete(self, name: str) -> None:
        """Delete a pod at once."""
        self.client.delete("pod", name, self.namespace, grace_s=0)

    def end(self, name: str, phase: str) -> None:
        """Give a pod the phase that a kubelet would give it."""
        change = {"status": {"phase": phase}}
        self.client.patch("pod", name, change, self.namespace, subresource="status")

    def allocation(self, mac: str) -> dict[str, Any] | None:
        """Return the MacAllocation of an address, or None."""
        return self.client.get("mac", name_of(mac))

    def spec(self, mac: str) -> dict[str, Any]:
        """Return the spec of an address's MacAllocation, empty where there is none."""
        found = self.allocation(mac)
        return found["spec"] if found else {}

    def bound(self, mac: str, owner: str) -> dict[str, Any]:
        """Wait until `mac` is bound to the pod `owner` as it is now; return the spec."""

        def spec(found: dict[str, Any]) -> dict[str, Any]:
            wanted: dict[str, Any] = found["spec"]
            if wanted["state"] != "Bound" or wanted["owner"].get("name") != owner:
                return {}
            pod = self.client.read("pod", owner, self.namespace)
            return wanted if wanted["owner"]["uid"] == pod["metadata"]["uid"] else {}

        return self.client.wait("mac", name_of(mac), spec, f"{mac} bound to {owner}")

    def holds(self, mac: str, condition: Callable[[dict[str, Any]], T], what: str) -> T:
        """Wait until the MacAllocation of `mac` fulfils `condition`; return its answer."""
        return self.client.wait("mac", name_of(mac), condition, what)

    def conflicts(self, mac: str) -> list[str]:
        """Return the names in the status.conflicts of an address, sorted."""
        return _conflicts(self.allocation(mac) or {})

    def in_conflict(self, mac: str, *names: str) -> None:
        """Wait until status.conflicts of an address names exactly these objects."""
        wanted = sorted(names)
        self.holds(mac, lambda found: _conflicts(found) == wanted, f"{mac} conflicts {names}")

    def told(self, name: str) -> list[str]:
        """Return what `kubectl describe` shows of collisions of the object `name`."""
        events = self.client.list("events", self.namespace, fields=_COLLIDING.format(name))
        return _messages(events)

    def wait_told(self, name: str, times: int = 1) -> list[str]:
        """Wait for this number of events about collisions of the object `name`; return them."""

        def enough(events: Collection[dict[str, Any]]) -> list[str]:
            return _messages(events) if len(events) >= times else []

        what, fields = f"{times} events on {name}", _COLLIDING.format(name)
        return self.client.until("events", enough, what, self.namespace, fields=fields)

    def freed(self, mac: str) -> None:
        """Wait until `mac` has no allocation any more."""
        self.client.until("mac", lambda found: not found, f"{mac} released", name=name_of(mac))

    def allocations(self) -> list[dict[str, Any]]:
        """Return the specs of all allocations that objects of this namespace own."""
        found = self.client.list("mac", fields=_owned_by(self.namespace))
        return [allocation["spec"] for allocation in found]

    def eventually_owns(self, macs: Sequence[str]) -> None:
        """Wait until exactly `macs` are bound to objects of this namespace."""
        wanted = sorted(macs)

        def same(found: Collection[dict[str, Any]]) -> bool:
            specs = [allocation["spec"] for allocation in found]
            bound = len(specs) == len(wanted) and all(spec["state"] == "Bound" for spec in specs)
            return bound and sorted(spec["mac"] for spec in specs) == wanted

        what = f"{self.namespace} owning exactly {len(macs)} addresses"
        self.client.until("mac", same, what, fields=_owned_by(self.namespace))

    def owns_nothing(self, deadline_s: float) -> None:
        """Wait until no object of this namespace owns an address."""
        what = f"nothing left of the addresses of {self.namespace}"
        owned = _owned_by(self.namespace)
        self.client.until("mac", lambda found: not found, what, fields=owned, deadline_s=deadline_s)


def name_of(mac: str) -> str:
    """Return the name of an address's MacAllocation."""
    return mac.lower().replace(":", "-")


def _text(networks: object) -> str:
    return networks if isinstance(networks, str) else json.dumps(networks)


def _owned_by(namespace: str) -> str:
    return f"spec.owner.namespace={namespace}"


def _conflicts(allocation: dict[str, Any]) -> list[str]:
    return sorted(
        conflict["name"] for conflict in allocation.get("status", {}).get("conflicts", ())
    )


def _messages(events: Collection[dict[str, Any]]) -> list[str]:
    assert all(event["type"] == "Warning" for event in events)
    return [event["message"] for event in events]


def _annotation(pod: dict[str, Any]) -> str | None:
    text: str | None = pod["metadata"].get("annotations", {}).get(NETWORKS)
    return text


def _elements(pod: dict[str, Any]) -> list[dict[str, Any]]:
    text = _annotation(pod)
    if text is None or "[" not in text:
        return []
    elements: list[dict[str, Any]] = json.loads(text)
    return elements
