"""Chooses ports on a loopback address."""

import random
import socket
from contextlib import ExitStack

# Below the range that the kernel takes outgoing connections' ports from (32768 and up): what is
# down for a moment finds its port free when it comes back.
_PORTS = range(20_000, 32_000)


def free_ports(address: str, count: int) -> list[int]:
    """Return `count` ports that are free on `address` now; another process may take one first."""
    with ExitStack() as held:
        ports: list[int] = []
        for port in random.sample(_PORTS, len(_PORTS)):
            probe = held.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
            ports.append(port)
            if len(ports) == count:
                return ports
    raise AssertionError(f"fewer than {count} free ports in {_PORTS}")
