"""The provider `kind`: a cluster of containers, with nodes that run pods, and Multus."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from testbed import image, release_on_nodes
from testbed.kind import KindCluster, bring_up, engine, kubevirt, name_of, standing
from testbed.kubectl import Kubectl
from testbed.progress import say
from testbed.readiness import NotReady

_NODES = "KUBEVIRT_NUM_NODES"


@dataclass(frozen=True, slots=True)
class OnKind:
    """The kind cluster that is named after `state`; its kubeconfig is in `<state>-kind`."""

    state: Path

    @property
    def is_up(self) -> bool:
        """See Provider."""
        return engine.runs() and self._standing() is not None

    @property
    def cluster(self) -> KindCluster:
        """Return the cluster; raises NotReady if there is none."""
        self._need_engine()
        if found := self._standing():
            return found
        raise NotReady("There is no kind cluster of this checkout: make cluster-up makes one.")

    @property
    def kubectl(self) -> Kubectl:
        """See Provider."""
        return self.cluster.kubectl

    def up(self) -> None:
        """See Provider. Nodes that were stopped are started."""
        self._need_engine()
        if found := self._standing():
            found.start_nodes(*found.nodes)
            say(f"The kind cluster {found.name} is already up.")
            return
        made = bring_up(self._folder, name_of(self.state), _nodes())
        say(
            f"The kind cluster {made.name} is up: {', '.join(made.nodes)}, with Multus."
            f" kubemacpool is not on it: make cluster-sync puts it there. To use it:"
        )

    def sync(self) -> None:
        """See Provider: the image is built and loaded into the nodes."""
        cluster = self.cluster
        built = image.build()
        tools = image.busybox()
        cluster.load(built, tools)
        release_on_nodes.apply(cluster.kubectl, built)

    def bring_kubevirt(self) -> None:
        """See Provider: built if it cannot be pulled. The nodes get the guest's image, too."""
        kubevirt.install(self.cluster)
        self.guest()

    def guest(self) -> str:
        """See Provider: it is loaded into the nodes."""
        image = kubevirt.build_guest()
        self.cluster.load(image)
        self.cluster.name_by_import(image)
        return image

    def down(self) -> None:
        """See Provider."""
        self._need_engine()
        if found := self._standing():
            found.down()
            shutil.rmtree(self._folder, ignore_errors=True)
            say(f"The kind cluster {found.name} is gone.")
        else:
            say("There is no kind cluster of this checkout.")

    def is_ready(self) -> bool:
        """See Provider."""
        self._need_engine()
        found = self._standing()
        if found is None:
            say("There is no kind cluster of this checkout.")
            return False
        ready = found.is_ready
        say(f"kind cluster {found.name}: {', '.join(found.nodes)}")
        say(f"The API server is {'' if ready else 'not '}ready.")
        return ready

    def ssh(self, node: str, command: list[str]) -> int:
        """See Provider. node01 is the first node."""
        nodes = self.cluster.nodes
        numbered = {f"node{number:02}": name for number, name in enumerate(nodes, 1)}
        if (container := numbered.get(node, node)) not in nodes:
            say(f"There is no node {node}; choose {', '.join([*numbered, *nodes])}.")
            return 1
        terminal = ["-it"] if sys.stdin.isatty() and not command else ["-i"]
        argv = ["docker", "exec", *terminal, container, *(command or ["bash"])]
        return subprocess.run(argv, check=False).returncode

    def tests(self) -> str:
        """See Provider."""
        return "e2e/functest"

    @property
    def _folder(self) -> Path:
        return self.state.with_name(f"{self.state.name}-kind")

    def _standing(self) -> KindCluster | None:
        return standing(self._folder, name_of(self.state))

    def _need_engine(self) -> None:
        if not engine.runs():
            raise NotReady(
                "KUBEVIRT_PROVIDER=kind: no Docker Engine answers. Start yours; on a machine to"
                " throw away, make docker-engine installs and starts one (root, Debian or Ubuntu)."
            )


def _nodes() -> int:
    text = os.environ.get(_NODES, "2")
    if not text.isdecimal() or not int(text):
        raise NotReady(f"{_NODES}={text}: write the number of nodes, such as {_NODES}=3.")
    return int(text)
