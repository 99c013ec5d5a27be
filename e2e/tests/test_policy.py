"""The ValidatingAdmissionPolicy: no user can unregister an address in use.

A user with the right to declare addresses can do nothing else.
"""

from pathlib import Path

import pytest
import yaml

from e2e.pods import OWNER, allocation, name_of
from e2e.policy import HOLDER, INSTEAD, patch_fails
from testbed.client import Client, refusal
from testbed.connection import Refused
from testbed.controlplane import ControlPlane
from testbed.readiness import eventually
from testbed.release import POLICY

PROJECT = Path(__file__).parents[2]


def test_an_administrators_delete_of_a_bound_address_is_refused_and_names_the_holder(
    client: Client, mac: str, bound: str
) -> None:
    with pytest.raises(Refused) as refused:
        client.delete("mac", bound)

    assert refused.value.reason == "Forbidden"
    assert f"{mac} is {HOLDER}" in str(refused.value)
    remedy = "to free it, delete that Pod (if it is gone already, wait a minute)"
    assert str(refused.value).endswith(remedy)
    assert client.get("mac", bound)


def test_force_does_not_help(bare_cluster: ControlPlane, bound: str) -> None:
    said = bare_cluster.kubectl.fails("delete", "mac", bound, "--force", "--grace-period=0")

    assert HOLDER in said


def test_the_refusal_says_that_an_owner_has_no_name_yet(
    client: Client, controller: Client, mac: str
) -> None:
    unnamed = {key: OWNER[key] for key in ("apiVersion", "kind", "namespace")}
    controller.create(allocation(mac, state="Pending", owner=unnamed))

    said = refusal(lambda: client.delete("mac", name_of(mac)))

    assert f"{mac} is Pending for Pod shop/(name not generated yet)" in said


def test_deleting_the_collection_leaves_the_bound_ones(client: Client, bound: str) -> None:
    path = client.resource("macs").collection()

    said = refusal(lambda: client.connection.send("DELETE", path))

    assert POLICY in said
    assert client.get("mac", bound)


@pytest.mark.parametrize(
    "change",
    [
        {"state": "Declared", "owner": None},
        {"owner": {"name": "another"}},
        {"owner": {"uid": "another"}},
        {"shared": True},
        {"reservedFor": {"kind": "Pod", "namespace": "shop", "name": "another"}},
    ],
)
def test_the_spec_of_a_bound_address_is_not_changed_by_hand(
    client: Client, mac: str, bound: str, change: dict[str, object]
) -> None:
    said = patch_fails(client, bound, {"spec": change})

    assert f"{mac} is {HOLDER}, and until it is free its spec cannot be changed" in said


def test_a_declared_address_is_not_given_away_by_hand(
    client: Client, mac: str, declared: str
) -> None:
    said = patch_fails(client, declared, {"spec": {"state": "Bound", "owner": OWNER}})

    assert f"{mac} is Declared, and only kubemacpool moves it to another state" in said


ONLY_OURS: dict[str, dict[str, object]] = {
    "spec.state Bound, spec.owner": {"state": "Bound", "owner": OWNER},
    "spec.state Pending, spec.owner": {"state": "Pending", "owner": OWNER | {"uid": None}},
    "spec.source Pool": {"source": "Pool"},
    "spec.pool": {"pool": "default"},
    "spec.request": {"request": "6c1a1c56"},
    "spec.declared": {"declared": True},
    "spec.shared": {"shared": True},
}
OF_THE_DECLARED = {"mac", "reservedFor"}  # and state and source, whose only value is the default


def test_every_field_of_an_allocation_is_the_declarers_or_ours() -> None:
    crd = yaml.safe_load((PROJECT / "crds" / "macallocation.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]

    ours = {field for spec in ONLY_OURS.values() for field in spec}

    assert ours | OF_THE_DECLARED == set(schema["properties"])


@pytest.mark.parametrize("named", ONLY_OURS)
def test_a_user_who_declares_an_address_writes_no_field_that_its_release_depends_on(
    client: Client, mac: str, named: str
) -> None:
    with pytest.raises(Refused) as refused:
        client.create(allocation(mac, **ONLY_OURS[named]))

    assert refused.value.reason == "Forbidden"
    assert f"{mac}: only kubemacpool writes {named}; {INSTEAD}" in str(refused.value)
    assert client.get("mac", name_of(mac)) is None


@pytest.mark.parametrize(
    "named", [condition for condition in ONLY_OURS if "spec.state" not in condition]
)
def test_a_declared_address_gets_no_field_that_its_release_depends_on(
    client: Client, mac: str, declared: str, named: str
) -> None:
    said = patch_fails(client, declared, {"spec": ONLY_OURS[named]})

    assert f"{mac}: only kubemacpool writes {named}; {INSTEAD}" in said


def test_a_wrong_field_in_a_declared_address_can_be_taken_out(
    client: Client, controller: Client, declared: str
) -> None:
    controller.patch("mac", declared, {"spec": {"shared": True}})
    client.label("mac", declared, {"team": "shop"})

    client.patch("mac", declared, {"spec": {"shared": None}})

    assert "shared" not in client.read("mac", declared)["spec"]


def test_the_api_server_finds_nothing_wrong_with_the_policys_expressions(client: Client) -> None:
    def checked() -> bool:
        status = client.read("validatingadmissionpolicy", POLICY).get("status", {})
        return "observedGeneration" in status and "expressionWarnings" not in status.get(
            "typeChecking", {}
        )

    eventually(checked, "the policy is checked against the CRD, without a warning")


def test_labels_annotations_and_status_of_a_bound_address_are_free(
    client: Client, bound: str
) -> None:
    client.label("mac", bound, {"team": "shop"})
    client.annotate("mac", bound, {"note": "checked"})
    client.patch("mac", bound, {"status": {"conflicts": []}}, subresource="status")

    metadata = client.read("mac", bound)["metadata"]
    assert metadata["labels"] == {"team": "shop"}
    assert metadata["annotations"] == {"note": "checked"}


def test_a_declared_address_can_be_reserved_for_another_object_and_deleted(
    client: Client, declared: str
) -> None:
    other = {"kind": "Pod", "namespace": "shop", "name": "another"}
    client.patch("mac", declared, {"spec": {"reservedFor": other}})

    client.delete("mac", declared)

    assert client.get("mac", declared) is None
