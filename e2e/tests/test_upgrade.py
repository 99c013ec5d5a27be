"""Upgrade from the previous manifest, roll back, uninstall, reinstall: users keep their objects.

The programs are always the current ones: of the previous release there is only the manifest.
"""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e import pool
from e2e.load import Crowd
from e2e.pods import OPTED_IN, PodNamespace, allocation
from e2e.vms import LAN, OPTED_IN_VMS, VmNamespace
from testbed.client import Client
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.kubevirt import apply_vm_crds, remove_crds
from testbed.programs import NAMESPACE
from testbed.readiness import eventually
from testbed.release import MANIFEST, apply_release, start, stop, wait_in_force

PREVIOUS = Path(__file__).parent / "manifests" / "previous.yaml"
MUTATOR = ("mutatingwebhookconfiguration", "kubemacpool-mutator")
WAYS = pytest.mark.parametrize(
    "way",
    [
        pytest.param([], id="client-side"),
        pytest.param(["--server-side"], id="server-side", marks=pytest.mark.long),
    ],
)
RANGE = ("06:00:00:00:00:00", "06:00:00:00:ff:ff")
DECLARED, CLAIMED = "0a:00:00:00:0a:01", "0a:00:00:00:0a:02"
QUIET_S = 1
JSON_PATCH = "application/json-patch+json"
RESERVED = {"start": "06:00:00:00:00:10"}


def their_copy(release: Path, folder: Path) -> str:
    """Return the manifest with a custom range, as the README tells users to keep it."""
    text = release.read_text()
    for ours, theirs in zip(("02:00:00:00:00:00", "02:FF:FF:FF:FF:FF"), RANGE, strict=True):
        text = text.replace(ours, theirs)
    file = folder / release.name
    file.write_text(text)
    return str(file)


def kept(kubectl: Kubectl, namespace: str) -> dict[str, Any]:
    """Return the objects of users that an upgrade must leave as they are."""
    client = kubectl.client
    allocations = client.list("macallocations")
    webhooks = client.read(*MUTATOR)["webhooks"]
    return {
        "allocations": {
            allocation["metadata"]["uid"]: allocation["spec"]
            for allocation in allocations
            if allocation["spec"]["state"] != "Stock"  # without an owner, gone with its webhook
        },
        "reserved": client.read("macpool", "default")["spec"]["reserved"],
        "range": pool.configured(kubectl),
        "policy": client.read("configmap", *pool.CONFIG)["data"]["COLLISION_POLICY"],
        "bundles": [webhook["clientConfig"]["caBundle"] for webhook in webhooks],
        "labels": client.read("namespace", namespace)["metadata"]["labels"],
        "pods": [
            (pod["metadata"]["uid"], pod["metadata"]["annotations"])
            for pod in client.list("pods", namespace)
        ],
        "secrets": client.list("secrets", NAMESPACE),
    }


@WAYS
def test_an_upgrade_and_a_roll_back_leave_users_their_objects_and_serve_on(
    empty_cluster: ControlPlane, way: list[str], tmp_path: Path
) -> None:
    old, new = their_copy(PREVIOUS, tmp_path), their_copy(MANIFEST, tmp_path)
    pods = in_use(empty_cluster, old, way)
    kubectl = empty_cluster.kubectl

    serves_on(empty_cluster, pods, new, way)
    assert kubectl.client.get("role", "kubemacpool-certificates", NAMESPACE)
    pods.delete("claimant")
    pods.holds(CLAIMED, lambda found: found["spec"]["state"] == "Declared", "Declared again")

    serves_on(empty_cluster, pods, old, way)
    kubectl.client.delete("namespace", pods.namespace, wait=False)


def serves_on(cluster: ControlPlane, pods: PodNamespace, file: str, way: list[str]) -> None:
    """Apply another release; it changes no object of users, and serves the next pod."""
    kubectl, before = cluster.kubectl, kept(cluster.kubectl, pods.namespace)

    kubectl("apply", "-f", file, *way)

    assert kept(kubectl, pods.namespace) == before
    assert kubectl("diff", "-f", file, *way) == ""
    start(cluster, replicas=1, quiet_s=QUIET_S)
    name = f"served-by-{Path(file).stem}"
    [element] = pods.create(name, [{"name": "a"}])
    pods.bound(element["mac"], name)
    assert before["allocations"].items() <= kept(kubectl, pods.namespace)["allocations"].items()


def in_use(cluster: ControlPlane, file: str, way: list[str]) -> PodNamespace:
    """A release on a cluster, and a namespace with all kinds of objects of users."""
    kubectl, namespace = cluster.kubectl, f"shop-{secrets.token_hex(4)}"
    kubectl("apply", "-f", file, *way)
    client = kubectl.client
    for crd in ("macallocations.kubemacpool.io", "macpools.kubemacpool.io"):
        client.wait_established(crd)
    pool.edit(kubectl, COLLISION_POLICY="Warn")
    start(cluster, replicas=1, quiet_s=QUIET_S)
    client.create_namespace(namespace, **OPTED_IN, team="network")
    client.patch("macpool", "default", {"spec": {"reserved": [RESERVED]}})
    for mac in (DECLARED, CLAIMED):
        client.create(allocation(mac))
    pods = PodNamespace(kubectl, namespace)
    [element] = eventually(lambda: served(pods, "samplepod"), "a pod with an address")
    pods.bound(element["mac"], "samplepod")
    pods.create("claimant", [{"name": "a", "mac": CLAIMED}])
    pods.bound(CLAIMED, "claimant")
    return pods


def served(pods: PodNamespace, name: str) -> list[dict[str, Any]]:
    """Create a pod where there is none yet; return its elements once it has addresses."""
    if any("mac" not in element for element in pods.create(name, [{"name": "a"}])):
        pods.delete(name)
        return []
    return pods.elements(name)


