"""The one-file manifest: applied either way, twice, edited as documented, and asking for little."""

import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e import pool
from e2e.access import bind_role, may
from testbed.client import Client, refusal
from testbed.connection import Refused
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.programs import NAMESPACE, start_controller, start_webhook
from testbed.readiness import eventually
from testbed.release import MANIFEST

WEBHOOK = "system:serviceaccount:kubemacpool-system:kubemacpool-webhook"
CONTROLLER = "system:serviceaccount:kubemacpool-system:kubemacpool-controller"
MUTATOR = "mutatingwebhookconfiguration/kubemacpool-mutator"
LABEL = "mutatepods.kubemacpool.io"
NETWORKS = "k8s.v1.cni.cncf.io/networks"
NOT_SERVED = f'failed calling webhook "{LABEL}"'  # nothing runs behind it here
WAYS = pytest.mark.parametrize("way", [[], ["--server-side"]], ids=["client-side", "server-side"])


@pytest.fixture(scope="module")
def kubectl(bare_cluster: ControlPlane) -> Kubectl:
    """A cluster with the manifest, on which none of our programs runs."""
    return bare_cluster.kubectl


@pytest.fixture(scope="module")
def client(kubectl: Kubectl) -> Client:
    """The same administrator as `kubectl`."""
    return kubectl.client


@pytest.fixture
def opted_in(client: Client, namespace: str) -> str:
    """A namespace whose pods the API server sends to the webhook."""
    opt_in(client, namespace)
    return namespace


def opt_in(client: Client, namespace: str) -> None:
    """Opt in; the API server learns of it with a delay."""
    client.label("namespace", namespace, {LABEL: "allocate"})
    eventually(lambda: asks_us(client, namespace, pod("probe", "[]")), "the webhook is asked")


def pod(name: str, networks: str | None = None) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "annotations": {"other": "1"} | ({} if networks is None else {NETWORKS: networks}),
            },
            "spec": {"containers": [{"name": "main", "image": "none"}]},
        }
    )


def asks_us(client: Client, namespace: str, manifest: str) -> bool:
    return NOT_SERVED in refusal(lambda: client.create(manifest, namespace, dry_run=True))


def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text()))


@WAYS
def test_the_manifest_applies_to_an_empty_cluster_twice_and_again_the_other_way(
    empty_cluster: ControlPlane, way: list[str]
) -> None:
    kubectl, file = empty_cluster.kubectl, ("-f", str(MANIFEST))
    other = [] if way else ["--server-side"]

    kubectl("apply", *file, *way)
    kubectl("apply", *file, *way)
    assert kubectl("diff", *file, *way) == ""
    kubectl("apply", *file, *other)
    kubectl("apply", *file, *way)


@WAYS
def test_the_ca_bundle_that_the_controller_wrote_survives_another_apply(
    kubectl: Kubectl, way: list[str]
) -> None:
    path = "/webhooks/0/clientConfig/caBundle"
    written = json.dumps([{"op": "add", "path": path, "value": "Y2E="}])
    kubectl("patch", MUTATOR, "--type=json", "-p", written, f"--as={CONTROLLER}")

    kubectl("apply", "-f", str(MANIFEST), *way)

    assert kubectl.json("get", MUTATOR)["webhooks"][0]["clientConfig"]["caBundle"] == "Y2E="


def test_the_manifest_brings_no_ca_bundle() -> None:
    assert "caBundle" not in MANIFEST.read_text()


def test_the_documented_sed_changes_exactly_the_two_ends_of_the_range(tmp_path: Path) -> None:
    edited = tmp_path / "kubemacpool.yaml"
    edited.write_text(MANIFEST.read_text())

    for tail in ("00:00:00", "FF:FF:FF"):
        script = f"s/02:{tail[:2]}:{tail[:2]}:{tail}/02:1e:b4:{tail}/"
        subprocess.run(["sed", "-i", script, str(edited)], check=True)

    lines = zip(MANIFEST.read_text().splitlines(), edited.read_text().splitlines(), strict=True)
    assert sum(before != after for before, after in lines) == 2
    changed = [
        document
        for document in yaml.safe_load_all(edited.read_text())
        if document not in documents()
    ]
    assert [document["metadata"]["name"] for document in changed] == [
        "kubemacpool-mac-range-config"
    ]
    assert changed[0]["data"] == {
        "RANGE_START": "02:1e:b4:00:00:00",
        "RANGE_END": "02:1e:b4:FF:FF:FF",
    }


