"""The queue of events, on a loop whose clock a test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from crds.allocation import Owner
from kube import recorder
from kube.errors import ApiError, Unreachable
from kube.events import Event
from kube.recorder import _RETRIES_S, PER_S, EventRecorder
from kube.tests.steered import SteeredLoop

if TYPE_CHECKING:
    from collections.abc import Iterator

WEB = Owner(
    api_version="v1", kind="Pod", namespace="shop", name="web-0", uid="u-1", interface="net1"
)
EXISTS = ApiError(409, "AlreadyExists", "")
AWAY = Unreachable("away")
BROKEN = ApiError(500, "InternalError", "")


@dataclass
class Scene:
    """A recorder that runs, and an API server that answers with `trouble`, then takes all."""

    loop: SteeredLoop = field(default_factory=SteeredLoop)
    asked: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.recorder = EventRecorder(self._write)
        self.running = self.loop.create_task(self.recorder.run())
        self.loop.rest()

    async def _write(self, event: Event) -> None:
        self.asked.append(event.note)
        if self.trouble:
            raise self.trouble.pop(0)
        self.written.append(event.note)

    def say(self, *notes: str) -> None:
        for note in notes:
            self.recorder.record(Event(WEB, "MACCollision", "Police", note, "n"))
        self.loop.rest()

    def pass_time(self, by_s: float) -> None:
        self.loop.now_s += by_s
        self.loop.strike()
        self.loop.rest()


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.loop.end()


def test_an_event_is_written_at_once_and_the_next_ones_in_their_turn(scene: Scene) -> None:
    scene.say("a", "b", "c")
    assert scene.written == ["a"]

    scene.pass_time(0.9 / PER_S)
    assert scene.written == ["a"]
    scene.pass_time(0.1 / PER_S)
    assert scene.written == ["a", "b"]
    scene.pass_time(1 / PER_S)
    assert scene.written == ["a", "b", "c"]


def test_one_that_exists_was_said_already(scene: Scene) -> None:
    scene.trouble = [EXISTS]

    scene.say("a", "b")
    scene.pass_time(1 / PER_S)

    assert scene.asked == ["a", "b"]
    assert scene.written == ["b"]


@pytest.mark.parametrize("trouble", [AWAY, BROKEN])
def test_one_that_failed_is_tried_again_a_few_times(scene: Scene, trouble: Exception) -> None:
    scene.trouble = [trouble] * len(_RETRIES_S)

    scene.say("a")
    for wait_s in _RETRIES_S:
        assert not scene.written
        scene.pass_time(wait_s)

    assert scene.written == ["a"]


@pytest.mark.parametrize("trouble", [AWAY, BROKEN])
def test_one_that_fails_to_the_end_is_given_up_and_the_next_is_written(
    scene: Scene, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    scene.trouble = [trouble] * (len(_RETRIES_S) + 1)

    scene.say("a", "b")
    for wait_s in (*_RETRIES_S, 1 / PER_S):
        scene.pass_time(wait_s)

    assert scene.written == ["b"]
    assert "the event on Pod shop/web-0 (interface net1) is not written" in caplog.text


@pytest.mark.parametrize(
    "trouble", [ApiError(403, "Forbidden", "it is being terminated"), RuntimeError("a fault")]
)
def test_what_will_not_get_better_is_not_tried_again(
    scene: Scene, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    scene.trouble = [trouble]

    scene.say("a", "b")
    scene.pass_time(1 / PER_S)

    assert scene.asked == ["a", "b"]
    assert scene.written == ["b"]
    assert str(trouble) in caplog.text


def test_of_too_many_the_oldest_are_left_out_and_the_log_says_so_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recorder, "MOST_WAITING", 3)
    scene.say("first")

    scene.say(*"abcdefg")
    for _ in range(4):
        scene.pass_time(1 / PER_S)

    assert scene.written == ["first", "e", "f", "g"]
    assert [record.message for record in caplog.records] == [
        "more than 3 events wait: the oldest are dropped",
        "4 events have been dropped",
    ]
