"""The port Objects, which reads the objects that can carry addresses; and its implementation.

Law: an object is absent only if the API server says so. Every other failure is StoreUnavailable and
proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """Objects of this kind cannot be looked up, so no object of it counts as gone."""


class Objects(Protocol):
    """The objects that can carry addresses. Each method can raise StoreUnavailable."""

    async def get(self, owner: Owner) -> Carrier | None:
        """Read the object of that kind, namespace and name now, with any UID.

        Raises UnknownKind for a kind that this version cannot look up.
        """

    async def launchers(self, namespace: str, instance: str) -> list[Carrier]:
        """List the launcher pods of the VMI with that name now, with any UID."""

    async def list(self) -> list[Carrier]:
        """List all objects in every namespace: first VMs, then VMIs, then pods."""


async def read_root(objects: Objects, root: Root, mac: MacAddress | None) -> tuple[Carrier, ...]:
    """Read the existing objects of a root, down to the first that carries `mac` (None: all).

    It reads the pod; or the VM, the VMI and the launcher pods one after the other: an address goes
    from a VM to its VMI and on to its launcher pod, never back. So if no returned object carries
    the address, none does. Raises StoreUnavailable, UnknownKind.
    """
    root_kind, namespace, name = root
    same_name = kinds.read_by_name(root_kind)
    if not same_name or name is None:
        raise UnknownKind(root_kind)
    found: tuple[Carrier, ...] = ()
    for kind in same_name:
        wanted = Owner(api_version=kind.api_version, kind=kind.name, namespace=namespace, name=name)
        if (member := await objects.get(wanted)) is not None:
            found += (member,)
            if mac is not None and member.carries(mac):
                return found
    if not kinds.is_vm(root_kind):
        return found
    return (*found, *await objects.launchers(namespace, name))


@dataclass(slots=True)
class ApiObjects:
    """Reads pods, VMs and VMIs from the API server. KubeVirt may be absent."""

    api: Api
    # If a namespace with many VMs is deleted, its launchers are listed for all VMs at once.
    _launchers: SingleFlight[str, list[Carrier]] = field(init=False)

    def __post_init__(self) -> None:
        self._launchers = SingleFlight(self._launchers_of)

    async def get(self, owner: Owner) -> Carrier | None:
        """See Objects.get."""
        resource = KINDS.get(owner.kind)
        if resource is None or owner.name is None:
            raise UnknownKind(owner.kind)
        if not (is_name(owner.name) and is_namespace(owner.namespace)):
            return None  # no such object can exist, and its path could be that of another resource
        try:
            return await read_one(
                self.api.get(resource.named(owner.name, owner.namespace)), resource
            )
        except ApiError as error:
            if error.is_not_found and await self._proves_absence(resource, error):
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
                if not (
                    isinstance(cause, ApiError) and await self._proves_absence(resource, cause)
                ):
                    raise
        return found

    async def _proves_absence(self, resource: Resource[Carrier], error: ApiError) -> bool:
        """Return True if the error proves that there is no such object.

        A 404 without a Status means that the path is not served. That proves it only if the CRD is
        absent: otherwise the version may just not be served now.
        """
        if not error.is_not_found:
            return False
        if error.reason == "NotFound":
            return True
        return await is_crd_absent(self.api, resource.crd)
