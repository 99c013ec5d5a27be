"""Each experiment runs once, as short as possible. The tests check counts, never durations."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testbed import external, processes

CHECKOUT = Path(__file__).parents[2]
PLAIN, UNANNOTATED, NO_OP, CONSTANT = (
    "not opted in", "no annotation", "no-op webhook", "constant patch"
)  # fmt: skip
SYNCHRONOUS, STOCK = "synchronous", "stock"
VARIANTS = (PLAIN, UNANNOTATED, NO_OP, CONSTANT, SYNCHRONOUS, STOCK)
INTERFACES = {
    "create a pod": (1, 4),
    "create a VM": (2,),
    "add an interface to a VM": (2,),
}
PROCESSES = {"API server", "etcd", "controller", NO_OP, CONSTANT, SYNCHRONOUS, STOCK}
VMS = 40

Found = dict[str, Any]
Run = Callable[[str], Path]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run an experiment, and return the folder of its report."""
    if external.chosen():
        pytest.skip("starts control planes of its own, not KUBEVIRT_PROVIDER=external")

    def run_quick(experiment: str) -> Path:
        folder = tmp_path_factory.mktemp(experiment)
        command = [sys.executable, "-m", "bench", experiment, "--quick", "--output", str(folder)]
        subprocess.run(
            processes.die_with_parent(command), cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL
        )
        for name in ("report.txt", "report.md"):
            text = (folder / name).read_text()
            assert all(fact in text for fact in ("commit", "cores", "kernel", "Kubernetes", "seed"))
        return folder

    return run_quick


def read(folder: Path) -> Found:
    found: Found = json.loads((folder / "results.json").read_text())
    return found


def test_latency_measures_every_variant_in_every_shape(run: Run) -> None:
    folder = run("latency")
    found = read(folder)

    batches = found["requests"]["batches"]
    assert sorted(
        (*(batch["shape"][key] for key in ("work", "clients", "interfaces")), batch["variant"])
        for batch in batches
    ) == sorted(
        (work, clients, interfaces, variant)
        for work, sizes in INTERFACES.items()
        for clients in (1, 8)
        for interfaces in sizes
        for variant in VARIANTS
        if work == "create a pod" or variant != UNANNOTATED
    )
    for batch in batches:
        assert min(batch["latencies_ms"]) > 0
    runs = {run["variant"]: run for run in found["sustained"]["runs"]}
    assert set(found["sustained"]["idle_cpu_s"]) == PROCESSES
    assert set(runs) == {*VARIANTS} - {UNANNOTATED}
    for variant, sustained in runs.items():
        writes, pods = sustained["writes"], len(sustained["latencies_ms"])
        is_ours = variant in {SYNCHRONOUS, STOCK}
        assert writes["pods"] == writes["updated"] == writes["deleted"] == pods * is_ours
        assert variant == STOCK or writes["created"] == writes["pods"]
    text = (folder / "report.md").read_text()
    for title in ("Targets", "Requests", "Ours and other webhooks", "Sustained load"):
        assert f"### {title}\n" in text


def test_scale_refuses_no_pod_and_counts_every_write(run: Run) -> None:
    found = read(run("scale"))

    sizes, levels = found["growth"]["sizes"], found["filling"]["levels"]
    bursts, deletions = found["bursts"]["bursts"], found["bursts"]["deletions"]
    assert [part["refusals"] for part in (*sizes, *levels, *bursts)] == [[]] * (2 + 4 + 3)
    assert [size["allocations"] for size in sizes] == [0, 100]
    for size in sizes:
        assert set(size["starts"]) == set(size["afterwards"]) == {"webhook", "controller"}
        assert set(size["turns"]) == {PLAIN, NO_OP, STOCK}
        writes = size["writes"]
        assert {writes[what] for what in ("pods", "created", "updated", "deleted")} == {4}
    assert [level["percent"] for level in levels] == [0, 90, 99, 99.9]
    for level in levels[1:]:
        assert level["fullest"] == level["taken"] < level["size"]
    assert [len(burst["latencies_ms"]) for burst in bursts] == [20, 40, 40]
    assert [deletion["age"] for deletion in deletions] == ["younger than Q", "older than Q"]
    assert deletions[1]["kept_s"] == 0
    for deletion in deletions:
        assert deletion["pods"] == deletion["calls"]["delete macallocations"] == 40
        assert deletion["released_s"] >= deletion["kept_s"]


def test_adoption_costs_one_create_per_address_and_one_list_per_kind(run: Run) -> None:
    [start] = read(run("adoption"))["adoption"]["starts"]

    kinds = ("macallocations", "virtualmachines", "virtualmachineinstances", "pods")
    calls = {
        call: count
        for call, count in start["calls"].items()
        if call.split()[1].split("/")[0] in kinds
    }
    assert start["vms"] == VMS
    assert calls == {
        "create macallocations": 2 * VMS,
        **{f"{verb} {kind}": 1 for verb in ("list", "watch") for kind in kinds},
    }
