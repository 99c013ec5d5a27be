"""Moves of virtual machines in a random life: by users and by KubeVirt."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from crds.allocation import VM_KIND, VMI_KIND
from crds.carriers import Carrier
from crds.mac import MacAddress
from crds.tests.kubevirt import Nic, nics_of, vm_manifest, vmi_manifest
from simulation.admission import NAMESPACE
from simulation.kubevirt import Key
from simulation.programs import FIRST, OUTSIDE, SECOND, Request
from simulation.simulation import Simulation

T = TypeVar("T")
Choose = Callable[[int], int]  # a number 0 <= n < its argument

# Repeated entries are chosen more often: accidents need the same address and name many times.
_NAMES = ("web-0", "web-0", "web-0", "web-1", None)
_WANTED = (None, FIRST, FIRST, FIRST, SECOND, OUTSIDE)
FEW = (0, 1, 1, 2, 2, 3, 4)


class VmMoves:
    """The moves of VMs. An impossible move does nothing."""

    choose: Choose
    sim: Simulation

    # --- users --------------------------------------------------------------------------------

    def a_vm_is_created(self) -> None:
        """And often started at once."""
        request = self.sim.ask_vm(self._pick(_NAMES), *self._macs(), replica=self.choose(2))
        vm = self.sim.store(self.sim.answer(request))
        if vm is not None and self.choose(3):
            self.sim.kubevirt.start((vm.namespace, vm.name))
            self.sim.step()

    def a_vm_s_create_begins(self) -> None:
        name, few = self._pick(_NAMES), self._pick((*FEW, None))
        request = self.sim.ask_vm(name, *self._macs(), replica=self.choose(2))
        self.sim.answer(request, few)

    def a_vm_is_edited(self) -> None:
        """It gets, loses or changes an interface; the answer may come later."""
        key = self._vm()
        if key is None or key[0] != NAMESPACE:
            return
        vm = self.sim.cluster.vms[key]
        nics = self._edited(list(nics_of(self.sim.cluster.manifest(VM_KIND, *key))))
        request = self.sim.ask_vm_update(vm, nics, replica=self.choose(2))
        self.sim.answer(request, None if self.choose(3) else self._pick(FEW))
        if self.choose(3):
            self.sim.store(request)

    def a_vm_loses_an_interface_and_all_know(self) -> None:
        key = self._vm()
        if key is not None and key[0] == NAMESPACE:
            nics = nics_of(self.sim.cluster.manifest(VM_KIND, *key))
            vm = self.sim.cluster.vms[key]
            self.sim.store(self.sim.answer(self.sim.ask_vm_update(vm, nics[:-1])))
            self.sim.calm()

    def a_vm_is_deleted(self) -> None:
        if key := self._vm():
            self.sim.kubevirt.delete(VM_KIND, key, orphan=self._one_in(3))
            self.sim.step()

    def a_vm_is_deleted_and_all_of_it_goes(self) -> None:
        if key := self._vm():
            self.sim.kubevirt.delete(VM_KIND, key)
            self._end(key, steps=6)
            if self.choose(2):
                self.sim.deliver()

    def a_vmi_is_deleted(self) -> None:
        """As a stop or a restart of its VM does."""
        if key := self._vmi():
            self.sim.kubevirt.delete(VMI_KIND, key)
            self._end(key, self.choose(4))

    def a_bare_vmi_appears(self) -> None:
        """With an address of its own, or with none, so that its launcher gets one."""
        mac = None if self.choose(2) else self._pick(_WANTED)
        key = NAMESPACE, self._pick(_NAMES[2:]) or "bare"
        if key in self.sim.cluster.vmis:
            return
        vmi = vmi_manifest(key[1], Nic("net-0", mac), namespace=key[0])
        if mac is None:
            self.sim.kubevirt.store(vmi)
            self.sim.step()
        else:
            self.sim.bypass_vm(vmi)

    def a_vm_appears_unseen(self) -> None:
        """Its namespace has not opted in; it can be one side of a migration."""
        key = "other", self._pick(_NAMES[1:]) or "alien"
        if key in self.sim.cluster.vms:
            return
        mac = self._pick(_WANTED[1:])
        self.sim.bypass_vm(vm_manifest(key[1], Nic("net-0", mac), namespace=key[0]))
        if self.choose(2):
            self.sim.kubevirt.start(key)
            self.sim.step()

    # --- KubeVirt -----------------------------------------------------------------------------

    def kubevirt_looks(self) -> None:
        if key := self._vm() or self._vmi():
            self.sim.kubevirt.look(self._pick((VM_KIND, VMI_KIND)), key)

    def a_vm_starts(self) -> None:
        if key := self._vm():
            self.sim.kubevirt.start(key)
            self.sim.step()

    def a_launcher_is_created(self) -> None:
        """If the instance has a launcher already, this is a migration."""
        if (key := self._vmi()) and (request := self._launch(key)):
            self.sim.store(self.sim.answer(request))
            if self._one_in(3):
                self.sim.kubevirt.report(key)
                self.sim.step()

    def a_launcher_s_create_begins(self) -> None:
        if (key := self._vmi()) and (request := self._launch(key)):
            self.sim.answer(request, self._pick((*FEW, None)))

    def a_launcher_s_annotation_follows(self) -> None:
        pods = [pod for pod in self._launchers() if pod.namespace == NAMESPACE]
        if pods and (request := self.sim.ask_launcher_update(self._pick(pods), self.choose(2))):
            self.sim.answer(request, None if self.choose(3) else self._pick(FEW))
            self.sim.store(request)

    def a_launcher_goes(self) -> None:
        """It succeeds, as the source of a migration does, or is deleted."""
        if pods := self._launchers():
            pod = self._pick(pods)
            (self.sim.delete if self.choose(2) else self.sim.end)(pod)

    def a_vmi_follows_its_vm(self) -> None:
        if key := self._vmi():
            virt = self.sim.kubevirt
            self._pick((virt.plug, virt.unplug, virt.detach, virt.report, virt.adopt))(key)
            self.sim.step()

    def an_end_goes_on(self) -> None:
        if key := self._vm() or self._vmi():
            self._end(key, 1 + self.choose(3))

    def a_guest_shuts_down(self) -> None:
        if key := self._vmi():
            self.sim.kubevirt.end_guest(key)
            self.sim.step()

    def something_vanishes_by_force(self) -> None:
        """A user removes its finalizers; the objects that it made are collected later."""
        kind = self._pick((VM_KIND, VMI_KIND))
        if key := (self._vm() if kind == VM_KIND else self._vmi()):
            self.sim.vanish(kind, key)

    def the_garbage_is_collected(self) -> None:
        self.sim.kubevirt.collect()
        self.sim.step()

    # ------------------------------------------------------------------------------------------

    def _launch(self, key: Key) -> Request | None:
        if key[0] == NAMESPACE:
            return self.sim.ask_launcher(key, self.choose(2))
        if wanted := self.sim.kubevirt.wanted_launcher(key):
            self.sim.kubevirt.launch(key, wanted[1], wanted[0])
            self.sim.step()
        return None

    def _end(self, key: Key, steps: int) -> None:
        for _ in range(steps):
            self.sim.kubevirt.go_on_ending(key)
            self.sim.step()

    def _edited(self, nics: list[Nic]) -> list[Nic]:
        at = self.choose(len(nics)) if nics else 0
        match self.choose(4) if nics else 3:
            case 0:
                del nics[at]
            case 1:
                nics[at] = Nic(nics[at].name, self._pick(_WANTED))
            case 2:
                nics[at] = Nic(nics[at].name)
            case _:
                names = {nic.name for nic in nics}
                free = next(name for n in range(9) if (name := f"net-{n}") not in names)
                nics.append(Nic(free, self._pick(_WANTED)))
        return nics

    def _vm(self) -> Key | None:
        return self._pick([*self.sim.cluster.vms]) if self.sim.cluster.vms else None

    def _vmi(self) -> Key | None:
        return self._pick([*self.sim.cluster.vmis]) if self.sim.cluster.vmis else None

    def _launchers(self) -> list[Carrier]:
        return [
            pod for pod in self.sim.cluster.pods.values() if pod.controller and not pod.terminal
        ]

    def _macs(self) -> tuple[MacAddress | None, ...]:
        first = self._pick(_WANTED)
        return (first, self._pick(_WANTED)) if self._one_in(6) else (first,)

    def _pick(self, things: Sequence[T]) -> T:
        return things[self.choose(len(things))]

    def _one_in(self, many: int) -> bool:
        return self.choose(many) == many - 1


# How often each is tried, beside those of moves.py.
VM_WEIGHTS = {
    VmMoves.a_vm_is_created: 9,
    VmMoves.a_vm_s_create_begins: 5,
    VmMoves.a_vm_is_edited: 8,
    VmMoves.a_vm_loses_an_interface_and_all_know: 3,
    VmMoves.a_vm_is_deleted: 3,
    VmMoves.a_vm_is_deleted_and_all_of_it_goes: 4,
    VmMoves.a_vmi_is_deleted: 4,
    VmMoves.a_bare_vmi_appears: 2,
    VmMoves.a_vm_appears_unseen: 1,
    VmMoves.kubevirt_looks: 3,
    VmMoves.a_vm_starts: 8,
    VmMoves.a_launcher_is_created: 6,
    VmMoves.a_launcher_s_create_begins: 2,
    VmMoves.a_launcher_s_annotation_follows: 2,
    VmMoves.a_launcher_goes: 3,
    VmMoves.a_vmi_follows_its_vm: 6,
    VmMoves.an_end_goes_on: 6,
    VmMoves.a_guest_shuts_down: 1,
    VmMoves.something_vanishes_by_force: 2,
    VmMoves.the_garbage_is_collected: 1,
}
