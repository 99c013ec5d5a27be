"""The parts of one cluster, decided before anything starts, and kept in `<state>/cluster.json`."""

import json
import random
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from testbed import versions
from testbed.files import write_private
from testbed.locate import find
from testbed.ports import free_ports

_FILE = "cluster.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """The choices of one cluster."""

    lasting: bool
    audit: bool
    binaries: dict[str, str]
    ports: dict[str, int]
    tokens: dict[str, str]
    address: str  # of every component: no other cluster has it

    @property
    def components(self) -> list[str]:
        """The components, in the order of their start."""
        return [name for name in versions.CONTROL_PLANE if name != "kubectl"]

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self.url("kube-apiserver")

    @property
    def service_network(self) -> str:
        """The range of ClusterIPs: loopback addresses, on which any process may listen."""
        return f"{self.address.removesuffix('.1')}.128/25"

    def url(self, listener: str) -> str:
        """Return the URL of a component; etcd speaks plain HTTP."""
        scheme = "http" if listener.startswith("etcd") else "https"
        return f"{scheme}://{self.address}:{self.ports[listener]}"

    def save(self, state: Path) -> None:
        """Write the plan for later commands."""
        write_private(state / _FILE, json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, state: Path) -> "Plan":
        """Read a saved plan; raises FileNotFoundError if `state` has no cluster."""
        return cls(**json.loads((state / _FILE).read_text()))

    @classmethod
    def new(cls, *, lasting: bool, audit: bool) -> "Plan":
        """Make the choices; downloads the binaries first, which may take minutes."""
        listeners = ["etcd-peer", *versions.CONTROL_PLANE]
        address = _loopback_address()
        users = ("admin", "system:kube-controller-manager")
        return cls(
            lasting=lasting,
            audit=audit,
            binaries={name: str(path) for name, path in find(versions.CONTROL_PLANE).items()},
            ports=dict(zip(listeners, free_ports(address, len(listeners)), strict=True)),
            tokens={user: secrets.token_urlsafe(24) for user in users},
            address=address,
        )


def _loopback_address() -> str:
    """Return the first address of a random loopback /24, on which Linux lets any process listen.

    One of 47,872, so two clusters on one machine do not meet; systemd-resolved's 127.0.0.53 and the
    like lie outside.
    """
    return f"127.{random.randint(64, 250)}.{random.randint(0, 255)}.1"  # noqa: S311 - no secret
