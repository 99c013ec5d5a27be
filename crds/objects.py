"""The objects that can carry addresses, as a port and as calls to the API server.

Law: an object is absent only if the API server says so. Any other failure is StoreUnavailable, and
proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from crds import kinds
from crds.allocation import Owner, Root
from crds.resources import KINDS, LAUNCHERS, PODS
from crds.store import StoreUnavailable, read_all, read_one, unavailable
from kube.errors import ApiError
from kube.resource import Resource, is_name, is_namespace
from kube.singleflight import SingleFlight
from kube.watch import is_crd_absent

if TYPE_CHECKING:
    from crds.carriers import Carrier
    from crds.mac import MacAddress
    from kube.client import Api


class UnknownKind(Exception):
    """No object of this kind can be looked up, so none is ever found gone."""


class Objects(Protocol):
    """The objects that can carry addresses. Each method can raise StoreUnavailable."""

    async def get(self, owner: Owner) -> Carrier | None:
        """Read the object of that kind, namespace and name now, whatever its UID.

        Raises UnknownKind for a kind that this version cannot look up.
        """

    async def launchers(self, namespace: str, instance: str) -> list[Carrier]:
        """List the launcher pods of the VMI of that name now, whatever its UID."""

    async def list(self) -> list[Carrier]:
        """All that exist in every namespace: VMs first, then VMIs, then pods."""


async def read_root(objects: Objects, root: Root, mac: MacAddress | None) -> tuple[Carrier, ...]:
    """Read what exists of a root, down to the first that carries `mac` (None: all of it).

    The pod, or VM, VMI and launcher pods, one after the other: an address goes from a VM to its VMI
    and on to its launcher pod, never back. So if no object that is returned carries it, none does.
    Raises StoreUnavailable, UnknownKind.
    """
    root_kind, namespace, name = root
    named = kinds.read_by_name(root_kind)
    if not named or name is None:
        raise UnknownKind(root_kind)
    found: tuple[Carrier, ...] = ()
    for kind in named:
        wanted = Owner(api_version=kind.api_version, kind=kind.name, namespace=namespace, name=name)
        if (member := await objects.get(wanted)) is not None:
            found += (member,)
            if mac is not None and member.carries(mac):
                return found
    if not kinds.is_machine(root_kind):
        return found
    return (*found, *await objects.launchers(namespace, name))


@dataclass(slots=True)
class ApiObjects:
    """Pods, VMs and VMIs through the API server; KubeVirt may be absent."""

    api: Api
    # When a namespace of many machines is deleted, all ask for its launchers at once.
    _launchers: SingleFlight[str, list[Carrier]] = field(init=False)

    def __post_init__(self) -> None:
        self._launchers = SingleFlight(self._launchers_of)

    async def get(self, owner: Owner) -> Carrier | None:
        """See Objects.get."""
        resource = KINDS.get(owner.kind)
        if resource is None or owner.name is None:
            raise UnknownKind(owner.kind)
        if not (is_name(owner.name) and is_namespace(owner.namespace)):
            return None  # the API server stores no such object; the path would lead elsewhere
        try:
            return await read_one(
                self.api.get(resource.named(owner.name, owner.namespace)), resource
            )
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND and await self._means_none(resource, error):
                return None
            raise unavailable(error) from error

    async def launchers(self, namespace: str, instance: str) -> list[Carrier]:
        """See Objects.launchers."""
        if not is_namespace(namespace):
            return []
        pods = await self._launchers(namespace)
        return [pod for pod in pods if pod.controller and pod.controller.name == instance]

    async def _launchers_of(self, namespace: str) -> list[Carrier]:
        return await read_all(self.api, PODS, PODS.namespaced(namespace), LAUNCHERS)

    async def list(self) -> list[Carrier]:
        """See Objects.list."""
        found: list[Carrier] = []
        for resource in KINDS.values():
            try:
                found += await read_all(self.api, resource)
            except StoreUnavailable as error:
                cause = error.__cause__
                if not (isinstance(cause, ApiError) and await self._means_none(resource, cause)):
                    raise
        return found

    async def _means_none(self, resource: Resource[Carrier], error: ApiError) -> bool:
        """Whether a refusal proves that there is no such object.

        A 404 without a Status is of the path: only a cluster without the CRD has none of the
        resource for sure. It may also be that the version is not served just now.
        """
        if error.status != HTTPStatus.NOT_FOUND:
            return False
        if error.reason == "NotFound":
            return True
        return await is_crd_absent(self.api, resource.crd)
