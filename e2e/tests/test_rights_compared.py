"""The comparison of rights and calls, without a cluster."""

from typing import Any

import pytest

from e2e.rights import Call, Right, asked, granted, idle, missing, nameable, refused

ANN = "system:serviceaccount:home:ann"
PODS = Call(ANN, "get", "", "pods", "shop", "web")


def test_a_right_covers_its_user_verb_and_resource_and_no_other() -> None:
    right = Right(ANN, "get", "", "pods")

    assert missing([right], [PODS]) == []
    for other in (
        Call("bob", "get", "", "pods", "shop", "web"),
        Call(ANN, "list", "", "pods", "shop"),
        Call(ANN, "get", "apps", "pods", "shop", "web"),
        Call(ANN, "get", "", "pods/status", "shop", "web"),
    ):
        assert missing([right], [other]) == [other]


def test_a_right_in_a_namespace_or_on_a_name_covers_nothing_beyond() -> None:
    assert missing([Right(ANN, "get", "", "pods", "shop", "web")], [PODS]) == []
    assert missing([Right(ANN, "get", "", "pods", "elsewhere")], [PODS]) == [PODS]
    assert missing([Right(ANN, "get", "", "pods", "", "another")], [PODS]) == [PODS]


def test_a_right_is_idle_unless_a_call_needs_it() -> None:
    everywhere, here = Right(ANN, "get", "", "pods"), Right(ANN, "get", "", "pods", "shop")
    another = Right(ANN, "get", "", "pods", name="another")

    assert idle([everywhere, here, another], [PODS], "home") == [another]
    assert idle([everywhere, here], [PODS], "shop") == [everywhere]


def test_a_right_that_was_used_on_one_name_can_be_granted_on_that_name_only() -> None:
    right = Right(ANN, "get", "", "pods")
    others = [Call(ANN, "get", "", "pods", "shop", "db"), Call(ANN, "get", "", "pods", "shop")]

    assert nameable([right], [PODS]) == [right]
    assert nameable([Right(ANN, "get", "", "pods", name="web")], [PODS]) == []
    assert all(nameable([right], [PODS, other]) == [] for other in others)
    assert nameable([right], []) == []


def test_roles_are_read_through_their_bindings() -> None:
    rule = {"apiGroups": [""], "resources": ["pods", "pods/status"], "verbs": ["get"]}
    subject = {"kind": "ServiceAccount", "namespace": "home", "name": "ann"}
    role = {"kind": "Role", "metadata": {"name": "r", "namespace": "home"}, "rules": [rule]}
    named = rule | {"resources": ["pods"], "resourceNames": ["web", "db"]}
    wide = {"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [named]}
    binding = {
        "kind": "RoleBinding",
        "metadata": {"name": "b", "namespace": "home"},
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [subject],
    }
    everywhere = binding | {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "r"},
    }

    assert granted([role, wide]) == set()
    assert granted([role, wide, binding, everywhere]) == {
        Right(ANN, "get", "", "pods", "home"),
        Right(ANN, "get", "", "pods/status", "home"),
        Right(ANN, "get", "", "pods", "", "web"),
        Right(ANN, "get", "", "pods", "", "db"),
    }
    for unclear in ({"resources": ["*"]}, {"nonResourceURLs": ["/x"]}):
        with pytest.raises(ValueError, match="understood"):
            granted([role | {"rules": [rule | unclear]}, binding])


def test_calls_are_read_from_the_audit_log() -> None:
    def event(**fields: object) -> dict[str, Any]:
        return {"user": {"username": ANN}, "requestURI": "/x", "verb": "get", **fields}

    pod = {"resource": "pods", "namespace": "shop", "name": "web"}
    status = {"resource": "macpools", "subresource": "status", "apiGroup": "k", "name": "default"}
    made = {"resource": "macpools", "apiGroup": "k", "name": "default"}
    events = [
        event(objectRef=pod, annotations={"authorization.k8s.io/decision": "allow"}),
        event(objectRef=status, verb="patch", responseStatus={"code": 200}),
        event(objectRef=made, verb="patch", responseStatus={"code": 201}),
        event(objectRef=pod, verb="create", responseStatus={"code": 201}),
        event(objectRef=pod, user={"username": "bob"}),
        event(requestURI="/apis", annotations={"authorization.k8s.io/decision": "forbid"}),
    ]

    assert asked(events, {ANN}) == {
        PODS,
        Call(ANN, "create", "", "pods", "shop"),
        Call(ANN, "patch", "k", "macpools/status", "", "default"),
        Call(ANN, "patch", "k", "macpools", "", "default"),
        Call(ANN, "create", "k", "macpools", "", "default"),
    }
    assert refused(events) == [f"{ANN} get /apis"]
