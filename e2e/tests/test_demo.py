"""The demo shows what it says it shows, as often as one likes, and never on somebody's cluster."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.cluster import external
from e2e.cluster.controlplane import attach

CHECKOUT = Path(__file__).parents[2]
SHOWN = (
    '"mac": "02-00-00-00-00-2A","namespace":"shop"',  # left as it was written
    "belongs to Pod shop/manual (interface net1)",
    "an allocation goes only after its owner",
    "declared for Pod shop/gateway only",
    "macallocation.kubemacpool.io/02-00-00-00-00-01 unchanged",
    "export KUBECONFIG=",
)


def demo(*args: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "e2e.demo", *args],
        cwd=CHECKOUT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_demo_runs_twice_and_leaves_a_cluster_to_go_on_with(tmp_path: Path) -> None:
    if external.chosen():
        pytest.skip("the demo brings up a control plane of its own")
    state = tmp_path / "state"
    try:
        first = demo("--state", str(state))
        second = demo("--state", str(state))
        left = attach(state).kubectl("get", "macallocations", "-o", "name").split()
    finally:
        attach(state).down()

    for done in (first, second):
        said = " ".join(done.stdout.split())
        assert done.returncode == 0, done.stdout + done.stderr
        assert [text for text in SHOWN if text not in said] == []
        assert max(map(len, re.findall(r"^ {4}.*", done.stdout, re.MULTILINE))) <= 130
    assert len(left) == 5


def test_the_demo_leaves_an_external_cluster_alone(tmp_path: Path) -> None:
    done = demo(KUBEVIRT_PROVIDER="external", KUBECONFIG=str(tmp_path / "none"))

    assert done.returncode == 1
    assert "does not run on KUBEVIRT_PROVIDER=external" in done.stdout
