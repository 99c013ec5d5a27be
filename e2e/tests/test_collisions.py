"""Addresses that several objects have: their events and their metrics."""

from collections.abc import Iterator

import pytest

from e2e import metrics, pool
from e2e.metrics import Scrape
from e2e.pods import OPTED_IN, PodNamespace
from testbed.fixtures import fresh_namespace
from testbed.kubectl import Kubectl
from testbed.readiness import eventually

OURS = "0a:00:00:00:0c:"


@pytest.fixture
def outside(pods: PodNamespace) -> Iterator[PodNamespace]:
    """A second namespace that has not opted in."""
    for name in fresh_namespace(pods.kubectl):
        yield PodNamespace(pods.kubectl, name)


def opt_in(pods: PodNamespace) -> None:
    pods.client.label("namespace", pods.namespace, OPTED_IN)


def opt_out(pods: PodNamespace) -> None:
    pods.client.label("namespace", pods.namespace, dict.fromkeys(OPTED_IN))


def share(mac: str, first: tuple[PodNamespace, str], *others: tuple[PodNamespace, str]) -> None:
    """Create pods with one address, `first` in a namespace that has opted in, `others` in none."""
    for pods, name in (first, *others):
        pods.create(name, [{"name": "a", "mac": mac}])
        first[0].bound(mac, first[1])
    first[0].in_conflict(mac, *(name for _, name in others))


def test_two_managed_pods_with_one_address_get_events(
    pods: PodNamespace, elsewhere: PodNamespace, scrape: Scrape
) -> None:
    mac = OURS + "01"
    share(mac, (pods, "mine"), (elsewhere, "theirs"))
    assert scrape.colliding(mac) == 0
    assert pods.told("mine") == elsewhere.told("theirs") == []

    opt_in(elsewhere)

    eventually(lambda: scrape.colliding(mac) == 2, "two that collide")
    [mine] = pods.wait_told("mine")
    [theirs] = elsewhere.wait_told("theirs")
    place = f"{elsewhere.namespace}/theirs"
    assert mine.startswith(f"{mac} of interface net1 is also in use by Pod {place}")
    assert f"Pod {pods.namespace}/mine" in theirs
    assert scrape()["kubevirt_kmp_duplicate_macs"] >= 1
    elsewhere.delete("theirs")
    eventually(lambda: scrape.colliding(mac) == 0, "none that collide")
    assert f'mac="{mac}"' not in metrics.get(scrape.url, scrape.token)[2]


def test_one_of_two_that_is_not_managed_raises_no_event_and_no_alarm(
    pods: PodNamespace, elsewhere: PodNamespace, outside: PodNamespace, scrape: Scrape
) -> None:
    quiet, loud = OURS + "02", OURS + "03"
    share(quiet, (pods, "mine"), (elsewhere, "theirs"))

    # A later collision: when it is noticed, the one above would have been noticed, too.
    share(loud, (pods, "my-other"), (outside, "another"))
    opt_in(outside)
    eventually(lambda: scrape.colliding(loud) == 2, "two that collide")
    outside.wait_told("another")

    assert pods.conflicts(quiet) == ["theirs"]
    assert scrape.colliding(quiet) == 0
    assert pods.told("mine") == elsewhere.told("theirs") == []


def test_three_that_share_are_counted_down_one_by_one(
    pods: PodNamespace, elsewhere: PodNamespace, outside: PodNamespace, scrape: Scrape
) -> None:
    mac = OURS + "04"
    share(mac, (pods, "a"), (elsewhere, "b"), (outside, "c"))

    opt_in(elsewhere)
    eventually(lambda: scrape.colliding(mac) == 2, "two")
    opt_in(outside)
    eventually(lambda: scrape.colliding(mac) == 3, "three")
    pods.wait_told("a", 2)  # of the second and of the third
    outside.wait_told("c")
    outside.delete("c")
    eventually(lambda: scrape.colliding(mac) == 2, "two again")
    pods.delete("a")
    eventually(lambda: scrape.colliding(mac) == 0, "the last one alone")

    elsewhere.bound(mac, "b")
    assert len(pods.told("a")) == 2


def test_a_namespace_that_opts_out_ends_the_alarm(
    pods: PodNamespace, elsewhere: PodNamespace, scrape: Scrape
) -> None:
    mac = OURS + "05"
    share(mac, (pods, "mine"), (elsewhere, "theirs"))
    opt_in(elsewhere)
    eventually(lambda: scrape.colliding(mac) == 2, "two that collide")

    opt_out(elsewhere)

    eventually(lambda: scrape.colliding(mac) == 0, "none that collide")
    assert pods.conflicts(mac) == ["theirs"]


def test_only_accounts_with_the_right_read_metrics_in_the_format_of_prometheus(
    kubectl: Kubectl, scrape: Scrape
) -> None:
    stranger = kubectl.client.token("default", "default")

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


def is_true(condition: dict[str, str]) -> bool:
    return condition.get("status") == "True"


def test_a_policy_is_in_force_at_once_and_a_bad_one_changes_nothing(pods: PodNamespace) -> None:
    kubectl = pods.kubectl
    pool.edit(kubectl, COLLISION_POLICY="Warn")
    try:
        in_force(kubectl, "Warn")
        pool.wait_condition(kubectl, "Ready", is_true, "Ready")

        pool.edit(kubectl, COLLISION_POLICY="Ignore")

        pool.wait_condition(
            kubectl,
            "Ready",
            lambda condition: condition["reason"] == "InvalidCollisionPolicy",
            "a refusal",
        )
        said = pool.condition(kubectl, "Ready")["message"]
        assert "COLLISION_POLICY: 'Ignore' is no policy: write Reject or Warn" in said
        assert policy(kubectl) == "Warn"
        pool.warned(kubectl, lambda event: said in event["message"], "the event on the ConfigMap")
    finally:
        pool.edit(kubectl, COLLISION_POLICY=None)
    in_force(kubectl, "Reject")
    pool.wait_condition(kubectl, "Ready", is_true, "Ready again")


def policy(kubectl: Kubectl) -> str:
    found: str = kubectl.client.read("macpool", "default")["spec"]["collisionPolicy"]
    return found


def in_force(kubectl: Kubectl, policy: str) -> None:
    """Wait until this policy is in force."""
    kubectl.client.wait(
        "macpool", "default", lambda found: found["spec"]["collisionPolicy"] == policy, policy
    )
