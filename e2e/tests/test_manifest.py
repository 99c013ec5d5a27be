"""The one-file manifest on a cluster: applied in both ways, twice, and with few rights."""

import json
from functools import partial
from pathlib import Path

import pytest

from e2e import pool
from e2e.access import bind_role, may
from e2e.audit import CONTROLLER, WEBHOOK
from e2e.manifest import deployments
from testbed.client import Client
from testbed.connection import Refused
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.programs import NAMESPACE, start_controller, start_webhook
from testbed.readiness import eventually
from testbed.release import MANIFEST

MUTATOR = "mutatingwebhookconfiguration/kubemacpool-mutator"
WAYS = pytest.mark.parametrize(
    "way",
    [
        pytest.param([], id="client-side", marks=pytest.mark.long),
        pytest.param(["--server-side"], id="server-side"),
    ],
)


@pytest.fixture(scope="module")
def kubectl(bare_cluster: ControlPlane) -> Kubectl:
    """A cluster with the manifest, on which none of our programs runs."""
    return bare_cluster.kubectl


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
    """Return the warnings among the ConfigMap's events."""
    return kubectl("events", "-n", "kubemacpool-system", "--types=Warning")


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


# test_rights.py shows that our programs have all rights that they use, and no others.
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
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}

    def admitted() -> bool:  # only after the quota's controller has processed the quota
        try:
            said = "\n".join(client.ask_create(pod, dry_run=True).warnings)
        except Refused as refused:
            said = str(refused)
            assert "PodSecurity" not in said
            return False
        assert "PodSecurity" not in said
        return True

    eventually(admitted, "a pod of the Deployment")
