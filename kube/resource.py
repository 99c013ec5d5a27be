"""A resource of the API server: its paths, and the reader of one object's JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# RFC 1123 as Kubernetes checks it (apimachinery, IsDNS1123Label and IsDNS1123Subdomain).
_LABEL = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAMESPACE = re.compile(_LABEL)
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_NAMESPACE, _LONGEST_NAME = 63, 253


@dataclass(frozen=True, slots=True)
class Resource(Generic[T]):
    """A resource: the paths of all, of one, and the reader of one object's JSON.

    `leave_out`: a list without those that cannot be read is still of use. `crd` is the name of its
    CustomResourceDefinition where the cluster can be without it. `of_name` makes the same of an
    object's name and resourceVersion, where no more is read: lists bring nothing else then, and all
    at once. `page` is how many come in one call of any other list: 5 MB are taken apart in 10 ms.
    """

    group: str  # "/api/v1" or "/apis/GROUP/VERSION"
    plural: str
    read: Callable[[bytes], T]
    leave_out: bool = False
    crd: str | None = None
    of_name: Callable[[str, str], T] | None = None
    page: int = 500  # of pods and VMs, up to 10 kB each

    @property
    def collection(self) -> str:
        """The path of all of them, in every namespace."""
        return f"{self.group}/{self.plural}"

    def namespaced(self, namespace: str) -> str:
        """The path of all of one namespace; names come from objects, so they are quoted."""
        return f"{self.group}/namespaces/{quote(namespace, safe='')}/{self.plural}"

    def named(self, name: str, namespace: str | None = None) -> str:
        """The path of one."""
        of_all = self.collection if namespace is None else self.namespaced(namespace)
        return f"{of_all}/{quote(name, safe='')}"


def is_name(text: str) -> bool:
    """Whether an object can have this name: a DNS subdomain, as pods and all our kinds need it."""
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None


def is_namespace(text: str) -> bool:
    """Whether a namespace can have this name: a DNS label."""
    return len(text) <= _LONGEST_NAMESPACE and _NAMESPACE.fullmatch(text) is not None


CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
