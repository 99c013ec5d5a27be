"""The CRD and the release agree with the table of owner kinds and with the fixed names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from crds import kinds, names
from crds.allocation import Owner
from crds.carriers import Carrier, OwnerReference
from crds.resources import KINDS, READERS

ROOT = Path(__file__).parents[2]
SPEC: dict[str, Any] = yaml.safe_load((ROOT / "crds/macallocation.yaml").read_text())["spec"]
FIELDS = SPEC["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
RELEASE: list[dict[str, Any]] = [
    manifest
    for page in sorted((ROOT / "deploy/base").glob("*.yaml"))
    for manifest in yaml.safe_load_all(page.read_text())
    if manifest
]


@pytest.mark.parametrize("field", ["owner", "reservedFor"])
def test_the_crd_takes_these_kinds(field: str) -> None:
    assert set(FIELDS[field]["properties"]["kind"]["enum"]) == set(kinds.KINDS)


def test_every_kind_has_a_reader_and_no_other_kind_has() -> None:
    assert list(KINDS) == list(kinds.KINDS)
    assert READERS.keys() == kinds.KINDS.keys()


def test_every_kind_is_served_by_a_webhook_of_the_release() -> None:
    (mutator,) = (
        document for document in RELEASE if document["kind"] == "MutatingWebhookConfiguration"
    )
    served = {webhook["name"] for webhook in mutator["webhooks"]}

    assert mutator["metadata"]["name"] == names.MUTATOR
    assert served == {kind.webhook for kind in kinds.KINDS.values()}


@pytest.mark.parametrize(
    ("program", "verbs"), [("controller", {"get", "list", "watch"}), ("webhook", {"get"})]
)
def test_both_programs_may_read_every_kind(program: str, verbs: set[str]) -> None:
    (role,) = (
        manifest
        for manifest in RELEASE
        if manifest["kind"] == "ClusterRole"
        and manifest["metadata"]["name"] == f"kubemacpool-{program}"
    )
    for kind in kinds.KINDS.values():
        group = kind.api_version.rpartition("/")[0]
        granted: set[str] = set()
        for rule in role["rules"]:
            if group in rule.get("apiGroups", ()) and kind.plural in rule["resources"]:
                granted |= set(rule["verbs"])
        assert verbs <= granted, f"{program} may not {verbs - granted} {kind.plural}"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Namespace", names.NAMESPACE),
        ("ConfigMap", names.CONFIG_MAP),
        ("Service", names.SERVICE),
        ("Deployment", names.CONTROLLER),
        ("ServiceAccount", names.CONTROLLER),
        ("ServiceAccount", names.WEBHOOK),
    ],
)
def test_the_release_has_these_names(kind: str, name: str) -> None:
    assert name in {
        document["metadata"]["name"] for document in RELEASE if document["kind"] == kind
    }


def test_a_kind_that_is_not_in_the_table_is_its_own_root() -> None:
    robot = Carrier("example.org/v1", "Robot", "shop", "r2", "u-1", "1")
    owner = Owner(api_version="example.org/v1", kind="Robot", namespace="shop", name="r2")

    assert robot.root == owner.root == ("Robot", "shop", "r2")
    assert not kinds.is_vm("Robot")
    assert not kinds.keeps_hidden("Robot")


def test_a_vm_its_vmi_and_its_launcher_are_of_one_root() -> None:
    vm = Carrier(kinds.KUBEVIRT, "VirtualMachine", "shop", "db", "u-1", "1")
    by_vm = OwnerReference("VirtualMachine", "db", "u-1")
    vmi = Carrier(kinds.KUBEVIRT, kinds.VMI.name, "shop", "db", "u-2", "1", controller=by_vm)
    by_vmi = OwnerReference(kinds.VMI.name, "db", "u-2")
    launcher = Carrier("v1", "Pod", "shop", "virt-launcher-db", "u-3", "1", controller=by_vmi)

    assert {vm.root, vmi.root, launcher.root} == {("VirtualMachine", "shop", "db")}
    assert kinds.read_by_name("VirtualMachine") == (kinds.VM, kinds.VMI)
    assert kinds.read_by_name("Pod") == (kinds.POD,)
