"""kubectl, called as a user calls it."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.client import Client, connect

_GIVE_UP_S = 120.0


class KubectlFailed(Exception):
    """kubectl ended with an error; the message is the command and what it said."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One kubectl for one cluster: `kubectl("get", "pods", "-n", namespace)`."""

    binary: Path
    kubeconfig: Path
    env: Mapping[str, str]

    @property
    def client(self) -> Client:
        """The client of the same cluster and user, for what is not about kubectl."""
        return connect(self.kubeconfig)

    def __call__(self, *args: str, stdin: str = "") -> str:
        """Return what it prints; raise KubectlFailed."""
        done = self.run(*args, stdin=stdin)
        if done.returncode:
            raise KubectlFailed(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def json(self, *args: str) -> dict[str, Any]:
        """Return what `kubectl ... -o json` prints, parsed."""
        parsed: dict[str, Any] = json.loads(self(*args, "-o", "json"))
        return parsed

    def apply(self, manifest: str, *args: str) -> str:
        """Apply YAML (or JSON) text."""
        return self("apply", "-f", "-", *args, stdin=manifest)

    def fails(self, *args: str, stdin: str = "") -> str:
        """Return what it says on stderr; it is an error when it succeeds."""
        done = self.run(*args, stdin=stdin)
        assert done.returncode, f"kubectl {' '.join(args)} succeeded: {done.stdout}"
        return done.stderr

    def run(self, *args: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Return its exit code, stdout and stderr (which has the warnings)."""
        try:
            return subprocess.run(
                [str(self.binary), *args],
                input=stdin,
                env={**self.env, "KUBECONFIG": str(self.kubeconfig)},
                capture_output=True,
                text=True,
                timeout=_GIVE_UP_S,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            said = f"no answer within {late.timeout:.0f} s"
            raise KubectlFailed(f"kubectl {' '.join(args)}: {said}") from late
