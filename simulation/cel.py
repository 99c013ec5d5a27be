"""Evaluates the part of CEL that our rules about states use, by writing it as Python.

The API server's own evaluation is tested on a control plane (crds/tests/contract.py,
e2e/tests/test_policy.py). This one needs none, so each rule meets each transition.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

# (condition ? value : other), with no parentheses or other conditions inside but has(...)
_PART = r"((?:[^?:()']|'[^']*'|\w+\([^()]*\))+)"
_CONDITIONAL = re.compile(rf"\({_PART} \? {_PART} : {_PART}\)")


def evaluate(expression: str, **variables: Any) -> Any:  # noqa: ANN401 # CEL is dynamic, too
    """Return the value of `expression`; objects are given as `dict`, an absent one as None."""
    text = _CONDITIONAL.sub(r"((\2) if (\1) else (\3))", " ".join(expression.split()))
    text = re.sub(r"has\(([\w.]+)\.(\w+)\)", r"('\2' in vars(\1))", text)
    for cel, python in (("||", " or "), ("&&", " and "), ("null", "None")):
        text = text.replace(cel, python)
    text = re.sub(r"!(?!=)", " not ", text)
    return eval(text, {}, {name: _namespace(value) for name, value in variables.items()})  # noqa: S307


def _namespace(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return SimpleNamespace(**{name: _namespace(member) for name, member in value.items()})
