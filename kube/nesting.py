"""Decodes JSON that is nested too deeply for the decoder: deeper values are read as null.

Law: no stored object prevents other objects from being read. The API server stores up to 10,000
levels where a CRD allows unknown fields (KubeVirt's allows them in spec.template.metadata). Python
follows 1,000 levels, its own calls included.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# All fields that we read are within 12 levels of a page (an interface of a VM).
_DEEPEST = 100
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


def decode_bounded(decode: Callable[[bytes], T], raw: bytes) -> T:
    """Decode `raw`; if it is nested too deeply, without the deepest values. Raises as `decode`."""
    try:
        return decode(raw)
    except RecursionError:
        return decode(prune_below(raw))


def prune_below(raw: bytes) -> bytes:
    """Return `raw` with null in place of every list and object below level 100."""
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
