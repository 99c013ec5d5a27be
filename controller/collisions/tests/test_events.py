"""Events: that a real API server takes them, with all that objects may be called, and each once."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from controller.allocations.caches import AllocationView
from controller.collisions.messages import events
from controller.collisions.tracker import Collisions
from controller.tests.worlds import DECLARED, MAC, NOW, conflict, pod, stored
from crds.names import REPORTER
from kube.errors import ApiError
from kube.events import Event
from kube.recorder import EventRecorder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crds.allocation import Owner
    from kube.client import Api
    from testbed.controlplane import ControlPlane


@pytest.fixture(scope="module")
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    client = control_plane.kubectl.client
    client.create_namespace("events")
    yield "events"
    client.delete("namespace", "events", wait=False)


def colliding(namespace: str, *names: str) -> list[Owner]:
    return [conflict(pod(name, f"u-{name}", namespace=namespace)) for name in names]


@pytest.mark.parametrize(
    "first",
    ["web-0", "x" * 253, "x" * 235 + "." + "y" * 17, "x" * 234 + ".y" + "z" * 17],
    ids=["short", "longest", "a dot where it is cut", "a dot just before"],
)
async def test_each_object_has_its_event_once(
    control_plane: ControlPlane, namespace: str, api: Api, first: str
) -> None:
    objects = colliding(namespace, first, "other", *(f"more-{n}" for n in range(30)))
    strange = replace(objects[1], interface="\N{EURO SIGN}" * 500)

    for event in events(MAC, [objects[0], strange, *objects[2:]])[:2]:
        await api.post(event.path, event.body(NOW, REPORTER))
        with pytest.raises(ApiError) as refused:
            await api.post(event.path, event.body(NOW, REPORTER))
        assert (refused.value.status, refused.value.reason) == (409, "AlreadyExists")

    told = control_plane.kubectl.client.list("events", namespace)
    [mine] = [event for event in told if event["involvedObject"]["name"] == first]
    assert (mine["type"], mine["reason"]) == ("Warning", "MACCollision")
    assert mine["involvedObject"]["uid"] == objects[0].uid
    assert mine["message"].startswith(f"{MAC} of interface net1 is also in use by Pod")


async def test_an_event_without_a_name_is_given_one(namespace: str, api: Api) -> None:
    [collision] = colliding(namespace, "unnamed")
    event = Event(collision, "InvalidRange", "Configure", "said twice")

    written = [await api.post(event.path, event.body(NOW, REPORTER)) for _ in range(2)]

    names = {json.loads(raw)["metadata"]["name"] for raw in written}
    assert len(names) == 2
    assert all(name.startswith(f"{collision.name}-") for name in names)


async def test_a_restarted_controller_repeats_nothing(
    control_plane: ControlPlane, namespace: str, api: Api
) -> None:
    view = AllocationView(lambda: 0.0, lambda _: None)
    view.put(stored(DECLARED, *(pod(f"twin-{n}", f"u-t{n}", namespace=namespace) for n in "ab")))
    answers: list[str] = []
    done = asyncio.Event()

    async def write(event: Event) -> None:
        try:
            await api.post(event.path, event.body(NOW, REPORTER))
            answers.append("written")
        except ApiError as error:
            answers.append(error.reason)
            raise
        finally:
            if len(answers) == 4:
                done.set()

    recorder = EventRecorder(write)
    running = asyncio.create_task(recorder.run())
    for _ in range(2):  # two lives of a controller: nothing is left of the first but its events
        Collisions(view, lambda _kind, _namespace: True, recorder.record).look(MAC)
    async with asyncio.timeout(60):
        await done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert answers == ["written", "written", "AlreadyExists", "AlreadyExists"]
    told = control_plane.kubectl.client.list("events", namespace)
    assert (
        len([event for event in told if event["involvedObject"]["name"].startswith("twin-")]) == 2
    )
