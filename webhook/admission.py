"""The values of one admission request: the review, its plan, and the verdict (pure).

`review` parses and writes their JSON. `handler` makes a verdict from a review.

A plan lists the addresses to claim (`wants`) and writes the claimed ones into a verdict
(`write_macs`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Protocol

from crds.mac import shown
from kube.resource import is_name, is_namespace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crds.allocation import Owner
    from crds.carriers import OwnerReference
    from crds.mac import MacAddress


@dataclass(frozen=True, slots=True)
class PodReview:
    """The part of a pod's AdmissionRequest (admission.k8s.io/v1) that the webhook decides by.

    `owner` will own its addresses; its name is None while only generateName is known. `object_uid`
    is the UID of the owner if it exists already, and `old_networks` is the old annotation; both are
    None on CREATE. `launched_for` is the VMI that the pod names as its creator. The rest is known
    of the pod's root: `carried` addresses are its own, `siblings` has the addresses of another pod
    by the name of the pod interface, and if `is_filled`, no interface needs an address.
    """

    uid: str
    dry_run: bool
    owner: Owner
    networks: str | None
    object_uid: str | None = None
    old_networks: str | None = None
    launched_for: OwnerReference | None = None
    carried: frozenset[MacAddress] = frozenset()
    siblings: Mapping[str, MacAddress] = field(default_factory=dict)
    is_filled: bool = False


@dataclass(frozen=True, slots=True)
class VmReview:
    """The same part for a VirtualMachine: `spec` and `old_spec` are JSON."""

    uid: str
    dry_run: bool
    owner: Owner
    spec: bytes
    object_uid: str | None = None
    old_spec: bytes | None = None


Review = PodReview | VmReview


@dataclass(frozen=True, slots=True)
class Want:
    """One address to claim for `owner`: the `requested` one, or any of the pool.

    `object_uid` is the UID of the object if it exists already (UPDATE). `is_carried`: another pod
    of the same VMI has the requested address.
    """

    owner: Owner
    requested: MacAddress | None = None
    object_uid: str | None = None
    is_carried: bool = False


class Operation(NamedTuple):
    """One operation of a JSON patch (RFC 6902): `path` is a JSON pointer (RFC 6901)."""

    op: str
    path: str
    value: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """Admit the object, changed by `patch`."""

    patch: tuple[Operation, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Denied:
    """Refuse the object, with the reason; `code` is the HTTP status that the client sees."""

    message: str
    code: HTTPStatus = HTTPStatus.FORBIDDEN


class Plan(Protocol):
    """The addresses that an object lacks."""

    @property
    def wants(self) -> tuple[Want, ...]:
        """Return the addresses to claim."""

    def write_macs(self, macs: Sequence[MacAddress]) -> Allowed:
        """Write the claimed addresses, one for each of `wants`, into the object."""


def no_name(owner: Owner) -> str | None:
    """Return why no object can have the name of `owner`; None if one can.

    The API server checks names only after admission. The controller could never look up an owner of
    such a name.
    """
    if not is_namespace(owner.namespace):
        return (
            f"invalid namespace {shown(owner.namespace)} of a {owner.kind}: a namespace has up to"
            f" 63 lower-case letters, digits and '-', and begins and ends with a letter or a digit"
        )
    if owner.name is not None and not is_name(owner.name):
        return (
            f"invalid name {shown(owner.name)} of a {owner.kind}: a name has up to 253 lower-case"
            f" letters, digits, '-' and '.', and each part between dots begins and ends with a"
            f" letter or a digit"
        )
    return None
