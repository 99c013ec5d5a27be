"""Finds banned words: `python -m lint.words` prints file:line: word (suggestion), and exits with 1.

It checks those language rules of CONTRIBUTING.md that a program can check.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
# Lock files, a licence, a plot, a manifest of another project, and the previous one of our own.
OTHERS = (
    *("*.txt", "*.mod", "*.sum", "*.svg", "LICENSE"),
    *("e2e/go-manager.yaml", "e2e/tests/manifests/previous.yaml"),
)
THIS = Path(__file__).relative_to(PROJECT).as_posix()

# Regular expression: replacement. An underscore ends a word, as a space does.
BANNED = {
    r"who(?:m)?ever": "anyone who, a client that, the object that",
    r"(?:nobody|no one)(?:'s)?": "no client, nothing, none; or say who does it",
    r"(?:somebody|someone)(?:'s| else)?": "another object, a client, you",
    r"anew": "again",
    r"likewise": "also, in the same way",
    r"meanwhile": "until then, in the meantime",
    r"at hand": "available",
    r"(?:is|are|was|were|be|been) had": "is claimed, is available",
    r"stands?(?! by| for|-in)": "is, is written, is recorded",
    r"so (?:many|long)": "this many, for this time; as many as, as long as",
}
# A statement that begins with a clause in the place of its subject. Questions are fine.
CLAUSE = re.compile(
    r'(?:^[#\s*>-]*|[.:!?]\s+|"""|# )((?:What|Who|Whose|Whom) [a-z]\w*)(?!.*\?)', re.MULTILINE
)
SUBJECT = "begin with the subject"

# With a lookbehind or IGNORECASE the search would take six times as long.
WORDS = [(re.compile(rf"({word})(?![^\W_])"), instead) for word, instead in BANNED.items()]


def main() -> int:
    """Print each banned word of the tracked files; return 1 if there is one."""
    command = ("git", "ls-files", "--", *(f":!{name}" for name in (*OTHERS, THIS)))
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)  # noqa: S603
    lines = [
        f"{name}:{number}: {word} ({instead})\n"
        for name in listed.stdout.splitlines()
        for number, word, instead in banned((PROJECT / name).read_text())
    ]
    sys.stdout.writelines(lines)
    return 1 if lines else 0


def banned(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, word and suggestion for each banned word."""
    lower = text.lower()
    found = [
        (match.start(), match[1], instead)
        for pattern, instead in WORDS
        for match in pattern.finditer(lower)
        if not lower[match.start() - 1 : match.start()].isalnum()
    ]
    found += [(match.start(1), match[1], SUBJECT) for match in CLAUSE.finditer(text)]
    for at, word, instead in sorted(found):
        yield text.count("\n", 0, at) + 1, word, instead


if __name__ == "__main__":
    sys.exit(main())
