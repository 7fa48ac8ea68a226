"""Threads and runs under any order of calls, compared with a small model of what the API promises.

The same machine calls the handlers directly and, with the real openai client, over HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import Any

import httpx2 as httpx
import openai
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from harness.clock import Clock
from harness.server.app import App, Request, ServerOptions
from harness.server.http import background
from harness.server.llms.interface import ModelError, ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, file_search, function_call

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# What may follow what, as the protocol has it; the server's own table is not asked.
FOLLOWS = {
    "queued": {"in_progress", "cancelling", "expired", "failed"},
    "in_progress": {"requires_action", "completed", "incomplete", "failed", "expired", "cancelling"},
    "requires_action": {"queued", "expired", "cancelling"},
    "cancelling": {"cancelled", "completed", "incomplete", "failed", "expired"},
}
TERMINAL = {"completed", "incomplete", "failed", "expired", "cancelled"}
RUN_S = 600
TOOLS = [
    {"type": "function", "function": {"name": "lookup"}},
    {"type": "function", "function": {"name": "note"}},
    {"type": "file_search"},
]
# What the model does in the rounds of a run, and how the run then stands.
PLANS: dict[str, tuple[list[ModelReply | ModelError], str]] = {
    "answers": ([ModelReply("Fine.")], "completed"),
    "searches": ([calls(file_search("x")), ModelReply("Found.")], "completed"),
    "calls": ([calls(function_call("lookup", n=1))], "requires_action"),
    "calls two": ([calls(function_call("lookup"), function_call("note"))], "requires_action"),
    "searches and calls": ([calls(file_search("x")), calls(function_call("note"))], "requires_action"),
    "talks and calls": ([calls(function_call("note"), content="One moment.")], "requires_action"),
    "fails": ([ModelError("rate_limit_exceeded", "Too much.")], "failed"),
    "fails later": ([calls(file_search("x")), ModelError("server_error", "Broken.")], "failed"),
    "is cut": ([ModelReply("Many " * 400)], "incomplete"),
}
AFTER_OUTPUTS = {name: PLANS[name] for name in ("answers", "searches", "calls", "fails")}
WRITES = {"answers": 1, "searches": 1, "talks and calls": 1, "is cut": 1}
"""How many messages a plan writes."""
CHOICES: list[Any] = [
    None,
    "none",
    "auto",
    "required",
    {"type": "file_search"},
    {"type": "function", "function": {"name": "lookup"}},
]


def outcome(plan: str, choice: Any) -> tuple[str, int]:
    """How a run of this plan stands afterwards, and how many messages it has written."""
    lines, status = PLANS[plan]
    first = lines[0]
    if isinstance(first, ModelError):
        return "failed", 0
    if choice == "none" and first.tool_requests:
        return "completed", 1  # no tool is used, whatever the model asks for
    searches = any(request.kind == "file_search" for request in first.tool_requests)
    if isinstance(choice, dict) and choice["type"] == "file_search" and not searches:
        return "completed", 1  # the search is made in place of the first reply, and then answered
    return status, WRITES.get(plan, 0)


@dataclass
class RunModel:
    """What is known of a run: the statuses that were seen, and how it stood when it had ended."""

    id: str
    created_at: int
    assistant: str
    seen: list[str] = field(default_factory=list)
    over: dict[str, Any] | None = None


@dataclass
class ThreadModel:
    """What is known of a thread: its messages and runs, oldest first."""

    id: str
    messages: list[str] = field(default_factory=list)
    runs: list[RunModel] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/threads/{self.id}"


class Direct:
    """Calls the handlers."""

    def __init__(self, app: App) -> None:
        self._app = app

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        """Status, and the answer or the events of a stream."""
        values = {name: [str(value)] for name, value in query.items()}
        reply = self._app.handle(Request(method, path, body, values))
        return reply.status, reply.body if reply.events is None else reply.events

    def close(self) -> None:
        """There is nothing to end."""


class OverHttp:
    """Calls the server with the real client; what it refuses comes back as the client's exception."""

    def __init__(self, app: App) -> None:
        self._open = ExitStack()
        base_url = self._open.enter_context(background(app))
        self._client = self._open.enter_context(
            openai.OpenAI(base_url=base_url, api_key="any", max_retries=0)
        )

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        options: Any = {"params": query}
        send = {"GET": self._client.get, "POST": self._client.post, "DELETE": self._client.delete}[method]
        given = {} if method == "GET" or body is None else {"body": body}
        try:
            answer = send(path, cast_to=httpx.Response, options=options, **given)
        except openai.APIStatusError as refused:
            return refused.status_code, {"error": refused.body}
        if answer.headers["content-type"].startswith("text/event-stream"):
            return 200, events_in(answer.text)
        return answer.status_code, answer.json()

    def close(self) -> None:
        self._open.close()