@dataclass(frozen=True, slots=True)
class Edit:
    """An administrator changed a field of the manifest by hand."""

    what: tuple[str, ...]
    path: str  # a JSON pointer
    value: object

    def shown(self, client: Client) -> object:
        """Return what is written there now."""
        found: Any = client.read(*self.what)
        for key in self.path.split("/")[1:]:
            found = found[int(key) if isinstance(found, list) else key]
        return found


EDITED = {
    "the label's value": Edit(
        MUTATOR,
        "/webhooks/0/namespaceSelector/matchLabels",
        {"mutatepods.kubemacpool.io": "production"},
    ),
    "the number of webhooks": Edit(
        ("deployment", "kubemacpool-mac-controller-manager", NAMESPACE),
        "/spec/replicas",
        3,
    ),
    "the life of certificates": Edit(
        ("deployment", "kubemacpool-controller", NAMESPACE),
        "/spec/template/spec/containers/0/env/1/value",
        "720h0m0s",
    ),
    "who reaches the webhook": Edit(
        ("networkpolicy", "kubemacpool-webhook", NAMESPACE),
        "/spec/ingress",
        [{"from": [{"ipBlock": {"cidr": "192.0.2.10/32"}}], "ports": [{"port": 8000}]}],
    ),
}


@WAYS
def test_an_apply_brings_back_each_part_of_the_manifest_that_was_edited_by_hand(
    bare_cluster: ControlPlane, way: list[str]
) -> None:
    kubectl = bare_cluster.kubectl
    file, force = ("apply", "-f", str(MANIFEST)), (*way, "--force-conflicts") if way else ()
    kubectl(*file, *force)
    client = kubectl.client
    original = shown(client)
    for edit in EDITED.values():
        kind, name, *namespace = edit.what
        change = [{"op": "replace", "path": edit.path, "value": edit.value}]
        client.patch(kind, name, change, *namespace, content=JSON_PATCH)
    edited = shown(client)
    assert all(edited[name] != original[name] for name in EDITED)

    if way:  # it says so first
        assert kubectl.fails(*file, *way).count("Apply failed with") == len(EDITED)
        assert shown(client) == edited
    kubectl(*file, *force)

    assert shown(client) == original


def shown(client: Client) -> dict[str, object]:
    """Return each edited field as it is now."""
    return {name: edit.shown(client) for name, edit in EDITED.items()}


def test_an_uninstall_ends_and_leaves_users_their_objects_and_the_next_install_knows_them(
    empty_cluster: ControlPlane,
) -> None:
    cluster, kubectl = empty_cluster, empty_cluster.kubectl
    apply_vm_crds(kubectl)
    apply_release(kubectl)
    start(cluster, replicas=2, quiet_s=QUIET_S)
    pods, machine = _served_both(kubectl)
    [pod] = pods.elements("samplepod")
    vms = VmNamespace(kubectl, pods.namespace)
    labels = kubectl.client.read("namespace", pods.namespace)["metadata"]["labels"]

    # A request under way may meet a program that is losing its rights; the next try is served.
    crowd, names = Crowd(cluster.kubeconfig, 2), [f"during-{number}" for number in range(200)]
    with crowd.begin(pods.namespace, names, [{"name": "a"}], tries=3) as answered:
        eventually(lambda: answered() > 0, "pods created during the uninstall")
        kubectl("delete", "-f", str(MANIFEST))

    stop(cluster)
    assert crowd.refusals == []
    assert kubectl.client.get("namespace", NAMESPACE) is None
    assert "macallocations" not in kubectl("api-resources", "-o", "name", "--cached=false")
    assert kubectl("get", _ALL_OURS, "-l", "app=kubemacpool", "-o", "name") == ""
    assert kubectl.client.read("namespace", pods.namespace)["metadata"]["labels"] == labels
    assert pods.elements("samplepod") == [pod]
    assert vms.addresses("db") == {"lan": machine}
    [unserved] = pods.create("afterwards", [{"name": "a"}])
    assert "mac" not in unserved
    assert vms.create("later", LAN) == {"lan": ""}

    apply_release(kubectl)
    start(cluster, replicas=2, quiet_s=QUIET_S)

    assert pods.bound(pod["mac"], "samplepod")["source"] == "Adopted"
    assert vms.bound(machine, "db")["source"] == "Adopted"
    wait_in_force(kubectl)
    assert "belongs to" in pods.refuses("thief", [{"name": "a", "mac": pod["mac"]}])
    stop(cluster)
    kubectl.client.delete("namespace", pods.namespace, wait=False)
    remove_crds(kubectl)


_ALL_OURS = (
    "clusterrole,clusterrolebinding,mutatingwebhookconfiguration,validatingadmissionpolicy,"
    "validatingadmissionpolicybinding,flowschema,prioritylevelconfiguration,crd"
)


def _served_both(kubectl: Kubectl) -> tuple[PodNamespace, str]:
    """A namespace with a pod and a VM that have addresses; and the VM's."""
    namespace = f"shop-{secrets.token_hex(4)}"
    kubectl.client.create_namespace(namespace, **OPTED_IN, **OPTED_IN_VMS)
    pods, vms = PodNamespace(kubectl, namespace), VmNamespace(kubectl, namespace)
    eventually(lambda: served(pods, "samplepod"), "a pod with an address")
    eventually(lambda: _serves_vms(vms), "VMs are served")
    machine = vms.create("db", LAN)["lan"]
    vms.bound(machine, "db")
    return pods, machine


def _serves_vms(vms: VmNamespace) -> bool:
    """Return True if the API server asks the webhook for VMs by now."""
    mac = vms.create("probe", LAN)["lan"]
    vms.delete("vm", "probe")
    return bool(mac)
