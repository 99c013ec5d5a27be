"""Addresses that users declare, through Git or by hand, before and after the pods that use them."""

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


def test_a_pod_that_had_the_address_before_it_was_declared_takes_it_over(
    pods: PodNamespace, elsewhere: PodNamespace
) -> None:
    mac = "0a:00:00:00:02:06"
    pods.client.create(allocation(mac))

    elsewhere.create("wild", [{"name": "a", "mac": mac}])

    assert elsewhere.bound(mac, "wild")["declared"] is True
