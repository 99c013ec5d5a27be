"""The errors of a call to the API server, and names for the HTTP statuses that callers handle."""

from __future__ import annotations

from http import HTTPStatus

import msgspec


class CallFailed(Exception):
    """An expected failure: the API server is unreachable, or refuses. A retry may help."""


class ApiError(CallFailed):
    """The API server refuses: HTTP `status`, and the `reason` and `message` of its Status."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message

    @property
    def is_not_found(self) -> bool:
        """Return True for 404: the object, or the whole resource, does not exist."""
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def is_conflict(self) -> bool:
        """Return True for 409: the name is taken, or the object is no longer as it was read."""
        return self.status == HTTPStatus.CONFLICT

    @property
    def is_expired(self) -> bool:
        """Return True for 410: the API server no longer knows this version of a list."""
        return self.status == HTTPStatus.GONE

    @property
    def is_invalid(self) -> bool:
        """Return True for 422: a rule of the API refuses the object."""
        return self.status == HTTPStatus.UNPROCESSABLE_ENTITY

    @property
    def is_server_error(self) -> bool:
        """Return True for 5xx: the same call may succeed later."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


class Unreachable(CallFailed):
    """No answer came. The API server may or may not have executed the call."""


class _Status(msgspec.Struct):
    reason: str = ""
    message: str = ""
    code: int = 0


def read_error(status: int, raw: bytes) -> ApiError:
    """Read an error answer: a Status (metav1), or any other text."""
    try:
        answer = msgspec.json.decode(raw, type=_Status)
    except msgspec.DecodeError:
        answer = _Status(message=raw[:200].decode(errors="replace"))
    return ApiError(status, answer.reason, answer.message)


def text_of(error: Exception) -> str:
    """Return the text of `error`; its type if it has none, as a TimeoutError."""
    return str(error) or type(error).__name__
