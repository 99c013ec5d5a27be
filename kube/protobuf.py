"""Names and resourceVersions from a list of metadata alone, in protobuf, read as it comes.

Such a list costs the API server 20 us an object, and has no pages for it to look up in etcd
(docs/decisions/2026-11-26-names-as-they-come.md).

The messages are those of Kubernetes' generated.proto (apimachinery, meta/v1 and runtime), in the
wire format of protobuf.dev/programming-guides/encoding. No more of them is read than two texts of
each object, so no library is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCEPT = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

_MAGIC = b"k8s\x00"  # before the message, which is always an Unknown with another in it
_UNKNOWN_RAW = 2
_LIST_METADATA, _LIST_ITEMS = 1, 2
_LIST_VERSION, _LIST_CONTINUE = 2, 3
_OBJECT_METADATA = 1
_NAME, _VERSION = 1, 6

_KIND, _MORE = 0x07, 0x80  # bits of a key, and of each byte of a number
_NUMBER, _BYTES = 0, 2  # kinds
_FIXED = {1: 8, 5: 4}  # bytes of those of a fixed size
_LONGEST = 4 << 20  # an object is at most 1.5 MiB in etcd
_LARGEST_SHIFT = 63


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

    def feed(self, chunk: bytes) -> Iterator[Named]:
        """Read on: the objects that have become whole, as far as they are taken."""
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
        """The list's resourceVersion, when all of it has been read."""
        if self._left != 0 or not self._version:
            raise ValueError("what came is no whole list in Kubernetes' protobuf")
        return self._version


def _begin(raw: bytes) -> tuple[int, int] | None:
    """Where the list begins and how long it is; None while that is still to come."""
    if not raw.startswith(_MAGIC[: len(raw)]):
        raise ValueError(f"what came is not in Kubernetes' protobuf: {raw[:40]!r}")
    at = len(_MAGIC)
    try:
        while at < len(raw):
            number, begin, at = _next(raw, at)
            if number == _UNKNOWN_RAW:
                return begin, at - begin
    except IndexError:
        pass
    if at > _LONGEST:
        raise ValueError("what came is no list in Kubernetes' protobuf")
    return None


def _whole(raw: bytes, at: int, left: int) -> tuple[int, int, int] | None:
    """The field at `at`, of which a list has `left` bytes; None while it is not whole."""
    try:
        field = _next(raw, at)
    except IndexError:
        return None
    *_, after = field
    if after - at > min(left, _LONGEST):
        raise ValueError("a list in protobuf has a field that does not fit into it")
    return field if after <= len(raw) else None


def _version(raw: bytes, at: int, end: int) -> str:
    if _text(raw, at, end, _LIST_CONTINUE):
        raise ValueError("a list without a limit is said to have a second page")
    return _text(raw, at, end, _LIST_VERSION)


def _named(raw: bytes, at: int, end: int) -> Named:
    at, end = _find(raw, at, end, _OBJECT_METADATA)
    return Named(_text(raw, at, end, _NAME), _text(raw, at, end, _VERSION))


def _text(raw: bytes, at: int, end: int, wanted: int) -> str:
    at, end = _find(raw, at, end, wanted)
    return raw[at:end].decode()


def _find(raw: bytes, at: int, end: int, wanted: int) -> tuple[int, int]:
    """Where the content of a message's first such field begins and ends; nothing, if there is none.

    The message lies between `at` and `end`.
    """
    try:
        while at < end:
            number, begin, at = _next(raw, at)
            if number == wanted and at <= end:
                return begin, at
    except IndexError:
        at = len(raw) + 1
    if at != end:
        raise ValueError("a message in protobuf has a field that does not fit into it")
    return end, end


def _next(raw: bytes, at: int) -> tuple[int, int, int]:
    """A field's number (0 if it is a number itself), and where its content begins and ends.

    It may end behind the end of `raw`. IndexError where that comes before the content begins.
    """
    key, size = raw[at], raw[at + 1]
    if key & (_MORE | _KIND) == _BYTES and size < _MORE:  # nearly always
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
    raise ValueError(f"there is no field of kind {kind} in protobuf")


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """A number, seven bits at a time, and where it ends."""
    value = 0
    for shift in range(0, _LARGEST_SHIFT + 1, 7):
        byte = raw[at]
        at += 1
        value |= (byte & ~_MORE) << shift
        if byte < _MORE:
            return value, at
    raise ValueError("a number in protobuf does not end")
