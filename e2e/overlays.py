"""The overlays of deploy/overlays, built and read."""

from pathlib import Path
from typing import Any

import yaml

from e2e.pods import PodNamespace
from testbed.kubectl import Kubectl

DEPLOY = Path(__file__).parents[1] / "deploy"
MUTATOR = "kubemacpool-mutator"


def built(kubectl: Kubectl, folder: Path) -> str:
    return kubectl("kustomize", str(folder))


def documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


def served(kubectl: Kubectl, namespace: str) -> bool:
    """Return True if a pod that asks for a network would get an address."""
    [element] = PodNamespace(kubectl, namespace).dry_run("probe", [{"name": "a"}])
    return "mac" in element


CERT_MANAGERS = ("Issuer", "Certificate")  # kinds that come with cert-manager


def without_cert_manager(text: str) -> list[dict[str, Any]]:
    return [document for document in documents(text) if document["kind"] not in CERT_MANAGERS]
