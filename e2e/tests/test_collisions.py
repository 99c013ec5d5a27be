"""Addresses that several objects have: who is told, and what the metrics say."""

import json
from collections.abc import Iterator

import pytest

from e2e import metrics, pool
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.readiness import eventually
from e2e.cluster.release_up import Installed
from e2e.metrics import Scrape
from e2e.pods import OPT_IN, Shop

OURS = "0a:00:00:00:0c:"


@pytest.fixture(scope="module")
def scrape(release: Installed, kubectl: Kubectl) -> Iterator[Scrape]:
    token = metrics.reader(kubectl)
    yield Scrape(release.controller.metrics_url, token)
    metrics.forget_reader(kubectl)


@pytest.fixture
def outside(shop: Shop) -> Iterator[Shop]:
    """A second namespace that has not opted in."""
    kubectl = shop.kubectl
    name = f"{shop.namespace}-outside"
    kubectl("create", "namespace", name)
    kubectl("wait", "--for=create", "serviceaccount/default", "-n", name, "--timeout=60s")
    yield Shop(kubectl, name)
    kubectl("delete", "namespace", name, "--wait=false")


def opt_in(shop: Shop) -> None:
    shop.kubectl("label", "namespace", shop.namespace, OPT_IN)


def opt_out(shop: Shop) -> None:
    shop.kubectl("label", "namespace", shop.namespace, f"{OPT_IN.partition('=')[0]}-")


def told(shop: Shop, name: str) -> list[str]:
    """Return what `kubectl describe pod` shows of collisions."""
    events = shop.kubectl.json(
        "get", "events", "-n", shop.namespace,
        "--field-selector", f"reason=MACCollision,involvedObject.name={name}",
    )["items"]  # fmt: skip
    assert all(one["type"] == "Warning" for one in events)
    return [one["message"] for one in events]


def conflicts(shop: Shop, mac: str) -> list[str]:
    """Return the names in the allocation's status.conflicts."""
    found = shop.allocation(mac) or {}
    return sorted(one["name"] for one in found.get("status", {}).get("conflicts", ()))


def share(mac: str, first: tuple[Shop, str], *others: tuple[Shop, str]) -> None:
    """Create pods with one address, `first` in a namespace that has opted in, `others` in none."""
    for shop, name in (first, *others):
        shop.create(name, [{"name": "a", "mac": mac}])
        first[0].bound(mac, first[1])
    names = sorted(name for _, name in others)
    eventually(lambda: conflicts(first[0], mac) == names, f"{mac} in conflict with {names}")


def test_two_pods_with_one_address_are_told_so_when_both_are_managed(
    shop: Shop, elsewhere: Shop, scrape: Scrape
) -> None:
    mac = OURS + "01"
    share(mac, (shop, "mine"), (elsewhere, "theirs"))
    assert scrape.colliding(mac) == 0
    assert told(shop, "mine") == told(elsewhere, "theirs") == []

    opt_in(elsewhere)

    eventually(lambda: scrape.colliding(mac) == 2, "two that collide")
    [mine] = eventually(lambda: told(shop, "mine"), "the event on mine")
    [theirs] = eventually(lambda: told(elsewhere, "theirs"), "the event on theirs")
    assert mine.startswith(f"{mac} of interface net1 is in use by Pod {elsewhere.namespace}/theirs")
    assert f"Pod {shop.namespace}/mine" in theirs
    assert scrape()["kubevirt_kmp_duplicate_macs"] >= 1
    elsewhere.delete("theirs")
    eventually(lambda: scrape.colliding(mac) == 0, "none that collide")
    assert f'mac="{mac}"' not in metrics.get(scrape.url, scrape.token)[2]


def test_one_of_two_that_is_not_managed_raises_no_event_and_no_alarm(
    shop: Shop, elsewhere: Shop, outside: Shop, scrape: Scrape
) -> None:
    quiet, loud = OURS + "02", OURS + "03"
    share(quiet, (shop, "mine"), (elsewhere, "theirs"))

    # A collision that is noticed later, so that the one above has had its time.
    share(loud, (shop, "my-other"), (outside, "another"))
    opt_in(outside)
    eventually(lambda: scrape.colliding(loud) == 2, "two that collide")
    eventually(lambda: told(outside, "another"), "the event on another")

    assert conflicts(shop, quiet) == ["theirs"]
    assert scrape.colliding(quiet) == 0
    assert told(shop, "mine") == told(elsewhere, "theirs") == []


