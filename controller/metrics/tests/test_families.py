"""The metrics for Prometheus."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.metrics import families as metrics
from controller.metrics.families import Metrics
from controller.tests.worlds import MAC, OTHER
from crds.mac import MacAddress, MacRange
from crds.pool import Pool
from crds.resources import PoolSnapshot, PoolStatus

SEEN = PoolSnapshot(Pool("default", (MacRange(MAC, OTHER),)), PoolStatus(2, 1, 1))


NOW = datetime(2026, 11, 25, tzinfo=UTC)


@dataclass
class Scene:
    """Metrics, and their sources."""

    colliding: dict[MacAddress, int] = field(default_factory=dict)
    seen: PoolSnapshot | None = None
    ends: dict[str, datetime] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=lambda: Metrics(lambda: NOW))

    def lead(self) -> None:
        self.metrics.lead(lambda: self.colliding, lambda: self.seen, lambda: self.ends)

    def samples(self, *families: str) -> dict[str, float]:
        """Return the samples of our own metrics, by name and label."""
        return {
            " ".join((sample.name, *sample.labels.values())): sample.value
            for family in text_string_to_metric_families(self.metrics.text().decode())
            for sample in family.samples
            if family.name in families or (not families and family.name.startswith("k"))
        }


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_standby_has_no_metrics_of_the_pool(scene: Scene) -> None:
    assert scene.samples() == {"kmp_leader": 0}
    assert scene.samples("process_open_fds")


def test_a_leader_without_a_pool_has_no_metrics_of_the_pool(scene: Scene) -> None:
    scene.lead()

    assert scene.samples() == {"kmp_leader": 1, "kubevirt_kmp_duplicate_macs": 0}


def test_collisions_are_counted_by_address_and_addresses_in_all(scene: Scene) -> None:
    scene.lead()
    scene.seen = SEEN
    scene.colliding = {OTHER: 2, MAC: 3}

    assert scene.samples() == {
        "kmp_leader": 1,
        f"kmp_mac_collisions {MAC}": 3,
        f"kmp_mac_collisions {OTHER}": 2,
        "kubevirt_kmp_duplicate_macs": 2,
        "kmp_pool_size default": 2,
        "kmp_pool_allocated default": 1,
        "kmp_pool_free default": 1,
    }


def test_the_series_of_a_collision_ends_with_it(scene: Scene) -> None:
    scene.lead()
    scene.colliding = {MAC: 2}
    assert scene.samples("kmp_mac_collisions")

    scene.colliding = {}

    assert scene.samples("kmp_mac_collisions") == {}
    assert scene.samples("kubevirt_kmp_duplicate_macs") == {"kubevirt_kmp_duplicate_macs": 0}


def test_certificates_have_their_expiry_and_the_days_until_then(scene: Scene) -> None:
    scene.lead()
    scene.ends = {"ca": NOW + timedelta(days=400), "serving": NOW - timedelta(hours=12)}

    families = "kmp_certificate_expiry_timestamp_seconds", "kmp_certificate_days_left"
    assert scene.samples(*families) == {
        "kmp_certificate_expiry_timestamp_seconds ca": (NOW + timedelta(days=400)).timestamp(),
        "kmp_certificate_expiry_timestamp_seconds serving": NOW.timestamp() - 43200,
        "kmp_certificate_days_left ca": 400,
        "kmp_certificate_days_left serving": -0.5,
    }


def test_the_series_are_bounded_and_the_count_is_not(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "MOST_SERIES", 2)
    scene.lead()
    scene.colliding = {MacAddress(n << 1): 2 for n in range(9, 0, -1)}

    assert list(scene.samples("kmp_mac_collisions")) == [
        "kmp_mac_collisions 00:00:00:00:00:02",
        "kmp_mac_collisions 00:00:00:00:00:04",
    ]
    assert scene.samples("kubevirt_kmp_duplicate_macs") == {"kubevirt_kmp_duplicate_macs": 9}


def test_every_metric_has_a_help_text_and_a_type(scene: Scene) -> None:
    scene.lead()
    scene.seen = SEEN
    scene.ends = {"ca": NOW}
    scene.colliding = {MAC: 2}

    ours = [
        family
        for family in text_string_to_metric_families(scene.metrics.text().decode())
        if family.name.startswith("k")
    ]
    assert len(ours) == 8
    assert {family.type for family in ours} == {"gauge"}
    assert [family.name for family in ours if len(family.documentation.split()) < 2] == []
