"""However an API behaves, each trial ends with a type and in time: on every API, over HTTP and in process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from virtual_time import jumper

from harness.clock import SYSTEM_CLOCK
from harness.plan import make_plan
from harness.results import TrialResult
from harness.runner.events import TrialFinished
from harness.runner.executors.local import Stop, run
from harness.runner.trial import TrialOptions
from harness.scorers.checks import score_trace
from harness.suite.load import load_suite
from harness.targets.assistants import AssistantsTarget
from harness.targets.chat import ChatTarget
from harness.targets.function import FunctionTarget
from harness.targets.http import Address, HttpWire
from harness.targets.interface import Target
from harness.targets.responses import ResponsesTarget
from harness.targets.wire import Json, Wire

DEADLINE_S = 30.0
"""Of turns; it has come as soon as somebody asks what is never answered."""
USER = "hello"


class Silence:
    """An answer that never comes; ``drips`` sends a byte now and then all the same."""

    def __init__(self, *, drips: bool = False) -> None:
        self.drips = drips


@dataclass
class Cut:
    """Events, and then the connection is gone."""

    events: list[tuple[str, Json]]


Said = Json | list[tuple[str, Json]] | Cut | Silence
Answering = Callable[[str, str], Said]


# --- three APIs that do as they are told ------------------------------------------------------------------


@dataclass
class Api:
    """What is answered to each request: a run (a response, a completion) goes through these statuses.

    Attributes:
        name: Of the API.
        statuses: What a run is, from its creation on; the last one for ever.
        how: ``stream`` tells the end in the stream, ``whole`` answers with the object, ``poll`` has it asked
            for, ``cut`` breaks the stream off after its beginning.
        silent: The part of the request that gets no answer: ``POST /threads``, for example.
        drips: Whether that silence is one with a byte now and then.
        late: The request at which the deadline comes: the silent one, if there is one.
        deadline_comes: Lets the time pass; set when the loop runs.
    """

    name: str
    statuses: list[str | None]
    how: str = "poll"
    silent: str | None = None
    drips: bool = False
    late: str | None = None
    asked: list[str] = field(default_factory=list)
    deadline_comes: Callable[[], object] | None = None

    def answer(self, method: str, path: str) -> Said:
        path = path.partition("?")[0]
        request = f"{method} {path}"
        self.asked.append(request)
        if request == (self.late or self.silent) and self.deadline_comes is not None:
            self.deadline_comes()
            self.deadline_comes = None
        if self.silent is not None and request == self.silent:
            return Silence(drips=self.drips)
        if path.endswith(("/runs", "/submit_tool_outputs", "/responses")) and method == "POST":
            return self._begun()
        if path in ("/threads/t/runs/r", "/responses/r"):
            return self._object(self._next())
        if path == "/chat/completions":
            return self._completion(self._next())
        if method == "GET" and path == "/threads/t/runs":
            return {"data": [self._object(self._next())], "has_more": False}
        if method == "GET" and path.endswith(("/steps", "/messages", "/items")):
            return {"data": [], "has_more": False}
        return {"id": {"/threads": "t", "/conversations": "t", "/assistants": "a"}.get(path, "x")}

    def _next(self) -> str | None:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    def _begun(self) -> Said:
        if self.how in ("stream", "whole"):
            ended = self._object(self._next())
            return ended if self.how == "whole" else [(self._event(ended), self._data(ended))]
        begun = self._object("in_progress")
        events = [(self._event(begun), self._data(begun))]
        return Cut(events) if self.how == "cut" else events

    def _event(self, body: Json) -> str:
        prefix = "thread.run" if self.name == "assistants" else "response"
        return f"{prefix}.{body.get('status')}"

    def _data(self, body: Json) -> Json:
        return body if self.name == "assistants" else {"type": self._event(body), "response": body}

    def _object(self, status: str | None) -> Json:
        body: Json = {"id": "r", "object": "thread.run" if self.name == "assistants" else "response"}
        if status is not None:
            body["status"] = status
        if status == "requires_action":
            call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            body["required_action"] = {"submit_tool_outputs": {"tool_calls": [call]}}
        if status == "failed":
            told = "last_error" if self.name == "assistants" else "error"
            body[told] = {"code": "server_error", "message": "no"}
        if status == "incomplete":
            body["incomplete_details"] = {"reason": "max_completion_tokens"}
        return body

    def _completion(self, status: str | None) -> Json:
        choice = {"message": {"role": "assistant", "content": "hi"}, "finish_reason": status}
        return {"id": "r", "object": "chat.completion", "choices": [choice]}


# --- two ways to them -------------------------------------------------------------------------------------


class InProcess:
    """A wire whose other end is in this process."""

    def __init__(self, answer: Answering) -> None:
        self._answer = answer

    async def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> Json:
        said = await self._said(method, path)
        assert isinstance(said, dict)
        return said

    async def stream(self, path: str, body: Json, **_: Any) -> AsyncIterator[tuple[str, Json]]:
        from harness.errors import TargetUnavailable

        said = await self._said("POST", path)
        if isinstance(said, dict):
            yield str(said["object"]), said
            return
        assert not isinstance(said, Silence)
        for event in said.events if isinstance(said, Cut) else said:
            yield event
        if isinstance(said, Cut):
            raise TargetUnavailable("the stream was cut")

    async def _said(self, method: str, path: str) -> Said:
        await asyncio.sleep(0)
        said = self._answer(method, path)
        while isinstance(said, Silence):
            await asyncio.sleep(3600)
        return said

    async def upload(self, filename: str, content: bytes, purpose: str) -> Json:
        return {"id": "file"}

    async def download(self, path: str) -> bytes:
        return b""

    async def close(self) -> None:
        pass


class Handler(BaseHTTPRequestHandler):
    """The same over HTTP."""

    answer_to: Answering
    is_over: threading.Event

    def _reply(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        said = type(self).answer_to(self.command, self.path.removeprefix("/v1"))
        with contextlib.suppress(OSError):
            self._send(said)

    do_GET = do_POST = do_DELETE = _reply

    def _send(self, said: Said) -> None:
        if isinstance(said, Silence):
            self._be_silent(said)
        elif isinstance(said, dict):
            self._begin("application/json", json.dumps(said).encode())
        else:
            events = said.events if isinstance(said, Cut) else said
            told = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
            done = b"" if isinstance(said, Cut) else b"event: done\ndata: [DONE]\n\n"
            cut = 100 if isinstance(said, Cut) else 0
            self._begin("text/event-stream", told.encode() + done, missing=cut)

    def _begin(self, kind: str, content: bytes, *, missing: int = 0) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content) + missing))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = bool(missing)

    def _be_silent(self, silence: Silence) -> None:
        if silence.drips:
            self._begin("application/json", b"", missing=10_000)
        while not type(self).is_over.wait(0.02):
            if silence.drips:
                self.wfile.write(b" ")
                self.wfile.flush()
        self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def over_http() -> Iterator[Callable[[Answering], Wire]]:
    servers: list[tuple[ThreadingHTTPServer, threading.Event]] = []

    def start(answer: Answering) -> Wire:
        is_over = threading.Event()
        handler = type("H", (Handler,), {"answer_to": staticmethod(answer), "is_over": is_over})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        servers.append((server, is_over))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return HttpWire(Address(f"http://127.0.0.1:{server.server_port}/v1", "key"))

    yield start
    for server, is_over in servers:
        is_over.set()
        server.shutdown()
        server.server_close()


@pytest.fixture(params=["in process", "http"])
def wire_to(request: pytest.FixtureRequest, over_http: Callable[[Answering], Wire]) -> Any:
    """What makes a wire to an API."""
    return over_http if request.param == "http" else InProcess


def target_of(api: Api, wire: Wire) -> Target:
    if api.name == "chat":
        return ChatTarget("chat", wire)
    kinds = {"assistants": AssistantsTarget, "responses": ResponsesTarget}
    return kinds[api.name](api.name, wire, poll_s=0.01)


def trial(
    folder: Path, target: Target, suite: str = "", *, api: Api | None = None, **options: Any
) -> TrialResult:
    """The one trial of a suite of one turn; the API, if it is given, decides when the deadline comes."""
    (folder / "bot.yaml").write_text("{name: Bot, model: m}")
    text = f"suite: s\nassistant: bot.yaml\nconversations: [{{id: a, turns: [{{user: {USER}}}]}}]\n{suite}"
    (folder / "suite.yaml").write_text(text)
    plan = make_plan([load_suite(folder / "suite.yaml")])
    score = TrialOptions(
        lambda trial, trace: score_trace(trial.conversation, trial.variant.assistant, trace),
        **{"deadline_s": DEADLINE_S, **options},
    )

    async def go() -> TrialResult:
        if api is not None:
            api.deadline_comes = jumper(DEADLINE_S + 1)
        events = run(plan, target, score, concurrency=1, clock=SYSTEM_CLOCK, stop=Stop())
        try:
            [result] = [event.result async for event in events if isinstance(event, TrialFinished)]
        finally:
            await target.tear_down()
        return result

    async def within_two_minutes() -> TrialResult:
        return await asyncio.wait_for(go(), 120)

    return asyncio.run(within_two_minutes())


def ending(result: TrialResult) -> str:
    assert "internal error" not in (result.error or "")
    if result.error is not None:
        return f"errored: {result.error}"
    assert result.trace is not None
    [turn] = result.trace.turns
    assert turn.latency_s >= 0
    return turn.status


# --- every status -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stream", "whole", "poll", "cut"])
@pytest.mark.parametrize("status", ["completed", "failed", "incomplete", "cancelled", "expired"])
@pytest.mark.parametrize("name", ["assistants", "responses"])
def test_each_status_that_ends_a_run_ends_the_turn(
    wire_to: Any, tmp_path: Path, name: str, status: str, how: str
) -> None:
    if name == "responses" and status == "expired":
        pytest.skip("responses do not expire")
    api = Api(name, [status], how)
    assert ending(trial(tmp_path, target_of(api, wire_to(api.answer)))) == status


@pytest.mark.parametrize("how", ["whole", "poll", "cut"])
@pytest.mark.parametrize("status", ["paused", "COMPLETED", None, "", "done"])
@pytest.mark.parametrize("name", ["assistants", "responses"])
def test_a_status_that_nobody_knows_ends_in_time_with_a_type(
    wire_to: Any, tmp_path: Path, name: str, status: str | None, how: str
) -> None:
    api = Api(name, [status], how)
    if name == "responses" and status == "":
        api.late = "GET /responses/r"
    result = trial(tmp_path, target_of(api, wire_to(api.answer)), api=api)
    # On responses no status is no end; on both none is ever taken for one.
    assert ending(result) == ("timed_out" if name == "responses" and status == "" else "unknown")
    assert result.outcome == "failed"
    if result.trace.turns[0].status == "unknown":
        assert f"the status {status!r}, which this harness does not know" in result.trace.turns[0].error


def test_a_run_that_wants_functions_for_ever_is_given_up_after_many_rounds(
    wire_to: Any, tmp_path: Path
) -> None:
    api = Api("assistants", ["requires_action"])
    assert ending(trial(tmp_path, target_of(api, wire_to(api.answer)))) == "requires_action"


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelling"])
def test_a_run_that_never_ends_is_given_up_at_the_deadline(wire_to: Any, tmp_path: Path, status: str) -> None:
    api = Api("assistants", [status])
    api.late = "GET /threads/t/runs/r"
    assert ending(trial(tmp_path, target_of(api, wire_to(api.answer)), api=api)) == "timed_out"
    assert "POST /threads/t/runs/r/cancel" in api.asked


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_that_never_ends_is_given_up_at_the_deadline(
    wire_to: Any, tmp_path: Path, status: str
) -> None:
    api = Api("responses", [status])
    api.late = "GET /responses/r"
    assert ending(trial(tmp_path, target_of(api, wire_to(api.answer)), api=api)) == "timed_out"


def test_a_run_goes_through_many_statuses_to_its_end(wire_to: Any, tmp_path: Path) -> None:
    api = Api("assistants", ["queued", "in_progress", "requires_action", "queued", "cancelling", "completed"])
    assert ending(trial(tmp_path, target_of(api, wire_to(api.answer)))) == "completed"


# --- servers that hang ------------------------------------------------------------------------------------

REQUESTS = {
    "assistants": ["POST /threads/t/messages", "POST /threads/t/runs", "GET /threads/t/runs/r"],
    "responses": ["POST /responses", "GET /responses/r"],
    "chat": ["POST /chat/completions"],
}


@pytest.mark.parametrize("drips", [False, True], ids=["silent", "drips"])
@pytest.mark.parametrize(
    ("name", "request_"), [(name, request) for name, all_ in REQUESTS.items() for request in all_]
)
def test_a_server_that_hangs_in_the_middle_of_a_turn_makes_it_timed_out(
    wire_to: Any, tmp_path: Path, name: str, request_: str, drips: bool
) -> None:
    api = Api(name, ["completed"], silent=request_, drips=drips)
    result = trial(tmp_path, target_of(api, wire_to(api.answer)), api=api)
    assert ending(result) == "timed_out"
    assert result.outcome == "failed"


@pytest.mark.parametrize("drips", [False, True], ids=["silent", "drips"])
@pytest.mark.parametrize(
    ("name", "request_"), [("assistants", "POST /threads"), ("responses", "POST /conversations")]
)
def test_a_server_that_opens_no_thread_is_missing_data_in_time(
    wire_to: Any, tmp_path: Path, name: str, request_: str, drips: bool
) -> None:
    api = Api(name, ["completed"], silent=request_, drips=drips)
    result = trial(tmp_path, target_of(api, wire_to(api.answer)), api=api)
    assert ending(result) == "errored: the target took more than 30 s to open a thread"
    assert result.outcome == "errored"


def test_an_assistant_that_is_never_ready_ends_the_run_in_time(wire_to: Any, tmp_path: Path) -> None:
    from harness.errors import TargetTimeout

    api = Api("assistants", ["completed"], silent="POST /assistants")
    with pytest.raises(TargetTimeout, match=r"more than 0\.2 s to provide 'bot'"):
        trial(tmp_path, target_of(api, wire_to(api.answer)), provision_deadline_s=0.2)


# --- whose deadline it is ---------------------------------------------------------------------------------


async def never(question: Any) -> str:
    await asyncio.sleep(3600)
    return ""


@pytest.mark.parametrize(
    ("suite", "given"),
    [
        ("deadline_s: 0.05", None),
        ("deadline_s: 3000", 0.05),
    ],
    ids=["the suite's", "the command line's over the suite's"],
)
def test_a_deadline_stands_in_the_suite_or_on_the_command_line(
    tmp_path: Path, suite: str, given: float | None
) -> None:
    result = trial(tmp_path, FunctionTarget("function", never), suite, deadline_s=given)
    assert ending(result) == "timed_out"


def test_a_turns_deadline_wins_over_its_conversations_and_that_over_the_suites(tmp_path: Path) -> None:
    (tmp_path / "bot.yaml").write_text("{name: Bot, model: m}")
    (tmp_path / "suite.yaml").write_text("""
suite: s
assistant: bot.yaml
deadline_s: 1
conversations:
  - {id: a, turns: [{user: x}]}
  - {id: b, deadline_s: 2, turns: [{user: x}, {user: y, deadline_s: 3.5}]}
""")
    suite = load_suite(tmp_path / "suite.yaml")
    assert [turn.deadline_s for each in suite.conversations for turn in each.turns] == [1, 2, 3.5]
