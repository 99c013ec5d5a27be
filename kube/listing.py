"""Parses the pages of lists: reads each object, and keeps only the result.

Law: a page of any size never blocks the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from kube.nesting import decode_bounded, prune_below
from kube.protobuf import NamesReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from kube.resource import Resource

T = TypeVar("T")
Object = TypeVar("Object")

_log = logging.getLogger(__name__)

# How long objects are read before other tasks get the event loop.
_STEP_S = 0.01
_NAMELESS = "(no name)"


class ListMeta(msgspec.Struct):
    """`metadata` of a list: its resourceVersion, and the token that continues it."""

    version: str = msgspec.field(default="", name="resourceVersion")
    more: str = msgspec.field(default="", name="continue")


class _Name(msgspec.Struct):
    name: str = _NAMELESS


class _Named(msgspec.Struct):
    metadata: _Name = msgspec.field(default_factory=_Name)


class _Page(msgspec.Struct):
    metadata: ListMeta
    items: list[msgspec.Raw]


_page = msgspec.json.Decoder(_Page)
_named = msgspec.json.Decoder(_Named)


async def parse_page(raw: bytes, resource: Resource[T], found: list[T]) -> ListMeta:
    """Append the objects of one page to `found`; other tasks run in between.

    Raises ValueError if the page cannot be read, or an object that must not be left out.
    """
    await asyncio.sleep(0)  # the objects of the page before may have taken long
    try:
        page = _page.decode(raw)
    except RecursionError:
        page = _page.decode(await asyncio.to_thread(prune_below, raw))
    read = partial(decode_bounded, resource.read)
    await _each(page.items, read, _name, found, leave_out=resource.leave_out)
    return page.metadata


async def parse_names(
    chunks: AsyncIterator[bytes], of_name: Callable[[str, str], T], *, leave_out: bool
) -> tuple[list[T], str]:
    """Read a list of metadata in chunks; return the values, and the resourceVersion of the list."""
    names, found = NamesReader(), list[T]()
    async for chunk in chunks:
        await asyncio.sleep(0)  # the next chunk may already be there
        await _each(
            names.feed(chunk),
            lambda named: of_name(*named),
            lambda named: named.name or _NAMELESS,
            found,
            leave_out=leave_out,
        )
    return found, names.version()


async def _each(
    objects: Iterable[Object],
    read: Callable[[Object], T],
    name: Callable[[Object], str],
    found: list[T],
    *,
    leave_out: bool,
) -> None:
    began_s = time.monotonic()
    for item in objects:
        if time.monotonic() - began_s >= _STEP_S:
            await asyncio.sleep(0)
            began_s = time.monotonic()
        try:
            found.append(read(item))
        except ValueError as error:
            if not leave_out:
                raise
            _log.error("%s cannot be read and is left out: %s", name(item), error)


def _name(item: bytes) -> str:
    try:
        return decode_bounded(_named.decode, item).metadata.name
    except ValueError:
        return _NAMELESS
