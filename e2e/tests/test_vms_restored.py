"""Snapshots restored, VMs cloned and created again: KubeVirt's own virt-controller does it.

The VMs have no disks, so no volume is copied.
"""

from collections.abc import Collection
from typing import Any

import pytest

from e2e.copies import Copies
from e2e.vms import NAT, KubeVirtNamespace
from testbed.client import refusal
from testbed.kubevirt.virtualmachines import Interface
from testbed.readiness import eventually

OURS = "0a:00:00:00:0e:"


@pytest.fixture
def copies(vms: KubeVirtNamespace) -> Copies:
    return Copies(vms)


@pytest.fixture
def web(vms: KubeVirtNamespace, copies: Copies) -> dict[str, str]:
    """A stopped VM with a snapshot `before`; its addresses."""
    macs = vms.create("web")
    vms.pods.eventually_owns(list(macs.values()))
    copies.snapshot("web", "before")
    return macs


def test_a_snapshot_takes_no_address(vms: KubeVirtNamespace, web: dict[str, str]) -> None:
    vms.pods.eventually_owns(list(web.values()))
    assert vms.addresses("web") == web


def test_a_restore_in_place_brings_the_addresses_back(
    vms: KubeVirtNamespace, copies: Copies, web: dict[str, str]
) -> None:
    vms.edit("web", [NAT.device, _lan(OURS + "01").device])
    vms.freed(web["lan"])

    copies.restore("back", "before", "web")
    copies.restored("back")

    assert vms.addresses("web") == web
    vms.freed(OURS + "01")
    vms.pods.eventually_owns(list(web.values()))


def test_a_restore_in_place_waits_until_another_vm_with_its_address_is_gone(
    vms: KubeVirtNamespace, copies: Copies, web: dict[str, str]
) -> None:
    vms.edit("web", [NAT.device, _lan(OURS + "02").device])
    vms.freed(web["lan"])
    vms.create("heir", _lan(web["lan"]))
    vms.bound(web["lan"], "heir")

    copies.restore("back", "before", "web")

    for said in copies.said("back"):
        assert f"asks for {web['lan']}, which belongs to VirtualMachine" in said
        assert f"{vms.namespace}/heir (interface lan): choose another address" in said
    assert vms.addresses("web")["lan"] == OURS + "02"
    vms.delete("vm", "heir")
    copies.restored("back")
    assert vms.addresses("web") == web
    vms.bound(web["lan"], "web")


def test_a_snapshot_of_a_running_vm_holds_the_addresses_that_it_was_started_with(
    vms: KubeVirtNamespace, copies: Copies
) -> None:
    macs = vms.create("web")
    vms.run("web")
    vms.edit("web", [NAT.device, _lan(OURS + "03").device])
    vms.bound(OURS + "03", "web")

    copies.snapshot("web", "running")
    vms.halt("web")
    copies.restore("back", "running", "web")
    copies.restored("back")

    assert vms.addresses("web") == macs
    vms.freed(OURS + "03")
    vms.pods.eventually_owns(list(macs.values()))


def test_a_restore_beside_its_original_is_refused_until_the_original_is_deleted(
    vms: KubeVirtNamespace, copies: Copies, web: dict[str, str]
) -> None:
    copies.restore("beside", "before", "copy")

    for said in copies.said("beside"):
        assert f"belongs to VirtualMachine {vms.namespace}/web" in said
        assert "choose another address, or leave out the mac" in said
    assert vms.gone("vm", "copy")
    vms.delete("vm", "web")
    copies.restored("beside")
    assert vms.addresses("copy") == web
    for mac in web.values():
        vms.bound(mac, "copy")


def test_a_restore_whose_patches_clear_the_addresses_gets_its_own(
    vms: KubeVirtNamespace, copies: Copies, web: dict[str, str]
) -> None:
    copies.restore("beside", "before", "copy", without_macs_of=2)
    copies.restored("beside")

    others = vms.addresses("copy")
    assert all(others.values())
    assert not {*others.values()} & {*web.values()}
    vms.pods.eventually_owns([*web.values(), *others.values()])


