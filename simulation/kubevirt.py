"""KubeVirt, as it treats the objects in the API server: VMI from VM, launchers from VMI, their end.

Law: it acts on its view of an object, which can be up to Q old. But it ends an object only after it
has read that it must. It tells the laws about each step. Source: KubeVirt 1.8,
pkg/virt-controller/watch/vm (startVMI, sync, stopVMI), pkg/network/controllers/vm.go.
"""

from collections import deque
from collections.abc import Callable

from crds.allocation import QUIET_S, VM_KIND, VMI_KIND
from crds.carriers import Carrier
from crds.tests.fake import FakeCluster
from crds.tests.kubevirt import (
    Manifest,
    Nic,
    controlled_by,
    device,
    elements,
    guest_spec,
    launcher,
    nics_of,
    vm_manifest,
    vmi_manifest,
)
from simulation.laws import Laws

Key = tuple[str, str]  # namespace and name
_GOING, _ORPHAN = "deletionTimestamp", "finalizers"


class KubeVirt:
    """virt-controller and the garbage collector; a method is one step, or nothing if impossible.

    `is_launching` returns True while a launcher pod of that VMI is created; KubeVirt then does
    nothing else with the VMI.
    """

    def __init__(
        self,
        cluster: FakeCluster,
        laws: Laws,
        now_s: Callable[[], float],
        is_launching: Callable[[Key], bool],
    ) -> None:
        self._cluster = cluster
        self._laws = laws
        self._now_s = now_s
        self._is_launching = is_launching
        # Versions of an object: the one that it knows, then newer ones, each with its time.
        self._versions: dict[tuple[str, Key], deque[tuple[float, Manifest]]] = {}

    # --- what it knows ------------------------------------------------------------------------

    def look(self, kind: str, key: Key) -> None:
        """See the object as it is."""
        versions = self._versions.get((kind, key), deque())
        while len(versions) > 1:
            versions.popleft()

    def age(self) -> None:
        """See each change that is older than Q."""
        for versions in self._versions.values():
            while len(versions) > 1 and versions[1][0] <= self._now_s() - QUIET_S:
                versions.popleft()

    def known(self, kind: str, key: Key) -> Manifest | None:
        """Return the object as it was when it was last looked at."""
        versions = self._versions.get((kind, key))
        return versions[0][1] if versions else None

    def launchers(self, key: Key) -> list[Carrier]:
        """Return the launcher pods of the VMI of that name."""
        return [
            pod
            for pod in self._cluster.pods.values()
            if pod.controller is not None and (pod.namespace, pod.controller.name) == key
        ]

    def is_going(self, kind: str, key: Key) -> bool:
        """Return True if the object is being deleted."""
        return key in self._cluster.carriers[kind] and _GOING in self._live(kind, key)["metadata"]

    # --- lives --------------------------------------------------------------------------------

    def store(self, manifest: Manifest, made_by: str | None = None) -> Carrier:
        """A VM or VMI is stored, by any client; `made_by` is the UID of what it was made from."""
        kind, metadata = manifest["kind"], manifest["metadata"]
        key = metadata["namespace"], metadata["name"]
        before = self._cluster.carriers[kind].get(key)
        now = self._cluster.put(kind, manifest)
        versions = self._versions.setdefault((kind, key), deque())
        versions.append((self._now_s(), self._live(kind, key)))
        self._laws.stored(now, before, made_by)
        return now

    def start(self, key: Key) -> Carrier | None:
        """The VMI of a VM is created."""
        vm = self.known(VM_KIND, key)
        if vm is None or _GOING in vm["metadata"] or key in self._cluster.vmis:
            return None
        namespace, name = key
        uid = vm["metadata"]["uid"]
        vmi = vmi_manifest(name, *nics_of(vm), namespace=namespace, made_by=uid)
        return self.store(vmi, uid)

    def adopt(self, key: Key) -> None:
        """A VM adopts the VMI of its name that has no controller; it reads the VMI before."""
        vmi = self._cluster.vmis.get(key)
        vm = self._cluster.vms.get(key)
        if vm is None or vmi is None or vmi.controller is not None or self.is_going(VM_KIND, key):
            return
        live = self._live(VMI_KIND, key)
        reference = controlled_by(VM_KIND, key[1], vm.uid)
        self.store(_with(live, ownerReferences=[reference]))

    def plug(self, key: Key) -> None:
        """The VMI gets the interfaces that the VM has and it lacks."""
        if vm := self._known_for(key):
            has = {nic.name for nic in nics_of(self._live(VMI_KIND, key))}
            self._set_nics(key, *(nic for nic in nics_of(vm) if nic.name not in has))

    def unplug(self, key: Key) -> None:
        """The VMI loses the interfaces that the VM lacks."""
        if vm := self._known_for(key):
            wanted = {nic.name for nic in nics_of(vm)}
            gone = {nic.name for nic in nics_of(self._live(VMI_KIND, key))} - wanted
            self._set_nics(key, without=gone)

    def detach(self, key: Key) -> None:
        """The VMI loses its last interface (state: absent), which the VM may still have."""
        if key in self._cluster.vmis:
            nics = nics_of(self._live(VMI_KIND, key))
            self._set_nics(key, without={nic.name for nic in nics[-1:]})

    def report(self, key: Key) -> None:
        """The VMI's status shows the addresses that its newest launcher has."""
        if key in self._cluster.vmis and (pods := self.launchers(key)):
            macs = {attachment.interface: attachment.mac for attachment in pods[-1].attachments}
            live = self._live(VMI_KIND, key)
            nics = [nic.name for nic in nics_of(live)]
            seen = [
                {"name": name, "mac": str(macs[device(n)])}
                for n, name in enumerate(nics, 1)
                if device(n) in macs
            ]
            self.store(live | {"status": live["status"] | {"interfaces": seen}})

    def wanted_launcher(self, key: Key) -> tuple[str, str] | None:
        """Return the annotation and the VMI's UID of the launcher that it would create."""
        vmi = self.known(VMI_KIND, key)
        if vmi is None or _GOING in vmi["metadata"]:
            return None
        return elements(nics_of(vmi), key[0]), vmi["metadata"]["uid"]

    def launch(self, key: Key, uid: str, text: str) -> Carrier:
        """A launcher pod is stored."""
        name = self._cluster.generated(f"virt-launcher-{key[1]}-")
        pod = launcher(name, key[1], uid, namespace=key[0])
        pod["metadata"]["annotations"] = {next(iter(pod["metadata"]["annotations"])): text}
        stored = self._cluster.create("Pod", pod)
        self._laws.stored(stored, None, uid)
        return stored

    # --- ends ---------------------------------------------------------------------------------

    def delete(self, kind: str, key: Key, *, orphan: bool = False) -> None:
        """A user deletes a VM or VMI: it is gone after the objects that it made."""
        if key in self._cluster.carriers[kind] and not self.is_going(kind, key):
            finalizers = ["orphan"] if orphan else []
            live = self._live(kind, key)
            self.store(_with(live, **{_GOING: str(self._now_s()), _ORPHAN: finalizers}))

    def go_on_ending(self, key: Key) -> None:
        """One step: a launcher goes, or the VMI without any, or the VM without a VMI."""
        if self.is_going(VMI_KIND, key):
            if pods := self.launchers(key):
                self._cluster.remove("Pod", pods[0].namespace, pods[0].name)
            elif not self._is_launching(key):
                self.vanish(VMI_KIND, key)
        elif self.is_going(VM_KIND, key):
            self._end_vm(key)

    def vanish(self, kind: str, key: Key) -> None:
        """It is gone at once, also if the objects that it made exist."""
        if key in self._cluster.carriers[kind]:
            self._cluster.remove(kind, *key)
            self._versions.pop((kind, key), None)

    def collect(self) -> None:
        """The garbage collector deletes objects whose maker is gone."""
        vms = {vm.uid for vm in self._cluster.vms.values()}
        instances = {vmi.uid for vmi in self._cluster.vmis.values()}
        for key, vmi in list(self._cluster.vmis.items()):
            if vmi.controller is not None and vmi.controller.uid not in vms:
                self.delete(VMI_KIND, key)
        for pod in list(self._cluster.pods.values()):
            if pod.controller is not None and pod.controller.uid not in instances:
                self._cluster.remove("Pod", pod.namespace, pod.name)

    def end_guest(self, key: Key) -> None:
        """The guest shuts down: its launchers and then its VMI have succeeded."""
        for pod in self.launchers(key):
            self._cluster.set_phase(pod.namespace, pod.name, "Succeeded")
        if key in self._cluster.vmis:
            live = self._live(VMI_KIND, key)
            self.store(live | {"status": live["status"] | {"phase": "Succeeded"}})

    def _end_vm(self, key: Key) -> None:
        vm, vmi = self._cluster.vms[key], self._cluster.vmis.get(key)
        is_orphaning = bool(self._live(VM_KIND, key)["metadata"][_ORPHAN])
        is_its_own = vmi is not None and vmi.controller is not None and vmi.controller.uid == vm.uid
        if vmi is None or not is_its_own:
            self.vanish(VM_KIND, key)
        elif is_orphaning:
            self.store(_with(self._live(VMI_KIND, key), ownerReferences=[]))
        else:
            self.delete(VMI_KIND, key)

    def _known_for(self, key: Key) -> Manifest | None:
        """Return the VM as it is known, where it is that of the VMI."""
        vm, vmi = self.known(VM_KIND, key), self._cluster.vmis.get(key)
        if vm is None or vmi is None or vmi.controller is None or self.is_going(VMI_KIND, key):
            return None
        return vm if vmi.controller.uid == vm["metadata"]["uid"] else None

    def _set_nics(self, key: Key, *more: Nic, without: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        live = self._live(VMI_KIND, key)
        kept = [nic for nic in nics_of(live) if nic.name not in without]
        nics = [*kept, *more]
        seen = [
            interface
            for interface in live["status"]["interfaces"]
            if interface["name"] not in without
        ]
        if more or without:
            status = live["status"] | {"interfaces": seen}
            self.store(live | {"spec": guest_spec(nics), "status": status})

    def _live(self, kind: str, key: Key) -> Manifest:
        return self._cluster.manifest(kind, *key)


def vm_with(live: Manifest, nics: list[Nic]) -> Manifest:
    """Return a VM as it is, with these interfaces."""
    return live | {"spec": vm_manifest("", *nics)["spec"]}


def _with(live: Manifest, **metadata: object) -> Manifest:
    return live | {"metadata": live["metadata"] | metadata}
