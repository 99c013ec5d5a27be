"""Lines as a user types them, run with the cluster's kubectl, from the project's folder."""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from testbed.kubectl import Kubectl

_PROJECT = Path(__file__).parents[1]
_PERIOD_S = 2.0
_GIVE_UP_S = 120.0


class Cluster(Protocol):
    """Whatever has a kubectl of its own."""

    @property
    def kubectl(self) -> Kubectl:
        """Kubectl as the administrator."""


@dataclass(frozen=True, slots=True)
class Typed:
    """The output of a line on the terminal, and its exit code."""

    output: str
    code: int


def typed(cluster: Cluster, line: str, tick: Callable[[float], None] = lambda _: None) -> Typed:
    """Run `line` in bash; `tick` is told the seconds so far, every two seconds."""
    kubectl = cluster.kubectl
    path = f"{kubectl.binary.parent}{os.pathsep}{os.environ['PATH']}"
    began = time.monotonic()
    with subprocess.Popen(
        ["bash", "-c", line],
        cwd=_PROJECT,
        env={**kubectl.env, "KUBECONFIG": str(kubectl.kubeconfig), "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        while True:
            try:
                output, _ = child.communicate(timeout=_PERIOD_S)
            except subprocess.TimeoutExpired:
                passed_s = time.monotonic() - began
                if passed_s > _GIVE_UP_S:
                    child.kill()
                    raise
                tick(passed_s)
            else:
                return Typed(output, child.returncode)
