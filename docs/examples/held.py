#!/usr/bin/env python3
"""Print the owners of an address, with times, from the audit log of audit-policy.yaml.

    held.py 02:00:00:00:00:2a audit.log                           the whole history
    held.py 02:00:00:00:00:2a --at 2026-11-25T10:30:00Z audit*    the owners at that moment

Pass the logs of all API servers, including rotated files (also .gz). Without a file it reads
standard input. It needs only Python 3.10.
"""

from __future__ import annotations

import argparse
import fileinput
import json
import re
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STILL = "-"
DONE = range(200, 300)


class WithoutBody(Exception):
    """The log contains the event, but not the object that was written."""


@dataclass
class Held:
    """One line of the history, with the times of the log."""

    since: str
    owner: dict[str, str]
    until: str = STILL
    note: str = ""

    def spans(self, moment: datetime) -> bool:
        """Return True if the address was held at that moment."""
        if moment < instant(self.since):
            return False
        return self.until == STILL or moment < instant(self.until)

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the line to print."""
        name = self.owner.get("name") or "(name not generated yet)"
        holder = f"{self.owner['kind']} {self.owner['namespace']}/{name}"
        uid = self.owner.get("uid") or "(never seen)"
        return self.since, self.until, holder, self.owner.get("interface") or "", uid, self.note


class History:
    """The owners of one address, built from its writes in their order."""

    def __init__(self) -> None:
        self.held: list[Held] = []
        self._open: Held | None = None
        self._claimed = ""  # when an object with the name of the owner requested it again
        self._others: dict[str, Held] = {}  # by UID

    def take(self, event: dict[str, Any]) -> None:
        """Add one write that succeeded."""
        when: str = event["stageTimestamp"]
        if event["verb"] == "delete":
            self._close(when)
            return
        if "requestObject" not in event:
            raise WithoutBody(when)
        body = event["requestObject"] or {}
        if event["objectRef"].get("subresource") == "status":
            self._conflicts(when, (body.get("status") or {}).get("conflicts") or [])
        else:
            spec = body.get("spec") or {}
            if "state" in spec:  # null is the default; a patch without it does not change it
                self._write(when, spec["state"] or "Declared", spec.get("owner") or {})

    def _write(self, when: str, state: str, owner: dict[str, str]) -> None:
        if state == "Declared":
            self._close(when)
        elif state == "Pending":
            if self._open and self._open.owner.get("uid") and _alike(self._open.owner, owner):
                self._claimed = self._claimed or when
            elif not (self._open and _alike(self._open.owner, owner)):
                self._begin(when, owner)
        elif state == "Bound":
            if self._open and _same(self._open.owner, owner):
                self._open.owner = owner
            else:
                self._begin(self._claimed or when, owner)
            self._claimed = ""

    def _conflicts(self, when: str, found: list[dict[str, str]]) -> None:
        known = {conflict["uid"]: conflict for conflict in found}
        for uid in self._others.keys() - known.keys():
            self._others.pop(uid).until = when
        for uid in known.keys() - self._others.keys():
            since = known[uid].get("since") or when
            self._others[uid] = Held(since, known[uid], note="carried it, too")
            self.held.append(self._others[uid])

    def _begin(self, when: str, owner: dict[str, str]) -> None:
        self._close(when)
        self._open = Held(when, owner)
        self.held.append(self._open)

    def _close(self, when: str) -> None:
        for held in (*self._others.values(), *filter(None, [self._open])):
            held.until = when
        self._open, self._claimed, self._others = None, "", {}


def instant(text: str) -> datetime:
    """Parse RFC 3339. Text does not sort: ":00Z" is after ":00.4Z", and zones differ."""
    # Python reads at most six digits of a second; 3.10 needs three or six of them, and no Z.
    found = re.fullmatch(r"(.{19})(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", text.upper())
    if not found:
        raise argparse.ArgumentTypeError(f"{text} is no time such as 2026-11-25T10:30:00Z")
    whole, fraction, zone = found.groups()
    digits = (fraction or "")[:6].ljust(6, "0")
    moment = f"{whole}.{digits}{'+00:00' if zone == 'Z' else zone}"
    return datetime.fromisoformat(moment)


def main() -> None:
    """Print the history, or the lines of one moment."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("mac", help="the address, in any spelling")
    parser.add_argument("--at", metavar="TIME", type=instant, help="RFC 3339: 2026-11-25T10:30:00Z")
    parser.add_argument("log", nargs="*", default=["-"])
    arguments = parser.parse_intermixed_args()  # --at can come before the files
    digits = re.sub("[^0-9a-f]", "", arguments.mac.lower())
    name = "-".join(re.findall("..", digits))
    with fileinput.input(
        arguments.log, openhook=fileinput.hook_compressed, encoding="utf-8"
    ) as lines:
        events = sorted(_writes(lines, name), key=lambda event: instant(event["stageTimestamp"]))
    history = History()
    try:
        for event in events:
            history.take(event)
    except WithoutBody as when:
        sys.exit(
            f"held.py: the write of {name} at {when} is in the log without its body, which names"
            f" the owner: the audit policy needs level Request for macallocations, as in"
            f" audit-policy.yaml. (If it has this rule, an earlier rule may match first.)"
        )
    rows = [held for held in history.held if arguments.at is None or held.spans(arguments.at)]
    _print([("FROM", "UNTIL", "HOLDER", "INTERFACE", "UID", ""), *(held.cells() for held in rows)])


def _writes(lines: Iterable[str], name: str) -> Iterator[dict[str, Any]]:
    """Yield each successful write of the allocation."""
    for line in lines:
        event = (
            _event(line) if name in line else {}
        )  # most lines are about other objects; parsing is slow
        ref = event.get("objectRef", {})
        if (
            (ref.get("resource"), ref.get("name")) == ("macallocations", name)
            and event["verb"] in {"create", "update", "patch", "delete"}
            and event["responseStatus"]["code"] in DONE
            and "dryRun=" not in event["requestURI"]
        ):
            yield event


def _event(line: str) -> dict[str, Any]:
    try:
        event: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:  # the API server is still writing the last line
        return {}
    return event


def _alike(one: dict[str, str], other: dict[str, str]) -> bool:
    """Return True if both can be one object, by kind, namespace and name."""
    return (one["kind"], one["namespace"]) == (other["kind"], other["namespace"]) and (
        not one.get("name") or one.get("name") == other.get("name")
    )


def _same(one: dict[str, str], other: dict[str, str]) -> bool:
    """Return True if `other` can be the object `one`, whose UID may not be known yet."""
    return _alike(one, other) and one.get("uid") in {None, other.get("uid")}


def _print(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("   ".join(cells).rstrip() + "\n")


if __name__ == "__main__":
    main()
