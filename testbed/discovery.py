"""The resources that an API server serves, by every name that kubectl takes for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PATHS = ("/api", "/apis")
ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource in one version."""

    root: str  # `/api/v1` or `/apis/GROUP/VERSION`
    plural: str
    namespaced: bool

    def collection(self, namespace: str = "") -> str:
        """Return the path of all its objects, or of those in `namespace`."""
        within = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{self.root}{within}/{self.plural}"

    def named(self, name: str, namespace: str = "", subresource: str = "") -> str:
        """Return the path of one object; without a namespace, of the one in `default`."""
        below = f"/{subresource}" if subresource else ""
        return f"{self.collection(namespace or 'default')}/{name}{below}"


def resources(groups: list[dict[str, Any]]) -> dict[str, Resource]:
    """Return the resources in the items of APIGroupDiscoveryLists, by name.

    The names are those of kubectl (plural, singular, kind and short names, in lower case, also with
    `.GROUP`), and `APIVERSION/Kind`. The first resource of a name has it: the core group comes
    first, and each group's preferred version.
    """
    found: dict[str, Resource] = {}
    for name, resource in (named for group in groups for named in _named(group)):
        found.setdefault(name, resource)
    return found


def _named(group: dict[str, Any]) -> Iterator[tuple[str, Resource]]:
    group_name = group.get("metadata", {}).get("name", "")
    for version in group["versions"]:
        api = f"{group_name}/{version['version']}" if group_name else version["version"]
        root = f"/apis/{api}" if group_name else f"/api/{api}"
        for served in version.get("resources", []):
            resource = Resource(root, served["resource"], served["scope"] == "Namespaced")
            kind = served["responseKind"]["kind"]
            yield f"{api}/{kind}", resource
            singular = served.get("singularResource", "")
            for name in (served["resource"], singular, kind.lower(), *served.get("shortNames", [])):
                if name:
                    yield name, resource
                    yield f"{name}.{group_name}", resource
