"""The one-file manifest, read."""

from typing import Any

import yaml

from testbed.release import MANIFEST


def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text()))


def deployments() -> dict[str, dict[str, Any]]:
    """The pod templates of the Deployments, by name."""
    return {
        document["metadata"]["name"]: document["spec"]["template"]
        for document in documents()
        if document["kind"] == "Deployment"
    }
