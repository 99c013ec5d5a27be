"""Addresses created ahead, as users see them: the pods that get them, and their end."""

import secrets
from collections.abc import Collection, Iterator
from typing import Any

import pytest

from e2e.pods import OPTED_IN, PodNamespace, name_of
from testbed.client import refusal
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.programs import start_controller, start_webhook
from testbed.release import Installed, installed

QUIET_S = 3.0  # V is 15 s: an unused address goes after 21 s
QUIET = ("--quiet-s", f"{QUIET_S:g}")
GOES_S = 90.0  # on a busy machine
NET = [{"name": "a"}]
IN_STOCK = "spec.state=Stock"


@pytest.fixture
def programs(own_cluster: ControlPlane) -> Iterator[Installed]:
    """One webhook, so that all stock is its own, and one controller."""
    with installed(own_cluster, replicas=1, quiet_s=QUIET_S) as started:
        yield started


@pytest.fixture
def pods(programs: Installed, own_cluster: ControlPlane) -> PodNamespace:
    """An opted-in namespace; the webhook has an address in stock."""
    assert programs.webhooks
    kubectl, name = own_cluster.kubectl, f"shop-{secrets.token_hex(4)}"
    kubectl.client.create_namespace(name, **OPTED_IN)
    without_stock(kubectl, "nothing left of the last test")
    pods = PodNamespace(kubectl, name)
    pods.create("first", NET)
    with_stock(kubectl)
    return pods


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
    assert not [allocation for allocation in allocations if "owner" in allocation["spec"]]
    return {allocation["spec"]["mac"] for allocation in allocations}


def test_the_next_pod_gets_the_address_that_was_created_ahead(pods: PodNamespace) -> None:
    ready = stock(pods.kubectl)

    [element] = pods.create("second", NET)

    assert element["mac"] in ready
    spec = pods.bound(element["mac"], "second")
    assert (spec["source"], spec["pool"]) == ("Pool", "default")
    pods.delete("second")
    pods.freed(element["mac"])


def test_it_has_no_owner_until_then_and_goes_when_no_pod_comes(pods: PodNamespace) -> None:
    [mac] = stock(pods.kubectl)

    said = refusal(lambda: pods.client.delete("mac", name_of(mac)))

    assert f"{mac} is Stock, and an allocation can be deleted only after its owner" in said
    assert "or frees it by itself within minutes" in said
    without_stock(pods.kubectl, "no stock without demand")


def test_a_pod_that_asks_for_it_by_name_gets_it(pods: PodNamespace) -> None:
    [mac] = stock(pods.kubectl)

    [element] = pods.create("asking", [{"name": "a", "mac": mac}])

    assert element["mac"] == mac
    assert pods.bound(mac, "asking")["source"] == "Requested"


def test_a_dry_run_leaves_it_where_it_is(pods: PodNamespace) -> None:
    [mac] = stock(pods.kubectl)

    for asked in (NET, [{"name": "a", "mac": mac}]):
        pods.dry_run("dry", asked)

    [element] = pods.create("second", NET)
    assert element["mac"] == mac


def test_the_stock_of_another_replica_is_refused_to_a_pod_that_asks_for_it(
    pods: PodNamespace, own_cluster: ControlPlane, programs: Installed
) -> None:
    [mac] = stock(pods.kubectl)
    programs.webhooks[0].process.kill()
    start_webhook(own_cluster, "webhook-2", *QUIET).wait_ready()

    said = pods.refuses("asking", [{"name": "a", "mac": mac}])

    assert f"asks for {mac}, which the pool has just given to a new object or keeps" in said
    assert "leave out the mac and get one from the pool, or retry in 7 minutes" in said


def test_a_webhook_that_stops_leaves_no_stock_and_one_that_is_killed_for_minutes_only(
    pods: PodNamespace, own_cluster: ControlPlane, programs: Installed
) -> None:
    programs.webhooks[0].process.stop()
    assert stock(pods.kubectl) == set()
    again = start_webhook(own_cluster, "webhook-1", *QUIET)
    again.wait_ready()
    pods.create("second", NET)
    [left] = with_stock(pods.kubectl)

    again.process.kill()

    assert stock(pods.kubectl) == {left}
    without_stock(pods.kubectl, "the controller collecting it")


def test_a_webhook_that_was_paused_gives_out_no_address_that_went_in_the_pause(
    pods: PodNamespace, programs: Installed
) -> None:
    [ready] = stock(pods.kubectl)
    webhook = programs.webhooks[0].process
    webhook.pause()
    without_stock(pods.kubectl, "the controller collecting it")

    webhook.resume()
    [element] = pods.create("late", NET)

    assert element["mac"] != ready
    pods.bound(element["mac"], "late")


def test_an_address_given_out_without_a_controller_is_bound_when_one_runs(
    pods: PodNamespace, own_cluster: ControlPlane, programs: Installed
) -> None:
    ready = stock(pods.kubectl)
    programs.controller.process.kill()

    [element] = pods.create("second", NET)

    assert element["mac"] in ready
    assert pods.spec(element["mac"])["state"] == "Stock"
    start_controller(own_cluster, "controller-1", *QUIET).wait_ready()
    pods.bound(element["mac"], "second")
