"""The kinds of objects that can own an address: one row for each. Pure data.

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

    `webhook` is the one whose namespaceSelector decides whether objects of this kind are managed.
    `root` is the kind of the object that it is always a part of; None: it is a root itself. (A
    launcher pod is a part of a machine, too, but only its ownerReference says so.)
    `keeps_hidden`: an address that the object no longer shows is still its own, for its interface
    still carries it. `is_machine`: KubeVirt makes further objects from it: it may start one as it
    was before an edit, one of them may carry an address without showing it, and the guest can move
    to another namespace.
    """

    name: str
    api_version: str
    plural: str
    webhook: str
    root: str | None = None
    keeps_hidden: bool = False
    is_machine: bool = False

    @property
    def path(self) -> str:
        """Return the path of its API version."""
        return f"/{'apis' if '/' in self.api_version else 'api'}/{self.api_version}"

    @property
    def crd(self) -> str | None:
        """Return the name of its CustomResourceDefinition, None for a kind of Kubernetes itself."""
        group, slash, _ = self.api_version.partition("/")
        return f"{self.plural}.{group}" if slash else None


# kubevirt.io/v1: the same fields have the same names in all served versions.
KUBEVIRT = "kubevirt.io/v1"

VM = Kind(
    name="VirtualMachine",
    api_version=KUBEVIRT,
    plural="virtualmachines",
    webhook=WEBHOOK_FOR_VMS,
    is_machine=True,
)
# The API server stores one VM and one VMI of each name, so no two guests of one name run at once.
# The addresses of a VMI without a VM are those of its launcher pod, which the webhook for pods
# serves.
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

# In order of rank, the highest first: an address goes from a VM to its VMI and on to its launcher
# pod, never back. So the owner is the highest that carries it, and they are listed in this order:
# an address that moves on during the list is met further down.
KINDS: dict[str, Kind] = {kind.name: kind for kind in (VM, VMI, POD)}
RANKS: dict[str, int] = {name: rank for rank, name in enumerate(KINDS)}


def root_kind(name: str) -> str:
    """Return the kind of the root of an object of kind `name`; an unknown kind is its own."""
    kind = KINDS.get(name)
    return kind.root if kind is not None and kind.root is not None else name


def is_machine(name: str) -> bool:
    """Return True if objects of kind `name` are machines (Kind.is_machine)."""
    return name in KINDS and KINDS[name].is_machine


def keeps_hidden(name: str) -> bool:
    """Return True if an address that such an object no longer shows is still its own."""
    return name in KINDS and KINDS[name].keeps_hidden


def read_by_name(root: str) -> tuple[Kind, ...]:
    """Return the kinds whose objects have the name of the root of kind `root`, by rank."""
    return tuple(kind for kind in KINDS.values() if root_kind(kind.name) == root)