def events_in(text: str) -> Iterator[tuple[str, Any]]:
    *blocks, end, nothing = text.split("\n\n")
    assert (end, nothing) == ("event: done\ndata: [DONE]", "")
    for block in blocks:
        name, data = block.split("\n")
        yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


class RunLife(RuleBasedStateMachine):
    """Any order of calls on a few threads."""

    wire: type[Direct] | type[OverHttp] = Direct
    threads = Bundle("threads")

    @initialize(seed=st.integers(0, 3), target=threads)
    def open(self, seed: int) -> Any:
        self.now = 1_800_000_000
        self.script: list[ModelReply | ModelError] = []
        self.asked: list[ModelRequest] = []
        self.known: list[ThreadModel] = []
        self.deleted: list[ThreadModel] = []
        clock = Clock(lambda: datetime.fromtimestamp(self.now, UTC), lambda: float(self.now))
        models = ModelTable(default=Scripted(self.complete))
        self.app = App(ServerOptions(models=models, clock=clock, eager=True, seed=seed))
        self.api = self.wire(self.app)
        store = self.ok("POST", "/vector_stores")["id"]
        self.assistant = self.ok(
            "POST",
            "/assistants",
            {"model": "m", "tools": TOOLS, "tool_resources": {"file_search": {"vector_store_ids": [store]}}},
        )["id"]
        return self.make_thread(1)

    def complete(self, request: ModelRequest) -> ModelReply:
        self.asked.append(request)
        line = self.script.pop(0) if self.script else ModelReply("Fine.")
        if isinstance(line, ModelError):
            raise line
        return line

    def ok(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        status, answer = self.api.call(method, path, body, **query)
        assert status == 200, answer
        return answer

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        status, answer = self.api.call(method, path, body)
        assert status in (400, 404), answer
        assert answer["error"]["type"] == "invalid_request_error"
        return status, answer["error"]["message"]

    # what is made

    def make_thread(self, messages: int) -> ThreadModel:
        given = [{"role": "user", "content": f"message {number}"} for number in range(messages)]
        made = ThreadModel(self.ok("POST", "/threads", {"messages": given})["id"])
        listed = self.ok("GET", f"{made.path}/messages", order="asc", limit=100)["data"]
        assert [part["text"]["value"] for row in listed for part in row["content"]] == [
            each["content"] for each in given
        ]
        made.messages = [row["id"] for row in listed]
        self.known.append(made)
        return made

    @rule(target=threads, messages=st.integers(0, 3))
    def new_thread(self, messages: int) -> Any:
        return self.make_thread(messages) if len(self.known) < 3 else multiple()

    @rule(thread=threads)
    def say(self, thread: ThreadModel) -> None:
        body = {"role": "user", "content": "hi"}
        active = self.active(thread)
        if active is None:
            thread.messages.append(self.ok("POST", f"{thread.path}/messages", body)["id"])
        else:
            assert self.refused("POST", f"{thread.path}/messages", body) == (
                400,
                f"Can't add messages to {thread.id} while a run {active.id} is active.",
            )

    @rule(
        thread=threads,
        plan=st.sampled_from(sorted(PLANS)),
        choice=st.sampled_from(CHOICES),
        read=st.none() | st.just(1_000) | st.integers(0, 9),
        more=st.booleans(),
    )
    def run(self, thread: ThreadModel, plan: str, choice: Any, read: int | None, more: bool) -> None:
        body: dict[str, Any] = {"assistant_id": self.assistant, "tool_choice": choice}
        if plan == "is cut":
            body["max_completion_tokens"] = 256
        if more:
            body["additional_messages"] = [{"role": "user", "content": "one more"}]
        active = self.active(thread)
        if active is not None:
            assert self.refused("POST", f"{thread.path}/runs", body) == (
                400,
                f"Thread {thread.id} already has an active run {active.id}.",
            )
            return
        status, written = outcome(plan, choice)
        self.script, self.asked = list(PLANS[plan][0]), []
        self.drive(thread, f"{thread.path}/runs", body, read)
        made = self.ok("GET", f"{thread.path}/runs")["data"][0]
        assert (made["status"], made["tool_choice"]) == (status, choice or "auto")
        thread.runs.append(RunModel(made["id"], made["created_at"], self.assistant, [status]))
        self.take_new_messages(thread, more + written)
        if choice is not None and plan != "is cut":
            assert self.asked[0].tool_choice == choice

    def drive(self, thread: ThreadModel, path: str, body: dict[str, Any], read: int | None) -> None:
        """Make a call that runs something: polled, or as a stream that is read to its end or left early."""
        if read is None:
            assert self.ok("POST", path, body)["status"] == "queued"
            return
        events = self.ok("POST", path, {**body, "stream": True})
        names = [name for name, _ in self.watched(islice(events, read))]
        if read < 1_000 and hasattr(events, "close"):
            events.close()
        elif names:
            assert names[-1].removeprefix("thread.run.") in {*TERMINAL, "requires_action"}

    def watched(self, events: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
        """The events; statuses of the run go only where they may, parts are made before they change."""
        statuses, made = [], set()
        for name, data in events:
            if data.get("object") == "thread.run":
                assert data["status"] == name.removeprefix("thread.run.") or name == "thread.run.created"
                statuses.append(data["status"])
                check_run(data)
            elif name.endswith(".created"):
                made.add(data["id"])
            elif name.endswith(".delta"):
                assert data["id"] in made
            yield name, data
        for before, after in pairwise(statuses):
            assert before == after == "queued" or after in FOLLOWS[before]

    def take_new_messages(self, thread: ThreadModel, expected: int) -> None:
        listed = self.listed(f"{thread.path}/messages", 100)
        assert listed[: len(thread.messages)] == thread.messages
        assert len(listed) == len(thread.messages) + expected
        thread.messages = listed

    def active(self, thread: ThreadModel) -> RunModel | None:
        """The run that locks the thread."""
        latest = thread.runs[-1] if thread.runs else None
        if latest is None or latest.seen[-1] in TERMINAL:
            return None
        if self.now >= latest.created_at + RUN_S:
            latest.seen.append("expired")
            return None
        return latest

    # what is done with runs

    @precondition(lambda self: any(self.active(thread) for thread in self.known))
    @rule(
        data=st.data(),
        how=st.sampled_from("right right right reversed partly twice wrong more none".split()),
        plan=st.sampled_from(sorted(AFTER_OUTPUTS)),
        read=st.none() | st.just(1_000) | st.integers(0, 9),
    )
    def submit(self, data: st.DataObject, how: str, plan: str, read: int | None) -> None:
        thread = data.draw(
            st.sampled_from([each for each in self.known if self.active(each)]), label="thread"
        )
        active = self.active(thread)
        assert active is not None
        path = f"{thread.path}/runs/{active.id}"
        action = self.ok("GET", path)["required_action"]
        waiting = [call["id"] for call in action["submit_tool_outputs"]["tool_calls"]]
        sent = {
            "right": waiting,
            "reversed": waiting[::-1],
            "partly": waiting[1:],
            "twice": [*waiting, waiting[0]],
            "wrong": [*waiting[1:], "call_other"],
            "more": [*waiting, "call_other"],
            "none": [],
        }[how]
        outputs = [{"tool_call_id": call, "output": f"output of {call}"} for call in sent]
        if sorted(sent) != sorted(waiting):
            assert self.refused("POST", f"{path}/submit_tool_outputs", {"tool_outputs": outputs}) == (
                400,
                f"Expected tool outputs for call_ids {waiting}, got {sent}",
            )
            return
        lines, status = AFTER_OUTPUTS[plan]
        self.script = list(lines)
        self.drive(thread, f"{path}/submit_tool_outputs", {"tool_outputs": outputs}, read)
        active.seen += ["queued", "in_progress", status]
        self.take_new_messages(thread, WRITES.get(plan, 0))
        steps = self.ok("GET", f"{path}/steps", limit=100)["data"]
        told = {
            call["id"]: call["function"]["output"]
            for step in steps
            for call in step["step_details"].get("tool_calls", ())
            if call["type"] == "function"
        }
        assert {call: told[call] for call in waiting} == {call: f"output of {call}" for call in waiting}

    @precondition(lambda self: any(thread.runs for thread in self.known))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        thread = data.draw(st.sampled_from([each for each in self.known if each.runs]), label="thread")
        run = data.draw(st.sampled_from(thread.runs), label="run")
        self.active(thread)  # its time may be over
        path = f"{thread.path}/runs/{run.id}/cancel"
        if run.seen[-1] in TERMINAL:
            message = f"Cannot cancel run with status '{run.seen[-1]}'."
            assert self.refused("POST", path) == (400, message)
            return
        assert self.ok("POST", path)["status"] == "cancelling"
        run.seen += ["cancelling", "cancelled"]

    @precondition(lambda self: any(thread.runs for thread in self.known))
    @rule(data=st.data())
    def submit_to_what_is_over(self, data: st.DataObject) -> None:
        thread = data.draw(st.sampled_from([each for each in self.known if each.runs]), label="thread")
        self.active(thread)
        for run in thread.runs:
            if run.seen[-1] in TERMINAL:
                path, outputs = f"{thread.path}/runs/{run.id}/submit_tool_outputs", {"tool_outputs": []}
                message = f'Runs in status "{run.seen[-1]}" do not accept tool outputs.'
                assert self.refused("POST", path, outputs) == (400, message)

    @rule(seconds=st.sampled_from([1, 300, 599, 601]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    # what a locked thread allows, and what never locks one

    @rule(thread=threads, value=st.text(max_size=3))
    def mark(self, thread: ThreadModel, value: str) -> None:
        body = {"metadata": {"mark": value}}
        paths = [thread.path, *(f"{thread.path}/messages/{one}" for one in thread.messages[-1:])]
        paths += [f"{thread.path}/runs/{run.id}" for run in thread.runs if run.over is None]
        for path in paths:
            assert self.ok("POST", path, body)["metadata"] == {"mark": value}

    @rule(thread=threads)
    def a_run_that_is_refused_locks_nothing(self, thread: ThreadModel) -> None:
        before = self.active(thread)
        for body in (
            {"assistant_id": "asst_none"},
            {"assistant_id": self.assistant, "temperature": 3},
            {"assistant_id": self.assistant, "tool_choice": {"type": "code_interpreter"}},
            {"assistant_id": self.assistant, "additional_messages": [{"role": "user", "content": ""}]},
        ):
            self.refused("POST", f"{thread.path}/runs", body)
        assert self.active(thread) is before
        self.take_new_messages(thread, 0)

    @rule(thread=threads, data=st.data())
    def delete_a_message(self, thread: ThreadModel, data: st.DataObject) -> None:
        if thread.messages:
            gone = data.draw(st.sampled_from(thread.messages), label="message")
            assert self.ok("DELETE", f"{thread.path}/messages/{gone}")["deleted"] is True
            thread.messages.remove(gone)
            assert self.refused("GET", f"{thread.path}/messages/{gone}")[0] == 404

    @rule(thread=consumes(threads))
    def delete_a_thread(self, thread: ThreadModel) -> None:
        assert self.ok("DELETE", thread.path)["object"] == "thread.deleted"
        self.known.remove(thread)
        self.deleted.append(thread)

    @precondition(lambda self: bool(self.deleted))
    @rule(data=st.data())
    def nothing_is_left_of_a_deleted_thread(self, data: st.DataObject) -> None:
        thread = data.draw(st.sampled_from(self.deleted), label="thread")
        told = (404, f"No thread found with id '{thread.id}'.")
        paths = [thread.path, f"{thread.path}/messages", f"{thread.path}/runs"]
        paths += [f"{thread.path}/runs/{run.id}/steps" for run in thread.runs]
        assert {self.refused("GET", path) for path in paths} == {told}
        body = {"assistant_id": self.assistant}
        assert self.refused("POST", f"{thread.path}/runs", body) == told

    # lists

    def listed(self, path: str, limit: int, order: str = "asc") -> list[str]:
        """The ids of a list, page by page as clients read it."""
        ids: list[str] = []
        place: dict[str, str] = {}
        while True:
            page = self.ok("GET", path, limit=limit, order=order, **place)
            got = [row["id"] for row in page["data"]]
            assert (page["first_id"], page["last_id"]) == ((got[0], got[-1]) if got else (None, None))
            assert len(got) == limit or not page["has_more"]
            ids += got
            if not page["has_more"]:
                return ids
            place = {"after": got[-1]}

    @rule(thread=threads, limit=st.integers(1, 4))
    def lists_are_complete_and_in_order(self, thread: ThreadModel, limit: int) -> None:
        for path, known in (
            (f"{thread.path}/messages", thread.messages),
            (f"{thread.path}/runs", [run.id for run in thread.runs]),
        ):
            assert self.listed(path, limit) == known
            assert self.listed(path, limit, "desc") == known[::-1]
            if len(known) > 1:
                before = self.ok("GET", path, limit=limit, order="asc", before=known[-1])
                assert [row["id"] for row in before["data"]] == known[:-1][-limit:]

    # what is always so

    @invariant()
    def runs_are_as_they_were_seen(self) -> None:
        for thread in getattr(self, "known", ()):
            for number, run in enumerate(thread.runs):
                self.active(thread)
                path = f"{thread.path}/runs/{run.id}"
                now = self.ok("GET", path)
                assert now["status"] == run.seen[-1], run.seen
                assert now["status"] in TERMINAL or number == len(thread.runs) - 1
                check_run(now)
                check_steps(now, self.ok("GET", f"{path}/steps", limit=100)["data"])
                if now["status"] in TERMINAL:
                    run.over = run.over or now
                    assert now == run.over, "a run that is over never changes"

    def teardown(self) -> None:
        if hasattr(self, "app"):
            self.api.close()
            self.app.close()


def check_run(run: dict[str, Any]) -> None:
    """What the status of a run says of its other fields."""
    over = run["status"] in TERMINAL
    assert run["expires_at"] == (None if over else run["created_at"] + RUN_S)
    assert (run["usage"] is not None) == over
    assert (run["required_action"] is not None) == (run["status"] == "requires_action")
    assert (run["last_error"] is not None) == (run["status"] == "failed")
    assert (run["incomplete_details"] is not None) == (run["status"] == "incomplete")
    for ending in ("completed", "failed", "cancelled"):
        assert (run[f"{ending}_at"] is not None) == (run["status"] == ending)


def check_steps(run: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    """What a run says of its steps."""
    is_open = [step for step in steps if step["status"] == "in_progress"]
    assert len(is_open) == (run["status"] == "requires_action")
    if is_open:
        [step] = is_open
        functions = [call for call in step["step_details"]["tool_calls"] if call["type"] == "function"]
        asked = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        assert [call["id"] for call in functions] == [call["id"] for call in asked]
        assert all(call["function"]["output"] is None for call in functions)
        return
    if run["usage"] is not None:
        for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
            assert run["usage"][name] == sum(step["usage"][name] for step in steps)


class RunLifeOverHttp(RunLife):
    """The same with the real client."""

    wire = OverHttp


TestRunLife = RunLife.TestCase
TestRunLife.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestRunLifeOverHttp = RunLifeOverHttp.TestCase
TestRunLifeOverHttp.settings = settings(max_examples=4, stateful_step_count=15, deadline=None)
