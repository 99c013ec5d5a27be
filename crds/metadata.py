"""Names and resourceVersions from a list of metadata alone, in protobuf, read as it comes.

One list, not pages, is always answered from the API server's memory, and in protobuf it costs it 20
us an object (docs/decisions/2026-11-26-names-as-they-come.md).

The messages are those of Kubernetes' generated.proto (apimachinery, meta/v1 and runtime). No more
of them is read than two texts of each object, so no library is needed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

ACCEPT = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

_MAGIC = b"k8s\x00"  # before each message, which is an Unknown with another in it
_UNKNOWN_RAW = 2
_LIST_METADATA, _LIST_ITEMS = 1, 2
_LIST_VERSION = 2
_OBJECT_METADATA = 1
_NAME, _VERSION = 1, 6
_KIND, _MORE = 0x07, 0x80  # bits of a key, and of each byte of a number
_BYTES = 2
_FIXED = {1: 8, 5: 4}  # kinds of a fixed size


class Named(NamedTuple):
    """What is read of an object."""

    name: str
    version: str


class NamesReader:
    """Reads one list in pieces of any size. Raises ValueError where it is none."""

    def __init__(self) -> None:
        self._rest = b""
        self._left: int | None = None  # bytes of the list that are still to come
        self._version = ""

    def feed(self, chunk: bytes) -> list[Named]:
        """Read on; return the objects that have become whole."""
        raw = self._rest + chunk
        if self._left is None:
            head = _head(raw)
            if head is None:
                self._rest = raw
                return []
            at, self._left = head
        else:
            at = 0
        found = []
        end = min(len(raw), at + self._left)
        begun = at
        with suppress(IndexError):  # in the middle of a key or a length
            while at < end:
                number, begin, after = _next(raw, at)
                if after > end:
                    break
                if number == _LIST_ITEMS:
                    found.append(_named(raw, begin, after))
                elif number == _LIST_METADATA:
                    self._version = _text(raw, _find(raw, begin, after, _LIST_VERSION))
                at = after
        self._left -= at - begun
        self._rest = raw[at:]
        return found

    def version(self) -> str:
        """The list's resourceVersion, when all of it has been read."""
        if self._left != 0 or not self._version:
            raise ValueError("what came is no whole list in Kubernetes' protobuf")
        return self._version


def _head(raw: bytes) -> tuple[int, int] | None:
    """Where the list begins and how long it is; None while that is still to come."""
    if not raw.startswith(_MAGIC[: len(raw)]):
        raise ValueError(f"what came is not in Kubernetes' protobuf: {raw[:40]!r}")
    with suppress(IndexError):
        if found := _find(raw, len(_MAGIC), len(raw), _UNKNOWN_RAW):
            return found[0], found[1] - found[0]
    return None


def _named(raw: bytes, at: int, end: int) -> Named:
    where = _find(raw, at, end, _OBJECT_METADATA)
    if where is None:
        return Named("", "")
    at, end = where
    return Named(_text(raw, _find(raw, at, end, _NAME)), _text(raw, _find(raw, at, end, _VERSION)))


def _text(raw: bytes, where: tuple[int, int] | None) -> str:
    return raw[where[0] : where[1]].decode() if where else ""


def _find(raw: bytes, at: int, end: int, wanted: int) -> tuple[int, int] | None:
    """Where the content of the first field of that number begins, and where it ends."""
    while at < end:
        number, begin, at = _next(raw, at)
        if number == wanted:
            return begin, at
    return None


def _next(raw: bytes, at: int) -> tuple[int, int, int]:
    """A field's number, and where its content begins and ends: perhaps behind the end of `raw`.

    IndexError where `raw` ends before the content begins. The wire format is described at
    protobuf.dev/programming-guides/encoding.
    """
    key, size = raw[at], raw[at + 1]
    if key & (_MORE | _KIND) == _BYTES and size < _MORE:  # nearly always
        return key >> 3, at + 2, at + 2 + size
    key, at = _varint(raw, at)
    kind, number = key & _KIND, key >> 3
    if kind in _FIXED:
        return number, at, at + _FIXED[kind]
    size, after = _varint(raw, at)
    return (number, after, after + size) if kind == _BYTES else (number, at, after)


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """A number, seven bits at a time, and where it ends."""
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & ~_MORE) << shift
        if byte < _MORE:
            return value, at
        shift += 7
