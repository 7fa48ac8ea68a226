"""Compares what the server takes and gives with its own description, in whatever test it is called."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
from msgspec.structs import replace

from harness.server.app import ADMIN_PATH, DOCUMENT_PATH, App
from harness.server.description import document, operations
from harness.server.description.records import BYTES, Operation
from harness.server.wire import Event, Reply, Request, StoppableEvents


@cache
def _components() -> dict[str, Any]:
    return document()["components"]


@cache
def _validator(method: str, path: str, part: str) -> Any:
    """The validator of one part of an operation: its body, its answer, or an event of this name."""
    operation = _described()[method, path]
    if part in ("body", "gives"):
        schema = getattr(operation, part)
    else:
        schema = operation.events[part.removeprefix("event ")]
    return _compiled(schema)


def _compiled(schema: Any) -> Any:
    return jsonschema_rs.validator_for({**schema, "components": _components()})


@cache
def _described() -> dict[tuple[str, str], Operation]:
    return {(each.method, each.path): each for each in operations()}


@cache
def _patterns() -> list[tuple[str, re.Pattern[str], Operation]]:
    """Fixed words first, as in the route table."""
    sorted_ones = sorted(_described().values(), key=lambda each: each.path.count("{"))
    return [(each.method, re.compile(re.sub(r"\{\w+\}", "[^/]+", each.path)), each) for each in sorted_ones]


def operation_of(method: str, path: str) -> Operation | None:
    """The description of what is called here; None where nothing is."""
    for known, pattern, operation in _patterns():
        if known == method and pattern.fullmatch(path):
            return operation
    return None


@cache
def _envelope() -> Any:
    return _compiled(_components()["schemas"]["Error"])


class Checker:
    """Takes note of every answer that is not as described."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def check(self, request: Request, reply: Reply) -> Reply:
        """The reply itself; what is wrong with it is noted, for a stream as it is read."""
        if request.path in (ADMIN_PATH, DOCUMENT_PATH):
            return reply
        if reply.status != 200:
            self._hold(_envelope(), reply.body, f"{request.method} {request.path}: the error envelope")
            return reply
        operation = operation_of(request.method, request.path)
        if operation is None:
            self.found.append(f"{request.method} {request.path} is answered, but not described")
            return reply
        name = f"{operation.method} {operation.path}"
        self._check_body(request, operation, name)
        if reply.events is not None:
            stoppable = isinstance(reply.events, StoppableEvents)
            watch = CheckedStoppableEvents if stoppable else CheckedEvents
            return replace(reply, events=watch(reply.events, operation, self))
        if operation.gives == BYTES:
            if reply.content is None:
                self.found.append(f"{name}: no bytes")
        else:
            self._hold(_validator(operation.method, operation.path, "gives"), reply.body, f"{name}: answer")
        return reply

    def _check_body(self, request: Request, operation: Operation, name: str) -> None:
        if request.body is None or operation.body is None:
            return
        validator = _validator(operation.method, operation.path, "body")
        self._hold(validator, request.body, f"{name}: accepted, though the description refuses it")

    def hold_event(self, operation: Operation, event: Event) -> None:
        """Note what is wrong with an event."""
        name, data = event
        where = f"{operation.method} {operation.path}: event {name!r}"
        if name not in operation.events:
            self.found.append(f"{where} is not described")
            return
        self._hold(_validator(operation.method, operation.path, f"event {name}"), data, where)

    def _hold(self, validator: Any, value: Any, where: str) -> None:
        for error in validator.iter_errors(value):
            place = "/".join(map(str, error.instance_path))
            self.found.append(f"{where}: at {place!r}: {error.message[:600]}")


class CheckedEvents(Iterator[Event]):
    """A stream whose events are compared with their description as they are read."""

    def __init__(self, events: Iterator[Event], operation: Operation, checker: Checker) -> None:
        self._events = events
        self._operation = operation
        self._checker = checker

    def __next__(self) -> Event:
        event = next(self._events)
        self._checker.hold_event(self._operation, event)
        return event

    def close(self) -> None:
        close = getattr(self._events, "close", None)
        if close is not None:
            close()


class CheckedStoppableEvents(CheckedEvents, StoppableEvents):
    """A stream that can be stopped, likewise."""

    def stop(self) -> None:
        assert isinstance(self._events, StoppableEvents)
        self._events.stop()


CHECKER = Checker()


@pytest.fixture(scope="session", autouse=True)
def every_server_is_watched() -> Iterator[None]:
    """All servers of this process, however they are called, are held to the description."""
    handle: Callable[[App, Request], Reply] = App.handle

    def watched(self: App, request: Request) -> Reply:
        return CHECKER.check(request, handle(self, request))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(App, "handle", watched)
        yield


@pytest.fixture(autouse=True)
def as_described() -> Iterator[None]:
    """A test in which a server answered otherwise than it is described fails."""
    CHECKER.found.clear()
    yield
    found, CHECKER.found[:] = sorted(set(CHECKER.found)), []
    if found:
        pytest.fail("not as harness/server/description says:\n" + "\n".join(found), pytrace=False)
