"""docs/examples/held.py, on made-up logs; test_audit_log.py has the log of a real API server."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "docs/examples/held.py"
NAME = "0a-00-00-00-06-06"
POD = {"kind": "Pod", "namespace": "shop", "name": "web"}
FIRST, SECOND = {**POD, "uid": "first"}, {**POD, "uid": "second"}


def written(
    verb: str, at: str, state: str = "", owner: dict[str, str] | None = None
) -> dict[str, Any]:
    """One line of the log, at this second of the minute."""
    return {
        "verb": verb,
        "requestURI": "/apis/kubemacpool.io/v1beta1/macallocations",
        "objectRef": {"resource": "macallocations", "name": NAME},
        "responseStatus": {"code": 200},
        "stageTimestamp": moment(at),
        "requestObject": {"spec": {"state": state, "owner": owner}} if state else {},
    }


def moment(at: str) -> str:
    return f"2026-11-25T10:00:{at}Z"


def held(
    log: list[dict[str, Any]], *flags: str, tail: str = ""
) -> subprocess.CompletedProcess[str]:
    text = "\n".join(map(json.dumps, log)) + tail
    command = [sys.executable, str(SCRIPT), NAME.upper(), *flags]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def lines(log: list[dict[str, Any]], *flags: str, tail: str = "") -> list[list[str]]:
    """Return the words that it prints, without the heading."""
    done = held(log, *flags, tail=tail)
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()[1:]]


def test_a_claim_of_the_holders_own_name_ends_its_hold_if_another_is_bound_by_it() -> None:
    """The webhook writes over a Bound allocation when its pod is created again at once."""
    log = [
        written("create", "01.0", "Pending", POD),
        written("patch", "02.0", "Bound", FIRST),
        written("patch", "03.0", "Pending", POD),  # a second request, while the first pod lived on
        written("patch", "04.0", "Bound", FIRST),
        written("patch", "05.0", "Pending", POD),
        written("patch", "06.0", "Bound", SECOND),
        written("delete", "07.0"),
    ]
    cut = '\n{"objectRef": {"name": "0a-00-00-00-06-06'  # the line that is still being written

    line, next_line = lines(log[::-1], tail=cut)

    assert (line[:2], line[-1]) == ([moment("01.0"), moment("05.0")], "first")
    assert (next_line[:2], next_line[-1]) == ([moment("05.0"), moment("07.0")], "second")


@pytest.mark.parametrize(
    ("at", "holders"),
    [
        (moment("01"), []),  # as text it would come after 01.412337
        (moment("01.412336"), []),
        (moment("01.412337"), ["first"]),
        ("2026-11-25T11:00:01.412337999+01:00", ["first"]),
        (moment("02"), ["first"]),
        (moment("02.5"), ["second"]),
        (moment("03"), []),
    ],
)
def test_a_moment_is_compared_as_a_time_and_not_as_text(at: str, holders: list[str]) -> None:
    log = [
        written("create", "01.412337", "Bound", FIRST),
        written("patch", "02.5", "Bound", SECOND),
        written("delete", "03"),
    ]

    found = lines(log, "--at", at)

    assert [line[-1] for line in found] == holders


def test_events_are_put_in_order_by_their_times_and_not_by_their_text() -> None:
    log = [written("delete", "01.412337"), written("create", "01", "Bound", FIRST)]

    [line] = lines(log)

    assert line[:2] == [moment("01"), moment("01.412337")]


@pytest.mark.parametrize("subresource", ["", "status"])
def test_a_log_without_request_bodies_is_reported(subresource: str) -> None:
    event = written("patch", "01.0", "Bound", FIRST)
    del event["requestObject"]
    event["objectRef"]["subresource"] = subresource

    done = held([event])

    assert done.returncode == 1
    assert done.stdout == ""
    assert f"at {moment('01.0')} is in the log without its body" in done.stderr
    assert "level Request" in done.stderr


def test_an_invalid_time_is_refused_with_an_example() -> None:
    done = held([], "--at", "yesterday")

    assert done.returncode == 2
    assert "yesterday is no time such as 2026-11-25T10:30:00Z" in done.stderr
