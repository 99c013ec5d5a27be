"""Reads the flags of the programs from their --help, and their metrics from their source."""

import ast
import functools
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

from controller.options import read_options
from webhook.__main__ import read_arguments

PROJECT = Path(__file__).parents[2]
_PARSERS: Mapping[str, Callable[[], object]] = {
    "webhook": lambda: read_arguments(["--help"]),
    "controller": lambda: read_options(["--help"], {}),
}
_OPTION = re.compile(  # the text of a long one is on the next line, indented
    r"^  (?P<flag>--[\w-]+)(?: (?P<value>\S+))?(?:(?:  +|\n {10,})(?P<help>\S.*))?$", re.MULTILINE
)
_FAMILY = "MetricFamily"
_DEFAULT = re.compile(r" *\(default ([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of a program. A field is empty if --help does not contain it."""

    name: str
    value: str
    default: str
    meaning: str


@functools.cache  # argparse formats slowly
def flags(program: str) -> tuple[Flag, ...]:
    """Return the flags of `program`, from its own --help."""
    printed = io.StringIO()
    with _wide_terminal(), redirect_stdout(printed), suppress(SystemExit):
        _PARSERS[program]()
    return tuple(_flag(found) for found in _OPTION.finditer(printed.getvalue()))


@functools.cache  # parsing source takes longer than all else
def metrics(program: str) -> tuple[tuple[str, str, str], ...]:
    """Return name with labels, type and meaning of each metric family in the source."""
    sources = [file.read_text() for file in sorted((PROJECT / program).rglob("*.py"))]
    return tuple(row for source in sources if _FAMILY in source for row in _metrics(source))


def _metrics(source: str) -> Iterator[tuple[str, str, str]]:
    tree = ast.parse(source)
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
            labels = next(
                (keyword.value for keyword in call.keywords if keyword.arg == "labels"), None
            )
            named = ast.literal_eval(labels) if labels else ()
            yield f"{name}{{{','.join(named)}}}" if named else name, kind, "".join(described)


@contextmanager
def _wide_terminal() -> Iterator[None]:
    """Let argparse break no line."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "1000"
    try:
        yield
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before


def _flag(found: re.Match[str]) -> Flag:
    text = found["help"] or ""
    default = _DEFAULT.search(text)
    meaning = _DEFAULT.sub("", text)
    return Flag(found["flag"], found["value"] or "", default[1] if default else "", meaning)


def _family(call: ast.Call) -> str:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    return name.removesuffix(_FAMILY).lower() if name.endswith(_FAMILY) else ""


def _text(node: ast.expr, constants: Mapping[str, object]) -> str:
    """Return a string of the source; a part that is only known at run time is `<its name>`."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, constants) for part in node.values)
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name):
        return str(constants.get(node.value.id, f"<{node.value.id}>"))
    return ""
