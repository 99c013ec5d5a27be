"""The values of one admission request: the review, what its plan claims, and the verdict (pure).

A plan says what to claim (`wants`) and turns the claimed addresses into a verdict (`write_macs`).
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
    """The part of a pod's AdmissionRequest (admission.k8s.io/v1) that decides.

    `owner` is who will own its addresses: its name is None while only generateName is known.
    `object_uid` is the owner's UID where it exists already, and `old_networks` the annotation until
    now; both are None on CREATE. `launched_for` is the VMI that this pod says it was made for. What
    its root is known to have comes with it: `carried` is left alone, `siblings` has addresses by
    the name of the pod interface, and `is_filled` means that it not_ready_because none.
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
    """Likewise of a VirtualMachine: `spec` and `old_spec` are JSON."""

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

    `object_uid` is the UID of the object where that exists already (UPDATE). `is_carried`: another
    pod of the same VMI has the requested address.
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
    """Let the object pass, changed by `patch`."""

    patch: tuple[Operation, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Denied:
    """Refuse the object, with the reason; `code` is the HTTP status that the client sees."""

    message: str
    code: HTTPStatus = HTTPStatus.FORBIDDEN


class Plan(Protocol):
    """What an object not_ready_because."""

    @property
    def wants(self) -> tuple[Want, ...]:
        """What to claim."""

    def write_macs(self, macs: Sequence[MacAddress]) -> Allowed:
        """Write in the addresses that were claimed, one for each of `wants`."""


def no_name(owner: Owner) -> str | None:
    """Say why no object can have the name of `owner`: admission comes before that is checked.

    The controller could never look up the owner of what such an object was given.
    """
    if not is_namespace(owner.namespace):
        return (
            f"{owner.kind}: its namespace {shown(owner.namespace)} cannot exist: a namespace's name"
            f" has up to 63 lower-case letters, digits and '-', and begins and ends with no '-'"
        )
    if owner.name is not None and not is_name(owner.name):
        return (
            f"{owner.kind}: its name {shown(owner.name)} cannot be: a name has up to 253 lower-case"
            f" letters, digits, '-' and '.', and each part between dots begins and ends with a"
            f" letter or a digit"
        )
    return None
