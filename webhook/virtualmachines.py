"""VMs: reads the interfaces of a VirtualMachine for the planner, and writes their addresses (pure).

An interface is identified by its name. So it keeps its address even if the manifest shows none
(`kubectl apply` of the original file, a GitOps re-sync).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, assert_never

from crds.kubevirt import WHERE, InvalidVirtualMachine, interfaces
from crds.mac import shown
from crds.networks import MOST_INTERFACES
from webhook.admission import Allowed, Denied, Operation, VmReview, no_name
from webhook.planning import NOTHING, Change, Interface, Planned, RequestedTwice, Unusable
from webhook.planning import plan as plan_interfaces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crds import kubevirt
    from crds.mac import MacAddress
    from webhook.admission import Want

PATH = "/spec/template/spec/domain/devices/interfaces"
# KubeVirt's rule for the names of interfaces (pkg/network/admitter, netiface.go), and the longest
# network that a MacAllocation can hold; KubeVirt's own check comes only after this one.
_NAME = re.compile("[A-Za-z0-9_-]{1,253}")
_LONGEST_NETWORK = 63 + 1 + 253


@dataclass(frozen=True, slots=True)
class VmPlan:
    """The addresses to claim and to write for the interfaces of the VM."""

    planned: Planned = NOTHING

    @property
    def wants(self) -> tuple[Want, ...]:
        """See Plan.wants."""
        return self.planned.wants

    def write_macs(self, macs: Sequence[MacAddress]) -> Allowed:
        """See Plan.write_macs."""
        return Allowed(
            tuple(
                Operation("add", f"{PATH}/{at}/macAddress", mac)
                for at, mac in self.planned.addresses(macs)
            )
        )


def plan(review: VmReview) -> VmPlan | Denied:
    """Plan the addresses that the VM lacks, or refuse it."""
    if nameless := no_name(review.owner):
        return Denied(nameless, HTTPStatus.BAD_REQUEST)
    try:
        new = interfaces(review.spec, review.owner.namespace, MOST_INTERFACES)
        _refuse_duplicate_names(new)
        planned = plan_interfaces(_change(review, new))
        if isinstance(planned, Planned):
            _refuse_unstorable(planned.wants)
            return VmPlan(planned)
    except (InvalidVirtualMachine, RecursionError) as error:
        return _denied(review, str(error))
    match planned:
        case RequestedTwice(mac, first, second):
            return _denied(
                review,
                f"duplicate address {mac} in interfaces {shown(new[first].name)} and"
                f" {shown(new[second].name)}: give each its own address, or leave out the"
                f" macAddress of a new one and get one from the pool",
            )
        case Unusable(at, why):
            return _denied(review, f"interface {shown(new[at].name)}: {why}")
    assert_never(planned)


def _change(review: VmReview, new: Sequence[kubevirt.Interface]) -> Change:
    return Change(
        owner=review.owner,
        new=[_interface(interface) for interface in new],
        old=[_interface(interface) for interface in _old(review)],
        object_uid=review.object_uid,
    )


def _interface(read: kubevirt.Interface) -> Interface:
    return Interface(read.name, read.name, read.network, read.mac, read.is_served, read.is_absent)


def _old(review: VmReview) -> Sequence[kubevirt.Interface]:
    if review.old_spec is None:
        return ()
    try:
        return interfaces(review.old_spec, review.owner.namespace)
    except (InvalidVirtualMachine, RecursionError):
        return ()


def _refuse_duplicate_names(new: Sequence[kubevirt.Interface]) -> None:
    """Raise InvalidVirtualMachine if two interfaces have one name."""
    names: dict[str, int] = {}
    for position, interface in enumerate(new):
        first = names.setdefault(interface.name, position)
        if first != position:
            raise InvalidVirtualMachine(
                f"duplicate name {shown(interface.name)} of interfaces {first + 1} and"
                f" {position + 1} in {WHERE}: give each interface a name of its own"
            )


def _refuse_unstorable(wants: Sequence[Want]) -> None:
    """Raise InvalidVirtualMachine if a MacAllocation cannot hold an interface's name or network."""
    for want in wants:
        name, network = want.owner.interface or "", want.owner.network
        if not _NAME.fullmatch(name):
            raise InvalidVirtualMachine(
                f"invalid name {shown(name)} of an interface in {WHERE}: a name has 1 to 253"
                f" letters, digits, '-' and '_'"
            )
        if network is not None and len(network) > _LONGEST_NETWORK:
            raise InvalidVirtualMachine(
                f"networkName too long in interface {shown(name)}: it has {len(network)} characters"
                f" with its namespace, and can have up to {_LONGEST_NETWORK}"
            )


def _denied(review: VmReview, why: str) -> Denied:
    return Denied(f"{review.owner}: {why}", HTTPStatus.BAD_REQUEST)
