"""Encodes lists of metadata in Kubernetes' protobuf, as the API server does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def names_list(version: str, items: Iterable[bytes], more: str = "") -> bytes:
    """Return a PartialObjectMetadataList inside an Unknown, as it is sent."""
    listed = field(1, field(1, "") + field(2, version) + field(3, more))
    listed += b"".join(field(2, item) for item in items)
    kind = field(1, "meta.k8s.io/v1") + field(2, "PartialObjectMetadataList")
    return b"k8s\x00" + field(1, kind) + field(2, listed) + field(3, "") + field(4, "")


def named(name: str, version: str, uid: str = "u") -> bytes:
    unused = b"".join(field(number, "") for number in (2, 3, 4))
    generation = varint(7 << 3) + varint(300)
    metadata = field(1, name) + unused + field(5, uid) + field(6, version) + generation
    return field(1, metadata)


def field(number: int, content: bytes | str) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])
