"""Results for users while one of our programs, or the API server, stops and comes back."""

import secrets
import ssl
from collections.abc import Iterator

import pytest

from e2e import metrics, pool
from e2e.load import Crowd
from e2e.pods import NETWORKS, OPTED_IN, PodNamespace
from testbed.controlplane import ControlPlane, ephemeral
from testbed.programs import start_controller, start_webhook
from testbed.readiness import eventually
from testbed.release import Installed, apply_release, installed

QUIET = ("--quiet-s", "10")


@pytest.fixture(scope="module")
def programs(own_cluster: ControlPlane) -> Iterator[Installed]:
    """One webhook, one controller."""
    with installed(own_cluster, replicas=1, quiet_s=10) as started:
        yield started


@pytest.fixture
def spaces(programs: Installed, own_cluster: ControlPlane) -> tuple[PodNamespace, PodNamespace]:
    """An opted-in namespace and one that is not."""
    assert programs.webhooks
    kubectl = own_cluster.kubectl
    names = [f"{kind}-{secrets.token_hex(4)}" for kind in ("in", "out")]
    kubectl.client.create_namespace(names[0], **OPTED_IN)
    kubectl.client.create_namespace(names[1])
    return PodNamespace(kubectl, names[0]), PodNamespace(kubectl, names[1])


def test_a_webhook_that_is_not_ready_says_what_is_missing() -> None:
    with ephemeral() as cluster:
        apply_release(cluster.kubectl)
        webhook = start_webhook(cluster)

        def said() -> str:
            return metrics.get(webhook.ready_url)[2]

        # Without a certificate there is no handshake; with one, the answer names what is missing.
        eventually(lambda: "listening" in webhook.process.log.read_text(), "the webhook listening")
        with pytest.raises((ssl.SSLError, OSError)):
            said()
        controller = start_controller(cluster, "controller-1", *QUIET)
        controller.wait_ready()
        webhook.wait_ready()
        controller.process.stop()
        cluster.kubectl.client.delete("macpool", "default")

        eventually(lambda: "there is no MacPool default yet" in said(), "the reason")


def test_while_the_webhook_is_down_only_pods_that_need_an_address_wait(
    own_cluster: ControlPlane, programs: Installed, spaces: tuple[PodNamespace, PodNamespace]
) -> None:
    pods, elsewhere = spaces
    for webhook in programs.webhooks:
        webhook.process.stop()

    pods.create("plain")
    elsewhere.create("attached", [{"name": "a"}])
    said = pods.refuses("attached", [{"name": "a"}])
    again = start_webhook(own_cluster, "webhook-1", *QUIET)
    again.wait_ready()
    [element] = eventually(lambda: _served(pods, "attached"), "served again")

    assert 'failed calling webhook "mutatepods.kubemacpool.io"' in said
    pods.bound(element["mac"], "attached")


def test_changes_while_the_controller_is_down_are_handled_when_it_is_back(
    own_cluster: ControlPlane, programs: Installed, spaces: tuple[PodNamespace, PodNamespace]
) -> None:
    pods, elsewhere = spaces
    [leaving] = pods.create("leaving", [{"name": "a"}])
    pods.bound(leaving["mac"], "leaving")
    programs.controller.process.kill()

    pods.delete("leaving")
    [coming] = pods.create("coming", [{"name": "a"}])
    elsewhere.create("wild", [{"name": "a", "mac": "0a:00:00:00:03:01"}])
    pending = pods.spec(coming["mac"])["state"]
    start_controller(own_cluster, "controller-1", *QUIET).wait_ready()

    assert pending in {"Pending", "Stock"}
    pods.bound(coming["mac"], "coming")
    assert elsewhere.bound("0a:00:00:00:03:01", "wild")["source"] == "Adopted"
    pods.freed(leaving["mac"])


def test_a_restarted_api_server_is_found_again_by_both_programs(
    own_cluster: ControlPlane, spaces: tuple[PodNamespace, PodNamespace]
) -> None:
    pods, _ = spaces
    own_cluster.process("kube-apiserver").kill()
    own_cluster.start("kube-apiserver")

    [element] = eventually(lambda: _served(pods, "samplepod"), "served again")

    def is_bound() -> bool:
        # A leader that cannot renew its Lease for 10 s ends, and its kubelet starts it again.
        if not own_cluster.process("controller-1").alive:
            start_controller(own_cluster, "controller-1", *QUIET)
        return pods.spec(element["mac"]).get("state") == "Bound"

    eventually(is_bound, "bound again")
    pods.delete("samplepod")

    pods.freed(element["mac"])


def test_after_its_crd_was_deleted_and_applied_again_no_address_in_use_is_given_out(
    own_cluster: ControlPlane, spaces: tuple[PodNamespace, PodNamespace]
) -> None:
    pods, _ = spaces
    before = pool.configured(pods.kubectl)
    pool.configure(pods.kubectl, "06:00:00:00:00:00", "06:00:00:00:00:1f")
    macs = [pods.create(f"old-{n}", [{"name": "a"}])[0]["mac"] for n in range(20)]
    pods.eventually_owns(macs)

    pods.client.delete("crd", "macallocations.kubemacpool.io")
    apply_release(own_cluster.kubectl)
    crowd = Crowd(own_cluster.kubeconfig, 4)
    crowd.create(pods.namespace, [f"new-{n}" for n in range(12)], [{"name": "a"}], tries=2000)
    pool.configure(pods.kubectl, *before)

    assert crowd.refusals == []
    assert len({*macs, *crowd.macs()}) == 32
    pods.eventually_owns([*macs, *crowd.macs()])


@pytest.mark.parametrize("how", ["background", "foreground"])
def test_a_namespace_deleted_whole_frees_all_its_addresses(
    spaces: tuple[PodNamespace, PodNamespace], how: str
) -> None:
    pods, _ = spaces
    macs = [pods.create(f"pod-{n}", [{"name": "a"}])[0]["mac"] for n in range(5)]
    pods.eventually_owns(macs)

    pods.client.delete("namespace", pods.namespace, cascade=how, wait=False)

    for mac in macs:
        pods.freed(mac)


def test_nothing_of_ours_is_left_on_other_peoples_objects(
    spaces: tuple[PodNamespace, PodNamespace],
) -> None:
    pods, _ = spaces
    [element] = pods.create("samplepod", [{"name": "a"}])
    pods.bound(element["mac"], "samplepod")

    for thing in (
        ("pod", "samplepod", pods.namespace),
        ("namespace", pods.namespace),
        ("configmap", *pool.CONFIG),
        ("mutatingwebhookconfiguration", "kubemacpool-mutator"),
    ):
        metadata = pods.client.read(*thing)["metadata"]
        assert "finalizers" not in metadata
        keys = set(metadata.get("annotations", {}))
        assert keys <= {NETWORKS, "kubectl.kubernetes.io/last-applied-configuration"}


def _served(pods: PodNamespace, name: str) -> list[dict[str, str]]:
    return [] if pods.refusal(name, [{"name": "a"}]) else pods.elements(name)
