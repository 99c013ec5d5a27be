"""The cluster that a command chooses, and its message if there is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.external import NoCluster
from testbed.provider_external import OnExternal

CHECKOUT = Path(__file__).parents[2]
NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere"}
ON_KIND = {"KUBEVIRT_PROVIDER": "kind"}


def command(state: Path, *args: str, **env: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: text for name, text in os.environ.items() if name != "KUBEVIRT_PROVIDER"}
    return subprocess.run(
        [sys.executable, "-m", "testbed", *args[:1], "--state", str(state), *args[1:]],
        cwd=CHECKOUT,
        env=inherited | NO_ENGINE | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_provider_that_is_none_is_named_with_those_that_are(tmp_path: Path) -> None:
    failed = command(tmp_path / "state", "status", KUBEVIRT_PROVIDER="k8s-1.17")

    assert failed.returncode == 1
    assert failed.stderr.strip() == (
        "KUBEVIRT_PROVIDER=k8s-1.17: there is no such provider;"
        " choose kind, control-plane, external."
    )


def test_without_a_docker_engine_the_control_plane_is_meant(tmp_path: Path) -> None:
    state = tmp_path / "state"

    assert f"There is no cluster in {state}" in command(state, "status").stderr


@pytest.mark.parametrize("what", ["up", "sync", "down", "status"])
def test_kind_without_a_docker_engine_says_how_to_have_one(tmp_path: Path, what: str) -> None:
    failed = command(tmp_path / "state", what, **ON_KIND)

    assert failed.returncode == 1
    assert "no Docker Engine answers" in failed.stderr
    assert "make docker-engine" in failed.stderr


@pytest.mark.parametrize("what", ["sync", "kubectl"])
def test_a_command_that_needs_a_cluster_names_the_remedy(tmp_path: Path, what: str) -> None:
    failed = command(tmp_path / "state", what)

    assert failed.returncode == 1
    assert "make cluster-up" in failed.stderr


@pytest.mark.parametrize("what", ["up", "functest"])
def test_a_cluster_without_nodes_boots_no_vm_and_names_one_that_does(
    tmp_path: Path, what: str
) -> None:
    asked = {"KUBEVIRT_PROVIDER": "control-plane", "KUBEVIRT": "true"}

    failed = command(tmp_path / "state", what, **asked)

    assert failed.returncode == 1
    assert "choose KUBEVIRT_PROVIDER=kind" in failed.stderr
    assert not (tmp_path / "state").exists()


def test_an_image_for_an_external_cluster_needs_a_registry(tmp_path: Path) -> None:
    failed = command(tmp_path / "state", "sync", KUBEVIRT_PROVIDER="external", REPO="ann")

    assert failed.returncode == 1
    assert "set DEV_REGISTRY and REPO" in failed.stderr


def test_a_guest_for_an_external_cluster_needs_a_docker_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (NO_ENGINE | {"DEV_REGISTRY": "registry.example", "REPO": "ann"}).items():
        monkeypatch.setenv(name, text)

    with pytest.raises(NoCluster, match="no Docker Engine answers"):
        OnExternal(tmp_path).guest()


def test_a_cluster_without_kubelets_has_no_nodes_to_log_in_to(tmp_path: Path) -> None:
    failed = command(tmp_path / "state", "ssh", "node01", "date", KUBEVIRT_PROVIDER="control-plane")

    assert failed.returncode == 1
    assert "the provider control-plane has no nodes" in failed.stderr
