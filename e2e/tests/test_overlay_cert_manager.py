"""The overlay cert-manager: its certificates serve, and the controller issues none."""

import base64
from typing import Any

import yaml

from e2e.audit import CONTROLLER, WEBHOOK, Audit
from e2e.overlays import CERT_MANAGERS, DEPLOY, MUTATOR, built, documents, without_cert_manager
from e2e.rights import asked, granted, idle, missing, refused
from testbed.certificates import Pair, authority
from testbed.client import Client
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.locate import find_cert_manager
from testbed.programs import NAMESPACE, SERVICE, start_controller, start_webhook
from testbed.readiness import eventually
from testbed.release import MANIFEST, remove_release, stop, wait_in_force

QUIET = ("--quiet-s", "1")
CRD = "CustomResourceDefinition"


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
    """Issue the requested Certificates into their Secrets, and inject the CA."""
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
