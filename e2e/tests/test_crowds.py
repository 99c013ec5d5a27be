"""Many pods at once: no address twice, none lost, none left over."""

from collections.abc import Iterator

import pytest

from e2e import conftest
from e2e.load import Crowd
from e2e.pods import PodNamespace
from testbed.controlplane import ControlPlane
from testbed.programs import start_controller, start_webhook
from testbed.readiness import eventually
from testbed.release import Installed, start

QUIET_S = 10.0  # longer than a request of one of 32 clients takes on a busy machine


@pytest.fixture(scope="module", autouse=True)
def _patient(cluster: ControlPlane, release: Installed) -> Iterator[None]:
    """Run the session's release with a longer Q."""
    _restart(cluster, release, QUIET_S)
    yield
    _restart(cluster, release, conftest.QUIET_S)


def _restart(cluster: ControlPlane, release: Installed, quiet_s: float) -> None:
    again = start(cluster, replicas=len(release.webhooks), quiet_s=quiet_s)
    release.controller, release.webhooks = again.controller, again.webhooks


@pytest.mark.long
def test_500_pods_by_32_clients_get_1000_addresses_and_1000_bound_allocations(
    pods: PodNamespace, cluster: ControlPlane
) -> None:
    crowd = Crowd(cluster.kubeconfig, 32)

    names = [f"pod-{n}" for n in range(500)]
    crowd.create(pods.namespace, names, [{"name": "a"}, {"name": "b"}])

    assert crowd.refusals == []
    assert len(set(crowd.macs())) == 1000
    pods.eventually_owns(crowd.macs())


def test_a_pool_of_64_serves_64_pods_at_once_and_refuses_the_65th(
    pods: PodNamespace, cluster: ControlPlane, small_pool: str
) -> None:
    crowd = Crowd(cluster.kubeconfig, 16)

    crowd.create(pods.namespace, [f"pod-{n}" for n in range(64)], [{"name": "a"}])
    said = pods.refuses("one-more", [{"name": "a"}])
    pods.eventually_owns(crowd.macs())
    pods.delete("pod-0")

    assert crowd.refusals == []
    assert len(set(crowd.macs())) == 64
    assert "pool default" in said
    assert "of its 64 addresses too few are free" in said
    assert small_pool in said

    eventually(lambda: _succeeds(pods, "one-more"), "the freed address given out again")


def _succeeds(pods: PodNamespace, name: str) -> bool:
    return not pods.refusal(name, [{"name": "a"}])


def test_killing_either_program_under_load_loses_and_doubles_no_address(
    pods: PodNamespace, cluster: ControlPlane, release: Installed
) -> None:
    crowd = Crowd(cluster.kubeconfig, 8)
    names = [f"pod-{n}" for n in range(200)]

    with crowd.begin(pods.namespace, names, [{"name": "a"}], tries=200) as done:
        eventually(lambda: done() >= 40, "40 pods")
        release.webhooks[0].process.kill()
        eventually(lambda: done() >= 80, "80 pods")
        release.controller.process.kill()
        eventually(lambda: done() >= 120, "120 pods")
        again = start_webhook(cluster, "webhook-1", "--quiet-s", f"{QUIET_S:g}")
    controller = start_controller(cluster, "controller-1", "--quiet-s", f"{QUIET_S:g}")
    release.controller = controller  # other tests ask it for its metrics
    again.wait_ready()
    controller.wait_ready()

    assert crowd.refusals == []
    assert len(set(crowd.macs())) == 200
    pods.eventually_owns(crowd.macs())
