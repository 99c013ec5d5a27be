"""What can go wrong with a call to the API server."""

from __future__ import annotations

import msgspec


class CallFailed(Exception):
    """A failure that is expected: the API server is away, or refuses. Trying again may help."""


class ApiError(CallFailed):
    """The API server's refusal: HTTP `status`, the Status `reason`, and its message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class Unreachable(CallFailed):
    """No answer came: the call may or may not have been carried out."""


class _Status(msgspec.Struct):
    reason: str = ""
    message: str = ""
    code: int = 0


def read_error(status: int, raw: bytes) -> ApiError:
    """Read a refusal: a Status (metav1), or whatever came instead."""
    try:
        said = msgspec.json.decode(raw, type=_Status)
    except msgspec.DecodeError:
        said = _Status(message=raw[:200].decode(errors="replace"))
    return ApiError(status, said.reason, said.message)
