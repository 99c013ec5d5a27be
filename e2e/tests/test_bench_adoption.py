"""A first start on a cluster with VMs: one create per address, no other call for any of them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testbed import external, processes

CHECKOUT = Path(__file__).parents[2]
CARRIERS = ("virtualmachines", "virtualmachineinstances", "pods")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if external.chosen():
        pytest.skip("brings up control planes of its own, not KUBEVIRT_PROVIDER=external")
    results = tmp_path_factory.mktemp("adoption")
    command = [sys.executable, "-m", "bench", "adoption", "--quick", "--output", str(results)]
    subprocess.run(
        processes.die_with_parent(command), cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL
    )
    return results


@pytest.fixture(scope="module")
def runs(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "adoption.json").read_text())["runs"]
    return found


def test_each_address_costs_exactly_one_create(runs: list[dict[str, Any]]) -> None:
    assert len({run["machines"] for run in runs}) > 1
    for run in runs:
        written = {
            name: count
            for name, count in run["calls"].items()
            if "macallocations" in name and not name.startswith(("list ", "watch "))
        }
        assert written == {"create macallocations": 2 * run["machines"]}


def test_however_many_vms_there_are_they_are_listed_once_and_none_is_read(
    runs: list[dict[str, Any]],
) -> None:
    for run in runs:
        reads = {
            name: count
            for name, count in run["calls"].items()
            if name.split()[1] in (*CARRIERS, "macallocations") and not name.startswith("create ")
        }
        once = {f"{verb} {carrier}": 1 for verb in ("list", "watch") for carrier in CARRIERS}
        assert reads == {**once, "list macallocations": 1, "watch macallocations": 1}


def test_the_report_tells_time_memory_and_calls(folder: Path) -> None:
    text = (folder / "adoption.txt").read_text()

    for word in ("seconds until Adopted", "peak memory, MiB", "API calls", "commit: "):
        assert word in text
