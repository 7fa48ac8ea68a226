"""The API's error answers: status, type, param and code, as clients of the hosted API know them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """A 4xx or 5xx answer.

    Attributes:
        status: HTTP status.
        message: The text clients see.
        param: The field or id it is about.
        code: Machine-readable code, mostly null on this API.
        type: Error type, ``invalid_request_error`` unless said.
        headers: What the answer says beside its body.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        type: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.type = type
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The error envelope."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


def not_found(noun: str, identifier: str) -> ApiError:
    """``No assistant found with id 'asst_x'.`` (wording quoted by users of the hosted API)."""
    return ApiError(404, f"No {noun} found with id '{identifier}'.")


def bad_request(message: str, param: str | None = None) -> ApiError:
    """A 400 about one field."""
    return ApiError(400, message, param=param)


def state_not_written(why: str) -> ApiError:
    """A 500: the state file refuses what a call wants to keep; nothing of the call was kept."""
    message = f"The state file cannot be written: {why}."
    return ApiError(500, message, code="state_not_written", type="server_error")


def state_not_read(why: str) -> ApiError:
    """A 500: what a call needs cannot be read from the state file."""
    return ApiError(
        500,
        f"The state file cannot be read: {why}. Restore it from a copy, or start with a new one.",
        code="state_not_read",
        type="server_error",
    )
