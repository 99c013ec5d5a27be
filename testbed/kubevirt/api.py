"""virt-api as a process, with its webhooks and its aggregated API."""

import base64
from pathlib import Path
from typing import Any

from testbed import accounts, certificates, processes
from testbed.client import Client, is_true, refusal
from testbed.connection import Refused
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.kubevirt.crds import NAMESPACE, printed
from testbed.kubevirt.virtualmachines import Interface, manifest
from testbed.locate import find_kubevirt
from testbed.programs import Program
from testbed.readiness import eventually

NAME = "virt-api"
_PORT = 8443  # KubeVirt's Service has 443, on which only root may listen
_ASKED = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService")
# An aggregated API counts as available when its Service has an endpoint. That one is never dialled
# (the API server takes the ClusterIP), so it is an address from RFC 5737: loopback is refused.
_ENDPOINTS = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {
        "name": NAME,
        "namespace": NAMESPACE,
        "labels": {
            "kubernetes.io/service-name": NAME,
            "endpointslice.kubernetes.io/managed-by": "test-bed",
        },
    },
    "addressType": "IPv4",
    "ports": [{"name": "", "port": _PORT, "protocol": "TCP"}],
    "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": True}}],
}


def launch(cluster: ControlPlane) -> Program:
    """Start it on its Service's ClusterIP; it is not ready yet."""
    address = _service_address(cluster.kubectl.client)
    folder = write_certificates(cluster.state / NAME, address)
    process = processes.start(
        NAME,
        [
            str(find_kubevirt()[NAME]),
            f"--kubeconfig={accounts.kubeconfig_of(cluster, 'kubevirt-apiserver', NAMESPACE)}",
            f"--listen={address}",
            f"--port={_PORT}",
            "--subresources-only",
            f"--tls-cert-file={folder / 'tls.crt'}",
            f"--tls-key-file={folder / 'tls.key'}",
            f"--handler-cert-file={folder / 'handler.crt'}",
            f"--handler-key-file={folder / 'handler.key'}",
        ],
        state=cluster.state,
        env=processes.environment(POD_NAME=NAME, POD_NAMESPACE=NAMESPACE),
        lasting=cluster.plan.lasting,
    )
    return Program(process, f"https://{address}:{_PORT}/apis/subresources.kubevirt.io/v1/healthz")


def write_certificates(folder: Path, *addresses: str) -> Path:
    """Write its serving certificate and its client certificate, unless they exist."""
    if not (folder / "ca.crt").exists():
        signer = certificates.authority(f"{NAME}-ca")
        signer.write(folder, "ca")
        signer.issue(NAME, [f"{NAME}.{NAMESPACE}.svc", *addresses]).write(folder)
        signer.issue("kubevirt.io:system:client:virt-handler").write(folder, "handler")
    return folder


def service() -> dict[str, Any]:
    """Return its Service, as virt-operator makes it."""
    return next(shown for shown in printed("api") if shown["kind"] == "Service")


def register(cluster: ControlPlane) -> None:
    """Let the API server call the process; return when it does."""
    cluster.kubectl.client.apply(_ENDPOINTS)
    connect(cluster.kubectl, cluster.state / NAME, _PORT)


def connect(kubectl: Kubectl, folder: Path, port: int) -> None:
    """Let the API server call virt-api, whose certificates are in `folder`; return when it does."""
    authority = base64.b64encode((folder / "ca.crt").read_bytes()).decode()
    asking = _registrations()
    for registration in asking:
        for called in _clients(registration):
            called["caBundle"] = authority
            called["service"]["port"] = port
    client = kubectl.client
    for registration in asking:
        client.apply(registration)
    for registration in asking:
        if registration["kind"] == _ASKED[2]:
            name = registration["metadata"]["name"]
            what = f"APIService {name} available"
            client.wait("apiservice", name, lambda found: is_true(found, "Available"), what)
    eventually(lambda: _defaults(client), "virt-api fills in what a machine lacks")
    eventually(lambda: _refuses(client), "virt-api refuses an interface without a network")


def unregister(kubectl: Kubectl) -> None:
    """Stop the API server from calling virt-api."""
    for registration in _registrations():
        kubectl.client.delete(
            registration["kind"].lower(), registration["metadata"]["name"], missing_ok=True
        )


def _registrations() -> list[dict[str, Any]]:
    return [shown for shown in printed("api") if shown["kind"] in _ASKED]


def _clients(asking: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the client configurations in an object."""
    if "webhooks" in asking:
        return [webhook["clientConfig"] for webhook in asking["webhooks"]]
    return [asking["spec"]]


def _service_address(client: Client) -> str:
    ours = service()
    ours["spec"]["ports"][0]["port"] = _PORT
    address: str = client.apply(ours)["spec"]["clusterIP"]
    return address


def _defaults(client: Client) -> bool:
    try:
        created = client.create(manifest("probe", run_strategy="Halted"), dry_run=True)
    except Refused:
        return False
    return "machine" in created["spec"]["template"]["spec"]["domain"]


def _refuses(client: Client) -> bool:
    broken = manifest("probe", [Interface("pod")], run_strategy="Halted")
    broken["spec"]["template"]["spec"]["networks"] = []
    return "interfaces[0].name" in refusal(lambda: client.create(broken, dry_run=True))
