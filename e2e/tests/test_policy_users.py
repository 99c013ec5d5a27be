"""The ValidatingAdmissionPolicy: the rights of declarers, our programs and others."""

import pytest

from e2e.access import bind_role, may
from e2e.pods import OWNER, allocation, as_user, name_of
from e2e.policy import HOLDER, INSTEAD, patch_fails
from testbed.client import Client, refusal
from testbed.controlplane import ControlPlane
from testbed.readiness import eventually


@pytest.fixture(scope="module")
def declarer(client: Client) -> str:
    """A user who may declare addresses."""
    bind_role(client, "ann", "kubemacpool-edit")
    eventually(lambda: may(client, "ann", "create", "macallocations"), "ann may declare addresses")
    return "ann"


@pytest.mark.parametrize("way", [[], ["--server-side"]], ids=["client-side", "server-side"])
def test_a_user_with_the_role_declares_addresses_and_removes_them(
    bare_cluster: ControlPlane, client: Client, mac: str, declarer: str, way: list[str]
) -> None:
    kubectl, only = bare_cluster.kubectl, {"kind": "Pod", "namespace": "shop", "name": "another"}

    kubectl.apply(allocation(mac), f"--as={declarer}", *way)
    kubectl.apply(allocation(mac, reservedFor=only), f"--as={declarer}", *way)
    as_user(client, declarer).delete("mac", name_of(mac))

    assert client.get("mac", name_of(mac)) is None


def test_a_user_who_may_declare_addresses_may_do_nothing_else(
    client: Client, mac: str, bound: str, declarer: str
) -> None:
    ghost = allocation("0e:00:00:00:00:02", state="Bound", owner=OWNER)
    ann = as_user(client, declarer)

    assert INSTEAD in refusal(lambda: ann.create(ghost))
    assert f"{mac} is {HOLDER}" in refusal(lambda: ann.delete("mac", bound))
    assert not may(client, declarer, "patch", "macallocations", subresource="status")
    assert not may(client, declarer, "patch", "macpools")


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