def test_a_clone_gets_addresses_of_its_own(
    vms: KubeVirtNamespace, copies: Copies, web: dict[str, str]
) -> None:
    copies.clone("twin", "web", "copy")
    copies.cloned("twin")

    others = vms.addresses("copy")
    assert all(others.values())
    assert not {*others.values()} & {*web.values()}
    vms.pods.eventually_owns([*web.values(), *others.values()])


def test_a_clone_keeps_the_addresses_that_its_author_wrote(
    vms: KubeVirtNamespace, copies: Copies, web: dict[str, str]
) -> None:
    written = (OURS + "04").replace(":", "-")

    copies.clone("twin", "web", "copy", {"lan": written})
    copies.cloned("twin")

    others = vms.addresses("copy")
    assert others["lan"] == written
    assert vms.bound(OURS + "04", "copy")["source"] == "Requested"
    vms.pods.eventually_owns([*web.values(), others["default"], OURS + "04"])


@pytest.mark.usefixtures("web")
def test_kubevirt_itself_refuses_a_clone_s_address_that_is_written_with_colons(
    vms: KubeVirtNamespace, copies: Copies
) -> None:
    copies.clone("twin", "web", "copy", {"lan": OURS + "05"})

    [said] = vms.client.until(
        "events", _messages, "KubeVirt saying why", vms.namespace,
        fields="reason=RestoreCreationFailed,involvedObject.name=twin",
    )  # fmt: skip
    assert 'patch format is not valid - one ":" expected' in said
    assert vms.pods.allocation(OURS + "05") is None


def test_a_clone_that_asks_for_an_address_in_use_is_refused_and_its_restore_says_so(
    vms: KubeVirtNamespace, copies: Copies, web: dict[str, str]
) -> None:
    copies.clone("twin", "web", "copy", {"lan": web["lan"].replace(":", "-")})

    uid = vms.get("vmclone", "twin")["metadata"]["uid"]
    for said in copies.said(f"tmp-restore-{uid}"):
        assert f"asks for {web['lan']}, which belongs to VirtualMachine" in said
    assert vms.gone("vm", "copy")


def test_a_backup_created_again_gets_its_addresses_at_once(
    vms: KubeVirtNamespace, copies: Copies, web: dict[str, str]
) -> None:
    backup = copies.backup("web")
    vms.delete("vm", "web")

    vms.client.create(backup, vms.namespace)

    assert vms.addresses("web") == web
    for mac in web.values():
        vms.bound(mac, "web")


def test_a_backup_created_under_another_name_waits_for_the_original_to_be_released(
    vms: KubeVirtNamespace, copies: Copies, web: dict[str, str]
) -> None:
    backup = copies.backup("web")
    backup["metadata"]["name"] = "copy"

    beside = refusal(lambda: vms.client.create(backup, vms.namespace))
    vms.delete("vm", "web")
    again = _until_created(vms, backup)

    assert f"belongs to VirtualMachine {vms.namespace}/web" in beside
    assert all("is being released: retry in a minute" in said for said in again)
    assert vms.addresses("copy") == web
    for mac in web.values():
        vms.bound(mac, "copy")


def _until_created(vms: KubeVirtNamespace, backup: dict[str, Any]) -> list[str]:
    """Create it, as often as it takes; what was said each time that it was refused."""
    refusals: list[str] = []

    def created() -> bool:
        if said := refusal(lambda: vms.client.create(backup, vms.namespace)):
            refusals.append(said)
        return not said

    eventually(created, "the backup created")
    return refusals


def _lan(mac: str) -> Interface:
    return Interface("lan", "lan", mac)


def _messages(events: Collection[dict[str, Any]]) -> list[str]:
    return [event["message"] for event in events]
