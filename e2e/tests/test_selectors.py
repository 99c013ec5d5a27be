"""The requests that reach the webhook: the API server applies the selectors of the manifest."""

import pytest

from e2e.pods import NETWORKS, manifest
from testbed.client import Client, refusal
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.readiness import eventually


@pytest.fixture(scope="module")
def kubectl(bare_cluster: ControlPlane) -> Kubectl:
    """A cluster with the manifest, on which none of our programs runs."""
    return bare_cluster.kubectl


LABEL = "mutatepods.kubemacpool.io"
NOT_SERVED = f'failed calling webhook "{LABEL}"'  # nothing runs behind it here


@pytest.fixture
def opted_in(client: Client, namespace: str) -> str:
    """A namespace whose pods the API server sends to the webhook."""
    opt_in(client, namespace)
    return namespace


def opt_in(client: Client, namespace: str) -> None:
    """Opt in; the API server learns of it with a delay."""
    client.label("namespace", namespace, {LABEL: "allocate"})
    eventually(lambda: asks_us(client, namespace), "the webhook is asked")


def asks_us(client: Client, namespace: str) -> bool:
    pod = manifest("probe", "[]")
    return NOT_SERVED in refusal(lambda: client.create(pod, namespace, dry_run=True))


def test_a_namespace_that_opted_out_again_never_reaches_the_webhook(
    client: Client, opted_in: str
) -> None:
    client.label("namespace", opted_in, {LABEL: None})

    eventually(lambda: not asks_us(client, opted_in), "no more asked")


@pytest.mark.parametrize("label", ["runlevel", "openshift.io/run-level"])
@pytest.mark.parametrize("level", ["0", "1"])
def test_a_namespace_of_the_platform_never_reaches_the_webhook(
    client: Client, opted_in: str, label: str, level: str
) -> None:
    client.label("namespace", opted_in, {label: level})

    eventually(lambda: not asks_us(client, opted_in), "no more asked")


def test_only_an_update_that_changes_the_annotation_reaches_the_webhook(
    client: Client, namespace: str
) -> None:
    client.create(manifest("before", "[]"), namespace)
    client.create(manifest("plain"), namespace)
    opt_in(client, namespace)

    client.label("pod", "before", {"a": "b"}, namespace)
    client.annotate("pod", "before", {"other": "2"}, namespace)
    client.annotate("pod", "before", {NETWORKS: None}, namespace)

    def refused(name: str) -> str:
        return refusal(lambda: client.annotate("pod", name, {NETWORKS: "net"}, namespace))

    assert NOT_SERVED in refused("before")  # changed
    assert NOT_SERVED in refused("plain")  # added