def test_a_range_that_is_unusable_at_the_first_install_is_reported_and_then_mended(
    kubectl: Kubectl, bare_cluster: ControlPlane
) -> None:
    client = kubectl.client
    client.delete("macpool", "default", missing_ok=True)
    pool.edit(kubectl, RANGE_START="none")
    controller = start_controller(bare_cluster, "controller-mended")
    try:
        client.wait("macpool", "default", bool, "the pool is created")
        eventually(
            lambda: pool.condition(kubectl, "Ready").get("reason") == "InvalidRange",
            "MacPool default says that the range is unusable",
        )
        eventually(lambda: "'none' is not a MAC address" in warnings(kubectl), "a warning")
        spec = client.read("macpool", "default")["spec"]
        assert spec == {"ranges": [], "collisionPolicy": "Reject"}

        pool.edit(kubectl, RANGE_START="02:00:00:00:00:00")
        eventually(
            lambda: pool.condition(kubectl, "Ready").get("status") == "True",
            "the mended range is in force",
        )
    finally:
        pool.edit(kubectl, RANGE_START="02:00:00:00:00:00")
        controller.process.stop()


def warnings(kubectl: Kubectl) -> str:
    """What `kubectl describe` shows of the ConfigMap's events."""
    return kubectl("events", "-n", "kubemacpool-system", "--types=Warning")


def test_a_pod_without_the_annotation_never_reaches_the_webhook(
    client: Client, opted_in: str
) -> None:
    assert client.create(pod("plain"), opted_in)


def test_a_pod_with_the_annotation_waits_for_the_webhook(client: Client, opted_in: str) -> None:
    said = refusal(lambda: client.create(pod("web", "[]"), opted_in))

    assert NOT_SERVED in said


def test_a_namespace_that_opted_out_again_never_reaches_the_webhook(
    client: Client, opted_in: str
) -> None:
    client.label("namespace", opted_in, {LABEL: None})

    eventually(lambda: not asks_us(client, opted_in, pod("web", "[]")), "no more asked")


@pytest.mark.parametrize("label", ["runlevel", "openshift.io/run-level"])
@pytest.mark.parametrize("level", ["0", "1"])
def test_a_namespace_of_the_platform_never_reaches_the_webhook(
    client: Client, opted_in: str, label: str, level: str
) -> None:
    client.label("namespace", opted_in, {label: level})

    eventually(lambda: not asks_us(client, opted_in, pod("web", "[]")), "no more asked")


def test_only_an_update_that_changes_the_annotation_reaches_the_webhook(
    client: Client, namespace: str
) -> None:
    client.create(pod("before", "[]"), namespace)
    client.create(pod("plain"), namespace)
    opt_in(client, namespace)

    client.label("pod", "before", {"a": "b"}, namespace)
    client.annotate("pod", "before", {"other": "2"}, namespace)
    client.annotate("pod", "before", {NETWORKS: None}, namespace)

    def refused(name: str) -> str:
        return refusal(lambda: client.annotate("pod", name, {NETWORKS: "net"}, namespace))

    assert NOT_SERVED in refused("before")  # changed
    assert NOT_SERVED in refused("plain")  # added


def deployments() -> dict[str, dict[str, Any]]:
    """The pod templates of the Deployments, by name."""
    return {
        document["metadata"]["name"]: document["spec"]["template"]
        for document in documents()
        if document["kind"] == "Deployment"
    }


def selects(policy: dict[str, Any], template: dict[str, Any]) -> bool:
    wanted = policy["spec"]["podSelector"].get("matchLabels", {})
    return bool(wanted.items() <= template["metadata"]["labels"].items())


