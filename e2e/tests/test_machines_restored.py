"""Snapshots restored, VMs cloned and created again: KubeVirt's own virt-controller does it.

The machines have no disks, so no volume is copied; that part of KubeVirt is not here.
"""

from collections.abc import Collection
from typing import Any

import pytest

from e2e.copies import Copies
from e2e.farm import NAT, Farm
from testbed.client import refusal
from testbed.kubevirt.machines import Interface
from testbed.readiness import eventually

OURS = "0a:00:00:00:0e:"


@pytest.fixture
def copies(farm: Farm) -> Copies:
    return Copies(farm)


@pytest.fixture
def web(farm: Farm, copies: Copies) -> dict[str, str]:
    """A stopped VM with a snapshot `before`; its addresses."""
    macs = farm.create("web")
    farm.shop.eventually_owns(list(macs.values()))
    copies.snapshot("web", "before")
    return macs


def test_a_snapshot_takes_no_address(farm: Farm, web: dict[str, str]) -> None:
    farm.shop.eventually_owns(list(web.values()))
    assert farm.addresses("web") == web


def test_a_restore_in_place_brings_the_addresses_back(
    farm: Farm, copies: Copies, web: dict[str, str]
) -> None:
    farm.edit("web", [NAT.device, _lan(OURS + "01").device])
    farm.freed(web["lan"])

    copies.restore("back", "before", "web")
    copies.restored("back")

    assert farm.addresses("web") == web
    farm.freed(OURS + "01")
    farm.shop.eventually_owns(list(web.values()))


def test_a_restore_in_place_is_refused_what_somebody_else_has_until_he_is_gone(
    farm: Farm, copies: Copies, web: dict[str, str]
) -> None:
    farm.edit("web", [NAT.device, _lan(OURS + "02").device])
    farm.freed(web["lan"])
    farm.create("heir", _lan(web["lan"]))
    farm.bound(web["lan"], "heir")

    copies.restore("back", "before", "web")

    for said in copies.said("back"):
        assert f"asks for {web['lan']}, which belongs to VirtualMachine" in said
        assert f"{farm.namespace}/heir (interface lan): choose another address" in said
    assert farm.addresses("web")["lan"] == OURS + "02"
    farm.delete("vm", "heir")
    copies.restored("back")
    assert farm.addresses("web") == web
    farm.bound(web["lan"], "web")


def test_a_snapshot_of_a_running_vm_holds_the_addresses_that_it_was_started_with(
    farm: Farm, copies: Copies
) -> None:
    macs = farm.create("web")
    farm.run("web")
    farm.edit("web", [NAT.device, _lan(OURS + "03").device])
    farm.bound(OURS + "03", "web")

    copies.snapshot("web", "running")
    farm.halt("web")
    copies.restore("back", "running", "web")
    copies.restored("back")

    assert farm.addresses("web") == macs
    farm.freed(OURS + "03")
    farm.shop.eventually_owns(list(macs.values()))


def test_a_restore_beside_its_original_is_refused_until_the_original_is_deleted(
    farm: Farm, copies: Copies, web: dict[str, str]
) -> None:
    copies.restore("beside", "before", "copy")

    for said in copies.said("beside"):
        assert f"belongs to VirtualMachine {farm.namespace}/web" in said
        assert "choose another address, or leave out the mac" in said
    assert farm.machines.gone("vm", "copy")
    farm.delete("vm", "web")
    copies.restored("beside")
    assert farm.addresses("copy") == web
    for mac in web.values():
        farm.bound(mac, "copy")


def test_a_restore_whose_patches_clear_the_addresses_gets_its_own(
    farm: Farm, copies: Copies, web: dict[str, str]
) -> None:
    copies.restore("beside", "before", "copy", without_macs_of=2)
    copies.restored("beside")

    others = farm.addresses("copy")
    assert all(others.values())
    assert not {*others.values()} & {*web.values()}
    farm.shop.eventually_owns([*web.values(), *others.values()])


def test_a_clone_gets_addresses_of_its_own(farm: Farm, copies: Copies, web: dict[str, str]) -> None:
    copies.clone("twin", "web", "copy")
    copies.cloned("twin")

    others = farm.addresses("copy")
    assert all(others.values())
    assert not {*others.values()} & {*web.values()}
    farm.shop.eventually_owns([*web.values(), *others.values()])


def test_a_clone_keeps_the_addresses_that_its_author_wrote(
    farm: Farm, copies: Copies, web: dict[str, str]
) -> None:
    written = (OURS + "04").replace(":", "-")

    copies.clone("twin", "web", "copy", {"lan": written})
    copies.cloned("twin")

    others = farm.addresses("copy")
    assert others["lan"] == written
    assert farm.bound(OURS + "04", "copy")["source"] == "Requested"
    farm.shop.eventually_owns([*web.values(), others["default"], OURS + "04"])


@pytest.mark.usefixtures("web")
def test_kubevirt_itself_refuses_a_clone_s_address_that_is_written_with_colons(
    farm: Farm, copies: Copies
) -> None:
    copies.clone("twin", "web", "copy", {"lan": OURS + "05"})

    [said] = farm.client.until(
        "events", _messages, "KubeVirt saying why", farm.namespace,
        fields="reason=RestoreCreationFailed,involvedObject.name=twin",
    )  # fmt: skip
    assert 'patch format is not valid - one ":" expected' in said
    assert farm.shop.allocation(OURS + "05") is None


def test_a_clone_that_asks_for_what_somebody_has_is_refused_as_its_restore_says(
    farm: Farm, copies: Copies, web: dict[str, str]
) -> None:
    copies.clone("twin", "web", "copy", {"lan": web["lan"].replace(":", "-")})

    uid = farm.machines.get("vmclone", "twin")["metadata"]["uid"]
    for said in copies.said(f"tmp-restore-{uid}"):
        assert f"asks for {web['lan']}, which belongs to VirtualMachine" in said
    assert farm.machines.gone("vm", "copy")


def test_a_backup_created_again_gets_its_addresses_at_once(
    farm: Farm, copies: Copies, web: dict[str, str]
) -> None:
    backup = copies.backup("web")
    farm.delete("vm", "web")

    farm.client.create(backup, farm.namespace)

    assert farm.addresses("web") == web
    for mac in web.values():
        farm.bound(mac, "web")


def test_a_backup_created_under_another_name_waits_for_the_original_to_be_released(
    farm: Farm, copies: Copies, web: dict[str, str]
) -> None:
    backup = copies.backup("web")
    backup["metadata"]["name"] = "copy"

    beside = refusal(lambda: farm.client.create(backup, farm.namespace))
    farm.delete("vm", "web")
    again = _until_created(farm, backup)

    assert f"belongs to VirtualMachine {farm.namespace}/web" in beside
    assert all("is being released: retry in a minute" in said for said in again)
    assert farm.addresses("copy") == web
    for mac in web.values():
        farm.bound(mac, "copy")


def _until_created(farm: Farm, backup: dict[str, Any]) -> list[str]:
    """Create it, as often as it takes; what was said each time that it was refused."""
    refusals: list[str] = []

    def created() -> bool:
        if said := refusal(lambda: farm.client.create(backup, farm.namespace)):
            refusals.append(said)
        return not said

    eventually(created, "the backup created")
    return refusals


def _lan(mac: str) -> Interface:
    return Interface("lan", "lan", mac)


def _messages(events: Collection[dict[str, Any]]) -> list[str]:
    return [event["message"] for event in events]
