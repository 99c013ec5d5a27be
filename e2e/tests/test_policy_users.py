"""The ValidatingAdmissionPolicy: the rights of declarers, our programs and others."""

import pytest

from e2e.access import bind_role, may
from e2e.audit import CONTROLLER, WEBHOOK
from e2e.pods import OWNER, allocation, as_user, name_of
from e2e.policy import HOLDER, INSTEAD, bind, patch_fails
from testbed.client import Client, refusal
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.readiness import eventually


@pytest.fixture(scope="module")
def kubectl(bare_cluster: ControlPlane) -> Kubectl:
    """A cluster with the manifest, on which none of our programs runs."""
    return bare_cluster.kubectl


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


@pytest.mark.parametrize("ours", [WEBHOOK, CONTROLLER])
def test_our_programs_claim_bind_and_release(client: Client, mac: str, ours: str) -> None:
    program = as_user(client, ours)
    claim = {"state": "Pending", "owner": OWNER | {"uid": None}, "source": "Pool"}
    program.create(allocation(mac, **claim))
    program.patch("mac", name_of(mac), {"spec": {"state": "Bound", "owner": OWNER}})

    program.delete("mac", name_of(mac))

    assert client.get("mac", name_of(mac)) is None


@pytest.mark.parametrize("ours", [WEBHOOK, CONTROLLER])
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
def test_no_other_user_may_even_with_every_right(client: Client, bound: str, stranger: str) -> None:
    mighty = as_user(client, stranger, "system:masters")

    assert HOLDER in refusal(lambda: mighty.delete("mac", bound))
    assert HOLDER in patch_fails(mighty, bound, {"spec": {"shared": True}})
