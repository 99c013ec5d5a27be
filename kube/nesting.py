"""JSON that is nested deeper than a decoder follows it: what lies too deep is read as null.

Law: no object that the API server stores keeps any other from being read. It stores up to 10,000
levels wherever a CRD lets unknown fields in, as KubeVirt's does in spec.template.metadata; Python
follows 1,000, all of its own calls included.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# What is read lies within 12 levels of a list's page (an interface of a VM).
_DEEPEST = 100
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


def decode_bounded(decode: Callable[[bytes], T], raw: bytes) -> T:
    """Decode `raw`, without what is nested too deeply. Raises what `decode` raises."""
    try:
        return decode(raw)
    except RecursionError:
        return decode(prune_below(raw))


def prune_below(raw: bytes) -> bytes:
    """Return it with null in the place of every list and object below level 100."""
    kept: list[bytes] = []
    depth = since = 0
    for token in _TOKEN.finditer(raw):
        mark = token[0]
        if mark in {b"[", b"{"}:
            depth += 1
            if depth == _DEEPEST + 1:
                kept += raw[since : token.start()], b"null"
        elif mark in {b"]", b"}"}:
            if depth == _DEEPEST + 1:
                since = token.end()
            depth -= 1
    if depth:
        raise ValueError("not JSON: it does not end")
    return b"".join((*kept, raw[since:]))
