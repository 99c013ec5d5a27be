"""Reads names and resourceVersions from a list of metadata in protobuf, chunk by chunk.

Such a list costs the API server 20 us per object. It needs no pages, which the API server would
read from etcd (docs/decisions/2026-11-26-names-as-they-come.md).

The messages are in Kubernetes' generated.proto (apimachinery, meta/v1 and runtime); the wire format
is in protobuf.dev/programming-guides/encoding. Only two texts of each object are read, so this
needs no library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCEPT = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

_MAGIC = b"k8s\x00"  # before the message, which is an Unknown with another message in it
_UNKNOWN_RAW = 2
_LIST_METADATA, _LIST_ITEMS = 1, 2
_LIST_VERSION, _LIST_CONTINUE = 2, 3
_OBJECT_METADATA = 1
_NAME, _VERSION = 1, 6

_KIND, _MORE = 0x07, 0x80  # bits of a key, and of each byte of a number
_NUMBER, _BYTES = 0, 2  # kinds
_FIXED = {1: 8, 5: 4}  # kind -> size in bytes, for kinds of a fixed size
_LONGEST = 4 << 20  # an object is at most 1.5 MiB in etcd
_LARGEST_SHIFT = 63


class Named(NamedTuple):
    """The name and the resourceVersion of one object."""

    name: str
    version: str


class NamesReader:
    """Reads one list in chunks of any size. Raises ValueError if it is not such a list."""

    def __init__(self) -> None:
        self._rest = b""
        self._left: int | None = None  # bytes of the list that are still to come
        self._version = ""

    def feed(self, chunk: bytes) -> Iterator[Named]:
        """Yield the objects that are complete with this chunk."""
        raw, at = self._rest + chunk, 0
        if self._left is None:
            begin = _begin(raw)
            if begin is None:
                self._rest = raw
                return
            at, self._left = begin
        while self._left:
            field = _whole(raw, at, self._left)
            if field is None:
                break
            number, begin_at, after = field
            if number == _LIST_ITEMS:
                yield _named(raw, begin_at, after)
            elif number == _LIST_METADATA:
                self._version = _version(raw, begin_at, after)
            self._left -= after - at
            at = after
        self._rest = raw[at:] if self._left else b""

    def version(self) -> str:
        """Return the resourceVersion of the list, after all of it has been read."""
        if self._left != 0 or not self._version:
            raise ValueError("invalid list: incomplete in Kubernetes' protobuf")
        return self._version


def _begin(raw: bytes) -> tuple[int, int] | None:
    """Return the start and the length of the list; None if more bytes are needed."""
    if not raw.startswith(_MAGIC[: len(raw)]):
        raise ValueError(f"invalid list: not in Kubernetes' protobuf: {raw[:40]!r}")
    at = len(_MAGIC)
    try:
        while at < len(raw):
            number, begin, at = _next(raw, at)
            if number == _UNKNOWN_RAW:
                return begin, at - begin
    except IndexError:
        pass
    if at > _LONGEST:
        raise ValueError("invalid list: no list in Kubernetes' protobuf")
    return None


def _whole(raw: bytes, at: int, left: int) -> tuple[int, int, int] | None:
    """Return the field at `at` of a list with `left` more bytes; None if it is incomplete."""
    try:
        field = _next(raw, at)
    except IndexError:
        return None
    *_, after = field
    if after - at > min(left, _LONGEST):
        raise ValueError("invalid list in protobuf: a field is longer than the list")
    return field if after <= len(raw) else None


def _version(raw: bytes, at: int, end: int) -> str:
    if _text(raw, at, end, _LIST_CONTINUE):
        raise ValueError("invalid list in protobuf: a list without a limit has a second page")
    return _text(raw, at, end, _LIST_VERSION)


def _named(raw: bytes, at: int, end: int) -> Named:
    at, end = _find(raw, at, end, _OBJECT_METADATA)
    return Named(_text(raw, at, end, _NAME), _text(raw, at, end, _VERSION))


def _text(raw: bytes, at: int, end: int, wanted: int) -> str:
    at, end = _find(raw, at, end, wanted)
    return raw[at:end].decode()


def _find(raw: bytes, at: int, end: int, wanted: int) -> tuple[int, int]:
    """Return the start and the end of the first field `wanted` in the message from `at` to `end`.

    If the message has no such field, both are `end`.
    """
    try:
        while at < end:
            number, begin, at = _next(raw, at)
            if number == wanted and at <= end:
                return begin, at
    except IndexError:
        at = len(raw) + 1
    if at != end:
        raise ValueError("invalid message in protobuf: a field is longer than the message")
    return end, end


def _next(raw: bytes, at: int) -> tuple[int, int, int]:
    """Return the number of a field (0 if its content is a number), and its start and end.

    The end may be behind the end of `raw`. Raises IndexError if `raw` ends before the content.
    """
    key, size = raw[at], raw[at + 1]
    if key & (_MORE | _KIND) == _BYTES and size < _MORE:  # the most frequent case
        return key >> 3, at + 2, at + 2 + size
    key, at = _varint(raw, at)
    kind = key & _KIND
    if kind in _FIXED:
        return 0, at, at + _FIXED[kind]
    size, after = _varint(raw, at)
    if kind == _BYTES:
        return key >> 3, after, after + size
    if kind == _NUMBER:
        return 0, at, after
    raise ValueError(f"invalid field in protobuf: unknown kind {kind}")


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """Return a number (seven bits in each byte), and the position after it."""
    value = 0
    for shift in range(0, _LARGEST_SHIFT + 1, 7):
        byte = raw[at]
        at += 1
        value |= (byte & ~_MORE) << shift
        if byte < _MORE:
            return value, at
    raise ValueError("invalid number in protobuf: it does not end")
