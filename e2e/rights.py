"""The rights that a manifest grants to service accounts, and their calls in the audit log.

Pure: documents (rbac.authorization.k8s.io/v1) and events (audit.k8s.io/v1) in, differences out.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

_FORBIDDEN = ("authorization.k8s.io/decision", "forbid")
_CREATED = 201
_KINDS = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")


@dataclass(frozen=True, slots=True, order=True)
class Call:
    """One request to the API server for a resource; `resource` includes the subresource."""

    user: str
    verb: str
    group: str
    resource: str
    namespace: str = ""  # none: of the cluster, or of all namespaces
    name: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one resource for one user."""

    user: str
    verb: str
    group: str
    resource: str
    namespace: str = ""  # none: everywhere
    name: str = ""  # none: any

    def covers(self, call: Call) -> bool:
        """Return True if it is this right that allows `call`.

        A list or watch has the name that its field selector `metadata.name` asks for.
        """
        return (
            (self.user, self.verb, self.group, self.resource)
            == (call.user, call.verb, call.group, call.resource)
            and self.namespace in {"", call.namespace}
            and self.name in {"", call.name}
        )


def granted(documents: Iterable[dict[str, Any]]) -> set[Right]:
    """Return every right that bindings among `documents` give to service accounts."""
    by_name = {
        _identity(document): document for document in documents if document["kind"] in _KINDS
    }
    rights: set[Right] = set()
    for (kind, namespace, _), binding in by_name.items():
        if not kind.endswith("Binding"):
            continue
        role = binding["roleRef"]
        home = namespace if role["kind"] == "Role" else ""
        rules = by_name[role["kind"], home, role["name"]]["rules"]
        rights |= {
            Right(_user(subject), verb, group, resource, namespace, name)
            for subject in binding["subjects"]
            for rule in rules
            for verb, group, resource, name in _each(rule)
        }
    return rights


def asked(events: Iterable[dict[str, Any]], users: Collection[str]) -> set[Call]:
    """Return the calls of `users`, without those to paths that are no resource.

    A server-side apply that makes the object needs the right to create it, too, by its name. An
    object that a POST creates has no name yet when it is authorized, though the log shows one.
    """
    calls: set[Call] = set()
    for event in events:
        user, ref = event["user"]["username"], event.get("objectRef")
        if user not in users or ref is None:
            continue
        verb, name = event["verb"], ref.get("name", "")
        call = Call(
            user=user,
            verb=verb,
            group=ref.get("apiGroup", ""),
            resource="/".join(filter(None, (ref["resource"], ref.get("subresource")))),
            namespace=ref.get("namespace", ""),
            name="" if verb == "create" else name,
        )
        calls.add(call)
        if verb == "patch" and event.get("responseStatus", {}).get("code") == _CREATED:
            calls.add(replace(call, verb="create"))
    return calls


def refused(events: Iterable[dict[str, Any]]) -> list[str]:
    """Return the calls that authorization refused (not admission), as text."""
    key, forbid = _FORBIDDEN
    return [
        f"{event['user']['username']} {event['verb']} {event['requestURI']}"
        for event in events
        if event.get("annotations", {}).get(key) == forbid
    ]


def missing(rights: Collection[Right], calls: Iterable[Call]) -> list[Call]:
    """Return the calls that no right covers."""
    return sorted(call for call in calls if not any(right.covers(call) for right in rights))


def idle(rights: Iterable[Right], calls: Collection[Call], home: str) -> list[Right]:
    """Return the rights that no call needs.

    A right on all namespaces that is only used in `home` is not needed: a Role there is enough.
    """
    return sorted(
        right
        for right in rights
        if not any(
            right.covers(call) and (right.namespace or call.namespace != home) for call in calls
        )
    )


def nameable(rights: Iterable[Right], calls: Collection[Call]) -> list[Right]:
    """Return the rights on all objects that were only used on one object."""
    return sorted(
        right
        for right in rights
        if not right.name
        and len(names := {call.name for call in calls if right.covers(call)}) == 1
        and "" not in names
    )


def _identity(document: dict[str, Any]) -> tuple[str, str, str]:
    metadata = document["metadata"]
    return document["kind"], metadata.get("namespace", ""), metadata["name"]


def _user(subject: dict[str, str]) -> str:
    if subject["kind"] != "ServiceAccount":
        raise ValueError(f"only service accounts are understood: {subject}")
    return f"system:serviceaccount:{subject['namespace']}:{subject['name']}"


def _each(rule: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Give verb, group, resource and name of each right in a rule; wildcards are not understood."""
    if "nonResourceURLs" in rule or any("*" in values for values in rule.values()):
        raise ValueError(f"neither wildcards nor paths are understood: {rule}")
    for verb in rule["verbs"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames", [""]):
                    yield verb, group, resource, name
