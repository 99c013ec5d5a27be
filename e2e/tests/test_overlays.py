"""The overlays in deploy/overlays: whom each serves, with which range and whose certificates."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e import pool
from e2e.audit import CONTROLLER, WEBHOOK, Audit
from e2e.pods import PodNamespace
from e2e.rights import asked, granted, idle, missing, refused
from testbed.certificates import Pair, authority
from testbed.client import Client
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.locate import find_cert_manager
from testbed.programs import NAMESPACE, SERVICE, start_controller, start_webhook
from testbed.readiness import eventually
from testbed.release import MANIFEST, Installed, remove_release, stop, wait_in_force

DEPLOY = Path(__file__).parents[2] / "deploy"
OVERLAYS = sorted(path.parent.name for path in DEPLOY.glob("overlays/*/kustomization.yaml"))
LABEL = "mutatepods.kubemacpool.io"
VM_LABEL = "mutatevirtualmachines.kubemacpool.io"
MUTATOR = "kubemacpool-mutator"
QUIET = ("--quiet-s", "1")
CRD = "CustomResourceDefinition"
CERT_MANAGERS = ("Issuer", "Certificate")  # kinds that come with cert-manager


def built(kubectl: Kubectl, folder: Path) -> str:
    return kubectl("kustomize", str(folder))


def documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


@pytest.fixture
def kubectl(cluster: ControlPlane, release: Installed) -> Iterator[Kubectl]:
    """The session's cluster, to which the test applies the overlay that it is about."""
    assert release.webhooks
    yield cluster.kubectl
    cluster.kubectl("apply", "-f", str(MANIFEST))


def overlay(kubectl: Kubectl, name: str) -> None:
    kubectl.apply(built(kubectl, DEPLOY / "overlays" / name))


def served(kubectl: Kubectl, namespace: str) -> bool:
    """Whether a pod that asks for a network would get an address."""
    [element] = PodNamespace(kubectl, namespace).dry_run("probe", [{"name": "a"}])
    return "mac" in element


def label(kubectl: Kubectl, namespace: str, name: str, value: str | None) -> None:
    kubectl.client.label("namespace", namespace, {name: value})


def test_with_opt_out_all_are_served_but_those_that_do_not_want_it(
    kubectl: Kubectl, namespace: str
) -> None:
    pods = PodNamespace(kubectl, namespace)
    assert not served(kubectl, namespace)

    overlay(kubectl, "opt-out")

    eventually(lambda: served(kubectl, namespace), "a namespace without labels is served")
    [element] = pods.create("samplepod", [{"name": "a"}])
    pods.bound(element["mac"], "samplepod")
    for value in ("ignore", "disable"):
        label(kubectl, namespace, LABEL, value)
        eventually(lambda: not served(kubectl, namespace), "one that opts out is not")
        label(kubectl, namespace, LABEL, "allocate")
        eventually(lambda: served(kubectl, namespace), "one with another value is")


def test_with_opt_out_what_kubemacpool_needs_itself_never_waits_for_it(
    kubectl: Kubectl, namespace: str
) -> None:
    overlay(kubectl, "opt-out")
    eventually(lambda: served(kubectl, namespace), "a namespace without labels is served")

    assert not served(kubectl, "kube-system")
    for lost in ("runlevel", "pod-security.kubernetes.io/enforce"):
        label(kubectl, NAMESPACE, lost, None)
    assert not served(kubectl, NAMESPACE)
    for name, value in (("runlevel", "1"), ("openshift.io/run-level", "0")):
        label(kubectl, namespace, name, value)
        eventually(lambda: not served(kubectl, namespace), f"{name}={value} is left out")
        label(kubectl, namespace, name, None)
        eventually(lambda: served(kubectl, namespace), f"without {name} it is served")