def test_our_pods_accept_connections_only_at_the_ports_that_they_name() -> None:
    policies = [document for document in documents() if document["kind"] == "NetworkPolicy"]
    assert all(policy["spec"]["policyTypes"] == ["Ingress"] for policy in policies)
    assert [
        policy
        for policy in policies
        if policy["spec"]["podSelector"] == {} and len(policy["spec"]) == 2
    ]

    for template in deployments().values():
        [container] = template["spec"]["containers"]
        rules = [
            rule
            for policy in policies
            if selects(policy, template)
            for rule in policy["spec"].get("ingress", [])
        ]
        assert all(rule.keys() == {"ports"} for rule in rules)  # from anywhere
        opened = {(port["protocol"], port["port"]) for rule in rules for port in rule["ports"]}
        assert opened == {("TCP", port["containerPort"]) for port in container["ports"]}


def test_an_uninstall_takes_the_webhook_configuration_away_before_what_it_calls() -> None:
    kinds = [document["kind"] for document in documents()]  # kubectl delete -f goes by this order

    assert kinds[0] == "MutatingWebhookConfiguration"


def test_no_pod_gets_a_token_of_ours_but_those_that_say_so() -> None:
    accounts = [document for document in documents() if document["kind"] == "ServiceAccount"]

    assert {
        account["metadata"]["name"]: account["automountServiceAccountToken"] for account in accounts
    } == {template["spec"]["serviceAccountName"]: False for template in deployments().values()}
    assert all(
        deployment["spec"]["automountServiceAccountToken"] for deployment in deployments().values()
    )


