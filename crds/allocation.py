"""MacAllocation as values, as they are written to the API server and read from it.

Field names are those of `crds/macallocation.yaml`, in snake case.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from crds import kinds
from crds.mac import MacAddress

API_VERSION = "kubemacpool.io/v1beta1"

# Q: at the latest Q after its start, an admission request is stored, refused or lost.
# kube-apiserver 1.37 ends create and patch after 34 s; the rest is for clocks and pauses.
QUIET_S = 60.0
# In multiples of Q. A webhook gives out an address of its stock for 5 Q after it created it. The
# controller deletes it after 7 Q: one Q more until the last answer is stored or lost, one in
# reserve.
STOCK_USABLE_Q, STOCK_DELETED_AFTER_Q = 5, 7

KUBEVIRT = kinds.KUBEVIRT
VM_KIND = kinds.VM.name
VMI_KIND = kinds.VMI.name

# The limits in the CRD: `spec.owner.interface`, `.network`, `.name` and `.uid`.
LONGEST_INTERFACE, LONGEST_NETWORK = 253, 317
LONGEST_NAME, LONGEST_UID = 253, 128

# Kind, namespace and name; the name is None until the API server has generated it.
Root = tuple[str, str, str | None]


class State(StrEnum):
    """`spec.state`: crds/lifecycle.py has all transitions."""

    DECLARED = "Declared"
    STOCK = "Stock"
    PENDING = "Pending"
    BOUND = "Bound"


class Source(StrEnum):
    """`spec.source`: how the address came to be allocated."""

    POOL = "Pool"
    REQUESTED = "Requested"
    ADOPTED = "Adopted"
    DECLARED = "Declared"


class _Wire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Camel case on the wire; fields with their default value are left out."""


class Owner(_Wire, frozen=True):
    """`spec.owner`: the object that the address belongs to.

    The `uid` identifies it. `name` is None until the API server has generated it. `interface` and
    `network` are for people.
    """

    api_version: str
    kind: str
    namespace: str
    name: str | None = None
    uid: str | None = None
    interface: str | None = None
    network: str | None = None

    def is_namesake(self, other: Owner) -> bool:
        """Return True if both have a name and the same root."""
        return self.name is not None and self.root == other.root

    @property
    def at(self) -> Root:
        """Kind, namespace and name: at one time, only one object has them."""
        return self.kind, self.namespace, self.name

    @property
    def root(self) -> Root:
        """The object that it is a part of: the VM, for a VM and a VMI; else the object itself."""
        return kinds.root_kind(self.kind), self.namespace, self.name

    def __str__(self) -> str:
        name = self.name or "(name not generated yet)"
        return f"{self.kind} {self.namespace}/{name}" + (
            f" (interface {self.interface})" if self.interface else ""
        )


class Reservation(_Wire, frozen=True):
    """`spec.reservedFor`: the only object that may take a Declared address."""

    kind: str
    namespace: str
    name: str

    def admits(self, owner: Owner) -> bool:
        """Return True if `owner` is the object that the address is reserved for."""
        return (self.kind, self.namespace, self.name) == owner.at

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Allocation(_Wire, frozen=True):
    """`spec` of a MacAllocation."""

    mac: MacAddress
    state: State = State.DECLARED
    source: Source = Source.DECLARED
    pool: str | None = None
    owner: Owner | None = None
    request: str | None = None
    declared: bool = False
    shared: bool = False
    reserved_for: Reservation | None = None

    def is_free_for(self, owner: Owner) -> bool:
        """Return True if it is Declared, and `owner` may take it."""
        return self.state is State.DECLARED and (
            self.reserved_for is None or self.reserved_for.admits(owner)
        )


class Conflict(Owner, frozen=True):
    """One of `status.conflicts`: another object that carries the address."""

    since: str = ""


class Stored(msgspec.Struct, frozen=True, gc=False):
    """An allocation as stored by the API server; `uid` and `version` identify this state of it."""

    allocation: Allocation
    uid: str
    version: str
    conflicts: tuple[Conflict, ...] = ()

    @property
    def mac(self) -> MacAddress:
        """The address."""
        return self.allocation.mac


def encode_hook(value: object) -> str:
    """Encode a MacAddress, a type that msgspec does not know."""
    if isinstance(value, MacAddress):
        return str(value)
    raise NotImplementedError(type(value))


def decode_hook(kind: type, value: object) -> MacAddress:
    """Decode a MacAddress, a type that msgspec does not know."""
    if kind is MacAddress:
        return MacAddress.parse(str(value))  # a value of another type is no valid address
    raise NotImplementedError(kind)