def test_with_a_value_of_one_s_own_that_one_counts_and_allocate_does_not(
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
def test_pods_and_vms_are_selected_alike(
    bare_cluster: ControlPlane, name: str, expected: tuple[str | None, list[str] | None]
) -> None:
    text = built(bare_cluster.kubectl, DEPLOY / "overlays" / name)
    [mutator] = (
        document for document in documents(text) if document["metadata"]["name"] == MUTATOR
    )

    for webhook in mutator["webhooks"]:
        selector, label = webhook["namespaceSelector"], webhook["name"]
        assert label in {LABEL, VM_LABEL}
        rules = {rule["key"]: rule for rule in selector["matchExpressions"]}
        found = (
            selector.get("matchLabels", {}).get(label),
            rules[label]["values"] if label in rules else None,
        )
        assert found == expected
        assert rules.keys() >= {"runlevel", "openshift.io/run-level"}
        assert all(rule["operator"] == "NotIn" for rule in rules.values())


def test_with_a_range_of_one_s_own_addresses_come_from_that(
    kubectl: Kubectl, namespace: str
) -> None:
    label(kubectl, namespace, LABEL, "allocate")

    overlay(kubectl, "range")

    low, high = "02:1e:b4:00:00:00", "02:1e:b4:ff:ff:ff"
    assert pool.configured(kubectl) == (low, high)
    eventually(
        lambda: served(kubectl, namespace) and low <= pool.offered(kubectl, namespace) <= high,
        "an address of that range",
    )


@pytest.mark.parametrize("way", [[], ["--server-side"]], ids=["client-side", "server-side"])
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


# Certificates by cert-manager, whose part the test plays: it does not run here.


def test_with_certificates_of_another_issuer_pods_are_served_and_the_controller_touches_none(
    audited_cluster: ControlPlane,
) -> None:
    cluster, kubectl = audited_cluster, audited_cluster.kubectl
    remove_release(kubectl)
    before = len(Audit(cluster).events())
    ours = without_cert_manager(built(kubectl, DEPLOY / "overlays" / "cert-manager"))
    kubectl.apply(yaml.safe_dump_all(ours))
    for crd in (document["metadata"]["name"] for document in ours if document["kind"] == CRD):
        kubectl.client.wait_established(crd)
    arguments = controller_of(ours)["args"]
    controller = start_controller(cluster, "controller-1", *arguments, *QUIET)
    webhook = start_webhook(cluster, "webhook-1", *QUIET)
    try:
        controller.wait_ready()
        play_cert_manager(kubectl)
        webhook.wait_ready()
        wait_in_force(kubectl)
        play_cert_manager(kubectl)
        wait_in_force(kubectl)
        controller.process.stop()
        events = Audit(cluster).events()[before:]
        take_back(cluster)
    finally:
        stop(cluster)

    rights, calls = granted(ours), asked(events, {WEBHOOK, CONTROLLER})
    assert refused(events) == []
    assert missing(rights, calls) == []
    certificates = {"secrets", "mutatingwebhookconfigurations"}
    assert {
        (right.user, right.verb, right.resource)
        for right in rights
        if right.resource in certificates
    } == {
        (WEBHOOK, "list", "secrets"),
        (WEBHOOK, "watch", "secrets"),
        (CONTROLLER, "list", "mutatingwebhookconfigurations"),
        (CONTROLLER, "watch", "mutatingwebhookconfigurations"),
    }
    assert (
        idle([right for right in rights if right.resource in certificates], calls, NAMESPACE) == []
    )


def play_cert_manager(kubectl: Kubectl) -> None:
    """Issue what the Certificates ask for, into the Secrets that they name, and inject the CA."""
    wanted = certificates(kubectl)
    for name in wanted:
        assert wanted[name]["privateKey"]["algorithm"] == "ECDSA"
    serving = wanted[SERVICE]
    asked_for = wanted[serving["issuerRef"]["name"]]
    root = authority(asked_for["commonName"])
    write_pair(kubectl.client, root, root, asked_for["secretName"])
    pair = root.issue(SERVICE, serving["dnsNames"])
    write_pair(kubectl.client, root, pair, serving["secretName"])
    injected = kubectl.client.read("mutatingwebhookconfiguration", MUTATOR)
    of = injected["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
    assert of == f"{NAMESPACE}/{SERVICE}"
    for webhook in injected["webhooks"]:
        webhook["clientConfig"]["caBundle"] = encoded(root.pem)
    bundled = {"webhooks": injected["webhooks"]}
    kubectl.client.patch("mutatingwebhookconfiguration", MUTATOR, bundled)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def write_pair(client: Client, root: Pair, pair: Pair, secret: str) -> None:
    files = {"tls.crt": pair.pem, "tls.key": pair.key_pem, "ca.crt": root.pem}
    client.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": secret, "namespace": NAMESPACE},
            "data": {name: encoded(text) for name, text in files.items()},
        }
    )


