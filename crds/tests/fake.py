"""An API server in memory: allocations, pods, VMs and VMIs with one revision, behind both ports.

Law: it answers as the real one does (`contract.py` runs on both), and it fails only if a test asks
for it: `gate` is awaited before each effect, `answer` after it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from crds.allocation import VM_KIND, VMI_KIND, Allocation, Conflict, State, Stored
from crds.networks import ANNOTATION
from crds.resources import KINDS, NameAndVersion
from crds.store import AlreadyAllocated, Changed, StoreUnavailable
from crds.tests.fake_ports import FakeAllocations, FakeClient, FakeObjects
from crds.tests.gates import Call, Gate, let_through
from kube.tests.fake_watch import FakeWatch

if TYPE_CHECKING:
    from crds.carriers import Carrier
    from crds.mac import MacAddress
    from crds.tests.kubevirt import Manifest
    from kube.watch import View


class ObjectExists(Exception):
    """An object of this kind, namespace and name already exists."""


@dataclass(slots=True)
class FakeCluster:
    """All stored objects. Methods without `await` are for the test itself, and pass no gate."""

    gate: Gate = let_through  # before the effect of a call: may hold it, or make it fail
    answer: Gate = let_through  # after the effect: an error is a lost answer
    calls: list[Call] = field(default_factory=list)
    revision: int = 0
    allocated: dict[MacAddress, Stored] = field(default_factory=dict)
    labels: dict[MacAddress, dict[str, str]] = field(default_factory=dict)
    # By kind, then by namespace and name.
    carriers: dict[str, dict[tuple[str, str], Carrier]] = field(
        default_factory=lambda: {kind: {} for kind in KINDS}
    )
    _manifests: dict[tuple[str, str, str], Manifest] = field(default_factory=dict)
    _uids: int = 0
    _allocation_watches: list[FakeWatch[Stored, Stored] | FakeWatch[Stored, NameAndVersion]] = (
        field(default_factory=list)
    )
    _carrier_watches: dict[str, list[FakeWatch[Carrier, Carrier]]] = field(default_factory=dict)

    @property
    def pods(self) -> dict[tuple[str, str], Carrier]:
        return self.carriers["Pod"]

    @property
    def vms(self) -> dict[tuple[str, str], Carrier]:
        return self.carriers[VM_KIND]

    @property
    def vmis(self) -> dict[tuple[str, str], Carrier]:
        return self.carriers[VMI_KIND]

    def client(self, name: str) -> FakeClient:
        """Give the two ports as one program has them; gates see its `name`."""
        return FakeClient(FakeAllocations(self, name), FakeObjects(self, name))

    @property
    def allocations(self) -> FakeAllocations:
        return self.client("test").allocations

    @property
    def objects(self) -> FakeObjects:
        return self.client("test").objects

    def create_pod(
        self,
        namespace: str,
        name: str | None = None,
        networks: str | None = None,
        *,
        generate_name: str = "pod-",
    ) -> Carrier:
        """Store a pod; without a name it gets one that begins with `generate_name`."""
        metadata: Manifest = {"namespace": namespace, "name": name or self.generated(generate_name)}
        if networks is not None:
            metadata["annotations"] = {ANNOTATION: networks}
        return self.create("Pod", {"metadata": metadata, "status": {"phase": "Pending"}})

    def networks_of(self, namespace: str, name: str) -> str | None:
        metadata = self.manifest("Pod", namespace, name)["metadata"]
        text: str | None = metadata.get("annotations", {}).get(ANNOTATION)
        return text

    def annotate(self, namespace: str, name: str, networks: str) -> Carrier:
        pod = self.manifest("Pod", namespace, name)
        metadata = pod["metadata"] | {"annotations": {ANNOTATION: networks}}
        return self.put("Pod", pod | {"metadata": metadata})

    def set_phase(self, namespace: str, name: str, phase: str) -> Carrier:
        pod = self.manifest("Pod", namespace, name)
        return self.put("Pod", pod | {"status": {"phase": phase}})

    def delete_pod(self, namespace: str, name: str) -> None:
        self.remove("Pod", namespace, name)

    def generated(self, prefix: str) -> str:
        """Return a name that nothing has."""
        return f"{prefix}{int(self._uid().removeprefix('uid-')):05x}"

    def manifest(self, kind: str, namespace: str, name: str) -> Manifest:
        """Return a stored object as its JSON says; it is not to be written to."""
        return self._manifests[kind, namespace, name]

    def create(self, kind: str, manifest: Manifest) -> Carrier:
        key = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        if key in self.carriers[kind]:
            raise ObjectExists(f"{kind} {key[0]}/{key[1]}")
        return self.put(kind, manifest)

    def put(self, kind: str, manifest: Manifest) -> Carrier:
        """Store an object as its JSON says; a new one gets a UID, all a resourceVersion."""
        metadata = manifest["metadata"]
        key = metadata["namespace"], metadata["name"]
        known = self.carriers[kind].get(key)
        uid = metadata.get("uid") or (known.uid if known else self._uid())
        metadata = {**metadata, "uid": uid, "resourceVersion": self._version()}
        manifest = self._manifests[kind, *key] = {**manifest, "metadata": metadata}
        stored = self.carriers[kind][key] = KINDS[kind].read(json.dumps(manifest).encode())
        self._tell(kind, stored, there=True)
        return stored

    def remove(self, kind: str, namespace: str, name: str) -> None:
        gone = replace(self.carriers[kind].pop((namespace, name)), version=self._version())
        del self._manifests[kind, namespace, name]
        self._tell(kind, gone, there=False)

    def _tell(self, kind: str, carrier: Carrier, *, there: bool) -> None:
        for watch in self._carrier_watches.get(kind, ()):
            watch.see(carrier, there=there)

    def label(self, mac: MacAddress, key: str, value: str) -> Stored:
        """Label a stored allocation, as other tools do."""
        self.labels.setdefault(mac, {})[key] = value
        return self._store(self.allocated[mac])

    def follow_allocations(
        self, view: View[Stored], *, lag: bool = False
    ) -> FakeWatch[Stored, Stored]:
        watch = FakeWatch(
            view, lambda: list(self.allocated.values()), lambda stored: stored, lag=lag
        )
        self._allocation_watches.append(watch)
        return watch

    def follow_names(
        self, view: View[NameAndVersion], *, lag: bool = False
    ) -> FakeWatch[Stored, NameAndVersion]:
        watch = FakeWatch(view, lambda: list(self.allocated.values()), name_and_version, lag=lag)
        self._allocation_watches.append(watch)
        return watch

    def follow_carriers(
        self, kind: str, view: View[Carrier], *, lag: bool = False
    ) -> FakeWatch[Carrier, Carrier]:
        watch = FakeWatch(
            view, lambda: list(self.carriers[kind].values()), lambda stored: stored, lag=lag
        )
        self._carrier_watches.setdefault(kind, []).append(watch)
        return watch

    def _create(self, allocation: Allocation) -> Stored:
        _validate(allocation)
        if allocation.mac in self.allocated:
            raise AlreadyAllocated(str(allocation.mac))
        return self._store(Stored(allocation, self._uid(), ""))

    def _replace(self, stored: Stored, by: Allocation) -> Stored:
        now = self._current(stored)
        _validate(by)
        if by.mac != now.mac:
            raise _invalid("the address of an allocation cannot change")
        # A patch without a change writes nothing.
        return now if now.allocation == by else self._store(replace(now, allocation=by))

    def _note(self, stored: Stored, conflicts: tuple[Conflict, ...]) -> Stored:
        now = self._current(stored)
        # The CRD has no field for the network.
        known = tuple(replace(conflict, network=None) for conflict in conflicts)
        return now if now.conflicts == known else self._store(replace(now, conflicts=known))

    def _delete(self, stored: Stored) -> None:
        gone = replace(self._current(stored), version=self._version())
        del self.allocated[stored.mac]
        self.labels.pop(stored.mac, None)
        for watch in self._allocation_watches:
            watch.see(gone, there=False)

    def _current(self, stored: Stored) -> Stored:
        now = self.allocated.get(stored.mac)
        if now is None or (now.uid, now.version) != (stored.uid, stored.version):
            raise Changed(f"{stored.mac} is not as it was read")
        return now

    def _store(self, stored: Stored) -> Stored:
        stored = replace(stored, version=self._version())
        self.allocated[stored.mac] = stored
        for watch in self._allocation_watches:
            watch.see(stored, there=True)
        return stored

    def _version(self) -> str:
        self.revision += 1
        return str(self.revision)

    def _uid(self) -> str:
        self._uids += 1
        return f"uid-{self._uids}"


def name_and_version(stored: Stored) -> NameAndVersion:
    """Return what a list of names says of it."""
    return NameAndVersion(stored.mac, int(stored.version))


def _validate(allocation: Allocation) -> None:
    """Refuse what the rules of the CRD refuse."""
    owner = allocation.owner
    if allocation.mac.is_group or not allocation.mac.bits:
        raise _invalid(f"{allocation.mac} belongs to no interface")
    if allocation.state is State.BOUND and (owner is None or owner.uid is None):
        raise _invalid("a Bound allocation needs spec.owner with its uid")
    if allocation.state is State.PENDING and owner is None:
        raise _invalid("a Pending allocation needs spec.owner")
    if allocation.state in {State.DECLARED, State.STOCK} and owner is not None:
        raise _invalid(f"a {allocation.state} allocation has no owner")


def _invalid(message: str) -> StoreUnavailable:
    return StoreUnavailable(f"the API server answered 422 Invalid: {message}")
