"""The ValidatingAdmissionPolicy's promise: an address in use stays registered, whoever asks, and
who may declare addresses can do that alone.
"""

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from e2e.cluster.controlplane import ControlPlane
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.readiness import eventually
from e2e.cluster.release_up import POLICY

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
AS_US = f"--as={OURS[1]}"
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


def protects(kubectl: Kubectl, bound: str) -> bool:
    asked = kubectl.run("delete", "mac", name_of(bound), "--dry-run=server")
    return POLICY in asked.stderr


@pytest.fixture(scope="module")
def kubectl(bare_cluster: ControlPlane) -> Kubectl:
    """A cluster with the policy in force, on which no program judges made-up owners."""
    kubectl, probe = bare_cluster.kubectl, "0e:00:00:00:00:01"
    kubectl.apply(allocation(probe, state="Bound", owner=OWNER), AS_US)
    eventually(lambda: protects(kubectl, probe), "the policy protects allocations")
    return kubectl


@pytest.fixture
def mac(request: pytest.FixtureRequest) -> str:
    """An address that no other test uses."""
    digest = hashlib.sha256(request.node.nodeid.encode()).digest()
    return bytes([0x0E, *digest[:5]]).hex(":")


@pytest.fixture
def bound(kubectl: Kubectl, mac: str) -> str:
    """The name of an allocation that is Bound."""
    taken = allocation(mac, state="Bound", owner=OWNER, source="Pool")
    kubectl("create", "-f", "-", AS_US, stdin=taken)
    return name_of(mac)


@pytest.fixture
def declared(kubectl: Kubectl, mac: str) -> str:
    """The name of an allocation that was applied from a file with nothing but the address."""
    kubectl.apply(allocation(mac))
    return name_of(mac)


def patch(kubectl: Kubectl, name: str, change: dict[str, object], *args: str) -> str:
    return kubectl("patch", "mac", name, "--type=merge", "-p", json.dumps(change), *args)


def patch_fails(kubectl: Kubectl, name: str, change: dict[str, object], *args: str) -> str:
    return kubectl.fails("patch", "mac", name, "--type=merge", "-p", json.dumps(change), *args)


def bind(kubectl: Kubectl, name: str) -> None:
    change: dict[str, object] = {"spec": {"state": "Bound", "declared": True, "owner": OWNER}}
    patch(kubectl, name, change, AS_US)


def test_an_administrators_delete_of_a_bound_address_is_refused_and_names_the_holder(
    kubectl: Kubectl, mac: str, bound: str
) -> None:
    refusal = kubectl.fails("delete", "mac", bound)

    assert "(Forbidden)" in refusal
    assert f"{mac} is {HOLDER}" in refusal
    remedy = "to free it, delete that Pod (if it is gone already, wait a minute)"
    assert refusal.rstrip().endswith(remedy)
    assert kubectl("get", "mac", bound, "-o", "name")


def test_force_does_not_help(kubectl: Kubectl, bound: str) -> None:
    refusal = kubectl.fails("delete", "mac", bound, "--force", "--grace-period=0")

    assert HOLDER in refusal


def test_an_owner_without_a_name_is_said_to_have_none_yet(kubectl: Kubectl, mac: str) -> None:
    unnamed = {key: OWNER[key] for key in ("apiVersion", "kind", "namespace")}
    kubectl("create", "-f", "-", AS_US, stdin=allocation(mac, state="Pending", owner=unnamed))

    refusal = kubectl.fails("delete", "mac", name_of(mac))

    assert f"{mac} is Pending for Pod shop/(name not generated yet)" in refusal


def test_deleting_all_of_them_leaves_the_bound_ones(kubectl: Kubectl, bound: str) -> None:
    refusal = kubectl.fails("delete", "macs", "--all")

    assert HOLDER in refusal
    assert kubectl("get", "mac", bound, "-o", "name")


