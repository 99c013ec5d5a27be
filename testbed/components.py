"""The command line of each component, and the URL that shows that it is ready."""

from pathlib import Path

from testbed.plan import Plan

AUTHORITY = "kube-apiserver/apiserver.crt"  # the API server signs it itself, at its first start
FRONT_PROXY = "front-proxy"


def argv(name: str, plan: Plan, state: Path) -> list[str]:
    """Return the command line of the component `name`."""
    arguments = {
        "etcd": _etcd,
        "kube-apiserver": _apiserver,
        "kube-controller-manager": _controller_manager,
    }[name](plan, state)
    return [plan.binaries[name], *arguments]


def ready_url(name: str, plan: Plan) -> str:
    """Return the URL that answers 200 when the component `name` is ready."""
    path = "/healthz" if name == "kube-controller-manager" else "/readyz"
    return plan.url(name) + path


def _etcd(plan: Plan, state: Path) -> list[str]:
    client = plan.url("etcd")
    peer = plan.url("etcd-peer")
    return [
        f"--data-dir={state / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # survives kill -9, not a power cut: enough for a test bed
        "--log-level=warn",
    ]


def _apiserver(plan: Plan, state: Path) -> list[str]:
    arguments = [
        f"--etcd-servers={plan.url('etcd')}",
        f"--bind-address={plan.address}",
        f"--advertise-address={plan.address}",
        "--endpoint-reconciler-type=none",  # it would refuse a loopback address, every 10 s
        f"--secure-port={plan.ports['kube-apiserver']}",
        f"--cert-dir={state / 'kube-apiserver'}",
        f"--token-auth-file={state / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={state / 'service-account.key'}",
        f"--service-account-key-file={state / 'service-account.key'}",
        # Without aggregator routing a webhook's Service is dialled by its ClusterIP, and a
        # loopback one is an address that the webhook itself can listen on: no kube-proxy, no root.
        f"--service-cluster-ip-range={plan.service_network}",
        "--enable-aggregator-routing=false",
        # Aggregated APIs (KubeVirt's subresources) recognize the API server by these.
        f"--requestheader-client-ca-file={state / FRONT_PROXY}-ca.crt",
        f"--requestheader-allowed-names={FRONT_PROXY}-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={state / FRONT_PROXY}-client.crt",
        f"--proxy-client-key-file={state / FRONT_PROXY}-client.key",
        "--kubelet-preferred-address-types=InternalIP",  # node names are in no DNS
        "--allow-privileged=true",
    ]
    if plan.audit:
        arguments += [
            f"--audit-policy-file={state / 'audit-policy.yaml'}",
            f"--audit-log-path={state / 'audit.log'}",
        ]
    return arguments


def _controller_manager(plan: Plan, state: Path) -> list[str]:
    name = "kube-controller-manager"
    return [
        f"--kubeconfig={state / name}.kubeconfig",
        f"--bind-address={plan.address}",
        f"--secure-port={plan.ports[name]}",
        f"--cert-dir={state / name}",
        "--leader-elect=false",  # alone, and back at once after a kill
        "--use-service-account-credentials=true",
        # No kubelet reports for the nodes that tests make: they and their pods stay as they are.
        "--controllers=*,-node-lifecycle-controller",
        f"--service-account-private-key-file={state / 'service-account.key'}",
        f"--root-ca-file={state / AUTHORITY}",
        "--kube-api-qps=200",  # the default of 20 makes tests wait, not fail
        "--kube-api-burst=400",
    ]
