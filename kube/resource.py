"""A resource of the API server: its paths, and the reader of its objects."""

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
    """A resource: its paths, and the function that reads the JSON of one object.

    `leave_out`: a list leaves out objects that cannot be read. `crd`: the name of its
    CustomResourceDefinition, if the cluster can be without it. `of_name`: makes the value from the
    name and resourceVersion of an object; a list then reads only these, in one call. `page`: the
    number of objects in one page of any other list (5 MB are parsed in 10 ms).
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
        """Return the path of all objects, in every namespace."""
        return f"{self.group}/{self.plural}"

    def namespaced(self, namespace: str) -> str:
        """Return the path of the objects of one namespace. It quotes names: users choose them."""
        return f"{self.group}/namespaces/{quote(namespace, safe='')}/{self.plural}"

    def named(self, name: str, namespace: str | None = None) -> str:
        """Return the path of one object."""
        parent = self.collection if namespace is None else self.namespaced(namespace)
        return f"{parent}/{quote(name, safe='')}"


def is_name(text: str) -> bool:
    """Return True if `text` is a DNS subdomain, which the name of an object must be."""
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None


def is_namespace(text: str) -> bool:
    """Return True if `text` is a DNS label, which the name of a namespace must be."""
    return len(text) <= _LONGEST_NAMESPACE and _NAMESPACE.fullmatch(text) is not None


CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
