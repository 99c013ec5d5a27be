"""Addresses that people declare, through Git or by hand, before and after their users' lives."""

import pytest

from e2e.pods import PodNamespace, allocation, name_of


def test_a_declared_address_goes_to_the_pod_that_asks_for_it_and_returns(
    pods: PodNamespace,
) -> None:
    mac = "0a:00:00:00:02:01"
    pods.client.create(allocation(mac))

    pods.create("samplepod", [{"name": "a", "mac": mac}])
    bound = pods.bound(mac, "samplepod")
    pods.delete("samplepod")

    assert bound["declared"] is True
    left = {"mac": mac, "state": "Declared", "source": "Declared"}
    pods.holds(mac, lambda found: found["spec"] == left, f"{mac} declared again")
    pods.client.delete("mac", name_of(mac))


def test_a_reserved_address_is_for_one_object_only(pods: PodNamespace) -> None:
    mac = "0a:00:00:00:02:03"
    only = {"kind": "Pod", "namespace": pods.namespace, "name": "chosen"}
    pods.client.create(allocation(mac, reservedFor=only))

    said = pods.refuses("other", [{"name": "a", "mac": mac}])
    pods.create("chosen", [{"name": "a", "mac": mac}])

    assert f"declared for Pod {pods.namespace}/chosen only" in said
    assert pods.bound(mac, "chosen")["reservedFor"] == only


@pytest.mark.parametrize("how", ["client-side", "server-side"])
def test_applying_the_same_file_again_while_it_is_bound_changes_nothing(
    pods: PodNamespace, how: str
) -> None:
    mac = "0a:00:00:00:02:04" if how == "client-side" else "0a:00:00:00:02:05"
    flags = ["--server-side"] if how == "server-side" else []
    pods.kubectl.apply(allocation(mac), *flags)
    pods.create("samplepod", [{"name": "a", "mac": mac}])
    before = pods.bound(mac, "samplepod")

    pods.kubectl.apply(allocation(mac), *flags)

    assert pods.spec(mac) == before


def test_a_pod_that_had_the_address_before_it_was_declared_takes_it_over(
    pods: PodNamespace, elsewhere: PodNamespace
) -> None:
    mac = "0a:00:00:00:02:06"
    pods.client.create(allocation(mac))

    elsewhere.create("wild", [{"name": "a", "mac": mac}])

    assert elsewhere.bound(mac, "wild")["declared"] is True