def test_deleting_the_collection_leaves_the_bound_ones(kubectl: Kubectl, bound: str) -> None:
    refusal = kubectl.fails("delete", "--raw", "/apis/kubemacpool.io/v1beta1/macallocations")

    assert POLICY in refusal
    assert kubectl("get", "mac", bound, "-o", "name")


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
    kubectl: Kubectl, mac: str, bound: str, change: dict[str, object]
) -> None:
    refusal = patch_fails(kubectl, bound, {"spec": change})

    assert f"{mac} is {HOLDER}, and its spec cannot be changed meanwhile" in refusal


def test_a_declared_address_is_not_given_away_by_hand(
    kubectl: Kubectl, mac: str, declared: str
) -> None:
    refusal = patch_fails(kubectl, declared, {"spec": {"state": "Bound", "owner": OWNER}})

    assert f"{mac} is Declared, and only kubemacpool moves it to another state" in refusal


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
    kubectl: Kubectl, mac: str, named: str
) -> None:
    refusal = kubectl.fails("create", "-f", "-", stdin=allocation(mac, **ONLY_OURS[named]))

    assert "(Forbidden)" in refusal
    assert f"{mac}: only kubemacpool writes {named}; {INSTEAD}" in refusal
    assert kubectl("get", "mac", name_of(mac), "--ignore-not-found") == ""


@pytest.mark.parametrize("named", [one for one in ONLY_OURS if "spec.state" not in one])
def test_a_declared_address_is_given_nothing_that_its_release_depends_on(
    kubectl: Kubectl, mac: str, declared: str, named: str
) -> None:
    refusal = patch_fails(kubectl, declared, {"spec": ONLY_OURS[named]})

    assert f"{mac}: only kubemacpool writes {named}; {INSTEAD}" in refusal


def test_what_nobody_should_have_written_into_a_declared_address_can_be_taken_out(
    kubectl: Kubectl, declared: str
) -> None:
    patch(kubectl, declared, {"spec": {"shared": True}}, AS_US)
    kubectl("label", "mac", declared, "team=shop")

    patch(kubectl, declared, {"spec": {"shared": None}})

    assert "shared" not in kubectl.json("get", "mac", declared)["spec"]


def test_the_api_server_finds_nothing_wrong_with_the_policys_expressions(kubectl: Kubectl) -> None:
    def checked() -> bool:
        status = kubectl.json("get", "validatingadmissionpolicy", POLICY).get("status", {})
        return "observedGeneration" in status and "expressionWarnings" not in status.get(
            "typeChecking", {}
        )

    eventually(checked, "the policy is checked against the CRD, without a warning")


def test_labels_annotations_and_status_of_a_bound_address_are_free(
    kubectl: Kubectl, bound: str
) -> None:
    kubectl("label", "mac", bound, "team=shop")
    kubectl("annotate", "mac", bound, "note=checked")
    patch(kubectl, bound, {"status": {"conflicts": []}}, "--subresource=status")

    metadata = kubectl.json("get", "mac", bound)["metadata"]
    assert metadata["labels"] == {"team": "shop"}
    assert metadata["annotations"] == {"note": "checked"}


@pytest.mark.parametrize("way", [[], ["--server-side"]], ids=["client-side", "server-side"])
@pytest.mark.parametrize(
    "spec",
    [{}, {"reservedFor": {"kind": "Pod", "namespace": "shop", "name": "samplepod"}}],
    ids=["address", "address-and-reservation"],
)
def test_applying_the_same_declared_file_while_it_is_bound_changes_nothing(
    kubectl: Kubectl, mac: str, way: list[str], spec: dict[str, object]
) -> None:
    file = allocation(mac, **spec)
    kubectl.apply(file, *way)
    bind(kubectl, name_of(mac))
    before = kubectl.json("get", "mac", name_of(mac))

    kubectl.apply(file, *way)

    after = kubectl.json("get", "mac", name_of(mac))
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert after["spec"]["owner"]["name"] == "samplepod"


