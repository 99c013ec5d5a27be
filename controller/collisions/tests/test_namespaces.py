"""The labels of Namespaces and the selectors of the webhooks decide what is managed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from controller.collisions.namespaces import Mutator, Namespace, Namespaces

_MUTATOR = Path(__file__).parents[3] / "deploy" / "base" / "mutator.yaml"
_WEBHOOKS = {
    "pods": "mutatepods.kubemacpool.io",
    "vms": "mutatevirtualmachines.kubemacpool.io",
}
PODS, VMS = ["Pod", "VirtualMachineInstance"], ["VirtualMachine"]
OPTED_IN = {"matchLabels": {"pods": "allocate"}}
OPTED_OUT = {"matchExpressions": [{"key": "vms", "operator": "NotIn", "values": ["disable"]}]}


def namespace(name: str, **labels: str) -> Namespace:
    return msgspec.convert({"metadata": {"name": name, "labels": labels}}, Namespace)


def mutator(**selectors: Any) -> Mutator:  # noqa: ANN401
    """Return the configuration with a webhook for `pods`, `vms`, with these selectors."""
    webhooks = [
        {"name": _WEBHOOKS[key], "namespaceSelector": selector}
        for key, selector in selectors.items()
    ]
    return msgspec.convert({"webhooks": webhooks, "kind": "ignored"}, Mutator)


class Scene:
    """A view, and the number of its calls of `changed`."""

    def __init__(self) -> None:
        self.changes = 0
        self.view = Namespaces(self._count)

    def _count(self) -> None:
        self.changes += 1

    def managed(self, name: str) -> list[str]:
        kinds = (*PODS, *VMS, "ReplicaSet")
        return [kind for kind in kinds if self.view.is_managed(kind, name)]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_nothing_is_managed_before_both_are_known(scene: Scene) -> None:
    scene.view.put(namespace("shop", pods="allocate"))
    assert scene.managed("shop") == []

    scene.view.webhooks.put(mutator(pods=OPTED_IN))
    assert scene.managed("shop") == PODS


def test_each_kind_is_managed_by_its_own_webhook(scene: Scene) -> None:
    scene.view.webhooks.put(mutator(pods=OPTED_IN, vms=OPTED_OUT))
    scene.view.put(namespace("a", pods="allocate", vms="disable"))
    scene.view.put(namespace("b"))

    assert [scene.managed(name) for name in ("a", "b", "unknown")] == [PODS, VMS, []]


def test_only_a_change_of_an_answer_is_reported(scene: Scene) -> None:
    scene.view.webhooks.put(mutator(pods=OPTED_IN))
    scene.view.put(namespace("shop"))
    before = scene.changes

    for labels, managed, changes in (
        ({"team": "network"}, [], 0),
        ({"pods": "allocate"}, PODS, 1),
        ({"pods": "allocate", "team": "network"}, PODS, 1),
        ({"pods": "other"}, [], 2),
    ):
        scene.view.put(namespace("shop", **labels))
        scene.view.webhooks.put(mutator(pods=OPTED_IN))
        assert (scene.managed("shop"), scene.changes - before) == (managed, changes)


def test_a_deleted_namespace_is_not_managed(scene: Scene) -> None:
    scene.view.webhooks.put(mutator(vms=OPTED_OUT))
    scene.view.put(namespace("shop"))

    scene.view.drop(namespace("shop"))

    assert scene.managed("shop") == []


def test_a_deleted_configuration_manages_nothing_and_is_reported(scene: Scene) -> None:
    scene.view.webhooks.put(mutator(vms=OPTED_OUT))
    scene.view.put(namespace("shop"))
    before = scene.changes

    scene.view.webhooks.drop()

    assert (scene.managed("shop"), scene.changes) == ([], before + 1)


@pytest.mark.parametrize("raw", [{}, {"webhooks": []}, {"metadata": {"name": "x"}}])
def test_a_configuration_may_have_no_webhooks(raw: dict[str, Any]) -> None:
    assert msgspec.convert(raw, Mutator).webhooks == ()


@pytest.mark.parametrize(
    ("labels", "managed"),
    [
        ({}, []),
        ({_WEBHOOKS["pods"]: "allocate"}, PODS),
        ({_WEBHOOKS["vms"]: "allocate"}, VMS),
        ({_WEBHOOKS["pods"]: "allocate", "runlevel": "0"}, []),
        ({_WEBHOOKS["pods"]: "other"}, []),
    ],
)
def test_the_selectors_of_the_release_decide(
    scene: Scene, labels: dict[str, str], managed: list[str]
) -> None:
    scene.view.webhooks.put(msgspec.convert(yaml.safe_load(_MUTATOR.read_text()), Mutator))

    scene.view.put(namespace("shop", **labels))

    assert scene.managed("shop") == managed
