"""The overlays in deploy/overlays: the namespaces that each serves, and its range."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from e2e import pool
from e2e.overlays import (
    DEPLOY,
    MUTATOR,
    built,
    documents,
    served,
    without_cert_manager,
)
from e2e.pods import PodNamespace
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.programs import NAMESPACE
from testbed.readiness import eventually
from testbed.release import MANIFEST, Installed

OVERLAYS = sorted(path.parent.name for path in DEPLOY.glob("overlays/*/kustomization.yaml"))
LABEL = "mutatepods.kubemacpool.io"
VM_LABEL = "mutatevirtualmachines.kubemacpool.io"


@pytest.fixture
def kubectl(cluster: ControlPlane, release: Installed) -> Iterator[Kubectl]:
    """The session's cluster, to which the test applies the overlay that it is about."""
    assert release.webhooks
    yield cluster.kubectl
    cluster.kubectl("apply", "-f", str(MANIFEST))


def overlay(kubectl: Kubectl, name: str) -> None:
    kubectl.apply(built(kubectl, DEPLOY / "overlays" / name))


def label(kubectl: Kubectl, namespace: str, name: str, value: str | None) -> None:
    kubectl.client.label("namespace", namespace, {name: value})


def test_with_opt_out_all_are_served_but_those_that_do_not_want_it(
    kubectl: Kubectl, namespace: str
) -> None:
    pods = PodNamespace(kubectl, namespace)
    assert not served(kubectl, namespace)

    overlay(kubectl, "opt-out")

    eventually(lambda: served(kubectl, namespace), "no label is needed")
    [element] = pods.create("samplepod", [{"name": "a"}])
    pods.bound(element["mac"], "samplepod")
    for value in ("ignore", "disable"):
        label(kubectl, namespace, LABEL, value)
        eventually(lambda: not served(kubectl, namespace), "one that opts out is not")
        label(kubectl, namespace, LABEL, "allocate")
        eventually(lambda: served(kubectl, namespace), "one with another value is")


def test_with_opt_out_the_pods_that_kubemacpool_needs_never_wait_for_it(
    kubectl: Kubectl, namespace: str
) -> None:
    overlay(kubectl, "opt-out")
    eventually(lambda: served(kubectl, namespace), "no label is needed")

    for lost in ("runlevel", "pod-security.kubernetes.io/enforce"):
        label(kubectl, NAMESPACE, lost, None)
    for name, value in (("runlevel", "1"), ("openshift.io/run-level", "0")):
        label(kubectl, namespace, name, value)
        eventually(lambda: not served(kubectl, namespace), f"{name}={value} is left out")
        label(kubectl, namespace, name, None)
        eventually(lambda: served(kubectl, namespace), f"without {name} it is served")
    # By now the API server knows of the lost labels: it learns of changes in their order.
    assert not served(kubectl, NAMESPACE)
    assert not served(kubectl, "kube-system")


def test_with_a_custom_value_that_value_counts_and_allocate_does_not(
    kubectl: Kubectl, namespace: str
) -> None:
    label(kubectl, namespace, LABEL, "allocate")
    eventually(lambda: served(kubectl, namespace), "allocate counts so far")

    overlay(kubectl, "opt-in-value")

    eventually(lambda: not served(kubectl, namespace), "allocate counts no more")
    label(kubectl, namespace, LABEL, "production")
    eventually(lambda: served(kubectl, namespace), "the own value counts")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("opt-out", (None, ["ignore", "disable"])), ("opt-in-value", ("production", None))],
)
def test_pods_and_vms_are_selected_in_the_same_way(
    bare_cluster: ControlPlane, name: str, expected: tuple[str | None, list[str] | None]
) -> None:
    text = built(bare_cluster.kubectl, DEPLOY / "overlays" / name)
    [mutator] = (
        document for document in documents(text) if document["metadata"]["name"] == MUTATOR
    )

    assert {webhook["name"] for webhook in mutator["webhooks"]} == {LABEL, VM_LABEL}
    for webhook in mutator["webhooks"]:
        selector, label = webhook["namespaceSelector"], webhook["name"]
        rules = {rule["key"]: rule for rule in selector["matchExpressions"]}
        found = (
            selector.get("matchLabels", {}).get(label),
            rules[label]["values"] if label in rules else None,
        )
        assert found == expected
        assert rules.keys() >= {"runlevel", "openshift.io/run-level"}
        assert all(rule["operator"] == "NotIn" for rule in rules.values())


def test_with_a_custom_range_addresses_come_from_it(kubectl: Kubectl, namespace: str) -> None:
    label(kubectl, namespace, LABEL, "allocate")

    overlay(kubectl, "range")

    low, high = "02:1e:b4:00:00:00", "02:1e:b4:ff:ff:ff"
    assert pool.configured(kubectl) == (low, high)
    eventually(
        lambda: served(kubectl, namespace) and low <= pool.offered(kubectl, namespace) <= high,
        "an address of that range",
    )


@pytest.mark.parametrize(
    "way",
    [
        pytest.param([], id="client-side", marks=pytest.mark.long),
        pytest.param(["--server-side"], id="server-side"),
    ],
)
def test_an_overlay_applied_again_changes_nothing(
    bare_cluster: ControlPlane, way: list[str]
) -> None:
    kubectl = bare_cluster.kubectl
    flags = [*way, "--force-conflicts"] if way else []  # with those who applied it the other way
    for name in OVERLAYS:
        text = yaml.safe_dump_all(without_cert_manager(built(kubectl, DEPLOY / "overlays" / name)))

        kubectl.apply(text, *flags)

        assert kubectl("diff", "-f", "-", *flags, stdin=text) == "", name
    kubectl("apply", "-f", str(MANIFEST), *flags)


def test_overlays_combine(bare_cluster: ControlPlane, tmp_path: Path) -> None:
    kubectl = bare_cluster.kubectl
    for folder in ("deploy", "crds"):
        shutil.copytree(DEPLOY.parent / folder, tmp_path / folder)
    on, below = tmp_path / "deploy" / "overlays", "../../release"
    for name in OVERLAYS:
        file = on / name / "kustomization.yaml"
        file.write_text(file.read_text().replace("  - ../../release\n", f"  - {below}\n"))
        below = f"../{name}"

    together = documents(built(kubectl, on / OVERLAYS[-1]))

    release = documents(built(kubectl, DEPLOY / "release"))
    for name in OVERLAYS:
        alone = documents(built(kubectl, DEPLOY / "overlays" / name))
        assert alone != release
        changed = [
            document
            for document in alone
            if document not in release and document["metadata"]["name"] != MUTATOR
        ]
        assert [document for document in changed if document not in together] == []
