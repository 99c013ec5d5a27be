"""MacAllocation and MacPool as values: what is written to the API server and read from it.

Field names are those of `crds/macallocation.yaml`, in snake case.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from crds import kinds
from crds.mac import MacAddress

API_VERSION = "kubemacpool.io/v1beta1"

# Q: an admission request is stored, refused or lost at the latest so long after it began.
# kube-apiserver 1.37 ends create and patch after 34 s; the rest is for clocks and pauses.
QUIET_S = 60.0
# V, in times of Q: so long a webhook hands out what it has created ahead. The controller keeps that
# for two Q more: in one the last answer is stored or lost, the other is for what is late.
STOCK_LIVES_Q, STOCK_KEPT_Q = 5, 7

KUBEVIRT = kinds.KUBEVIRT
MACHINE = kinds.VM.name
INSTANCE = kinds.VMI.name

# `spec.owner.interface` and `spec.owner.network` in the CRD; and a name and a UID of an owner.
LONGEST_INTERFACE, LONGEST_NETWORK = 253, 317
LONGEST_NAME, LONGEST_UID = 253, 128

# Kind, namespace and name; the name is None while the API server has not generated it.
Root = tuple[str, str, str | None]


class State(StrEnum):
    """`spec.state`: who may get the address, and who must not lose it."""

    DECLARED = "Declared"
    STOCK = "Stock"
    PENDING = "Pending"
    BOUND = "Bound"


class Source(StrEnum):
    """`spec.source`: where the address came from."""

    POOL = "Pool"
    REQUESTED = "Requested"
    ADOPTED = "Adopted"
    DECLARED = "Declared"


class _Wire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Camel case on the wire, and what has its default is left out."""


class Owner(_Wire, frozen=True):
    """`spec.owner`: the object that the address belongs to.

    Identity is `uid`. `name` is None while the API server has not generated it, and `interface` and
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
        """Whether both are of one root by name; no generated name is like another."""
        return self.name is not None and self.root == other.root

    @property
    def at(self) -> Root:
        """Kind, namespace and name: two objects cannot have the same at one time."""
        return self.kind, self.namespace, self.name

    @property
    def root(self) -> Root:
        """What it is a part of: the machine, for VM and VMI, else it itself."""
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
        """Whether `owner` is the object it was declared for."""
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
        """Whether it is Declared, and `owner` may take it."""
        return self.state is State.DECLARED and (
            self.reserved_for is None or self.reserved_for.admits(owner)
        )


class Conflict(Owner, frozen=True):
    """One of `status.conflicts`: another object that carries the address."""

    since: str = ""


class Stored(msgspec.Struct, frozen=True, gc=False):
    """An allocation as the API server stores it; `uid` and `version` name this one state of it."""

    allocation: Allocation
    uid: str
    version: str
    conflicts: tuple[Conflict, ...] = ()

    @property
    def mac(self) -> MacAddress:
        """Its address."""
        return self.allocation.mac


def encode_hook(value: object) -> str:
    """Write what msgspec does not know: MacAddress."""
    if isinstance(value, MacAddress):
        return str(value)
    raise NotImplementedError(type(value))


def decode_hook(kind: type, value: object) -> MacAddress:
    """Read what msgspec does not know: MacAddress."""
    if kind is MacAddress:
        return MacAddress.parse(str(value))  # a value that is no string is no spelling either
    raise NotImplementedError(kind)
