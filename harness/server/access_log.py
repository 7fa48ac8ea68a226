"""What the server was asked: one line a call, as text or JSON, without what people wrote unless asked for."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from harness.clock import SYSTEM_CLOCK, Clock

Style = Literal["text", "json"]

_MOST_BODY_CHARACTERS = 10_000
_ID = re.compile(r"([A-Za-z]{1,16}[_-])([A-Za-z0-9]{6})[A-Za-z0-9_-]{3,}")
_MOST_PART_CHARACTERS = 32
_NOT_SHOWN = re.compile(r"[^!-~]")


@dataclass(slots=True)
class Call:
    """One call of the server, from its arrival to the end of its answer.

    Attributes:
        method: HTTP method.
        path: As it was sent, without the version prefix.
        started: When it arrived, on the counter of this process.
        status: Of the answer; 500 until there is one.
        request_id: The answer's ``x-request-id``.
        fault: The fault on demand that it met, in words.
        events: How many events its stream brought; None when it is no stream.
        cut: Its stream was cut by a fault on demand.
        sent: The JSON body of the request.
        answered: The JSON body of the answer.
    """

    method: str
    path: str
    started: float = field(default_factory=time.perf_counter)
    status: int = 500
    request_id: str = ""
    fault: str = ""
    events: int | None = None
    cut: bool = False
    sent: dict[str, Any] | None = None
    answered: dict[str, Any] | None = None

    @property
    def duration_ms(self) -> float:
        """Time since it arrived."""
        return round((time.perf_counter() - self.started) * 1000, 1)


class AccessLog:
    """Writes a line for every call.

    Args:
        style: ``text`` for people, ``json`` for programs.
        write: Takes each line, without its end.
        bodies: Write request and answer bodies too, and with them messages, documents and instructions.
        clock: Where the time of day comes from.
    """

    def __init__(
        self, style: Style, write: Callable[[str], None], *, bodies: bool = False, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._style = style
        self._write = write
        self._bodies = bodies
        self._clock = clock

    def note(self, call: Call) -> None:
        """Write the line of a call that is over."""
        time_of_day = self._clock.now().isoformat(timespec="milliseconds")
        fields = {"time": time_of_day, **dict(self._fields(call))}
        if self._style == "json":
            self._write(msgspec.json.encode(fields).decode())
        else:
            self._write(_as_text(fields))

    def _fields(self, call: Call) -> Iterator[tuple[str, Any]]:
        yield from (("method", _printable(call.method)), ("path", short_path(call.path)))
        yield from (("status", call.status), ("duration_ms", call.duration_ms))
        yield "request_id", call.request_id
        if call.events is not None:
            yield "events", call.events
        if call.cut:
            yield "cut", True
        if call.fault:
            yield "fault", call.fault
        if self._bodies:
            yield from (("request", _body(call.sent)), ("response", _body(call.answered)))


def short_path(path: str) -> str:
    """A path with ids shortened to what tells them apart, and nothing that could break a line."""
    return "/".join(_short(part) for part in path.split("/"))


def _short(part: str) -> str:
    if match := _ID.fullmatch(part):
        return f"{match[1]}{match[2]}..."
    shown = _printable(part)
    return shown if len(shown) <= _MOST_PART_CHARACTERS else f"{shown[:_MOST_PART_CHARACTERS]}..."


def _printable(text: str) -> str:
    return _NOT_SHOWN.sub("?", text)


def _body(body: dict[str, Any] | None) -> str | None:
    """A body as JSON text, cut where it is long."""
    if body is None:
        return None
    text = msgspec.json.encode(body).decode()
    return text if len(text) <= _MOST_BODY_CHARACTERS else f"{text[:_MOST_BODY_CHARACTERS]}..."


def _as_text(fields: dict[str, Any]) -> str:
    """``TIME METHOD PATH STATUS MS ms ID``, then whatever else there is by name."""
    first = ("time", "method", "path", "status")
    line = " ".join(str(fields.pop(name)) for name in first)
    line += f" {fields.pop('duration_ms')} ms {fields.pop('request_id')}"
    rest = (
        f"{name}={value!r}" if isinstance(value, str) else f"{name}={value}" for name, value in fields.items()
    )
    return " ".join([line, *rest])
