"""Pages of lists, taken apart: each object is read at once, and of the page no more is kept.

Law: a page never holds up the loop, however large it is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, TypeVar

import msgspec

from crds.nesting import cut, decoded

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_log = logging.getLogger(__name__)

# How long the objects of a page are read in one go, before others may use the loop.
_STEP_S = 0.01


class ListMeta(msgspec.Struct):
    """`metadata` of a list: its resourceVersion, and the token that continues it."""

    version: str = msgspec.field(default="", name="resourceVersion")
    more: str = msgspec.field(default="", name="continue")


class _Name(msgspec.Struct):
    name: str = "(no name)"


class _Named(msgspec.Struct):
    metadata: _Name = msgspec.field(default_factory=_Name)


class _Page(msgspec.Struct):
    metadata: ListMeta
    items: list[msgspec.Raw] | None = None  # null in a PartialObjectMetadataList of none


_page = msgspec.json.Decoder(_Page)
_named = msgspec.json.Decoder(_Named)


async def taken_apart(
    raw: bytes, read: Callable[[bytes], T], found: list[T], *, leave_out: bool
) -> ListMeta:
    """Read the objects of one page into `found`, letting others use the loop meanwhile."""
    await asyncio.sleep(0)  # the last page's objects may just have been read
    try:
        page = _page.decode(raw)
    except RecursionError:
        page = _page.decode(await asyncio.to_thread(cut, raw))
    began_s = time.monotonic()
    for item in page.items or ():
        if time.monotonic() - began_s >= _STEP_S:
            await asyncio.sleep(0)
            began_s = time.monotonic()
        try:
            found.append(decoded(read, item))
        except ValueError as error:
            if not leave_out:
                raise
            _log.error("%s cannot be read and is left out: %s", _name(item), error)
    return page.metadata


def _name(item: bytes) -> str:
    try:
        return decoded(_named.decode, item).metadata.name
    except ValueError:
        return "(no name)"
