"""The bench runs, and its report has every cell; what the figures are, no test says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testbed import external, processes

CHECKOUT = Path(__file__).parents[2]
PLAIN, NO_OP, CONSTANT = "not opted in", "no-op webhook", "constant patch"
SYNCHRONOUS, STOCK = "synchronous", "stock"
LANES = (PLAIN, "no annotation", NO_OP, CONSTANT, SYNCHRONOUS, STOCK)
POD, VM = "create a pod", "create a VM"
EDIT, PLUG = "stop a VM", "add an interface to a VM"
SHAPES = [
    (work, clients, interfaces)
    for work, crowds, sizes in (
        (POD, (1, 8, 16), (1, 4)),
        (VM, (1, 8, 16), (2,)),
        (EDIT, (1, 8), (2,)),
        (PLUG, (1, 8), (2,)),
    )
    for clients in crowds
    for interfaces in sizes
]
PROCESSES = {"API server", "etcd", "controller", NO_OP, CONSTANT, SYNCHRONOUS, STOCK}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if external.chosen():
        pytest.skip("brings up a control plane of its own, not KUBEVIRT_PROVIDER=external")
    results = tmp_path_factory.mktemp("bench")
    subprocess.run(
        processes.die_with_parent(
            [sys.executable, "-m", "bench", "--quick", "--output", str(results)]
        ),
        cwd=CHECKOUT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return results


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def test_every_lane_of_pods_and_vms_is_measured_with_every_number_of_clients(
    results: dict[str, Any],
) -> None:
    cells = [
        (shape["work"], shape["clients"], shape["interfaces"], batch["cell"]["lane"])
        for batch in results["batches"]
        for shape in [batch["cell"]["shape"]]
    ]

    assert sorted(cells) == sorted(
        (*shape, lane)
        for shape in SHAPES
        for lane in LANES
        if shape[0] == POD or lane != "no annotation"
    )
    for batch in results["batches"]:
        assert min(batch["latencies_ms"]) > 0
        assert set(batch["cpu_s"]) == PROCESSES


def test_every_pod_of_the_sustained_load_is_an_allocation_created_bound_and_deleted(
    results: dict[str, Any],
) -> None:
    runs = {run["lane"]: run for run in results["sustained"]}

    assert set(runs) == {PLAIN, NO_OP, CONSTANT, SYNCHRONOUS, STOCK}
    for lane in (PLAIN, NO_OP, CONSTANT):
        assert runs[lane]["writes"] == {}
    for lane in (SYNCHRONOUS, STOCK):
        pods, writes = len(runs[lane]["latencies_ms"]), runs[lane]["writes"]
        # A pod that is deleted at once may be gone before it is bound.
        assert 0 < writes["updated"] <= pods
        assert lane == STOCK or writes["created"] == writes["deleted"] == pods


def test_both_reports_name_every_lane_and_the_machine(folder: Path) -> None:
    for report in ("report.txt", "report.md"):
        text = (folder / report).read_text()

        for lane in LANES:
            assert text.count(f" {lane} ") >= 4
        for work in (POD, VM, EDIT, PLUG):
            assert work in text
        for fact in ("commit", "cores", "kernel", "Kubernetes", "seed"):
            assert fact in text


def test_there_is_a_plot(folder: Path) -> None:
    assert "What a request waits for" in (folder / "plot.svg").read_text()
