"""The bench runs, and its report has every cell; what the figures are, no test says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.cluster import external, processes

CHECKOUT = Path(__file__).parents[2]
LANES = ("not opted in", "no annotation", "no-op webhook", "ours")
POD, VM = "create a pod", "create a VM"
EDIT, PLUG = "stop a VM", "add an interface to a VM"
SHAPES = [
    (work, clients, interfaces)
    for work, sizes in {POD: (1, 4), VM: (2,), EDIT: (2,), PLUG: (2,)}.items()
    for clients in (1, 8)
    for interfaces in sizes
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if external.chosen():
        pytest.skip("brings up a control plane of its own, not KUBEVIRT_PROVIDER=external")
    results = tmp_path_factory.mktemp("bench")
    subprocess.run(
        processes.leashed([sys.executable, "-m", "bench", "--quick", "--output", str(results)]),
        cwd=CHECKOUT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return results


def test_every_lane_of_pods_and_vms_is_measured_at_1_and_8_clients(folder: Path) -> None:
    results = json.loads((folder / "results.json").read_text())

    cells = {
        (shape["work"], shape["clients"], shape["interfaces"], row["cell"]["lane"]): row
        for row in results["cells"]
        for shape in [row["cell"]["shape"]]
    }
    assert set(cells) == {
        (*shape, lane)
        for shape in SHAPES
        for lane in LANES
        if shape[0] == POD or lane != "no annotation"
    }
    for row in cells.values():
        assert row["n"] > 0
        assert 0 < row["median_ms"] <= row["p90_ms"] <= row["p99_ms"]
        assert set(row["cpu_s"]) == {"API server", "etcd", "webhook", "controller", "no-op"}
    assert len(results["ours_to_noop"]) == len(SHAPES)
    assert all(one["ratio"]["median"] > 0 for one in results["ours_to_noop"])


def test_the_report_names_every_lane_and_the_machine(folder: Path) -> None:
    text = (folder / "report.txt").read_text()

    for lane in LANES:
        assert text.count(f"  {lane}  ") >= 4
    for work in (POD, VM, EDIT, PLUG):
        assert f"{work}, clients: 8, interfaces: " in text
    for fact in ("commit: ", "cores: ", "kernel: ", "Kubernetes: ", "seed: "):
        assert fact in text
