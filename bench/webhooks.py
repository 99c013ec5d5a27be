"""Other webhooks, which the API server calls in the same way as the one of the release.

Each has a namespace, a Service, a certificate, and a configuration that is a copy of the release's
(with its `matchConditions`) for another namespace label.
"""

import base64
import copy
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.objects import pod
from bench.variants import GROUP, Variant
from testbed import certificates, processes, programs
from testbed.client import refusal
from testbed.controlplane import ControlPlane
from testbed.programs import Program
from testbed.readiness import eventually

_PORT = 8000
_RELEASED = "kubemacpool-mutator"
_ACCOUNT = "kubemacpool-webhook"
_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook that the API server calls, and that does not run yet."""

    cluster: ControlPlane
    variant: Variant
    name: str
    address: str
    pair: certificates.Pair

    @property
    def listen(self) -> str:
        """Address and port."""
        return f"{self.address}:{_PORT}"

    @property
    def ready_url(self) -> str:
        """The URL that answers 200 when it serves."""
        return f"https://{self.listen}/readyz"

    def wait_in_force(self) -> None:
        """Wait until the API server calls it: it does not run, so pods are refused."""
        client, namespace = self.cluster.kubectl.client, self.variant.namespace("pods")
        eventually(
            lambda: (
                "failed calling webhook"
                in refusal(lambda: client.create(pod().decode(), namespace, dry_run=True))
            ),
            f"the API server calls {self.name}",
        )

    def allow_secret(self) -> None:
        """Create its certificate as a Secret, which our program reads, and the right to read it."""
        home = {"name": self.name, "namespace": self.name}
        data = {"tls.crt": self.pair.pem, "tls.key": self.pair.key_pem}
        subject = {"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": programs.NAMESPACE}
        rule = {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": [programs.SERVICE],
            "verbs": ["list", "watch"],
        }
        for body in (
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {**home, "name": programs.SERVICE},
                "type": "kubernetes.io/tls",
                "stringData": data,
            },
            {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": home, "rules": [rule]},
            {
                "apiVersion": f"{_RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": home,
                "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": self.name},
                "subjects": [subject],
            },
        ):
            self.cluster.kubectl.client.apply(body)


def register(cluster: ControlPlane, variant: Variant) -> Hook:
    """Let the API server call a new webhook for the namespaces of `variant`."""
    client, name = cluster.kubectl.client, f"bench-{variant.slug}"
    client.create_namespace(name)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": name},
        "spec": {"ports": [{"port": _PORT}]},
    }
    address = client.apply(service)["spec"]["clusterIP"]
    authority = certificates.authority(f"{name}-ca")
    bundle = base64.b64encode(authority.pem.encode()).decode()
    configurations = "mutatingwebhookconfiguration"
    hooks = copy.deepcopy(client.read(configurations, _RELEASED)["webhooks"])
    for hook in hooks:
        hook["name"] = hook["name"].replace("kubemacpool.io", f"{variant.slug}.{GROUP}")
        hook["namespaceSelector"]["matchLabels"] = variant.labels
        hook["clientConfig"]["service"].update(name=name, namespace=name, port=_PORT)
        hook["clientConfig"]["caBundle"] = bundle
    client.apply(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": hooks,
        }
    )
    return Hook(cluster, variant, name, address, authority.issue(name, [f"{name}.{name}.svc"]))


def start_noop(hook: Hook) -> Program:
    """Start `bench.noop` of this checkout; return at once."""
    state = hook.cluster.state
    hook.pair.write(state, hook.name)
    files = (str(state / f"{hook.name}.{half}") for half in ("crt", "key"))
    flags = ("constant",) if hook.variant is Variant.CONSTANT else ()
    process = processes.start(
        hook.name,
        [sys.executable, "-m", "bench.noop", hook.address, str(_PORT), *files, *flags],
        state=state,
        env=processes.environment(PYTHONPATH=str(Path(__file__).parents[1])),
        lasting=False,
    )
    return Program(process, hook.ready_url)


def start_synchronous(
    hook: Hook, cluster: ControlPlane, name: str, *flags: str, env: Mapping[str, str]
) -> Program:
    """Start our webhook again, with the same service account but without a stock."""
    argv = ["-m", "webhook", "--stock", "0", "--namespace", hook.name, "--drain-s", "0"]
    return programs.start(
        cluster,
        name,
        [*argv, "--listen-addr", hook.listen, *flags],
        account=_ACCOUNT,
        ready_url=hook.ready_url,
        env=env,
    )