def test_three_that_share_are_counted_down_one_by_one(
    shop: Shop, elsewhere: Shop, outside: Shop, scrape: Scrape
) -> None:
    mac = OURS + "04"
    share(mac, (shop, "a"), (elsewhere, "b"), (outside, "c"))

    opt_in(elsewhere)
    eventually(lambda: scrape.colliding(mac) == 2, "two")
    opt_in(outside)
    eventually(lambda: scrape.colliding(mac) == 3, "three")
    eventually(lambda: len(told(shop, "a")) == 2, "told of the second and of the third")
    eventually(lambda: len(told(outside, "c")) == 1, "the third told")
    outside.delete("c")
    eventually(lambda: scrape.colliding(mac) == 2, "two again")
    shop.delete("a")
    eventually(lambda: scrape.colliding(mac) == 0, "the last one alone")

    elsewhere.bound(mac, "b")
    assert len(told(shop, "a")) == 2


def test_a_namespace_that_opts_out_ends_the_alarm(
    shop: Shop, elsewhere: Shop, scrape: Scrape
) -> None:
    mac = OURS + "05"
    share(mac, (shop, "mine"), (elsewhere, "theirs"))
    opt_in(elsewhere)
    eventually(lambda: scrape.colliding(mac) == 2, "two that collide")

    opt_out(elsewhere)

    eventually(lambda: scrape.colliding(mac) == 0, "none that collide")
    assert conflicts(shop, mac) == ["theirs"]


def test_metrics_are_for_who_may_read_them_and_in_the_format_that_prometheus_reads(
    kubectl: Kubectl, scrape: Scrape
) -> None:
    stranger = kubectl("create", "token", "default", "-n", "default").strip()

    assert metrics.get(scrape.url)[0] == 401
    assert metrics.get(scrape.url, "nonsense")[0] == 401
    assert metrics.get(scrape.url, stranger)[0] == 403
    status, kind, text = metrics.get(scrape.url, scrape.token)

    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "# TYPE kmp_mac_collisions gauge" in text
    assert "# TYPE kubevirt_kmp_duplicate_macs gauge" in text
    eventually(lambda: scrape().get('kmp_pool_size{pool="default"}'), "the pool's size")
    assert scrape()["kmp_leader"] == 1
    assert scrape()["process_resident_memory_bytes"] > 0


def test_a_policy_is_in_force_at_once_and_a_bad_one_changes_nothing(shop: Shop) -> None:
    kubectl = shop.kubectl
    pool.edit(kubectl, COLLISION_POLICY="Warn")
    try:
        eventually(lambda: policy(shop) == "Warn", "policy Warn in force")
        assert pool.condition(kubectl, "Ready")["status"] == "True"

        pool.edit(kubectl, COLLISION_POLICY="Ignore")

        eventually(
            lambda: pool.condition(kubectl, "Ready")["reason"] == "InvalidCollisionPolicy",
            "the policy refused",
        )
        said = pool.condition(kubectl, "Ready")["message"]
        assert "COLLISION_POLICY: 'Ignore' is no policy: write Reject or Warn" in said
        assert policy(shop) == "Warn"
        eventually(lambda: said in warnings(shop), "the event on the ConfigMap")
    finally:
        pool.edit(kubectl, COLLISION_POLICY=None)
    eventually(lambda: policy(shop) == "Reject", "without one, Reject")
    assert pool.condition(kubectl, "Ready")["status"] == "True"


def policy(shop: Shop) -> str:
    found: str = shop.kubectl.json("get", "macpool", "default")["spec"]["collisionPolicy"]
    return found


def warnings(shop: Shop) -> str:
    events = shop.kubectl.json("get", "events", "-n", "kubemacpool-system")["items"]
    about = [one for one in events if one["involvedObject"]["name"] == pool.CONFIG_MAP[1]]
    return json.dumps([one["message"] for one in about if one["type"] == "Warning"])
