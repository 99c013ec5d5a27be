"""The provider `external`: your cluster, found by KUBECONFIG. It is never started or ended.

`sync` installs the release on it; `KUBEVIRT_WITH_MULTUS=true` installs Multus.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from testbed import external, image, release_on_nodes
from testbed.external import NoCluster
from testbed.kind import engine
from testbed.kind.kubevirt import build_guest
from testbed.kubectl import Kubectl
from testbed.kubevirt import whole
from testbed.locate import find_node
from testbed.progress import say
from testbed.readiness import NotReady

_MULTUS = "multus.yaml"


@dataclass(frozen=True, slots=True)
class OnExternal:
    """The cluster in KUBECONFIG; nothing of it is kept in `state`."""

    state: Path

    @property
    def is_up(self) -> bool:
        """See Provider."""
        return True

    @property
    def kubectl(self) -> Kubectl:
        """See Provider."""
        return external.connect()

    def up(self) -> None:
        """See Provider."""
        kubectl = self.kubectl
        say(f"KUBEVIRT_PROVIDER=external: using {external.describe(kubectl)}; nothing was started.")
        if os.environ.get("KUBEVIRT_WITH_MULTUS") == "true":
            kubectl("apply", "-f", str(find_node(_MULTUS)[_MULTUS]))
            rollout = ("rollout", "status", "daemonset/kube-multus-ds", "-n", "kube-system")
            kubectl(*rollout, "--timeout=110s")
            say("Multus was applied, as it is released; the CNI plugins are your nodes' own.")

    def sync(self) -> None:
        """See Provider: the image is pushed to $DEV_REGISTRY/$REPO/kubemacpool."""
        repository = _repository()  # before anything is built
        pushed = image.push(image.build(), f"{repository}/kubemacpool")
        release_on_nodes.apply(self.kubectl, pushed)

    def bring_kubevirt(self) -> None:
        """See Provider: the release. A KubeVirt that is there stays as it is, ready or not."""
        kubectl = self.kubectl
        found = whole.found(kubectl)
        if waiting := [name for name, available in found.items() if not available]:
            raise NotReady(
                f"KubeVirt {', '.join(waiting)} on that cluster is not Available. It is left as it"
                " is; kubectl get kubevirts.kubevirt.io -A -o yaml says what it waits for."
            )
        if found:
            say(f"KubeVirt {', '.join(found)} is there, and left as it is.")
        else:
            whole.start(kubectl, whole.released(), kvm=True)

    def guest(self) -> str:
        """See Provider: it is pushed to $DEV_REGISTRY/$REPO/guest."""
        repository = _repository()
        if not engine.runs():
            raise NoCluster(
                "The guest's image is built with Docker alone, and no Docker Engine answers."
            )
        return image.push(build_guest(), f"{repository}/guest")

    def down(self) -> None:
        """See Provider."""
        say("KUBEVIRT_PROVIDER=external: that cluster is yours; nothing was ended.")

    def is_ready(self) -> bool:
        """See Provider."""
        say(f"KUBEVIRT_PROVIDER=external: {external.describe(self.kubectl)} answers.")
        return True

    def ssh(self, node: str, command: list[str]) -> int:
        """See Provider."""
        say(f"{' '.join([node, *command])}: the nodes of an external cluster are yours.")
        return 1

    def tests(self) -> str:
        """See Provider."""
        return "e2e/functest"


def _repository() -> str:
    """Return the repository to which images are pushed."""
    registry, repository = os.environ.get("DEV_REGISTRY"), os.environ.get("REPO")
    if registry and repository:
        return f"{registry}/{repository}"
    raise NoCluster(
        "KUBEVIRT_PROVIDER=external: set DEV_REGISTRY and REPO; the image is pushed to"
        " $DEV_REGISTRY/$REPO/kubemacpool, from where your nodes pull it."
    )
