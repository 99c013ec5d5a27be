"""The kinds of objects that can own an address, one row each. Pure data.

To add a kind: add a row, write its reader (`READERS` in crds/resources.py), add it to the two enums
of crds/macallocation.yaml and to the rights in deploy/base. "Where to change what" in the
contributor docs lists every file.
"""

from __future__ import annotations

from dataclasses import dataclass

from crds.names import WEBHOOK_FOR_PODS, WEBHOOK_FOR_VMS


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of owner.

    `webhook`: its namespaceSelector decides whether objects of this kind are managed.
    `root`: the kind of the object that it is always a part of; None: it is a root itself. (A
    launcher pod is a part of a VM, too, but only its ownerReference says so.)
    `keeps_hidden`: the object keeps an address that it no longer shows, because its interface still
    carries it. `is_vm`: KubeVirt makes other objects from it. KubeVirt may start one from the
    state before an edit, one of them may carry an address without showing it, and the guest can
    move to another namespace.
    """

    name: str
    api_version: str
    plural: str
    webhook: str
    root: str | None = None
    keeps_hidden: bool = False
    is_vm: bool = False

    @property
    def path(self) -> str:
        """Return the path of its API version."""
        return f"/{'apis' if '/' in self.api_version else 'api'}/{self.api_version}"

    @property
    def crd(self) -> str | None:
        """Return the name of its CustomResourceDefinition, None for a kind of Kubernetes itself."""
        group, _, _ = self.api_version.rpartition("/")
        # The groups of Kubernetes itself that have workloads, such as `apps`, have no dot.
        return f"{self.plural}.{group}" if "." in group else None


# kubevirt.io/v1: the same fields have the same names in all served versions.
KUBEVIRT = "kubevirt.io/v1"

VM = Kind(
    name="VirtualMachine",
    api_version=KUBEVIRT,
    plural="virtualmachines",
    webhook=WEBHOOK_FOR_VMS,
    is_vm=True,
)
# The API server stores one VM and one VMI of each name, so only one guest of a name runs at once.
# A VMI without a VM has the addresses of its launcher pod, which the webhook for pods serves.
VMI = Kind(
    name="VirtualMachineInstance",
    api_version=KUBEVIRT,
    plural="virtualmachineinstances",
    webhook=WEBHOOK_FOR_PODS,
    root=VM.name,
)
POD = Kind(
    name="Pod",
    api_version="v1",
    plural="pods",
    webhook=WEBHOOK_FOR_PODS,
    keeps_hidden=True,
)

# In order of rank, the highest first. An address goes from a VM to its VMI and on to its launcher
# pod, never back. So the owner is the highest object that carries it. Lists read in this order: if
# an address moves on during the list, a later part of the list finds it.
KINDS: dict[str, Kind] = {kind.name: kind for kind in (VM, VMI, POD)}
RANKS: dict[str, int] = {name: rank for rank, name in enumerate(KINDS)}


def root_kind(name: str) -> str:
    """Return the kind of the root of an object of kind `name`; an unknown kind is a root."""
    kind = KINDS.get(name)
    return kind.root if kind is not None and kind.root is not None else name


def is_vm(name: str) -> bool:
    """Return True if objects of kind `name` are VMs (Kind.is_vm)."""
    return name in KINDS and KINDS[name].is_vm


def keeps_hidden(name: str) -> bool:
    """Return True if objects of kind `name` keep a hidden address (Kind.keeps_hidden)."""
    return name in KINDS and KINDS[name].keeps_hidden


def read_by_name(root: str) -> tuple[Kind, ...]:
    """Return the kinds whose objects have the same name as their root of kind `root`, by rank."""
    return tuple(kind for kind in KINDS.values() if root_kind(kind.name) == root)