def test_an_upgrade_and_a_drain_leave_a_webhook_that_answers() -> None:
    [budget] = (document for document in documents() if document["kind"] == "PodDisruptionBudget")
    name = budget["metadata"]["name"]

    assert selects({"spec": {"podSelector": budget["spec"]["selector"]}}, deployments()[name])
    assert budget["spec"]["maxUnavailable"] == 1
    for document in documents():
        if document["kind"] == "Deployment":
            assert document["spec"]["replicas"] == 2
            assert document["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_a_quota_lets_our_pods_have_their_priority_where_that_needs_one() -> None:
    [quota] = (document for document in documents() if document["kind"] == "ResourceQuota")
    [scope] = quota["spec"]["scopeSelector"]["matchExpressions"]

    assert (scope["scopeName"], scope["operator"]) == ("PriorityClass", "In")
    assert quota["spec"]["hard"].keys() == {"pods"}
    for template in deployments().values():
        assert template["spec"]["priorityClassName"] in scope["values"]


def test_the_image_is_built_from_what_the_dockerfile_copies_and_no_more() -> None:
    project = Path(__file__).parents[2]
    lines = [line.split() for line in (project / "Dockerfile").read_text().splitlines()]
    copied = {line[1] for line in lines if line[:1] == ["COPY"] and not line[1].startswith("--")}

    ignored = (project / ".dockerignore").read_text().splitlines()

    rules = [line for line in ignored if not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == copied
    assert rules[-3:] == ["**/tests", "**/conftest.py", "**/__pycache__"]


IN_A_POD = """
import errno, os, pwd, sys

def refuse(event, args):
    writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    if event == "open" and not isinstance(args[0], int) and args[2] & writes:
        raise OSError(errno.EROFS, "the disk of our pods is read-only", args[0])
    if event.startswith("tempfile."):
        raise OSError(errno.EROFS, event)

def unknown(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")

sys.addaudithook(refuse)
pwd.getpwuid = unknown
os.environ["HOME"] = "/"
for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
    os.environ.pop(name, None)
os.write(2, b"nothing can be written\\n")
"""


def test_our_programs_need_no_disk_to_write_to_and_no_name_for_their_user(
    kubectl: Kubectl, bare_cluster: ControlPlane, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(IN_A_POD)
    checkout = Path(__file__).parents[2]
    env = {"PYTHONPATH": f"{tmp_path}:{checkout}", "PYTHONDONTWRITEBYTECODE": "1"}
    programs = [
        start_controller(bare_cluster, "controller-diskless", env=env),
        start_webhook(bare_cluster, "webhook-diskless", env=env),
    ]
    try:
        for program in programs:
            program.wait_ready()
            assert program.process.log.read_text().startswith("nothing can be written")
        pool.edit(kubectl, RANGE_START="02:00:00:00:00:01")
        eventually(
            lambda: pool.in_force(kubectl) == "02:00:00:00:00:01",
            "the controller follows what people edit",
        )
        assert "kopf ended" not in programs[0].process.log.read_text()
    finally:
        pool.edit(kubectl, RANGE_START="02:00:00:00:00:00")
        for program in programs:
            program.process.stop()


# That they may do what they must, and no more than they do, is test_rights's.
FORBIDDEN = [  # account, verb, resource, name, namespace
    (WEBHOOK, "watch", "pods", "", ""),
    (WEBHOOK, "list", "secrets", "", NAMESPACE),
    (WEBHOOK, "get", "secret", "kubemacpool-mutator-ca", NAMESPACE),
    (WEBHOOK, "get", "secret", "kubemacpool-service", NAMESPACE),
    (WEBHOOK, "get", "macpools", "", ""),
    (WEBHOOK, "patch", "macpools", "", ""),
    (CONTROLLER, "patch", "pods", "", "default"),
    (CONTROLLER, "get", "secrets", "", "default"),
    (CONTROLLER, "patch", "mutatingwebhookconfiguration", "another", ""),
    (CONTROLLER, "delete", "secrets", "", NAMESPACE),
    (CONTROLLER, "patch", "secret", "another", NAMESPACE),
    (CONTROLLER, "update", "secrets", "", NAMESPACE),
    (CONTROLLER, "update", "lease", "another", NAMESPACE),
    (CONTROLLER, "create", "events", "", NAMESPACE),
    (CONTROLLER, "patch", "events.events.k8s.io", "", "default"),
    (CONTROLLER, "list", "events.events.k8s.io", "", "default"),
    (CONTROLLER, "patch", "configmaps", "", NAMESPACE),
    (CONTROLLER, "get", "configmap", "another", NAMESPACE),
    (CONTROLLER, "get", "secret", "another", NAMESPACE),
    (CONTROLLER, "patch", "macpool", "another", ""),
    (CONTROLLER, "list", "customresourcedefinitions", "", ""),
]


def test_our_programs_may_do_no_more(client: Client) -> None:
    assert [
        (who, verb, kind, name, namespace)
        for who, verb, kind, name, namespace in FORBIDDEN
        if may(client, who, verb, kind, name=name, namespace=namespace)
    ] == []


@pytest.mark.parametrize("role", ["view", "edit", "admin"])
def test_a_user_who_may_view_the_cluster_sees_the_addresses_and_writes_none(
    client: Client, role: str
) -> None:
    ann = f"{role}-ann"
    bind_role(client, ann, role)

    eventually(lambda: may(client, ann, "list", "macallocations"), "view is aggregated")

    assert may(client, ann, "get", "macpools")
    assert not may(client, ann, "create", "macallocations")


def test_our_programs_have_seats_of_their_own_at_the_api_server(
    kubectl: Kubectl, client: Client
) -> None:
    schema = client.read("flowschema", "kubemacpool")["metadata"]["uid"]

    def is_matched(*who: str) -> bool:
        path = "/apis/kubemacpool.io/v1beta1/macallocations"
        return schema in kubectl.run("get", "--raw", path, "-v=8", *who).stderr

    for account in (WEBHOOK, CONTROLLER):
        eventually(partial(is_matched, f"--as={account}"), "the API server counts us apart")
    assert not is_matched()


@pytest.mark.parametrize(
    "deployment", ["kubemacpool-mac-controller-manager", "kubemacpool-controller"]
)
def test_the_namespaces_restricted_level_admits_our_pods(client: Client, deployment: str) -> None:
    template = deployments()[deployment]
    metadata = template["metadata"] | {"name": "try", "namespace": NAMESPACE}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}

    def admitted() -> bool:  # not before the quota's controller has looked at the quota
        try:
            said = "\n".join(client.ask_create(manifest, dry_run=True).warnings)
        except Refused as refused:
            said = str(refused)
            assert "PodSecurity" not in said
            return False
        assert "PodSecurity" not in said
        return True

    eventually(admitted, "a pod of the Deployment")
