"""Builders of the facts about one address, for the pure decisions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from controller.allocations.actions import Facts
from controller.allocations.ownership import claimants, existing
from crds.allocation import Allocation, Conflict, Owner, Root, Source, State, Stored
from crds.carriers import Carrier
from crds.mac import MacAddress
from crds.networks import Attachment

if TYPE_CHECKING:
    from collections.abc import Mapping

MAC = MacAddress.parse("02:00:00:00:00:2a")
OTHER = MacAddress.parse("02:00:00:00:00:2b")
NOW = "2026-11-24T12:00:00Z"
DECLARED = Allocation(mac=MAC)
STOCK = Allocation(mac=MAC, state=State.STOCK, source=Source.POOL, pool="default")


def pod(name: str, uid: str, *macs: MacAddress, namespace: str = "shop") -> Carrier:
    """Return a pod that carries `macs`, by default MAC."""
    attachments = tuple(Attachment(mac, f"net{n + 1}", "shop/ovs") for n, mac in enumerate(macs))
    whole = attachments or (Attachment(MAC, "net1", "shop/ovs"),)
    return Carrier("v1", "Pod", namespace, name, uid, "1", attachments=whole)


def ended(name: str, uid: str) -> Carrier:
    """Return a pod that has ended."""
    return Carrier("v1", "Pod", "shop", name, uid, "1", terminal=True)


def bare(name: str, uid: str) -> Carrier:
    """Return a pod without an address."""
    return Carrier("v1", "Pod", "shop", name, uid, "1")


def owner(name: str | None, uid: str | None = None, kind: str = "Pod") -> Owner:
    """Return the owner of MAC as a webhook, or a binding, writes it."""
    return Owner(
        api_version="v1",
        kind=kind,
        namespace="shop",
        name=name,
        uid=uid,
        interface="net1",
        network="shop/ovs",
    )


def pending(name: str | None) -> Allocation:
    """Return the allocation that an admission request creates."""
    return Allocation(
        mac=MAC,
        state=State.PENDING,
        source=Source.POOL,
        pool="default",
        owner=owner(name),
        request="r-1",
    )


def bound(name: str, uid: str, *, shared: bool = False, declared: bool = False) -> Allocation:
    """Return an allocation that is bound to a pod of namespace shop."""
    return Allocation(
        mac=MAC,
        state=State.BOUND,
        source=Source.POOL,
        pool="default",
        owner=owner(name, uid),
        request="r-1",
        shared=shared,
        declared=declared,
    )


def stored(allocation: Allocation, *conflicts: Carrier) -> Stored:
    """Return `allocation` as the API server has it, in conflict with `conflicts`."""
    return Stored(allocation, "a-1", "7", tuple(map(conflict, conflicts)))


def conflict(carrier: Carrier, since: str = NOW) -> Conflict:
    """Return `carrier` as status.conflicts names it."""
    return Conflict(
        api_version=carrier.api_version,
        kind=carrier.kind,
        namespace=carrier.namespace,
        name=carrier.name,
        uid=carrier.uid,
        interface="net1",
        since=since,
    )


def world(
    known: Stored | Allocation | None,
    *seen: Carrier,
    quiet: bool = False,
    live: Mapping[Root, tuple[Carrier, ...]] | None = None,
    everyone: tuple[Carrier, ...] | None = None,
) -> Facts:
    """Return the facts about MAC; `live` are the members that a read of their root found."""
    return Facts(
        MAC,
        stored(known) if isinstance(known, Allocation) else known,
        claimants(MAC, seen),
        quiet,
        pool="default",
        now=NOW,
        live={root: existing(MAC, members) for root, members in (live or {}).items()},
        everyone=None if everyone is None else claimants(MAC, everyone),
    )


quiet = partial(world, quiet=True)


def at(name: str, namespace: str = "shop", kind: str = "Pod") -> Root:
    """Return the place of an object."""
    return kind, namespace, name
