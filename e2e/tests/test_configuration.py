"""The range, changed, spoilt and deleted while pods are served; and the status of the pool."""

from typing import Any

import pytest

from e2e import pool
from e2e.pods import PodNamespace
from testbed.kubectl import Kubectl
from testbed.readiness import eventually


def test_a_new_range_is_in_force_without_a_restart_and_unassigns_no_address(
    pods: PodNamespace, request: pytest.FixtureRequest
) -> None:
    [before] = pods.create("before", [{"name": "a"}])

    request.getfixturevalue("small_pool")
    [after] = pods.create("after", [{"name": "a"}])

    assert before["mac"].startswith("02:")
    assert after["mac"].startswith("06:00:00:00:00:")
    pods.eventually_owns([before["mac"], after["mac"]])


def test_the_pool_counts_what_it_has_given_out(pods: PodNamespace, small_pool: str) -> None:
    assert small_pool
    elements = pods.create("samplepod", [{"name": f"n{n}"} for n in range(4)])

    counted = {"size": 64, "allocated": 4, "free": 60}
    pool.says(pods.kubectl, lambda status: counted.items() <= status.items(), f"{counted}")
    assert len(elements) == 4
    assert pool.condition(pods.kubectl, "Adopted")["status"] == "True"


def test_a_bad_range_is_reported_and_the_last_good_one_stays_in_force(
    pods: PodNamespace, small_pool: str
) -> None:
    assert small_pool
    why = "the range starts at 02:00:00:00:00:ff, after its end"
    pool.edit(pods.kubectl, RANGE_START="02:00:00:00:00:ff", RANGE_END="02:00:00:00:00:00")

    pool.wait_condition(pods.kubectl, "Ready", lambda ready: why in ready.get("message", ""), why)

    assert pool.condition(pods.kubectl, "Ready")["reason"] == "InvalidRange"
    assert pool.offered(pods.kubectl, pods.namespace).startswith("06:00:00:00:00:")
    _warned(pods.kubectl, f"InvalidRange|{why}")


def test_without_its_config_map_the_pool_goes_on_and_says_so(
    pods: PodNamespace, small_pool: str
) -> None:
    assert small_pool
    kept = pods.client.read("configmap", *pool.CONFIG)

    pods.client.delete("configmap", *pool.CONFIG)
    pool.wait_condition(
        pods.kubectl, "Ready", lambda ready: ready.get("reason") == "ConfigMapMissing", "missing"
    )
    offered = pool.offered(pods.kubectl, pods.namespace)
    applied = ("name", "namespace", "labels")
    metadata = {field: kept["metadata"][field] for field in applied}
    pods.client.create({**kept, "metadata": metadata})

    assert offered.startswith("06:00:00:00:00:")
    pool.wait_condition(
        pods.kubectl, "Ready", lambda ready: ready["status"] == "True", "ready again"
    )


def test_a_deleted_pool_comes_back_as_it_was(pods: PodNamespace, small_pool: str) -> None:
    assert small_pool
    pods.client.delete("macpool", "default")

    pool.wait_condition(
        pods.kubectl, "Adopted", lambda adopted: adopted.get("status") == "True", "the pool back"
    )

    assert pool.status(pods.kubectl)["size"] == 64


def test_a_reserved_address_is_never_given_out_but_can_be_asked_for(
    pods: PodNamespace, small_pool: str
) -> None:
    assert small_pool
    reserved = [{"start": "06:00:00:00:00:00", "end": "06:00:00:00:00:3e"}]
    _reserve(pods.kubectl, reserved)
    try:
        eventually(
            lambda: (
                {pool.offered(pods.kubectl, pods.namespace) for _ in range(12)}
                == {"06:00:00:00:00:3f"}
            ),
            "the reservation in force",
        )
        pods.create("gateway", [{"name": "a", "mac": "06:00:00:00:00:07"}])
        pool.says(pods.kubectl, lambda status: status.get("size") == 1, "one address left")
    finally:
        _reserve(pods.kubectl, None)


def _warned(kubectl: Kubectl, expected: str) -> None:
    """Wait for a warning about the ConfigMap whose reason|message begins with `expected`."""

    def said(event: dict[str, Any]) -> str:
        return f"{event['reason']}|{event['message'].split(': ', 1)[1]}"

    pool.warned(kubectl, lambda event: said(event).startswith(expected), expected)


def _reserve(kubectl: Kubectl, reserved: list[dict[str, str]] | None) -> None:
    """Write `spec.reserved`; None removes the field."""
    kubectl.client.patch("macpool", "default", {"spec": {"reserved": reserved}})
