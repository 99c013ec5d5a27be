"""A name leads to the resource to which it leads kubectl."""

from typing import Any

from testbed.discovery import resources


def group(name: str, *versions: str, plural: str, scope: str = "Namespaced") -> dict[str, Any]:
    served = {
        "resource": plural,
        "singularResource": plural.removesuffix("s"),
        "responseKind": {"kind": plural.removesuffix("s").capitalize()},
        "scope": scope,
        "shortNames": [plural[:2]],
    }
    each = [{"version": version, "resources": [served]} for version in versions]
    return {"metadata": {"name": name} if name else {}, "versions": each}


def test_the_core_group_and_the_preferred_version_come_first() -> None:
    found = resources(
        [group("", "v1", plural="events"), group("events.k8s.io", "v1", "v1beta1", plural="events")]
    )

    assert found["ev"] == found["event"] == found["events"] == found["v1/Event"]
    assert found["events"].collection("shop") == "/api/v1/namespaces/shop/events"
    assert found["events.events.k8s.io"].collection() == "/apis/events.k8s.io/v1/events"
    assert found["events.k8s.io/v1beta1/Event"].root == "/apis/events.k8s.io/v1beta1"


def test_an_object_s_path_has_a_namespace_where_its_kind_has() -> None:
    found = resources(
        [group("", "v1", plural="pods"), group("a.io", "v1", plural="macs", scope="Cluster")]
    )

    assert found["pod"].named("web", subresource="status") == (
        "/api/v1/namespaces/default/pods/web/status"
    )
    assert found["mac"].named("m", "shop") == "/apis/a.io/v1/macs/m"
