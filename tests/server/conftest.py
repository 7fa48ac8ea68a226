"""A server in the test's own hands: its clock stands still, its model says what the test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from harness.clock import Clock
from harness.server.app import App, Reply, Request, ServerOptions, Upload
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted


@dataclass
class StandingClock:
    """Time that moves only when the test moves it."""

    at: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def clock(self) -> Clock:
        return Clock(now=lambda: self.at, monotonic=lambda: self.at.timestamp())


@dataclass
class Api:
    """Calls a server as a client would, and insists on the status it expects."""

    app: App
    model: Scripted
    time: StandingClock
    replies: list[Reply] = field(default_factory=list)

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Reply:
        values = {name: [str(value)] for name, value in query.items()}
        reply = self.app.handle(Request(method, path, body, values))
        self.replies.append(reply)
        return reply

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        return self._fine(self.call("POST", path, body, **query))

    def get(self, path: str, **query: Any) -> Any:
        return self._fine(self.call("GET", path, **query))

    def delete(self, path: str) -> Any:
        return self._fine(self.call("DELETE", path))

    def refused(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, dict[str, Any]]:
        """Status and inner error of a call that must fail."""
        reply = self.call(method, path, body, **query)
        assert reply.status >= 400, reply.body
        assert set(reply.body["error"]) == {"message", "type", "param", "code"}
        return reply.status, reply.body["error"]

    def _fine(self, reply: Reply) -> Any:
        assert reply.status == 200, reply.body
        return reply.body

    def stream(self, path: str, body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        reply = self.call("POST", path, {**body, "stream": True})
        assert reply.events is not None, reply.body
        return list(reply.events)

    def upload(self, name: str, content: bytes, purpose: str = "assistants", **fields: str) -> dict[str, Any]:
        upload = Upload(name, content, {"purpose": purpose, **fields})
        return self._fine(self.app.handle(Request("POST", "/files", upload=upload)))

    def assistant(self, **body: Any) -> dict[str, Any]:
        return self.post("/assistants", {"model": "gpt-5.4", **body})

    def thread(self, *texts: str) -> str:
        given = [{"role": "user", "content": text} for text in texts]
        return self.post("/threads", {"messages": given})["id"]

    def say(self, thread_id: str, text: str) -> dict[str, Any]:
        return self.post(f"/threads/{thread_id}/messages", {"role": "user", "content": text})

    def run(self, thread_id: str, assistant_id: str, **body: Any) -> dict[str, Any]:
        """A run as it stands after the server has worked on it."""
        made = self.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id, **body})
        return self.get(f"/threads/{thread_id}/runs/{made['id']}")

    def steps(self, run: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
        """A run's steps, oldest first."""
        path = f"/threads/{run['thread_id']}/runs/{run['id']}/steps"
        return self.get(path, order="asc", **query)["data"]

    def answer(self, thread_id: str) -> dict[str, Any]:
        """The latest message of a thread."""
        return self.get(f"/threads/{thread_id}/messages")["data"][0]


class RestartedApp:
    """A server that is started anew from its state file for every call, and so can only know what it kept."""

    def __init__(self, options: ServerOptions) -> None:
        self.options = options

    def handle(self, request: Request) -> Reply:
        app = App(self.options)
        reply = app.handle(request)
        if reply.events is None:
            app.close()
            return reply
        return replace(reply, events=self._to_the_end(app, reply.events))

    def _to_the_end(self, app: App, events: Iterator[Any]) -> Iterator[Any]:
        try:
            yield from events
        finally:
            app.close()

    def close(self) -> None:
        """Nothing runs between calls."""


MakeApi = Callable[..., Api]


_TWICE = {"resources", "engine"}
"""Tests in these folders run a second time, with a server that is started anew for every call."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have tests of what the server remembers run with both kinds of memory.

    What only a living server can do (variables of code, work in threads) is marked ``in_one_life``.
    """
    twice = metafunc.definition.path.parent.name in _TWICE
    if (
        twice
        and "make_api" in metafunc.fixturenames
        and not metafunc.definition.get_closest_marker("in_one_life")
    ):
        metafunc.parametrize("make_api", ["in memory", "restarted"], indirect=True)


@pytest.fixture
def make_api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeApi]:
    """Makes servers: ``make_api(lines)`` with eager work and a standing clock."""
    made: list[Any] = []
    restarted = getattr(request, "param", "in memory") == "restarted"

    def make(lines: Any = ("Fine.",), *, cycle: bool = True, **options: Any) -> Api:
        model = Scripted(lines, cycle=cycle and not callable(lines))
        time = StandingClock()
        chosen = {"models": ModelTable(default=model), "clock": time.clock(), "eager": True, "seed": 7}
        chosen["allow_unisolated_code"] = True
        if restarted:
            chosen |= {"seed": None, "state": tmp_path / f"state{len(made)}.db"}
        wanted = ServerOptions(**{**chosen, **options})
        app: Any = RestartedApp(wanted) if restarted else App(wanted)
        made.append(app)
        return Api(app, model, time)

    yield make
    for app in made:
        app.close()


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    """A server whose model always says "Fine."."""
    return make_api()
