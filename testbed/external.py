"""A cluster of the user's: `KUBEVIRT_PROVIDER=external`, found through KUBECONFIG."""

import os
import shutil
from pathlib import Path

from testbed.kubectl import Kubectl
from testbed.locate import find


class NoCluster(Exception):
    """The external cluster is not named, or does not answer."""


def chosen() -> bool:
    """Whether the environment asks for the external cluster."""
    return os.environ.get("KUBEVIRT_PROVIDER") == "external"


def connect() -> Kubectl:
    """Return kubectl for the external cluster; raise NoCluster unless it answers."""
    if not (path := os.environ.get("KUBECONFIG")):
        raise NoCluster("KUBEVIRT_PROVIDER=external: set KUBECONFIG to your cluster's kubeconfig.")
    binary = shutil.which("kubectl") or find(["kubectl"])["kubectl"]
    kubectl = Kubectl(Path(binary), Path(path).absolute(), os.environ)
    asked = kubectl.run("get", "--raw", "/readyz", "--request-timeout=10s")
    if asked.returncode:
        raise NoCluster(f"The cluster in {path} does not answer: {asked.stderr.strip()}")
    return kubectl


def describe(kubectl: Kubectl) -> str:
    """Name the external cluster for people: its server and where it is configured."""
    server = kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    return f"{server} ({kubectl.kubeconfig})"
