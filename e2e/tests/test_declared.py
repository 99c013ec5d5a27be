"""Addresses that people declare, through Git or by hand, before and after their users' lives."""

import pytest

from e2e.pods import Shop, declaration, name_of


def test_a_declared_address_goes_to_whoever_asks_for_it_and_returns(shop: Shop) -> None:
    mac = "0a:00:00:00:02:01"
    shop.client.create(declaration(mac))

    shop.create("samplepod", [{"name": "a", "mac": mac}])
    bound = shop.bound(mac, "samplepod")
    shop.delete("samplepod")

    assert bound["declared"] is True
    left = {"mac": mac, "state": "Declared", "source": "Declared"}
    shop.holds(mac, lambda found: found["spec"] == left, f"{mac} declared again")
    shop.client.delete("mac", name_of(mac))


def test_a_reserved_address_is_for_one_object_only(shop: Shop) -> None:
    mac = "0a:00:00:00:02:03"
    only = {"kind": "Pod", "namespace": shop.namespace, "name": "chosen"}
    shop.client.create(declaration(mac, reservedFor=only))

    said = shop.refuses("other", [{"name": "a", "mac": mac}])
    shop.create("chosen", [{"name": "a", "mac": mac}])

    assert f"declared for Pod {shop.namespace}/chosen only" in said
    assert shop.bound(mac, "chosen")["reservedFor"] == only


@pytest.mark.parametrize("how", ["client-side", "server-side"])
def test_applying_the_same_file_again_while_it_is_bound_changes_nothing(
    shop: Shop, how: str
) -> None:
    mac = "0a:00:00:00:02:04" if how == "client-side" else "0a:00:00:00:02:05"
    flags = ["--server-side"] if how == "server-side" else []
    shop.kubectl.apply(declaration(mac), *flags)
    shop.create("samplepod", [{"name": "a", "mac": mac}])
    before = shop.bound(mac, "samplepod")

    shop.kubectl.apply(declaration(mac), *flags)

    assert shop.spec(mac) == before


def test_a_pod_that_had_the_address_before_it_was_declared_takes_it_over(
    shop: Shop, elsewhere: Shop
) -> None:
    mac = "0a:00:00:00:02:06"
    shop.client.create(declaration(mac))

    elsewhere.create("wild", [{"name": "a", "mac": mac}])

    assert elsewhere.bound(mac, "wild")["declared"] is True