def take_back(cluster: ControlPlane) -> None:
    """Apply the release again; its controller issues the certificates from now on."""
    kubectl, client = cluster.kubectl, cluster.kubectl.client
    kubectl("apply", "-f", str(MANIFEST))
    theirs = client.read("secret", SERVICE, NAMESPACE)["metadata"]["uid"]
    start_controller(cluster, "controller-2", *QUIET).wait_ready()
    wait_in_force(kubectl)
    client.delete("secret", SERVICE, NAMESPACE)
    ours = client.wait(
        "secret", SERVICE, lambda found: found["metadata"]["uid"], "a new Secret", NAMESPACE
    )
    assert ours != theirs
    wait_in_force(kubectl)


def certificates(kubectl: Kubectl) -> dict[str, dict[str, Any]]:
    """Return the specs of the overlay's Certificates, by name."""
    return {
        document["metadata"]["name"]: document["spec"]
        for document in documents(built(kubectl, DEPLOY / "overlays" / "cert-manager"))
        if document["kind"] == "Certificate"
    }


def without_cert_manager(text: str) -> list[dict[str, Any]]:
    return [document for document in documents(text) if document["kind"] not in CERT_MANAGERS]


def controller_of(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the controller's container."""
    [found] = (
        document["spec"]["template"]["spec"]["containers"][0]
        for document in manifests
        if (document["kind"], document["metadata"]["name"])
        == ("Deployment", "kubemacpool-controller")
    )
    container: dict[str, Any] = found
    return container


def test_the_controller_is_told_nothing_about_certificates_that_it_does_not_issue(
    bare_cluster: ControlPlane,
) -> None:
    text = built(bare_cluster.kubectl, DEPLOY / "overlays" / "cert-manager")

    container = controller_of(documents(text))

    assert [variable["name"] for variable in container["env"]] == ["POD_NAME"]


def test_the_certificates_are_for_the_names_by_which_the_webhook_is_called(
    bare_cluster: ControlPlane,
) -> None:
    wanted = certificates(bare_cluster.kubectl)
    serving, root = wanted[SERVICE], wanted["kubemacpool-mutator-ca"]

    assert f"{SERVICE}.{NAMESPACE}.svc" in serving["dnsNames"]
    assert serving["secretName"] == SERVICE
    assert root["isCA"] is True
    issuers = {
        document["metadata"]["name"]: document["spec"]
        for document in documents(built(bare_cluster.kubectl, DEPLOY / "overlays" / "cert-manager"))
        if document["kind"] == "Issuer"
    }
    assert issuers[serving["issuerRef"]["name"]] == {"ca": {"secretName": root["secretName"]}}
    assert issuers[root["issuerRef"]["name"]] == {"selfSigned": {}}


def test_cert_manager_s_own_crds_admit_the_whole_overlay(bare_cluster: ControlPlane) -> None:
    kubectl = bare_cluster.kubectl
    folder = find_cert_manager()["cert-manager-crds"]
    crds = sorted(folder.glob("cert-manager.io_*.yaml"))
    assert crds
    kubectl("apply", "--server-side", *(f"--filename={crd}" for crd in crds))
    for plural in ("issuers", "certificates"):
        kubectl.client.wait_established(f"{plural}.cert-manager.io")
    text = built(kubectl, DEPLOY / "overlays" / "cert-manager")
    strict = "--validate=strict"

    # Discovery of new kinds takes a moment.
    eventually(lambda: not kubectl.run("get", "certificates").returncode, "Certificates known")
    kubectl.apply(text, strict)

    assert kubectl("diff", "-f", "-", stdin=text) == ""
    found = [
        stored
        for kind in ("issuers", "certificates")
        for stored in kubectl.client.list(kind, NAMESPACE)
    ]
    assert len(found) == len(
        [document for document in documents(text) if document["kind"] in CERT_MANAGERS]
    )
    kubectl("delete", *(f"--filename={crd}" for crd in crds))
    kubectl("apply", "-f", str(MANIFEST))
