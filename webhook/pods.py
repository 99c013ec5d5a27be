"""What a pod wants of the pool, and how the answer is written into its annotation: pure.

Law: an address that the old object carries already is left alone (it is that object's), an element
that lost its address gets back what it had, and only what is new is claimed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from crds.mac import MacAddress, MalformedMac
from crds.networks import ANNOTATION, BadAnnotation, Element, Networks, attachment
from webhook.admission import Allowed, Denied, PodReview, Want, no_name

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class PodPlan:
    """What to claim, for the elements at `positions`, and what is written in anyway (`edits`)."""

    networks: Networks
    wants: tuple[Want, ...] = ()
    positions: tuple[int, ...] = ()
    edits: tuple[tuple[int, tuple[tuple[str, str], ...]], ...] = ()
    warnings: tuple[str, ...] = ()

    def settled(self, macs: Sequence[MacAddress]) -> Allowed:
        """See Plan.settled."""
        edits = {position: dict(members) for position, members in self.edits}
        for position, want, mac in zip(self.positions, self.wants, macs, strict=True):
            if want.requested is None:  # a requested one stays as its author wrote it
                edits[position]["mac"] = str(mac)
        changes = {position: members for position, members in edits.items() if members}
        return Allowed(self.networks.written(changes) if changes else None, self.warnings)


def plan(review: PodReview) -> PodPlan | Denied:
    """Say what the pod lacks, or why it cannot be served."""
    if nameless := no_name(review.owner):
        return Denied(nameless, 400)
    if review.networks is None:
        return PodPlan(Networks(""))
    try:
        networks = Networks.parse(review.networks)
        return _Planner(review, networks).plan()
    except (BadAnnotation, MalformedMac) as error:
        return Denied(f"{review.owner}: annotation {ANNOTATION}: {error}", 400)


class _Planner:
    """Goes through the elements once, in their order."""

    def __init__(self, review: PodReview, networks: Networks) -> None:
        self.review = review
        self.networks = networks
        self.old = [(element, _mac_of(element)) for element in _elements(review.old_networks)]
        self.carried = {mac for _, mac in self.old if mac} | review.carried
        asked = {mac for element in networks.elements if (mac := _mac_of(element))}
        self.used = self.carried | asked
        self.held = frozenset(review.siblings.values())
        self.former = self._formers()
        self.first: dict[MacAddress, Element] = {}
        self.claims: list[tuple[int, Want]] = []
        self.edits: list[tuple[int, tuple[tuple[str, str], ...]]] = []

    def plan(self) -> PodPlan:
        for element in self.networks.elements:
            self._element(element)
        return PodPlan(
            self.networks,
            tuple(want for _, want in self.claims),
            tuple(position for position, _ in self.claims),
            tuple(self.edits),
            _warnings(self.networks),
        )

    def _element(self, element: Element) -> None:
        old = self.former.get(element.position)
        members = {} if element.namespace else {"namespace": self.review.owner.namespace}
        if element.mac is not None:
            mac = _requested(element)
            self._only_once(mac, element)
            if mac not in self.carried:
                self._claim(element, mac)
        elif element.guid is not None or self.review.is_filled:
            return  # InfiniBand: the address derives from the GUID
        elif old is None:
            sibling = self._of_sibling(element)
            self._claim(element, sibling)
            if sibling is not None:
                members["mac"] = str(sibling)
        elif (kept := _mac_of(old)) is not None:
            self._only_once(kept, element)
            members["mac"] = old.mac or str(kept)
        else:
            return  # it runs with an address that nobody assigned
        if not self.review.is_filled:
            self.edits.append((element.position, tuple(members.items())))

    def _claim(self, element: Element, mac: MacAddress | None) -> None:
        where = attachment(element, mac or MacAddress(0), self.review.owner.namespace)
        owner = replace(self.review.owner, interface=where.interface, network=where.network)
        want = Want(owner, mac, self.review.object_uid, is_carried=mac in self.held)
        self.claims.append((element.position, want))

    def _of_sibling(self, element: Element) -> MacAddress | None:
        """Return what this interface has in another pod of the VMI, unless it is in use here."""
        mac = self.review.siblings.get(element.device)
        if mac is None or mac in self.used:
            return None
        self.used.add(mac)
        return mac

    def _only_once(self, mac: MacAddress, element: Element) -> None:
        other = self.first.setdefault(mac, element)
        if other is not element:
            raise BadAnnotation(
                f"{mac} stands twice, in elements {other.position} ({other.name}) and"
                f" {element.position} ({element.name}): give each interface its own address, or"
                f" leave out the mac and get one from the pool"
            )

    def _formers(self) -> dict[int, Element]:
        """Pair new elements with old ones: first those of one address, the rest in their order."""
        found: dict[int, Element] = {}
        paired: set[int] = set()  # positions in the old list
        for by_address in (True, False):
            left: dict[object, deque[Element]] = {}
            for old, mac in self.old:
                if old.position not in paired and (mac or not by_address):
                    left.setdefault((self._key(old), by_address and mac), deque()).append(old)
            for element in self.networks.elements:
                if element.position in found:
                    continue
                if those := left.get((self._key(element), by_address and _mac_of(element))):
                    found[element.position] = old = those.popleft()
                    paired.add(old.position)
        return found

    def _key(self, element: Element) -> tuple[str, str, str | None]:
        namespace = element.namespace or self.review.owner.namespace
        return element.name, namespace, element.interface


def _elements(text: str | None) -> tuple[Element, ...]:
    try:
        return Networks.parse(text or "").elements
    except BadAnnotation:
        return ()


def _requested(element: Element) -> MacAddress:
    try:
        return MacAddress.parse_unicast(element.mac or "")
    except MalformedMac as error:
        raise MalformedMac(f"element {element.position} ({element.name}): {error}") from None


def _mac_of(element: Element) -> MacAddress | None:
    try:
        return MacAddress.parse_unicast(element.mac or "")
    except MalformedMac:
        return None


def _warnings(networks: Networks) -> tuple[str, ...]:
    if networks.elements or not networks.text.strip() or networks.text.lstrip().startswith("["):
        return ()
    form = '[{"name": "ovs-conf"}]'
    return (f"{ANNOTATION} is a comma list: only the JSON form gets addresses, such as {form}",)
