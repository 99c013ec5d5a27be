"""Which namespaces are managed, as their labels and the selectors of the webhooks change."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controller.collisions.namespaces import (
    MUTATORS,
    NAMESPACES,
    ONLY_OURS,
    Mutator,
    Namespace,
    Namespaces,
)
from kube.watch import Follower

if TYPE_CHECKING:
    from kube.client import Api
    from testbed.controlplane import ControlPlane

_MUTATOR = Path(__file__).parents[3] / "deploy" / "base" / "mutator.yaml"
PODS, MACHINES = "mutatepods.kubemacpool.io", "mutatevirtualmachines.kubemacpool.io"


def namespace(name: str, **labels: str) -> Namespace:
    return NAMESPACES.read(json.dumps({"metadata": {"name": name, "labels": labels}}).encode())


def mutator(**selectors: Any) -> Mutator:  # noqa: ANN401
    """Return the configuration with a webhook for `pods`, `machines`, with these selectors."""
    names = {"pods": PODS, "machines": MACHINES}
    webhooks = [{"name": names[key], "namespaceSelector": it} for key, it in selectors.items()]
    return MUTATORS.read(json.dumps({"webhooks": webhooks, "kind": "ignored"}).encode())


OPTED_IN = {"matchLabels": {"pods": "allocate"}}
OPTED_OUT = {"matchExpressions": [{"key": "vms", "operator": "NotIn", "values": ["disable"]}]}


class Scene:
    """A view, and how often it said that an answer may have changed."""

    def __init__(self) -> None:
        self.changes = 0
        self.view = Namespaces(self._count)

    def _count(self) -> None:
        self.changes += 1

    def managed(self, name: str) -> list[str]:
        kinds = ("Pod", "VirtualMachineInstance", "VirtualMachine", "ReplicaSet")
        return [kind for kind in kinds if self.view.is_managed(kind, name)]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_nothing_is_managed_before_both_are_known(scene: Scene) -> None:
    assert scene.managed("shop") == []

    scene.view.reset([namespace("shop", pods="allocate")])
    assert scene.managed("shop") == []

    scene.view.webhooks.reset([mutator(pods=OPTED_IN)])
    assert scene.managed("shop") == ["Pod", "VirtualMachineInstance"]


def test_each_kind_is_policed_by_its_own_webhook(scene: Scene) -> None:
    scene.view.webhooks.put(mutator(pods=OPTED_IN, machines=OPTED_OUT))
    scene.view.reset([namespace("a", pods="allocate", vms="disable"), namespace("b")])

    assert scene.managed("a") == ["Pod", "VirtualMachineInstance"]
    assert scene.managed("b") == ["VirtualMachine"]
    assert scene.managed("unheard-of") == []


def test_a_new_label_and_a_removed_one_are_told(scene: Scene) -> None:
    scene.view.webhooks.put(mutator(pods=OPTED_IN))
    scene.view.reset([namespace("shop")])
    before = scene.changes

    scene.view.put(namespace("shop", pods="allocate"))
    assert (scene.managed("shop"), scene.changes) == (["Pod", "VirtualMachineInstance"], before + 1)

    scene.view.put(namespace("shop", pods="other"))
    assert (scene.managed("shop"), scene.changes) == ([], before + 2)


def test_a_label_that_no_selector_asks_for_is_not_told(scene: Scene) -> None:
    scene.view.webhooks.put(mutator(pods=OPTED_IN))
    scene.view.reset([namespace("shop")])
    before = scene.changes

    scene.view.put(namespace("shop", team="network"))
    scene.view.webhooks.put(mutator(pods=OPTED_IN))

    assert scene.changes == before


def test_a_deleted_namespace_is_not_managed(scene: Scene) -> None:
    scene.view.webhooks.put(mutator(machines=OPTED_OUT))
    scene.view.put(namespace("shop"))

    scene.view.drop(namespace("shop"))

    assert scene.managed("shop") == []


def test_a_deleted_configuration_manages_nothing_and_that_is_told(scene: Scene) -> None:
    scene.view.webhooks.put(mutator(machines=OPTED_OUT))
    scene.view.put(namespace("shop"))
    before = scene.changes

    scene.view.webhooks.drop(mutator(machines=OPTED_OUT))

    assert (scene.managed("shop"), scene.changes) == ([], before + 1)


@pytest.mark.parametrize("raw", [b"{}", b'{"webhooks": []}', b'{"metadata": {"name": "x"}}'])
def test_a_configuration_may_have_no_webhooks(raw: bytes) -> None:
    assert MUTATORS.read(raw).webhooks == ()


async def test_on_a_real_api_server_the_release_s_selector_decides(
    control_plane: ControlPlane, api: Api
) -> None:
    changed = asyncio.Event()
    view = Namespaces(changed.set)
    client = control_plane.kubectl.client
    following = [
        asyncio.ensure_future(it.run())
        for it in (
            Follower(api, NAMESPACES, view),
            Follower(api, MUTATORS, view.webhooks, query=ONLY_OURS),
        )
    ]

    async def until(managed: bool) -> None:  # noqa: FBT001
        async with asyncio.timeout(60):
            while view.is_managed("Pod", "policed") is not managed:
                changed.clear()
                await changed.wait()

    client.apply(_MUTATOR.read_text())  # other tests take it away
    client.create_namespace("policed")
    await until(managed=False)
    client.label("namespace", "policed", {PODS: "allocate"})
    await until(managed=True)
    client.label("namespace", "policed", {"runlevel": "0"})
    await until(managed=False)
    client.label("namespace", "policed", {"runlevel": None})
    await until(managed=True)
    assert not view.is_managed("Pod", "default")
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    client.delete("namespace", "policed", wait=False)
