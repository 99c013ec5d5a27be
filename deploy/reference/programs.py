"""Reads the flags of the programs from their --help, and their metrics from their source."""

import ast
import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
_WIDE = "1000"  # so that argparse breaks no line
_OPTION = re.compile(  # the text of a long one is on the next line, indented
    r"^  (?P<flag>--[\w-]+)(?: (?P<value>\S+))?(?:(?:  +|\n {10,})(?P<help>\S.*))?$", re.MULTILINE
)
_DEFAULT = re.compile(r" *\(default ([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of a program. A field is empty if --help does not contain it."""

    name: str
    value: str
    default: str
    meaning: str


@functools.cache  # a program takes a second to start
def flags(program: str) -> tuple[Flag, ...]:
    """Return the flags of `python -m program`."""
    environment = {**os.environ, "COLUMNS": _WIDE}
    command = [sys.executable, "-m", program, "--help"]
    text = subprocess.run(  # noqa: S603 - our own program
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    return tuple(_flag(found) for found in _OPTION.finditer(text))


def metrics(program: str) -> Iterator[tuple[str, str, str]]:
    """Yield name with labels, type and meaning of each metric family in the source."""
    for file in sorted((PROJECT / program).rglob("*.py")):
        tree = ast.parse(file.read_text())
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and (kind := _family(call)):
                name, *described = (_text(part, constants) for part in call.args[:2])
                labels = next((one.value for one in call.keywords if one.arg == "labels"), None)
                named = ast.literal_eval(labels) if labels else ()
                yield f"{name}{{{','.join(named)}}}" if named else name, kind, "".join(described)


def _flag(found: re.Match[str]) -> Flag:
    text = found["help"] or ""
    default = _DEFAULT.search(text)
    meaning = _DEFAULT.sub("", text)
    return Flag(found["flag"], found["value"] or "", default[1] if default else "", meaning)


def _family(call: ast.Call) -> str:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    return name.removesuffix("MetricFamily").lower() if name.endswith("MetricFamily") else ""


def _text(node: ast.expr, constants: Mapping[str, object]) -> str:
    """Return a string of the source; a part that is only known at run time is `<its name>`."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, constants) for part in node.values)
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name):
        return str(constants.get(node.value.id, f"<{node.value.id}>"))
    return ""
