"""Runs the examples of documents, and compares their output with the documents.

The lines after `$` in blocks marked `console` run, each document from top to bottom. Blocks marked
`sh` do not run, because they need more than the test bed has. A `yaml` block that names its file in
a comment is equal to that file. The words that a line prints are compared, in any order and with
any line breaks. Three things can differ: ages, UIDs, and addresses that the pool picked (every
address that begins with 02, but not with 02:00:00). Three dots match any words.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from testbed.readiness import READY_S, eventually
from testbed.shell import Cluster, typed

PROJECT = Path(__file__).parents[1]
_READS = re.compile(r"kubectl (get|describe|explain|wait|logs)\b")
_PICKED = re.compile(r"\b02[:-](?!00[:-]00)([0-9a-f]{2}[:-]){4}[0-9a-f]{2}\b")
_UID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_AGE = re.compile(r"^(\d+[smhd])+$")


@dataclass(frozen=True, slots=True)
class Example:
    """One line that a reader would type, and the output that the document shows."""

    place: str
    line: str
    shown: str


def blocks(document: str, language: str) -> list[tuple[int, str]]:
    """Return the document's blocks of that language, each with the number of its first line."""
    text = (PROJECT / document).read_text()
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, match.start(1)) + 1, match[1]) for match in fence.finditer(text)]


def examples(document: str) -> list[Example]:
    """Return every line to type in the document's blocks marked `console`."""
    found = []
    for number, block in blocks(document, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            typed_lines = re.match(r"(.*\\\n)*.*\n", part)  # a backslash goes on below
            assert typed_lines
            line, shown = part[: typed_lines.end()], part[typed_lines.end() :]
            found.append(Example(f"{document}:{number}", line.strip(), shown))
    return found


def words(output: str) -> Counter[str]:
    """Return the words of an output, without what differs from run to run."""
    lasting = _UID.sub("UID", _PICKED.sub("PICKED", output))
    return Counter("AGE" if _AGE.match(word) else word for word in lasting.split())


def differs(example: Example, output: str) -> str:
    """Return the difference between the output and the document, or nothing."""
    shown, printed = words(example.shown), words(output)
    open_ended = shown.pop("...", 0)
    missing, surplus = shown - printed, printed - shown
    if not missing and (open_ended or not surplus):
        return ""
    return f"{example.place}: $ {example.line}\n{output}\nmissing: {missing}, not shown: {surplus}"


def follow(cluster: Cluster, example: Example, deadline_s: float = READY_S) -> None:
    """Type the line; repeat a line that only reads until its output is right."""
    difference = differs(example, typed(cluster, example.line).output)
    if difference and _READS.search(example.line):

        def as_shown() -> bool:
            nonlocal difference
            difference = differs(example, typed(cluster, example.line).output)
            return not difference

        try:
            eventually(as_shown, example.line, deadline_s)
        except AssertionError:
            raise AssertionError(difference) from None
    assert not difference, difference
