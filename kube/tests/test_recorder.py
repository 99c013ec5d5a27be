"""The event recorder, on a loop whose clock a test moves."""

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
    """A running recorder, and an API server that first fails with `trouble`."""

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

    def record(self, *notes: str) -> None:
        for note in notes:
            self.recorder.record(Event(WEB, "MACCollision", "Police", note, "n"))
        self.loop.rest()

    def pass_time(self, by_s: float) -> None:
        self.loop.pass_time(by_s)


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.loop.end()


def test_an_event_is_written_at_once_and_the_next_ones_one_by_one(scene: Scene) -> None:
    scene.record("a", "b", "c")
    assert scene.written == ["a"]

    scene.pass_time(0.9 / PER_S)
    assert scene.written == ["a"]
    scene.pass_time(0.1 / PER_S)
    assert scene.written == ["a", "b"]
    scene.pass_time(1 / PER_S)
    assert scene.written == ["a", "b", "c"]


def test_an_event_that_exists_is_not_written_again(scene: Scene) -> None:
    scene.trouble = [EXISTS]

    scene.record("a", "b")
    scene.pass_time(1 / PER_S)

    assert scene.asked == ["a", "b"]
    assert scene.written == ["b"]


@pytest.mark.parametrize("trouble", [AWAY, BROKEN])
def test_a_failed_event_is_retried_a_few_times(scene: Scene, trouble: Exception) -> None:
    scene.trouble = [trouble] * len(_RETRIES_S)

    scene.record("a")
    for wait_s in _RETRIES_S:
        assert not scene.written
        scene.pass_time(wait_s)

    assert scene.written == ["a"]


@pytest.mark.parametrize("trouble", [AWAY, BROKEN])
def test_after_the_last_retry_the_next_event_is_written(
    scene: Scene, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    scene.trouble = [trouble] * (len(_RETRIES_S) + 1)

    scene.record("a", "b")
    for wait_s in (*_RETRIES_S, 1 / PER_S):
        scene.pass_time(wait_s)

    assert scene.written == ["b"]
    assert "the event on Pod shop/web-0 (interface net1) is not written" in caplog.text


@pytest.mark.parametrize(
    "trouble", [ApiError(403, "Forbidden", "it is being terminated"), RuntimeError("a fault")]
)
def test_a_permanent_failure_is_not_retried(
    scene: Scene, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    scene.trouble = [trouble]

    scene.record("a", "b")
    scene.pass_time(1 / PER_S)

    assert scene.asked == ["a", "b"]
    assert scene.written == ["b"]
    assert str(trouble) in caplog.text


def test_if_too_many_wait_the_oldest_are_dropped_and_logged_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recorder, "MOST_WAITING", 3)
    scene.record("first")

    scene.record(*"abcdefg")
    for _ in range(4):
        scene.pass_time(1 / PER_S)

    assert scene.written == ["first", "e", "f", "g"]
    assert [record.message for record in caplog.records] == [
        "more than 3 events wait: the oldest are dropped",
        "4 events have been dropped",
    ]
