"""What the bench reads of the API server's answers."""

from __future__ import annotations

import msgspec


class _Meta(msgspec.Struct):
    name: str


class _Created(msgspec.Struct):
    metadata: _Meta


def name_of(created: bytes) -> str:
    """Return the name of what was created."""
    return msgspec.json.decode(created, type=_Created).metadata.name
