"""Decides which interfaces of an object keep, get or claim an address, given the old object (pure).

Law: an address that the old object carries belongs to that object, so it can move between the
object's interfaces without a claim. An interface that shows no address gets back the one that it
had, unless another interface of the object asks for that one now. Only an address that is new to
the object is claimed.

Pods (webhook.pods) and VMs (webhook.virtualmachines) read their interfaces into one list, and write
the result back.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from crds.mac import MacAddress, MalformedMac
from webhook.admission import Want

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from crds.allocation import Owner


class Interface(NamedTuple):
    """One interface, as an adapter reads it from a pod or a VM; a tuple, because it is cheap.

    `identity` is the same in the old and the new object; several interfaces of a pod can share one.
    `mac` is the address as its author wrote it. If `is_served` is false, the pool gives it no
    address, and it keeps none that it does not show. If `is_leaving`, it keeps its address, but it
    gets no new one.
    """

    identity: Hashable
    name: str
    network: str | None
    mac: str | None = None
    is_served: bool = True
    is_leaving: bool = False


class Change(NamedTuple):
    """A request: the interfaces that the object has from now on, and those that it had until now.

    `carried` addresses belong to the object, too, but to no interface of it. `siblings` has the
    addresses of another pod of the same VMI by the interface's name: this object gets the same.
    `is_running`: an old interface without an address runs with one that the pool did not assign,
    and gets none.
    """

    owner: Owner
    new: Sequence[Interface]
    old: Sequence[Interface] = ()
    object_uid: str | None = None
    carried: frozenset[MacAddress] = frozenset()
    siblings: Mapping[str, MacAddress] = MappingProxyType({})
    is_running: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """The addresses to claim, and the addresses to write; positions count from 0 in `Change.new`.

    `written` are addresses that need no claim. `alone` are the interfaces that stay as they are:
    they have no address that could be read, and get none.
    """

    wants: tuple[Want, ...] = ()
    positions: tuple[int, ...] = ()
    written: tuple[tuple[int, str], ...] = ()
    alone: tuple[int, ...] = ()

    def addresses(self, macs: Sequence[MacAddress]) -> tuple[tuple[int, str], ...]:
        """Return the addresses to write, by position, given those that were claimed for `wants`.

        A requested address stays as its author wrote it.
        """
        claimed = zip(self.positions, self.wants, macs, strict=True)
        given = [(position, str(mac)) for position, want, mac in claimed if want.requested is None]
        return tuple(sorted([*self.written, *given]))


NOTHING = Planned()


@dataclass(frozen=True, slots=True)
class RequestedTwice:
    """Two interfaces request one address."""

    mac: MacAddress
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Unusable:
    """An interface requests an address that no interface can have."""

    position: int
    why: str


def plan(change: Change) -> Planned | RequestedTwice | Unusable:
    """Say which interfaces keep, get or claim an address, or why the object cannot be served."""
    had = [MacAddress.read(interface.mac) if interface.mac else None for interface in change.old]
    if change.old and change.new == change.old and all(had):
        return NOTHING  # most updates change no interface
    asked = [MacAddress.read(interface.mac) if interface.mac else None for interface in change.new]
    former = _paired(change, asked, had) if change.old else {}
    taken = _requested_once(change, asked, former, had)
    if not isinstance(taken, set):
        return taken
    return _planned(change, asked, former, had, taken)


def _planned(
    change: Change,
    asked: Sequence[MacAddress | None],
    former: Mapping[int, int],
    had: Sequence[MacAddress | None],
    taken: set[MacAddress],
) -> Planned:
    owned = {*change.carried, *filter(None, had)}
    siblings = frozenset(change.siblings.values())
    free = {mac for mac in siblings if mac not in owned and mac not in taken}
    claims: list[tuple[int, Want]] = []
    written: list[tuple[int, str]] = []
    alone: list[int] = []
    for position, interface in enumerate(change.new):
        mac, before = asked[position], former.get(position)
        kept = None if before is None else had[before]
        if mac is not None:
            if mac not in owned:
                claims.append((position, _want(change, interface, mac, siblings)))
        elif interface.mac or not interface.is_served:
            alone.append(position)
        elif before is not None and kept is not None and kept not in taken:
            written.append((position, change.old[before].mac or ""))
        elif interface.is_leaving or (change.is_running and before is not None and kept is None):
            alone.append(position)
        else:
            sibling = change.siblings.get(interface.name)
            if sibling is not None and sibling in free:
                free.discard(sibling)
                written.append((position, str(sibling)))
                mac = sibling
            claims.append((position, _want(change, interface, mac, siblings)))
    wants, positions = tuple(want for _, want in claims), tuple(at for at, _ in claims)
    return Planned(wants, positions, tuple(written), tuple(alone))


def _want(
    change: Change, interface: Interface, mac: MacAddress | None, siblings: frozenset[MacAddress]
) -> Want:
    owner = replace(change.owner, interface=interface.name, network=interface.network)
    return Want(owner, mac, change.object_uid, mac in siblings)


def _requested_once(
    change: Change,
    asked: Sequence[MacAddress | None],
    former: Mapping[int, int],
    had: Sequence[MacAddress | None],
) -> set[MacAddress] | RequestedTwice | Unusable:
    """Return the requested addresses; each may be requested once.

    A text that the old object has at the same place is not checked again: it is older than the
    opt-in of the namespace, and clients that did not write it update the object, too. So two
    interfaces that shared an address keep it.
    """

    def had_it(position: int, mac: MacAddress) -> bool:
        return position in former and had[former[position]] == mac

    first: dict[MacAddress, int] = {}
    for position, interface in enumerate(change.new):
        mac = asked[position]
        if mac is not None:
            other = first.setdefault(mac, position)
            if other != position and not (had_it(other, mac) and had_it(position, mac)):
                return RequestedTwice(mac, other, position)
        elif interface.mac:
            before = former.get(position)
            if before is None or change.old[before].mac != interface.mac:
                return Unusable(position, _why(interface.mac))
    return set(first)


def _paired(
    change: Change, asked: Sequence[MacAddress | None], had: Sequence[MacAddress | None]
) -> dict[int, int]:
    """Pair new positions with old ones of one identity: first by address, then in order.

    An address that cannot be read is compared as text.
    """
    at_identity = {interface.identity: at for at, interface in enumerate(change.old)}
    if len(at_identity) == len(change.old) and _are_unique(change.new):
        # The usual case, and always that of a VM. The general case below gives the same pairs.
        return {
            position: at_identity[interface.identity]
            for position, interface in enumerate(change.new)
            if interface.identity in at_identity
        }
    left: defaultdict[Hashable, dict[int, None]] = defaultdict(dict)
    alike: defaultdict[Hashable, deque[int]] = defaultdict(deque)
    for at, interface in enumerate(change.old):
        left[interface.identity][at] = None
        if shown := had[at] or interface.mac:
            alike[interface.identity, shown].append(at)
    pairs: dict[int, int] = {}
    for position, interface in enumerate(change.new):
        shown = asked[position] or interface.mac
        if shown and (matches := alike.get((interface.identity, shown))):
            pairs[position] = at = matches.popleft()
            del left[interface.identity][at]
    for position, interface in enumerate(change.new):
        if position not in pairs and (rest := left.get(interface.identity)):
            pairs[position] = at = next(iter(rest))
            del rest[at]
    return pairs


def _are_unique(interfaces: Sequence[Interface]) -> bool:
    return len({interface.identity for interface in interfaces}) == len(interfaces)


def _why(text: str) -> str:
    try:
        MacAddress.parse_unicast(text)
    except MalformedMac as error:
        return str(error)
    return ""
