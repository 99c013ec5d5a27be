"""The release on a cluster with nodes: the manifest, with our own image."""

from pathlib import Path

from testbed.kubectl import Kubectl
from testbed.progress import Progress, say
from testbed.release import MANIFEST, wait_in_force

NAMESPACE = "kubemacpool-system"
WEBHOOK, CONTROLLER = "kubemacpool-mac-controller-manager", "kubemacpool-controller"
_RELEASED = "image: kubemacpool:latest"
_RANGE = "kubemacpool-mac-range-config"
_ENDS = ("02:00:00:00:00:00", "02:FF:FF:FF:FF:FF")  # the manifest's
_ROLLOUT_S = 110  # kubectl itself is given 120


def manifest(image: str, source: Path = MANIFEST) -> str:
    """Return the release, edited to run `image` as a user would edit it."""
    text = source.read_text()
    assert _RELEASED in text, f"{source} has no {_RELEASED}"
    return text.replace(_RELEASED, f"image: {image}")


def apply(kubectl: Kubectl, image: str) -> None:
    """Apply the release with `image`; return when pods get addresses."""
    progress = Progress(f"Installing the release with {image}")
    kubectl.apply(_with_range(manifest(image), kubectl))
    rolled_out(kubectl)
    wait_in_force(kubectl)
    progress.done()
    say(kubectl("get", "pods", "-n", NAMESPACE, "-o", "wide"))


def _with_range(text: str, kubectl: Kubectl) -> str:
    """Keep the range that is configured already."""
    shown = ("-o", "jsonpath={.data.RANGE_START} {.data.RANGE_END}", "--ignore-not-found")
    found = kubectl("get", "configmap", _RANGE, "-n", NAMESPACE, *shown).split()
    if len(found) != len(_ENDS) or found == list(_ENDS):
        return text
    say(f"The range stays {' - '.join(found)}.")
    for released, kept in zip(_ENDS, found, strict=True):
        text = text.replace(released, kept)
    return text


def rolled_out(kubectl: Kubectl) -> None:
    """Wait until both Deployments are rolled out and ready."""
    for name in (CONTROLLER, WEBHOOK):
        deployment = f"deployment/{name}"
        kubectl("rollout", "status", deployment, "-n", NAMESPACE, f"--timeout={_ROLLOUT_S}s")
