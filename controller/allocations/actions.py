"""The facts about one address, and the possible next actions. Pure values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.allocations.ownership import Claimant, Existing
    from crds.allocation import Allocation, Conflict, Root, Stored
    from crds.mac import MacAddress


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts about one address when it is decided upon.

    `claimants` carry it according to the watch: a hint, not a proof. `live` and `everyone` are
    reads made after `stored` was read: the objects of a root, and all carriers everywhere.
    `quiet`: `stored` has not changed for Q; for Stock, STOCK_DELETED_AFTER_Q times Q, when no
    webhook can give it to an object any more. `pool` is the pool that contains the address, `now`
    the wall clock (RFC 3339).
    """

    mac: MacAddress
    stored: Stored | None
    claimants: tuple[Claimant, ...]
    quiet: bool
    pool: str | None = None
    now: str = ""
    live: Mapping[Root, Existing] = field(default_factory=dict)
    everyone: tuple[Claimant, ...] | None = None


@dataclass(frozen=True, slots=True)
class Get:
    """Read the objects of that root, and decide again."""

    root: Root


@dataclass(frozen=True, slots=True)
class List:
    """Read all objects of all namespaces, and decide again."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Decide again when the allocation is quiet; if it is quiet now, after the same time."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Create:
    """Adopt: create this allocation."""

    allocation: Allocation


@dataclass(frozen=True, slots=True)
class Replace:
    """Bind, wait again, or return to Declared: replace the allocation that was read."""

    by: Allocation


@dataclass(frozen=True, slots=True)
class Delete:
    """Release: delete the allocation that was read."""


@dataclass(frozen=True, slots=True)
class Note:
    """Write these into status.conflicts."""

    conflicts: tuple[Conflict, ...]


Read: TypeAlias = Get | List
Write: TypeAlias = Create | Replace | Delete | Note
Action: TypeAlias = Read | Write | Wait | Nothing
