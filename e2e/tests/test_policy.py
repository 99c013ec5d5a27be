"""The ValidatingAdmissionPolicy's promise: an address in use stays registered, whoever asks, and
who may declare addresses can do that alone.
"""

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from e2e.access import bind_role, may
from testbed.client import Client, refusal
from testbed.connection import Refused
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.readiness import eventually
from testbed.release import POLICY

PROJECT = Path(__file__).parents[2]
OURS = [
    "system:serviceaccount:kubemacpool-system:kubemacpool-webhook",
    "system:serviceaccount:kubemacpool-system:kubemacpool-controller",
]
OWNER = {
    "apiVersion": "v1",
    "kind": "Pod",
    "namespace": "shop",
    "name": "samplepod",
    "uid": "6c1a1c56-2a3c-4d7e-9b7a-0d8d7a0f3b11",
    "interface": "net1",
}
HOLDER = "Bound to Pod shop/samplepod (interface net1)"


def name_of(mac: str) -> str:
    return mac.replace(":", "-")


def allocation(mac: str, **spec: object) -> str:
    return json.dumps(
        {
            "apiVersion": "kubemacpool.io/v1beta1",
            "kind": "MacAllocation",
            "metadata": {"name": name_of(mac)},
            "spec": {"mac": mac, **spec},
        }
    )


@pytest.fixture(scope="module")
def client(bare_cluster: ControlPlane) -> Client:
    """The administrator of a cluster with the policy in force; no program judges made-up owners."""
    client, probe = bare_cluster.kubectl.client, "0e:00:00:00:00:01"
    as_user(client, OURS[1]).apply(allocation(probe, state="Bound", owner=OWNER))
    change = {"spec": {"shared": True}}
    eventually(
        lambda: (
            POLICY in refusal(lambda: client.patch("mac", name_of(probe), change, dry_run=True))
        ),
        "the policy protects allocations",
    )
    return client


@pytest.fixture(scope="module")
def kubectl(bare_cluster: ControlPlane) -> Kubectl:
    """The same administrator with kubectl, for what kubectl does in several steps."""
    return bare_cluster.kubectl


def as_user(client: Client, user: str, group: str = "") -> Client:
    return Client(client.connection.as_user(user, group))


@pytest.fixture(scope="module")
def controller(client: Client) -> Client:
    """The controller's account, which the policy lets through."""
    return as_user(client, OURS[1])


@pytest.fixture
def mac(request: pytest.FixtureRequest) -> str:
    """An address that no other test uses."""
    digest = hashlib.sha256(request.node.nodeid.encode()).digest()
    return bytes([0x0E, *digest[:5]]).hex(":")


@pytest.fixture
def bound(controller: Client, mac: str) -> str:
    """The name of an allocation that is Bound."""
    controller.create(allocation(mac, state="Bound", owner=OWNER, source="Pool"))
    return name_of(mac)


@pytest.fixture
def declared(client: Client, mac: str) -> str:
    """The name of an allocation that was created with nothing but the address."""
    client.create(allocation(mac))
    return name_of(mac)


def patch_fails(client: Client, name: str, change: dict[str, object]) -> str:
    return refusal(lambda: client.patch("mac", name, change))


def bind(controller: Client, name: str) -> None:
    change = {"spec": {"state": "Bound", "declared": True, "owner": OWNER}}
    controller.patch("mac", name, change)


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


def test_force_does_not_help(kubectl: Kubectl, bound: str) -> None:
    said = kubectl.fails("delete", "mac", bound, "--force", "--grace-period=0")

    assert HOLDER in said


def test_an_owner_without_a_name_is_said_to_have_none_yet(
    client: Client, controller: Client, mac: str
) -> None:
    unnamed = {key: OWNER[key] for key in ("apiVersion", "kind", "namespace")}
    controller.create(allocation(mac, state="Pending", owner=unnamed))

    said = refusal(lambda: client.delete("mac", name_of(mac)))

    assert f"{mac} is Pending for Pod shop/(name not generated yet)" in said


def test_deleting_all_of_them_leaves_the_bound_ones(
    kubectl: Kubectl, client: Client, bound: str
) -> None:
    said = kubectl.fails("delete", "macs", "--all")

    assert HOLDER in said
    assert client.get("mac", bound)


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
INSTEAD = "to keep an address write spec.mac, and spec.reservedFor if it is for one object"


