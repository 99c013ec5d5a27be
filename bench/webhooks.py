"""Other webhooks, which the API server calls in the same way as the one of the release.

Each has a port of the release's Service, and the release's certificate. Its configuration is a copy
of the release's (with its `matchConditions`) for another namespace label.
"""

import base64
import copy
import sys
from collections.abc import Mapping

from bench.host import CHECKOUT
from bench.objects import pod
from bench.variants import GROUP, Variant
from testbed import processes, programs
from testbed.client import refusal
from testbed.controlplane import ControlPlane
from testbed.files import write_private
from testbed.programs import NAMESPACE, SERVICE, Program
from testbed.readiness import eventually

_PORTS = {Variant.NO_OP: 8001, Variant.CONSTANT: 8002, Variant.SYNCHRONOUS: 8003}


def register(cluster: ControlPlane, variant: Variant) -> None:
    """Let the API server call another webhook for the namespaces of `variant`.

    The release's webhook must be ready. The other one does not run yet, so pods are refused.
    """
    client, name = cluster.kubectl.client, f"bench-{variant.slug}"
    ports = [{"name": f"port-{port}", "port": port} for port in (8000, *_PORTS.values())]
    client.patch("service", SERVICE, {"spec": {"ports": ports}}, NAMESPACE)
    released = client.read("mutatingwebhookconfiguration", "kubemacpool-mutator")
    hooks = copy.deepcopy(released["webhooks"])
    for hook in hooks:
        hook["name"] = hook["name"].replace("kubemacpool.io", f"{variant.slug}.{GROUP}")
        hook["namespaceSelector"]["matchLabels"] = variant.labels
        hook["clientConfig"]["service"]["port"] = _PORTS[variant]
    kinds = {key: released[key] for key in ("apiVersion", "kind")}
    client.apply({**kinds, "metadata": {"name": name}, "webhooks": hooks})
    dry_run = variant.namespace("pods"), pod().decode()
    eventually(
        lambda: (
            "failed calling webhook"
            in refusal(lambda: client.create(dry_run[1], dry_run[0], dry_run=True))
        ),
        f"the API server calls {name}",
    )


def start_noop(cluster: ControlPlane, variant: Variant) -> Program:
    """Start `bench.noop` of this checkout; return at once."""
    secret = cluster.kubectl.client.read("secret", SERVICE, NAMESPACE)["data"]
    files = {half: cluster.state / f"bench-{half}" for half in ("tls.crt", "tls.key")}
    for half, file in files.items():
        write_private(file, base64.b64decode(secret[half]).decode())
    address, port = programs.service_address(cluster), str(_PORTS[variant])
    flags = ("constant",) if variant is Variant.CONSTANT else ()
    process = processes.start(
        f"bench-{variant.slug}",
        [sys.executable, "-m", "bench.noop", address, port, *map(str, files.values()), *flags],
        state=cluster.state,
        env=processes.environment(PYTHONPATH=str(CHECKOUT)),
        lasting=False,
    )
    return Program(process, f"https://{address}:{port}/readyz")


def start_synchronous(
    cluster: ControlPlane, name: str, *flags: str, env: Mapping[str, str]
) -> Program:
    """Start our webhook again, with the same service account but without a stock."""
    listen = f"{programs.service_address(cluster)}:{_PORTS[Variant.SYNCHRONOUS]}"
    return programs.start(
        cluster,
        name,
        ["-m", "webhook", "--stock", "0", "--drain-s", "0", "--listen-addr", listen, *flags],
        account="kubemacpool-webhook",
        ready_url=f"https://{listen}/readyz",
        env=env,
    )
