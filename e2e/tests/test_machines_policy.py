"""Two machines and one address: refused or shared, told, and survived by whoever stays."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from e2e import metrics, pool
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.kubevirt.machines import Interface, manifest
from e2e.cluster.readiness import eventually
from e2e.cluster.release_up import Installed
from e2e.farm import LAN, Farm
from e2e.metrics import Scrape

OURS = "0a:00:00:00:0d:"
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
    asked = json.dumps(manifest("probe", [_lan(held)], run_strategy="Halted"))

    def warns() -> bool:
        dry = ("create", "-f", "-", "-n", farm.namespace, "--dry-run=server")
        done = [farm.kubectl.run(*dry, stdin=asked) for _ in range(_IN_A_ROW)]
        return all(one.returncode == 0 and "Warning" in one.stderr for one in done)

    try:
        eventually(warns, "policy Warn in force")
        yield
    finally:
        pool.edit(farm.kubectl, COLLISION_POLICY=None)
        refused = ("create", "-f", "-", "-n", farm.namespace, "--dry-run=server")
        eventually(
            lambda: all(
                farm.kubectl.run(*refused, stdin=asked).returncode for _ in range(_IN_A_ROW)
            ),
            "policy Reject in force",
        )
        farm("delete", "vm", "holder", "--wait=false")


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

    assert f"Warning: interface lan asks for {mac}, which VirtualMachine" in said
    assert farm.shop.spec(mac)["shared"] is True
    eventually(lambda: _conflicts(farm, mac) == ["second"], "the second one in status.conflicts")
    eventually(lambda: scrape.colliding(mac) == 2, "two that collide")
    eventually(lambda: _told(farm, "first") and _told(farm, "second"), "events on both")

    farm("delete", "vm", "first")

    farm.bound(mac, "second")
    eventually(lambda: scrape.colliding(mac) == 0, "none that collide")
    eventually(lambda: _conflicts(farm, mac) == [], "the conflict over")
    farm("delete", "vm", "second")
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
    gone("delete", "vm", "web", "--wait=false")
    if leaves == "target":
        gone.end("web")
    stays.bound(macs["lan"], "web")
    eventually(lambda: gone.machines.gone("vm", "web"), "the other VM gone")
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

    eventually(lambda: _told(farm, "web") and _told(meadow, "web"), "events on both")
    meadow.halt("web")
    eventually(lambda: _conflicts(farm, mac) == [], "the conflict over")


def _lan(mac: str) -> Interface:
    return Interface("lan", "lan", mac)


def _shared(farm: Farm, name: str, mac: str) -> str:
    """Create a VM with an address that somebody has, once that has been quiet; what is said."""
    stdin = json.dumps(manifest(name, [_lan(mac)], run_strategy="Halted"))

    def created() -> Any:  # noqa: ANN401 # a CompletedProcess, or nothing yet
        done = farm.kubectl.run("create", "-f", "-", "-n", farm.namespace, stdin=stdin)
        assert done.returncode == 0 or "retry in a minute" in done.stderr, done.stderr
        return None if done.returncode else done

    said: str = eventually(created, f"{name} sharing {mac}").stderr
    return said


def _conflicts(farm: Farm, mac: str) -> list[str]:
    found = farm.shop.allocation(mac) or {}
    return sorted(one["name"] for one in found.get("status", {}).get("conflicts", ()))


def _told(farm: Farm, name: str) -> list[str]:
    events = farm.kubectl.json(
        "get", "events", "-n", farm.namespace,
        "--field-selector", f"reason=MACCollision,involvedObject.name={name}",
    )["items"]  # fmt: skip
    return [one["message"] for one in events]
