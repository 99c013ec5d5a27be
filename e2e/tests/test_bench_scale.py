"""The scale bench runs and no pod is refused. No test checks its figures."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testbed import external, processes

CHECKOUT = Path(__file__).parents[2]
SIZES = [0, 100, 500]
LANES = {"not opted in", "no-op webhook", "ours"}
PROGRAMS = {"webhook", "controller"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if external.chosen():
        pytest.skip("brings up control planes of its own, not KUBEVIRT_PROVIDER=external")
    results = tmp_path_factory.mktemp("scale")
    command = [sys.executable, "-m", "bench", "scale", "--quick", "--output", str(results)]
    subprocess.run(
        processes.die_with_parent(command), cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL
    )
    return results


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "scale.json").read_text())
    return found


def test_no_pod_is_refused_while_addresses_are_free(results: dict[str, Any]) -> None:
    parts = (*results["sizes"], *results["levels"], *results["bursts"])

    assert len(parts) == 3 + 4 + 3
    assert [part["refusals"] for part in parts] == [[]] * len(parts)


def test_at_every_size_both_programs_start_and_every_lane_is_measured(
    results: dict[str, Any],
) -> None:
    assert [size["allocations"] for size in results["sizes"]] == SIZES
    for size in results["sizes"]:
        assert set(size["starts"]) == set(size["afterwards"]) == PROGRAMS
        assert all(start["seconds"] > 0 for start in size["starts"].values())
        assert set(size["turns"]) == LANES
        assert all(
            len(turn["latencies_ms"]) == 3 for turns in size["turns"].values() for turn in turns
        )


def test_a_pod_costs_one_create_one_update_and_one_delete(results: dict[str, Any]) -> None:
    for size in results["sizes"]:
        writes = size["writes"]
        assert writes["pods"] > 0
        counts = {writes[what] for what in ("pods", "created", "updated", "deleted")}
        assert counts == {writes["pods"]}


def test_the_pool_is_as_full_as_it_shall_be(results: dict[str, Any]) -> None:
    levels = {level["percent"]: level for level in results["levels"]}

    assert list(levels) == [0, 90, 99, 99.9]
    for percent in (90, 99, 99.9):
        assert levels[percent]["fullest"] == levels[percent]["taken"] / levels[percent]["size"]
        assert levels[percent]["taken"] < levels[percent]["size"]


def test_all_that_came_at_once_is_bound_and_all_that_went_is_released(
    results: dict[str, Any],
) -> None:
    young, old = results["farewells"]

    assert [len(burst["latencies_ms"]) for burst in results["bursts"]] == [50, 100, 100]
    assert old["owed_s"] == 0
    for farewell in (young, old):
        assert farewell["pods"] == 100
        assert farewell["allocations_gone_s"] >= farewell["owed_s"]
        assert farewell["calls"]["delete macallocations"] == 100


def test_the_report_names_every_part_the_targets_and_the_machine(folder: Path) -> None:
    text, markdown = ((folder / name).read_text() for name in ("scale.txt", "scale.md"))

    for title in ("Targets", "Starts and memory", "A pool that gets full", "Pods that go at once"):
        assert title.upper() in text
        assert f"### {title}\n" in markdown
    for fact in ("commit: ", "cores: ", "Kubernetes: "):
        assert fact in text
        assert fact in markdown
