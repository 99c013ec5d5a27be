"""What one cluster consists of, decided before anything starts, kept in `<state>/cluster.json`."""

import json
import random
import secrets
import socket
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from e2e.cluster import release
from e2e.cluster.kubeconfig import write_secret
from e2e.cluster.locate import find

# Below the range that the kernel takes outgoing connections' ports from (32768 and up): a component
# that is down for a moment finds its port free when it comes back.
_PORTS = range(20_000, 32_000)
_FILE = "cluster.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """The choices of one cluster."""

    lasting: bool
    audit: bool
    binaries: dict[str, str]
    ports: dict[str, int]
    tokens: dict[str, str]
    service_network: str

    @property
    def components(self) -> list[str]:
        """In the order in which they start."""
        order = ["etcd", "kube-apiserver", "kube-controller-manager", release.SCHEDULER]
        return [name for name in order if name in self.binaries]

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://127.0.0.1:{self.ports['kube-apiserver']}"

    def save(self, state: Path) -> None:
        """Keep it for later commands."""
        write_secret(state / _FILE, json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, state: Path) -> "Plan":
        """Read what `save` wrote; FileNotFoundError says that `state` holds no cluster."""
        return cls(**json.loads((state / _FILE).read_text()))

    @classmethod
    def new(cls, *, lasting: bool, scheduler: bool, audit: bool) -> "Plan":
        """Choose; fetches the binaries first, which may take minutes."""
        names = [*release.CONTROL_PLANE, release.SCHEDULER] if scheduler else release.CONTROL_PLANE
        users = ("admin", "system:kube-controller-manager", "system:kube-scheduler")
        return cls(
            lasting=lasting,
            audit=audit,
            binaries={name: str(path) for name, path in find(names).items()},
            ports=_free_ports(["etcd-peer", *names]),
            tokens={user: secrets.token_urlsafe(24) for user in users},
            service_network=_loopback_network(),
        )


def _loopback_network() -> str:
    """A /24 of loopback addresses for Services: any process may listen on them, without root.

    One of 47,872, so two clusters on one machine do not meet; systemd-resolved's 127.0.0.53 and the
    like lie outside.
    """
    return f"127.{random.randint(64, 250)}.{random.randint(0, 255)}.0/24"  # noqa: S311 - no secret


def _free_ports(names: list[str]) -> dict[str, int]:
    """Ports that nobody listens on now; somebody may be quicker, which `up` notices."""
    with ExitStack() as held:
        ports: dict[str, int] = {}
        for port in random.sample(_PORTS, len(_PORTS)):
            probe = held.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            ports[names[len(ports)]] = port
            if len(ports) == len(names):
                return ports
    raise AssertionError(f"no {len(names)} free ports in {_PORTS}")
