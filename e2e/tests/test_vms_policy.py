"""Two VMs with one address: refused or shared, reported, and kept by the VM that stays."""

from collections.abc import Iterator

import pytest

from e2e import pool
from e2e.metrics import Scrape
from e2e.vms import LAN, KubeVirtNamespace
from testbed.client import refusal
from testbed.connection import Answer, Refused
from testbed.kubevirt.virtualmachines import Interface, manifest
from testbed.readiness import eventually

OURS = "0a:00:00:00:0d:"


@pytest.fixture
def warning(vms: KubeVirtNamespace) -> Iterator[None]:
    """Policy Warn, for one test, in force in every replica."""
    held = vms.create("holder", LAN)["lan"]
    vms.bound(held, "holder")
    pool.edit(vms.kubectl, COLLISION_POLICY="Warn")
    asked = manifest("probe", [_lan(held)], run_strategy="Halted")

    def warns() -> bool:
        try:
            return bool(vms.client.ask_create(asked, vms.namespace, dry_run=True).warnings)
        except Refused:
            return False

    def refuses() -> bool:
        return bool(refusal(lambda: vms.client.create(asked, vms.namespace, dry_run=True)))

    try:
        eventually(lambda: all(warns() for _ in range(pool.IN_A_ROW)), "policy Warn in force")
        yield
    finally:
        pool.edit(vms.kubectl, COLLISION_POLICY=None)
        eventually(lambda: all(refuses() for _ in range(pool.IN_A_ROW)), "policy Reject in force")
        vms.delete("vm", "holder", wait=False)


def test_under_reject_the_refusal_of_a_moving_vm_names_the_remedy(
    vms: KubeVirtNamespace, other_vms: KubeVirtNamespace
) -> None:
    macs = vms.create("web")
    vms.bound(macs["lan"], "web")

    said = other_vms.refuses("web", _lan(macs["lan"]))

    assert f"belongs to VirtualMachine {vms.namespace}/web" in said
    assert "to migrate that VM to this namespace, set COLLISION_POLICY to Warn" in said


@pytest.mark.usefixtures("warning")
def test_under_warn_a_second_vm_gets_the_address_and_both_get_events(
    vms: KubeVirtNamespace, scrape: Scrape
) -> None:
    mac = OURS + "01"
    vms.create("first", _lan(mac))
    vms.bound(mac, "first")

    said = _shared(vms, "second", mac)

    assert f"interface lan asks for {mac}, which VirtualMachine" in said
    assert vms.pods.spec(mac)["shared"] is True
    vms.pods.in_conflict(mac, "second")
    eventually(lambda: scrape.colliding(mac) == 2, "two that collide")
    vms.pods.wait_told("first")
    vms.pods.wait_told("second")

    vms.delete("vm", "first")

    vms.bound(mac, "second")
    eventually(lambda: scrape.colliding(mac) == 0, "none that collide")
    vms.pods.in_conflict(mac)
    vms.delete("vm", "second")
    vms.freed(mac)


@pytest.mark.usefixtures("warning")
@pytest.mark.parametrize("leaves", ["source", "target"])
def test_a_migration_across_namespaces_keeps_the_address_whichever_side_goes(
    vms: KubeVirtNamespace, other_vms: KubeVirtNamespace, scrape: Scrape, leaves: str
) -> None:
    macs = vms.create("web")
    vms.run("web")
    vms.bound(macs["lan"], "web")

    _shared(other_vms, "web", macs["lan"])
    vms.halt("web")
    other_vms.run("web")

    gone, stays = (vms, other_vms) if leaves == "source" else (other_vms, vms)
    gone.delete("vm", "web", wait=False)
    if leaves == "target":
        gone.end("web")
    stays.bound(macs["lan"], "web")
    gone.wait_gone("vm", "web")
    stays.bound(macs["lan"], "web")
    assert vms.pods.told("web") == other_vms.pods.told("web") == []
    assert scrape.colliding(macs["lan"]) == 0


@pytest.mark.usefixtures("warning")
def test_two_of_a_name_that_both_run_are_no_migration(
    vms: KubeVirtNamespace, other_vms: KubeVirtNamespace
) -> None:
    mac = OURS + "03"
    vms.create("web", _lan(mac))
    vms.bound(mac, "web")
    vms.run("web")
    _shared(other_vms, "web", mac)

    other_vms.run("web")

    vms.pods.wait_told("web")
    other_vms.pods.wait_told("web")
    other_vms.halt("web")
    vms.pods.in_conflict(mac)


def _lan(mac: str) -> Interface:
    return Interface("lan", "lan", mac)


def _shared(vms: KubeVirtNamespace, name: str, mac: str) -> str:
    """Create a VM with an address in use, once Q is over; return the warnings."""
    vm = manifest(name, [_lan(mac)], run_strategy="Halted")

    def created() -> Answer | None:
        try:
            return vms.client.ask_create(vm, vms.namespace)
        except Refused as refused:
            if "retry in a minute" not in str(refused):
                raise
            return None

    answer = eventually(created, f"{name} sharing {mac}")
    assert answer
    return "\n".join(answer.warnings)