def test_a_file_that_changes_a_bound_address_is_refused(kubectl: Kubectl, mac: str) -> None:
    kubectl.apply(allocation(mac))
    bind(kubectl, name_of(mac))
    other = {"kind": "Pod", "namespace": "shop", "name": "another"}

    refusal = kubectl.fails("apply", "-f", "-", stdin=allocation(mac, reservedFor=other))

    assert HOLDER in refusal


def test_a_declared_address_can_be_reserved_for_somebody_else_and_deleted(
    kubectl: Kubectl, mac: str, declared: str
) -> None:
    other = {"kind": "Pod", "namespace": "shop", "name": "another"}
    kubectl.apply(allocation(mac, reservedFor=other))

    kubectl("delete", "mac", declared)

    assert kubectl("get", "mac", declared, "--ignore-not-found") == ""


@pytest.fixture(scope="module")
def declarer(kubectl: Kubectl) -> str:
    """The flag that makes kubectl somebody who may declare addresses."""
    role = ("--clusterrole=kubemacpool-edit", "--user=ann")
    kubectl("create", "clusterrolebinding", "declarers", *role)
    asked = ("auth", "can-i", "create", "macallocations", "--as=ann")
    eventually(lambda: kubectl.run(*asked).stdout.strip() == "yes", "ann may declare addresses")
    return "--as=ann"


@pytest.mark.parametrize("way", [[], ["--server-side"]], ids=["client-side", "server-side"])
def test_who_has_the_role_for_it_declares_addresses_and_removes_them(
    kubectl: Kubectl, mac: str, declarer: str, way: list[str]
) -> None:
    only = {"kind": "Pod", "namespace": "shop", "name": "another"}

    kubectl.apply(allocation(mac), declarer, *way)
    kubectl.apply(allocation(mac, reservedFor=only), declarer, *way)
    kubectl("delete", "mac", name_of(mac), declarer)

    assert kubectl("get", "mac", name_of(mac), "--ignore-not-found") == ""


def test_who_may_declare_addresses_may_do_that_alone(
    kubectl: Kubectl, mac: str, bound: str, declarer: str
) -> None:
    ghost = allocation("0e:00:00:00:00:02", state="Bound", owner=OWNER)

    assert INSTEAD in kubectl.fails("create", "-f", "-", declarer, stdin=ghost)
    assert f"{mac} is {HOLDER}" in kubectl.fails("delete", "mac", bound, declarer)
    for resource in (["macallocations", "--subresource=status"], ["macpools"]):
        asked = kubectl.run("auth", "can-i", "patch", *resource, declarer)
        assert asked.stdout.strip() == "no"


@pytest.mark.parametrize("ours", OURS)
def test_our_programs_claim_bind_and_release(kubectl: Kubectl, mac: str, ours: str) -> None:
    claim = allocation(mac, state="Pending", owner=OWNER | {"uid": None}, source="Pool")
    kubectl("create", "-f", "-", f"--as={ours}", stdin=claim)
    patch(kubectl, name_of(mac), {"spec": {"state": "Bound", "owner": OWNER}}, f"--as={ours}")

    kubectl("delete", "mac", name_of(mac), f"--as={ours}")

    assert kubectl("get", "mac", name_of(mac), "--ignore-not-found") == ""


@pytest.mark.parametrize("ours", OURS)
def test_our_programs_give_a_declared_address_back(
    kubectl: Kubectl, declared: str, ours: str
) -> None:
    bind(kubectl, declared)

    back: dict[str, object] = {"state": None, "owner": None, "declared": None}
    patch(kubectl, declared, {"spec": back}, f"--as={ours}")

    spec = kubectl.json("get", "mac", declared)["spec"]
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
def test_nobody_else_may_even_with_every_right(kubectl: Kubectl, bound: str, stranger: str) -> None:
    every_right = (f"--as={stranger}", "--as-group=system:masters")

    refusal = kubectl.fails("delete", "mac", bound, *every_right)

    assert HOLDER in refusal
    assert HOLDER in patch_fails(kubectl, bound, {"spec": {"shared": True}}, *every_right)
