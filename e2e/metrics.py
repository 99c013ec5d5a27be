"""The controller's metrics, read as Prometheus reads them: over HTTPS, with a bearer token."""

import http.client
import re
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from testbed.kubectl import Kubectl

READER = "e2e-metrics-reader"
_NAMED = {"metadata": {"name": READER}}
_RBAC = "rbac.authorization.k8s.io/v1"
_ANSWER_S = 15.0  # the API server is asked about the token


def reader(kubectl: Kubectl) -> str:
    """Return the token of an account that may read metrics."""
    client = kubectl.client
    client.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": READER}})
    rules = [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    client.create({"apiVersion": _RBAC, "kind": "ClusterRole", **_NAMED, "rules": rules})
    client.create(
        {
            "apiVersion": _RBAC,
            "kind": "ClusterRoleBinding",
            **_NAMED,
            "roleRef": {"apiGroup": _RBAC.partition("/")[0], "kind": "ClusterRole", "name": READER},
            "subjects": [{"kind": "ServiceAccount", "name": READER, "namespace": "default"}],
        }
    )
    return client.token(READER, "default")


def forget_reader(kubectl: Kubectl) -> None:
    """Take all of that away."""
    for kind in ("serviceaccount", "clusterrole", "clusterrolebinding"):
        kubectl.client.delete(kind, READER)


def get(url: str, token: str = "") -> tuple[int, str, str]:
    """Return status, Content-Type and text."""
    parts = urlsplit(url)
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port, timeout=_ANSWER_S, context=unverified
    )
    try:
        connection.request(
            "GET", parts.path, headers={"Authorization": f"Bearer {token}"} if token else {}
        )
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    return answer.status, answer.headers.get("Content-Type", ""), text


@dataclass(frozen=True, slots=True)
class Scrape:
    """Return the metrics of one controller, read with `token`."""

    url: str
    token: str

    def __call__(self) -> dict[str, float]:
        """Return every sample by its name and labels, as they are written."""
        status, _, text = get(self.url, self.token)
        assert status == http.client.OK, text
        return {
            match[1]: float(match[2])
            for match in re.finditer(r"^([^#\s]+) (\S+)$", text, re.MULTILINE)
        }

    def colliding(self, mac: str) -> float:
        """Return how many objects collide on `mac`; 0 where there is no series of it."""
        return self().get(f'kmp_mac_collisions{{mac="{mac}"}}', 0)
