"""Asks the API server for the rights of a user (authorization.k8s.io/v1 SubjectAccessReview)."""

from testbed.client import Client

_RBAC = "rbac.authorization.k8s.io"


def may(  # noqa: PLR0913 - a right has these many sides
    client: Client,
    user: str,
    verb: str,
    kind: str,
    *,
    name: str = "",
    namespace: str = "",
    subresource: str = "",
) -> bool:
    """Return True if `user` may do this to `kind`, any name that kubectl takes."""
    resource = client.resource(kind)
    *_, group, version = resource.root.split("/")
    attributes = {
        "verb": verb,
        "group": "" if group == "api" else group,
        "version": version,
        "resource": resource.plural,
        "subresource": subresource,
        "name": name,
        "namespace": namespace,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {"user": user, "resourceAttributes": attributes},
    }
    allowed: bool = client.create(review)["status"]["allowed"]
    return allowed


def bind_role(client: Client, user: str, role: str) -> None:
    """Bind a user to a ClusterRole in all namespaces."""
    client.apply(
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{user}-{role}"},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user}],
        }
    )
