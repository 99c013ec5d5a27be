"""The start of traces with VMs: a VM named db that runs, its end, and the owner of its address."""

from collections.abc import Mapping

from crds.allocation import VM_KIND, Owner, State
from crds.carriers import Carrier
from crds.mac import MacAddress
from crds.tests.kubevirt import Nic, nics_of
from simulation.admission import NAMESPACE
from simulation.programs import FIRST, Request
from simulation.simulation import Simulation

DB = NAMESPACE, "db"


def running(sim: Simulation, *macs: MacAddress) -> tuple[Carrier, Carrier, Carrier]:
    """A VM was started and has run for longer than Q."""
    vm = sim.vm("db", *macs)
    vmi = sim.start(vm)
    pod = sim.launch(vmi)
    sim.quiet()
    return vm, vmi, pod


def ends(sim: Simulation, steps: int = 3) -> None:
    """KubeVirt goes on with what was deleted: the launcher, the VMI, the VM."""
    for _ in range(steps):
        sim.kubevirt.go_on_ending(DB)
        sim.step()


def delete(sim: Simulation, kind: str = VM_KIND, *, orphan: bool = False) -> None:
    sim.kubevirt.delete(kind, DB, orphan=orphan)
    sim.step()


def owner(sim: Simulation, mac: MacAddress = FIRST) -> Owner:
    allocation = sim.allocation(mac)
    assert allocation is not None
    assert allocation.state is State.BOUND
    assert allocation.owner is not None
    return allocation.owner


def edit(sim: Simulation, vm: Carrier, *nics: Nic) -> Carrier:
    """The VM has these interfaces now."""
    return sim.stored(sim.answer(sim.ask_vm_update(vm, nics)))


def ask_for_more(sim: Simulation, vm: Carrier, *nics: Nic) -> Request:
    """An update of the VM that adds interfaces is answered."""
    has = nics_of(sim.cluster.manifest(VM_KIND, vm.namespace, vm.name))
    return sim.answer(sim.ask_vm_update(vm, (*has, *nics)))


def check_rest(sim: Simulation, bound: Mapping[MacAddress, Carrier] | None = None) -> None:
    """At rest these addresses are bound to these objects, and no other address is allocated."""
    sim.quiesce()
    owners = {mac: owner(sim, mac).uid for mac in sim.cluster.allocated}
    assert owners == {mac: carrier.uid for mac, carrier in (bound or {}).items()}
