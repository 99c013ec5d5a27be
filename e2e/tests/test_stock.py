"""Addresses created ahead, as users see them: who gets them, and when they go."""

import secrets
from collections.abc import Collection, Iterator
from typing import Any

import pytest

from e2e.pods import OPTED_IN, Shop, name_of
from testbed.client import refusal
from testbed.controlplane import ControlPlane, ephemeral
from testbed.kubectl import Kubectl
from testbed.programs import start_controller, start_webhook
from testbed.release import Installed, installed

QUIET_S = 3.0  # V is 15 s, and what nobody came for goes after 21 s
QUIET = ("--quiet-s", f"{QUIET_S:g}")
GOES_S = 90.0  # on a busy machine
NET = [{"name": "a"}]
IN_STOCK = "spec.state=Stock"


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[ControlPlane]:
    """A cluster whose programs these tests may stop."""
    with ephemeral() as cluster:
        yield cluster


@pytest.fixture
def programs(own_cluster: ControlPlane) -> Iterator[Installed]:
    """One webhook, so that it is known whose stock there is, and one controller."""
    with installed(own_cluster, replicas=1, quiet_s=QUIET_S) as started:
        yield started


@pytest.fixture
def shop(programs: Installed, own_cluster: ControlPlane) -> Shop:
    """An opted-in namespace, and the webhook has something in stock."""
    assert programs.webhooks
    kubectl, name = own_cluster.kubectl, f"shop-{secrets.token_hex(4)}"
    kubectl.client.create_namespace(name, **OPTED_IN)
    without_stock(kubectl, "nothing left of the last test")
    shop = Shop(kubectl, name)
    shop.create("first", NET)
    with_stock(kubectl)
    return shop


def stock(kubectl: Kubectl) -> set[str]:
    """Return the addresses in state Stock."""
    return macs(kubectl.client.list("mac", fields=IN_STOCK))


def with_stock(kubectl: Kubectl) -> set[str]:
    """Wait until there are addresses in state Stock; return them."""
    return kubectl.client.until("mac", macs, "something in stock", fields=IN_STOCK)


def without_stock(kubectl: Kubectl, what: str) -> None:
    """Wait until there is no address in state Stock."""
    kubectl.client.until("mac", lambda found: not found, what, fields=IN_STOCK, deadline_s=GOES_S)


def macs(allocations: Collection[dict[str, Any]]) -> set[str]:
    assert not [one for one in allocations if "owner" in one["spec"]]
    return {one["spec"]["mac"] for one in allocations}


def test_the_next_pod_gets_what_was_created_ahead(shop: Shop) -> None:
    ready = stock(shop.kubectl)

    [element] = shop.create("second", NET)

    assert element["mac"] in ready
    spec = shop.bound(element["mac"], "second")
    assert (spec["source"], spec["pool"]) == ("Pool", "default")
    shop.delete("second")
    shop.freed(element["mac"])


def test_it_is_nobody_s_until_then_and_goes_when_nobody_comes(shop: Shop) -> None:
    [mac] = stock(shop.kubectl)

    said = refusal(lambda: shop.client.delete("mac", name_of(mac)))

    assert f"{mac} is Stock, and an allocation can be deleted only after its owner" in said
    assert "or frees it by itself within minutes" in said
    without_stock(shop.kubectl, "no stock without demand")


def test_who_asks_for_it_by_name_gets_it(shop: Shop) -> None:
    [mac] = stock(shop.kubectl)

    [element] = shop.create("asking", [{"name": "a", "mac": mac}])

    assert element["mac"] == mac
    assert shop.bound(mac, "asking")["source"] == "Requested"


def test_a_dry_run_leaves_it_where_it_is(shop: Shop) -> None:
    [mac] = stock(shop.kubectl)

    for asked in (NET, [{"name": "a", "mac": mac}]):
        shop.dry_run("dry", asked)

    [element] = shop.create("second", NET)
    assert element["mac"] == mac


def test_another_replica_s_is_refused_to_who_asks_by_name(
    shop: Shop, own_cluster: ControlPlane, programs: Installed
) -> None:
    [mac] = stock(shop.kubectl)
    programs.webhooks[0].process.kill()
    start_webhook(own_cluster, "webhook-2", *QUIET).wait_ready()

    said = shop.refuses("asking", [{"name": "a", "mac": mac}])

    assert f"asks for {mac}, which the pool has just given to somebody, or keeps ready" in said
    assert "leave out the mac and get one from the pool, or retry in 7 minutes" in said


def test_a_webhook_that_stops_leaves_no_stock_and_one_that_is_killed_for_minutes_only(
    shop: Shop, own_cluster: ControlPlane, programs: Installed
) -> None:
    programs.webhooks[0].process.stop()
    assert stock(shop.kubectl) == set()
    again = start_webhook(own_cluster, "webhook-1", *QUIET)
    again.wait_ready()
    shop.create("second", NET)
    [left] = with_stock(shop.kubectl)

    again.process.kill()

    assert stock(shop.kubectl) == {left}
    without_stock(shop.kubectl, "the controller collecting it")


def test_a_webhook_that_was_paused_gives_out_nothing_that_went_meanwhile(
    shop: Shop, programs: Installed
) -> None:
    [ready] = stock(shop.kubectl)
    webhook = programs.webhooks[0].process
    webhook.pause()
    without_stock(shop.kubectl, "the controller collecting it")

    webhook.resume()
    [element] = shop.create("late", NET)

    assert element["mac"] != ready
    shop.bound(element["mac"], "late")


def test_what_was_given_out_while_no_controller_runs_is_bound_when_one_does(
    shop: Shop, own_cluster: ControlPlane, programs: Installed
) -> None:
    ready = stock(shop.kubectl)
    programs.controller.process.kill()

    [element] = shop.create("second", NET)

    assert element["mac"] in ready
    assert shop.spec(element["mac"])["state"] == "Stock"
    start_controller(own_cluster, "controller-1", *QUIET).wait_ready()
    shop.bound(element["mac"], "second")
