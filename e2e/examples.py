"""Documents whose examples are run, and compared with what they show.

Run are the blocks marked `console`, line after `$` line, each document from top to bottom; blocks
marked `sh` are not, because they need more than the test bed has. A `yaml` block that names its
file in a comment is that file. Compared are the words that a line prints, in any order and however
they are wrapped, but not what differs from run to run: ages, UIDs, and addresses picked by the pool
(every address in a document except those that begin with 02:00:00 or lie outside 02). Three dots
stand for any words more.
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
    """One line that a reader would type, and what the document says it prints."""

    place: str
    line: str
    shown: str


def blocks(document: str, language: str) -> list[tuple[int, str]]:
    """The document's blocks of that language, each with the number of its first line."""
    text = (PROJECT / document).read_text()
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, match.start(1)) + 1, match[1]) for match in fence.finditer(text)]


def examples(document: str) -> list[Example]:
    """Every line that the document's blocks marked `console` let one type."""
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
    """How the output differs from what is shown, or nothing."""
    shown, printed = words(example.shown), words(output)
    open_ended = shown.pop("...", 0)
    missing, surplus = shown - printed, printed - shown
    if not missing and (open_ended or not surplus):
        return ""
    return f"{example.place}: $ {example.line}\n{output}\nmissing: {missing}, not shown: {surplus}"


def follow(cluster: Cluster, example: Example, deadline_s: float = READY_S) -> None:
    """Type the line; what only reads is asked again until the cluster has come so far."""
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