def test_every_field_of_an_allocation_is_the_declarers_or_ours() -> None:
    crd = yaml.safe_load((PROJECT / "crds" / "macallocation.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]

    ours = {field for spec in ONLY_OURS.values() for field in spec}

    assert ours | OF_THE_DECLARED == set(schema["properties"])


@pytest.mark.parametrize("named", ONLY_OURS)
def test_who_declares_an_address_writes_nothing_that_its_release_depends_on(
    client: Client, mac: str, named: str
) -> None:
    with pytest.raises(Refused) as refused:
        client.create(allocation(mac, **ONLY_OURS[named]))

    assert refused.value.reason == "Forbidden"
    assert f"{mac}: only kubemacpool writes {named}; {INSTEAD}" in str(refused.value)
    assert client.get("mac", name_of(mac)) is None


@pytest.mark.parametrize("named", [one for one in ONLY_OURS if "spec.state" not in one])
def test_a_declared_address_is_given_nothing_that_its_release_depends_on(
    client: Client, mac: str, declared: str, named: str
) -> None:
    said = patch_fails(client, declared, {"spec": ONLY_OURS[named]})

    assert f"{mac}: only kubemacpool writes {named}; {INSTEAD}" in said


def test_what_nobody_should_have_written_into_a_declared_address_can_be_taken_out(
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


@pytest.mark.parametrize("way", [[], ["--server-side"]], ids=["client-side", "server-side"])
@pytest.mark.parametrize(
    "spec",
    [{}, {"reservedFor": {"kind": "Pod", "namespace": "shop", "name": "samplepod"}}],
    ids=["address", "address-and-reservation"],
)
def test_applying_the_same_declared_file_while_it_is_bound_changes_nothing(
    kubectl: Kubectl,
    mac: str,
    way: list[str],
    spec: dict[str, object],
) -> None:
    file = allocation(mac, **spec)
    kubectl.apply(file, *way)
    bind(as_user(kubectl.client, OURS[1]), name_of(mac))
    before = kubectl.client.read("mac", name_of(mac))

    kubectl.apply(file, *way)

    after = kubectl.client.read("mac", name_of(mac))
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert after["spec"]["owner"]["name"] == "samplepod"


def test_a_file_that_changes_a_bound_address_is_refused(
    client: Client, controller: Client, mac: str
) -> None:
    client.create(allocation(mac))
    bind(controller, name_of(mac))
    other = {"kind": "Pod", "namespace": "shop", "name": "another"}

    said = patch_fails(client, name_of(mac), {"spec": {"reservedFor": other}})

    assert HOLDER in said


def test_a_declared_address_can_be_reserved_for_somebody_else_and_deleted(
    client: Client, declared: str
) -> None:
    other = {"kind": "Pod", "namespace": "shop", "name": "another"}
    client.patch("mac", declared, {"spec": {"reservedFor": other}})

    client.delete("mac", declared)

    assert client.get("mac", declared) is None


@pytest.fixture(scope="module")
def declarer(client: Client) -> str:
    """A user who may declare addresses."""
    bind_role(client, "ann", "kubemacpool-edit")
    eventually(lambda: may(client, "ann", "create", "macallocations"), "ann may declare addresses")
    return "ann"


@pytest.mark.parametrize("way", [[], ["--server-side"]], ids=["client-side", "server-side"])
def test_who_has_the_role_for_it_declares_addresses_and_removes_them(
    kubectl: Kubectl, client: Client, mac: str, declarer: str, way: list[str]
) -> None:
    only = {"kind": "Pod", "namespace": "shop", "name": "another"}

    kubectl.apply(allocation(mac), f"--as={declarer}", *way)
    kubectl.apply(allocation(mac, reservedFor=only), f"--as={declarer}", *way)
    as_user(client, declarer).delete("mac", name_of(mac))

    assert client.get("mac", name_of(mac)) is None


def test_who_may_declare_addresses_may_do_that_alone(
    client: Client, mac: str, bound: str, declarer: str
) -> None:
    ghost = allocation("0e:00:00:00:00:02", state="Bound", owner=OWNER)
    ann = as_user(client, declarer)

    assert INSTEAD in refusal(lambda: ann.create(ghost))
    assert f"{mac} is {HOLDER}" in refusal(lambda: ann.delete("mac", bound))
    assert not may(client, declarer, "patch", "macallocations", subresource="status")
    assert not may(client, declarer, "patch", "macpools")


@pytest.mark.parametrize("ours", OURS)
def test_our_programs_claim_bind_and_release(client: Client, mac: str, ours: str) -> None:
    program = as_user(client, ours)
    claim = {"state": "Pending", "owner": OWNER | {"uid": None}, "source": "Pool"}
    program.create(allocation(mac, **claim))
    program.patch("mac", name_of(mac), {"spec": {"state": "Bound", "owner": OWNER}})

    program.delete("mac", name_of(mac))

    assert client.get("mac", name_of(mac)) is None


@pytest.mark.parametrize("ours", OURS)
def test_our_programs_give_a_declared_address_back(
    client: Client, controller: Client, declared: str, ours: str
) -> None:
    bind(controller, declared)

    back = {"spec": {"state": None, "owner": None, "declared": None}}
    as_user(client, ours).patch("mac", declared, back)

    spec = client.read("mac", declared)["spec"]
    assert spec == {"mac": spec["mac"], "state": "Declared", "source": "Declared"}


@pytest.mark.parametrize(
    "stranger",
    [
        "system:serviceaccount:default:kubemacpool-webhook",
        "system:serviceaccount:kubemacpool-system:default",
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:kube-controller-manager",
    ],
)
def test_nobody_else_may_even_with_every_right(client: Client, bound: str, stranger: str) -> None:
    mighty = as_user(client, stranger, "system:masters")

    assert HOLDER in refusal(lambda: mighty.delete("mac", bound))
    assert HOLDER in patch_fails(mighty, bound, {"spec": {"shared": True}})
