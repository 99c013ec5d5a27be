"""Two machines and one address: refused or shared, told, and survived by whoever stays."""

from collections.abc import Iterator

import pytest

from e2e import metrics, pool
from e2e.farm import LAN, Farm
from e2e.metrics import Scrape
from testbed.client import refusal
from testbed.connection import Answer, Refused
from testbed.kubectl import Kubectl
from testbed.kubevirt.machines import Interface, manifest
from testbed.readiness import eventually
from testbed.release import Installed

OURS = "0a:00:00:00:0d:"
_COLLIDING = "reason=MACCollision,involvedObject.name={}"
_IN_A_ROW = 12  # by chance alone, two replicas leave one out of 12 requests once in 2,000 times


@pytest.fixture(scope="module")
def scrape(release: Installed, kubectl: Kubectl) -> Iterator[Scrape]:
    yield Scrape(release.controller.metrics_url, metrics.reader(kubectl))
    metrics.forget_reader(kubectl)


@pytest.fixture
def warning(farm: Farm) -> Iterator[None]:
    """Policy Warn, for one test, in force in every replica."""
    held = farm.create("holder", LAN)["lan"]
    farm.bound(held, "holder")
    pool.edit(farm.kubectl, COLLISION_POLICY="Warn")
    asked = manifest("probe", [_lan(held)], run_strategy="Halted")

    def warns() -> bool:
        try:
            return bool(farm.client.ask_create(asked, farm.namespace, dry_run=True).warnings)
        except Refused:
            return False

    def refuses() -> bool:
        return bool(refusal(lambda: farm.client.create(asked, farm.namespace, dry_run=True)))

    try:
        eventually(lambda: all(warns() for _ in range(_IN_A_ROW)), "policy Warn in force")
        yield
    finally:
        pool.edit(farm.kubectl, COLLISION_POLICY=None)
        eventually(lambda: all(refuses() for _ in range(_IN_A_ROW)), "policy Reject in force")
        farm.delete("vm", "holder", wait=False)


def test_under_reject_a_vm_that_moves_here_is_told_how(farm: Farm, meadow: Farm) -> None:
    macs = farm.create("web")
    farm.bound(macs["lan"], "web")

    said = meadow.refuses("web", _lan(macs["lan"]))

    assert f"belongs to VirtualMachine {farm.namespace}/web" in said
    assert "to migrate that VM to this namespace, set COLLISION_POLICY to Warn" in said


@pytest.mark.usefixtures("warning")
def test_under_warn_a_second_vm_gets_the_address_and_all_are_told(
    farm: Farm, scrape: Scrape
) -> None:
    mac = OURS + "01"
    farm.create("first", _lan(mac))
    farm.bound(mac, "first")

    said = _shared(farm, "second", mac)

    assert f"interface lan asks for {mac}, which VirtualMachine" in said
    assert farm.shop.spec(mac)["shared"] is True
    farm.shop.in_conflict(mac, "second")
    eventually(lambda: scrape.colliding(mac) == 2, "two that collide")
    _wait_told(farm, "first")
    _wait_told(farm, "second")

    farm.delete("vm", "first")

    farm.bound(mac, "second")
    eventually(lambda: scrape.colliding(mac) == 0, "none that collide")
    farm.shop.in_conflict(mac)
    farm.delete("vm", "second")
    farm.freed(mac)


@pytest.mark.usefixtures("warning")
@pytest.mark.parametrize("leaves", ["source", "target"])
def test_a_migration_across_namespaces_keeps_the_address_whichever_side_goes(
    farm: Farm, meadow: Farm, scrape: Scrape, leaves: str
) -> None:
    macs = farm.create("web")
    farm.run("web")
    farm.bound(macs["lan"], "web")

    _shared(meadow, "web", macs["lan"])
    farm.halt("web")
    meadow.run("web")

    gone, stays = (farm, meadow) if leaves == "source" else (meadow, farm)
    gone.delete("vm", "web", wait=False)
    if leaves == "target":
        gone.end("web")
    stays.bound(macs["lan"], "web")
    gone.machines.wait_gone("vm", "web")
    stays.bound(macs["lan"], "web")
    assert _told(farm, "web") == _told(meadow, "web") == []
    assert scrape.colliding(macs["lan"]) == 0


@pytest.mark.usefixtures("warning")
def test_two_of_a_name_that_both_run_are_no_migration(farm: Farm, meadow: Farm) -> None:
    mac = OURS + "03"
    farm.create("web", _lan(mac))
    farm.bound(mac, "web")
    farm.run("web")
    _shared(meadow, "web", mac)

    meadow.run("web")

    _wait_told(farm, "web")
    _wait_told(meadow, "web")
    meadow.halt("web")
    farm.shop.in_conflict(mac)


def _lan(mac: str) -> Interface:
    return Interface("lan", "lan", mac)


def _shared(farm: Farm, name: str, mac: str) -> str:
    """Create a VM with an address in use, once Q is over; return the warnings."""
    vm = manifest(name, [_lan(mac)], run_strategy="Halted")

    def created() -> Answer | None:
        try:
            return farm.client.ask_create(vm, farm.namespace)
        except Refused as refused:
            if "retry in a minute" not in str(refused):
                raise
            return None

    answer = eventually(created, f"{name} sharing {mac}")
    assert answer
    return "\n".join(answer.warnings)


def _told(farm: Farm, name: str) -> list[str]:
    events = farm.client.list("events", farm.namespace, fields=_COLLIDING.format(name))
    return [event["message"] for event in events]


def _wait_told(farm: Farm, name: str) -> None:
    what = f"an event on {name}"
    farm.client.until("events", bool, what, farm.namespace, fields=_COLLIDING.format(name))
