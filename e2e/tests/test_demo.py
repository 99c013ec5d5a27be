"""The demo shows what it announces, every time, and never on a cluster of the user."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from testbed import external, locate, versions
from testbed.controlplane import attach
from testbed.kubevirt import crds

CHECKOUT = Path(__file__).parents[2]
SHOWN = (
    '"mac": "02-00-00-00-00-2A","namespace":"shop"',  # left as it was written
    "belongs to Pod shop/manual (interface net1)",
    "an allocation can be deleted only after its owner",
    "declared for Pod shop/gateway only",
    "macallocation.kubemacpool.io/02-00-00-00-00-01 unchanged",
    "export KUBECONFIG=",
)
SHOWN_OF_A_VM = (
    "virtualmachine.kubevirt.io/web created",
    "virtualmachine.kubevirt.io/web configured",
    "belongs to VirtualMachine shop/web (interface front)",
)


@pytest.fixture(autouse=True)
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Docker Engine answers, but no kind cluster is running: the demo works."""
    docker = tmp_path / "path" / "docker"
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}{os.pathsep}{os.environ['PATH']}")


def demo(*args: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "e2e.demo", *args],
        cwd=CHECKOUT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )


def without_kubevirt(folder: Path) -> dict[str, str]:
    """The environment of a machine that has the control plane, and nothing of KubeVirt."""
    assets = folder / "assets"
    assets.mkdir()
    for name, path in locate.find(versions.CONTROL_PLANE).items():
        (assets / name).symlink_to(path)
    return {"KUBEBUILDER_ASSETS": str(assets), "KUBEMACPOOL_CACHE": str(folder / "cache")}


@pytest.mark.long
def test_the_demo_runs_twice_and_leaves_a_cluster_to_go_on_with(tmp_path: Path) -> None:
    if external.chosen():
        pytest.skip("the demo brings up a control plane of its own")
    crds.fetch()
    state = tmp_path / "state"
    try:
        first = demo("--state", str(state), **without_kubevirt(tmp_path))
        second = demo("--state", str(state))
        given = "--field-selector=spec.state!=Stock"
        left = attach(state).kubectl("get", "macallocations", given, "-o", "name").split()
    finally:
        attach(state).down()

    for done in (first, second):
        said = " ".join(done.stdout.split())
        assert done.returncode == 0, done.stdout + done.stderr
        assert [text for text in SHOWN if text not in said] == []
        assert max(map(len, re.findall(r"^ {4}.*", done.stdout, re.MULTILINE))) <= 130
    assert "not shown, because KubeVirt's CRDs are not built yet" in first.stdout
    assert not [text for text in SHOWN_OF_A_VM if text in first.stdout]
    assert not [text for text in SHOWN_OF_A_VM if text not in " ".join(second.stdout.split())]
    assert len(left) == 5


def test_the_demo_leaves_an_external_cluster_alone(tmp_path: Path) -> None:
    done = demo(KUBEVIRT_PROVIDER="external", KUBECONFIG=str(tmp_path / "none"))

    assert done.returncode == 1
    assert "does not run on KUBEVIRT_PROVIDER=external" in done.stdout
