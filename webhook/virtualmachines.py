"""What a VirtualMachine wants of the pool, interface by interface: pure.

Law: an interface keeps its address by its name, also when the manifest carries none (`kubectl
apply` of the original file, a GitOps re-sync); what the old object carries already is left alone,
so two interfaces may swap theirs; only what is new is claimed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from crds.mac import MacAddress, MalformedMac, shown
from crds.machines import WHERE, BadMachine, Interface, interfaces
from crds.networks import MOST_INTERFACES
from webhook.admission import Allowed, Denied, MachineReview, Want, no_name

if TYPE_CHECKING:
    from collections.abc import Sequence

# KubeVirt's rule for the names of interfaces (pkg/network/admitter, netiface.go), and what a
# MacAllocation can hold of name and network; KubeVirt's own check comes only after this one.
_NAME = re.compile("[A-Za-z0-9_-]{1,253}")
_LONGEST_NETWORK = 63 + 1 + 253


@dataclass(frozen=True, slots=True)
class MachinePlan:
    """What to claim, for the interfaces at `positions`, and the addresses that are `kept`."""

    wants: tuple[Want, ...] = ()
    positions: tuple[int, ...] = ()
    kept: tuple[tuple[int, str], ...] = ()

    def settled(self, macs: Sequence[MacAddress]) -> Allowed:
        """See Plan.settled."""
        claimed = zip(self.positions, self.wants, macs, strict=True)
        # A requested one stays as its author wrote it.
        given = [(position, str(mac)) for position, want, mac in claimed if want.requested is None]
        return Allowed(addresses=tuple(sorted([*self.kept, *given])))


def plan(review: MachineReview) -> MachinePlan | Denied:
    """Say what the VM lacks, or why it cannot be served."""
    if nameless := no_name(review.owner):
        return Denied(nameless, 400)
    try:
        new = interfaces(review.spec, review.owner.namespace, MOST_INTERFACES)
        old = _old(review)
        return _plan(review, new, old, _addresses(new, old))
    except (BadMachine, MalformedMac, RecursionError) as error:
        return Denied(f"{review.owner}: {error}", 400)


def _plan(
    review: MachineReview,
    new: tuple[Interface, ...],
    old: dict[str, str],
    asked: dict[int, MacAddress],
) -> MachinePlan:
    carried = {mac for text in old.values() if (mac := _read(text))}
    claims: list[tuple[int, Want]] = []
    kept: list[tuple[int, str]] = []
    for position, one in enumerate(new):
        former = old.get(one.name, "")
        mac = asked.get(position)
        if mac is not None:
            if mac not in carried:
                claims.append((position, _want(review, one, mac)))
        elif one.mac is not None or not one.is_served:
            continue
        elif (had := _read(former)) is not None and had not in asked.values():
            kept.append((position, former))
        elif not one.is_absent:
            claims.append((position, _want(review, one, None)))
    return MachinePlan(
        tuple(want for _, want in claims), tuple(position for position, _ in claims), tuple(kept)
    )


def _want(review: MachineReview, one: Interface, mac: MacAddress | None) -> Want:
    if not _NAME.fullmatch(one.name):
        raise BadMachine(
            f"{WHERE}: {shown(one.name)} is no name of an interface: it has up to 253 letters,"
            f" digits, '-' and '_'"
        )
    if one.network is not None and len(one.network) > _LONGEST_NETWORK:
        raise BadMachine(
            f"interface {shown(one.name)}: its networkName is longer than the names of a namespace"
            f" and a network can be"
        )
    owner = replace(review.owner, interface=one.name, network=one.network)
    return Want(owner, mac, review.object_uid)


def _addresses(new: tuple[Interface, ...], old: dict[str, str]) -> dict[int, MacAddress]:
    """Return the addresses that are asked for, by position; each name and address stands once.

    Two interfaces that shared an address before we were asked keep it: it is in use, and others
    than its author update a VM, too.
    """
    names: dict[str, int] = {}
    asked: dict[int, MacAddress] = {}
    for position, one in enumerate(new):
        first = names.setdefault(one.name, position)
        if first != position:
            raise BadMachine(
                f"{WHERE}: numbers {first + 1} and {position + 1} are both named"
                f" {shown(one.name)}: give each interface a name of its own"
            )
        if one.mac is None:
            continue
        mac = _read(one.mac) if one.mac == old.get(one.name) else _requested(one)
        if mac is None:
            continue  # from before we were asked; whoever updates something else may not mend it
        if mac in asked.values():
            other = next(new[at].name for at, has in asked.items() if has == mac)
            if not _read(old.get(one.name, "")) == _read(old.get(other, "")) == mac:
                raise _twice(mac, other, one.name)
        asked[position] = mac
    return asked


def _twice(mac: MacAddress, one: str, other: str) -> BadMachine:
    return BadMachine(
        f"{mac} stands twice, in interfaces {shown(one)} and {shown(other)}: give each its own"
        f" address, or leave out the macAddress of a new one and get one from the pool"
    )


def _requested(one: Interface) -> MacAddress:
    try:
        return MacAddress.parse_unicast(one.mac or "")
    except MalformedMac as error:
        raise MalformedMac(f"interface {shown(one.name)}: {error}") from None


def _old(review: MachineReview) -> dict[str, str]:
    """Return the addresses of the stored VM, as they are written there, by interface."""
    if review.old_spec is None:
        return {}
    try:
        found = interfaces(review.old_spec, review.owner.namespace)
    except (BadMachine, RecursionError):
        return {}
    return {one.name: one.mac for one in found if one.mac is not None}


def _read(text: str) -> MacAddress | None:
    try:
        return MacAddress.parse_unicast(text)
    except MalformedMac:
        return None
