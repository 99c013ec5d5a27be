"""The API server calls a webhook's Service at an address on which any process may listen."""

import base64
import datetime as dt
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from testbed.controlplane import ControlPlane
from testbed.readiness import eventually

PORT = 8000
PATCH = b'[{"op": "add", "path": "/data", "value": {"seen": "yes"}}]'
MANIFEST = """
apiVersion: v1
kind: Service
metadata: {{name: marker, namespace: {namespace}}}
spec:
  ports: [{{port: {port}}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {{name: {namespace}}}
webhooks:
- name: marker.example.com
  clientConfig:
    service: {{namespace: {namespace}, name: marker, port: {port}, path: /mark}}
    caBundle: {ca}
  rules:
  - {{apiGroups: [""], apiVersions: [v1], resources: [configmaps], operations: [CREATE]}}
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}
  objectSelector: {{matchLabels: {{mark: me}}}}
  admissionReviewVersions: [v1]
  sideEffects: None
"""
CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}, labels: {{mark: me}}}}
"""


class Marker(BaseHTTPRequestHandler):
    """Patches whatever it is asked about."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        review["response"] = {
            "uid": review.pop("request")["uid"],
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": base64.b64encode(PATCH).decode(),
        }
        answer = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def self_signed(name: str, into: Path) -> Path:
    """Write one PEM file: the key, then its certificate for `name`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    into.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return into


@contextmanager
def serving(address: str, pair: Path) -> Iterator[None]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair)
    with ThreadingHTTPServer((address, PORT), Marker) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_the_api_server_asks_a_webhook_at_its_loopback_cluster_ip(
    cluster: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    kubectl = cluster.kubectl
    pair = self_signed(f"marker.{namespace}.svc", tmp_path / "pair.pem")
    certificate = base64.b64encode(pair.read_bytes().partition(b"KEY-----\n")[2]).decode()
    names = (f"attempt-{count}" for count in range(10_000))

    def is_asked() -> bool:
        """The API server learns of a new webhook within about a second; until then, try again."""
        name = next(names)
        kubectl.apply(CONFIG_MAP.format(name=name), "-n", namespace)
        made = kubectl.json("get", "configmap", name, "-n", namespace)
        return made.get("data") == {"seen": "yes"}

    try:
        kubectl.apply(MANIFEST.format(namespace=namespace, port=PORT, ca=certificate))
        address = kubectl(
            "get", "service", "marker", "-n", namespace, "-o", "jsonpath={.spec.clusterIP}"
        )
        with serving(address, pair):
            eventually(is_asked, "the webhook is asked")
    finally:
        kubectl("delete", "mutatingwebhookconfiguration", namespace, "--ignore-not-found")

    assert address.startswith("127.")
