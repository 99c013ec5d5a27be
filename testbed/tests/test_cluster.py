"""The control plane starts, runs beside others, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from testbed import plan, processes
from testbed.controlplane import ControlPlane, bring_up, ephemeral
from testbed.ports import free_ports
from testbed.readiness import eventually

CHECKOUT = Path(__file__).parents[2]
EPHEMERAL = """
import signal
from testbed.controlplane import ephemeral
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
with ephemeral() as cluster:
    print(cluster.state, flush=True)
    signal.pause()
"""


def command(*args: str, **env: str) -> "subprocess.CompletedProcess[str]":
    env = {"KUBEVIRT_PROVIDER": "control-plane", "KUBEVIRT": ""} | env
    return subprocess.run(
        [sys.executable, "-m", "testbed", *args],
        cwd=CHECKOUT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_two_clusters_live_side_by_side(cluster: ControlPlane) -> None:
    with ephemeral() as other:
        other.kubectl("create", "namespace", "elsewhere")

        assert "NotFound" in cluster.kubectl.fails("get", "namespace", "elsewhere")
        assert cluster.plan.service_network != other.plan.service_network


@pytest.mark.parametrize("component", ["etcd", "kube-apiserver", "kube-controller-manager"])
def test_a_killed_component_comes_back_with_its_data(
    cluster: ControlPlane, namespace: str, component: str
) -> None:
    cluster.process(component).kill()

    cluster.start(component)

    eventually(lambda: cluster.ready, "the API server is ready")
    assert cluster.kubectl("get", "namespace", namespace, "-o", "name")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_running_when_its_parent_ends(tmp_path: Path, end: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", EPHEMERAL],
        cwd=CHECKOUT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        assert parent.stdout
        state = Path(parent.stdout.readline().strip())
        children = processes.recorded(state)
        running = [child.name for child in children if child.alive]

        parent.send_signal(end)

    assert sorted(running) == ["etcd", "kube-apiserver", "kube-controller-manager"]
    eventually(lambda: not any(child.alive for child in children), "all children have ended")


def test_a_component_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "assets" / "kube-apiserver"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho the disk is on fire\nexit 1\n")
    broken.chmod(0o755)
    state = tmp_path / "state"

    failed = command("up", "--state", str(state), KUBEBUILDER_ASSETS=str(broken.parent))

    assert failed.returncode == 1
    assert "kube-apiserver ended before it was ready" in failed.stderr
    assert "the disk is on fire" in failed.stderr
    assert processes.recorded(state) == []


def test_a_lasting_cluster_outlives_its_command_until_it_is_brought_down(tmp_path: Path) -> None:
    state = str(tmp_path / "state")

    first = command("up", "--state", state)
    second = command("up", "--state", state)
    status = command("status", "--state", state)
    running = [process for process in processes.recorded(Path(state)) if process.alive]
    down = command("down", "--state", state)

    assert first.returncode == second.returncode == status.returncode == down.returncode == 0
    assert f"export KUBECONFIG={state}/kubeconfig" in first.stdout
    assert "already up" in second.stderr
    assert second.stdout == first.stdout
    assert len(running) == 3
    assert not any(process.alive for process in running)
    assert not Path(state).exists()


def test_an_external_cluster_is_used_and_never_ended(cluster: ControlPlane, tmp_path: Path) -> None:
    external = {"KUBEVIRT_PROVIDER": "external", "KUBECONFIG": str(cluster.kubeconfig)}
    state = tmp_path / "state"

    up = command("up", "--state", str(state), **external)
    down = command("down", "--state", str(state), **external)

    assert up.returncode == down.returncode == 0
    assert cluster.plan.server in up.stderr
    assert not state.exists()
    assert cluster.ready


def test_an_external_cluster_that_does_not_answer_is_named(tmp_path: Path) -> None:
    nowhere = tmp_path / "kubeconfig"
    nowhere.write_text("")

    up = command("up", KUBEVIRT_PROVIDER="external", KUBECONFIG=str(nowhere))

    assert up.returncode == 1
    assert f"The cluster in {nowhere} does not answer" in up.stderr


@pytest.mark.parametrize(
    "place", [pytest.param(1, id="etcd"), pytest.param(3, id="kube-controller-manager")]
)
def test_a_port_lost_to_another_process_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    with socket.create_server(("0.0.0.0", 0)) as quicker:
        taken = quicker.getsockname()[1]
        ports = list(range(30_001, 30_006))
        ports[place] = taken
        answers = iter([ports])
        monkeypatch.setattr(
            plan, "free_ports", lambda *wanted: next(answers, None) or free_ports(*wanted)
        )

        cluster = bring_up(tmp_path / "state")

        try:
            assert cluster.ready
            assert taken not in cluster.plan.ports.values()
        finally:
            cluster.down()
