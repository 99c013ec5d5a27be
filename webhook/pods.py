"""Pods: reads the annotation into interfaces for the planner, and writes the result (pure).

An element that needs nothing is not edited. An element that has an address, or gets one, also gets
its namespace.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, assert_never

from crds.mac import MacAddress
from crds.networks import ANNOTATION, BadAnnotation, Element, Networks, attachment
from webhook.admission import Allowed, Denied, Operation, PodReview, no_name
from webhook.planning import NOTHING, Change, Interface, Planned, RequestedTwice, Unusable
from webhook.planning import plan as plan_interfaces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from webhook.admission import Want

PATH = f"/metadata/annotations/{ANNOTATION.replace('~', '~0').replace('/', '~1')}"
_ANY = MacAddress(0)  # a placeholder: only the interface and the network are used


@dataclass(frozen=True, slots=True)
class PodPlan:
    """The addresses to claim and to write for the elements.

    `namespace` is written into the elements that name none. If it is None, only addresses are
    written.
    """

    networks: Networks
    planned: Planned = NOTHING
    namespace: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def wants(self) -> tuple[Want, ...]:
        """See Plan.wants."""
        return self.planned.wants

    def write_macs(self, macs: Sequence[MacAddress]) -> Allowed:
        """See Plan.write_macs."""
        edits: dict[int, dict[str, str]] = {}
        if self.namespace is not None:
            alone = set(self.planned.alone)
            for at, element in enumerate(self.networks.elements):
                if not element.namespace and at not in alone:
                    edits[element.position] = {"namespace": self.namespace}
        for at, mac in self.planned.addresses(macs):
            edits.setdefault(at + 1, {})["mac"] = mac
        if not edits:
            return Allowed(warnings=self.warnings)
        text = self.networks.edit(edits)
        return Allowed((Operation("replace", PATH, text),), self.warnings)


def plan(review: PodReview) -> PodPlan | Denied:
    """Plan the addresses that the pod lacks, or refuse it."""
    if nameless := no_name(review.owner):
        return Denied(nameless, HTTPStatus.BAD_REQUEST)
    if review.networks is None:
        return PodPlan(Networks(""))
    try:
        networks = Networks.parse(review.networks)
    except BadAnnotation as error:
        return _denied(review, str(error))
    planned = plan_interfaces(_change(review, networks))
    match planned:
        case Planned():
            namespace = None if review.is_filled else review.owner.namespace
            return PodPlan(networks, planned, namespace, _warnings(networks))
        case RequestedTwice(mac, first, second):
            elements = " and ".join(_named(networks.elements[at]) for at in (first, second))
            return _denied(
                review,
                f"duplicate address {mac} in elements {elements}: give each interface its own"
                f" address, or leave out the mac and get one from the pool",
            )
        case Unusable(at, why):
            return _denied(review, f"element {_named(networks.elements[at])}: {why}")
    assert_never(planned)


def _change(review: PodReview, networks: Networks) -> Change:
    namespace, is_served = review.owner.namespace, not review.is_filled
    return Change(
        owner=review.owner,
        new=_interfaces(networks.elements, namespace, is_served=is_served),
        old=_interfaces(_old(review.old_networks), namespace),
        object_uid=review.object_uid,
        carried=review.carried,
        siblings=review.siblings,
        is_running=True,
    )


def _interfaces(
    elements: Sequence[Element], namespace: str, *, is_served: bool = True
) -> list[Interface]:
    return [_interface(element, namespace, is_served=is_served) for element in elements]


def _interface(element: Element, namespace: str, *, is_served: bool) -> Interface:
    where = attachment(element, _ANY, namespace)
    # InfiniBand: the address derives from the GUID.
    is_served = is_served and element.guid is None
    identity = where.network, element.interface
    return Interface(identity, where.interface, where.network, element.mac, is_served)


def _old(text: str | None) -> tuple[Element, ...]:
    try:
        return Networks.parse(text).elements if text else ()
    except BadAnnotation:
        return ()


def _denied(review: PodReview, why: str) -> Denied:
    return Denied(f"{review.owner}: annotation {ANNOTATION}: {why}", HTTPStatus.BAD_REQUEST)


def _named(element: Element) -> str:
    return f"{element.position} ({element.name})"


def _warnings(networks: Networks) -> tuple[str, ...]:
    if networks.elements or not networks.text.strip() or networks.text.lstrip().startswith("["):
        return ()
    form = '[{"name": "ovs-conf"}]'
    return (f"{ANNOTATION} is a comma list: only the JSON form gets addresses, such as {form}",)
