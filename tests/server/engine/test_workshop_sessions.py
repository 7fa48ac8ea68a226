"""Interpreters of threads: how many are kept, and what happens where code may not run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.clock import Clock
from harness.errors import HarnessError
from harness.server.engine import workshop
from harness.server.engine.workshop import LONGEST_IDLE_S, MOST_IDLE_SESSIONS, Workshop
from harness.server.llms.scripted import calls, run_code
from harness.server.sandbox import ISOLATIONS, Sandbox
from harness.server.sandbox.isolation import candidates
from harness.server.state import FileRecord
from harness.server.table import Content
from harness.server.wire import File

CODE = [{"type": "code_interpreter"}]


class Time:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.at = 0.0

    def clock(self) -> Clock:
        from harness.clock import SYSTEM_CLOCK

        return Clock(now=SYSTEM_CLOCK.now, monotonic=lambda: self.at)


class Bench:
    """A sandbox that remembers which sessions were put to rest."""

    def __init__(self) -> None:
        self.rested: list[str] = []

    def open(self, key: str) -> Any:
        outcome = SimpleNamespace(logs="", images=(), files=(), error=None)
        return SimpleNamespace(
            run=lambda code: outcome,
            put=lambda name, content: name,
            rest=lambda: self.rested.append(key),
            close=lambda: None,
        )

    def close(self) -> None:
        pass


def test_of_many_threads_the_longest_unused_lose_their_interpreters() -> None:
    bench, time = Bench(), Time()
    shop = Workshop(lambda: bench, clock=time.clock())  # type: ignore[arg-type, return-value]
    for number in range(MOST_IDLE_SESSIONS):
        time.at += 1
        shop.run(f"thread_{number}", "x = 1", [])
    time.at += 1
    shop.run("thread_0", "x", [])
    assert bench.rested == []
    for number in range(100, 103):
        time.at += 1
        shop.run(f"thread_{number}", "x = 1", [])
    assert bench.rested == ["thread_1", "thread_2"]
    shop.run("thread_1", "x = 1", [])  # one that was put to rest comes back and is not put to rest again
    assert bench.rested == ["thread_1", "thread_2", "thread_3"]


def test_an_interpreter_that_nobody_used_for_an_hour_is_ended_with_the_next_run_of_anyone() -> None:
    bench, time = Bench(), Time()
    shop = Workshop(lambda: bench, clock=time.clock())  # type: ignore[arg-type, return-value]
    shop.run("old", "x = 1", [])
    time.at += LONGEST_IDLE_S
    shop.run("younger", "x = 1", [])
    assert bench.rested == []
    time.at += 1
    shop.run("new", "x = 1", [])
    assert bench.rested == ["old"]


def test_a_thread_whose_interpreter_was_ended_keeps_its_files_and_loses_its_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workshop, "MOST_IDLE_SESSIONS", 0)
    shop = Workshop(lambda: Sandbox(isolations=ISOLATIONS))
    given = FileRecord(
        File(id="file-1", purpose="assistants", filename="given.txt", bytes=5, created_at=0),
        Content(b"given"),
    )
    try:
        first = shop.run("a", "x = 1\nopen('/mnt/data/made.txt', 'w').write('made')", [given])
        assert first.error is None
        shop.run("b", "pass", [])
        code = "print(open('/mnt/data/made.txt').read(), open('/mnt/data/given.txt').read())\nx"
        again = shop.run("a", code, [given])
        assert again.logs.startswith("made given\n")
        assert again.error == "NameError: name 'x' is not defined"
    finally:
        shop.close()


# --- where nothing keeps code apart -----------------------------------------------------------------------


def test_without_isolation_no_code_is_run_and_the_step_says_why_and_what_to_do(
    make_api: Any, tmp_path: Any
) -> None:
    trace = tmp_path / "ran"
    lines = [calls(run_code(f"open({str(trace)!r}, 'w')")), "I could not run it."]
    api = make_api(lines, make_sandbox=lambda: Sandbox(isolations=[]))
    run = api.run(api.thread("Compute."), api.assistant(tools=CODE)["id"])
    assert run["status"] == "completed"
    [call] = api.steps(run)[0]["step_details"]["tool_calls"]
    [output] = call["code_interpreter"]["outputs"]
    assert output["logs"].startswith("PermissionError: code is not run here: this machine has no isolation")
    assert "--allow-unisolated-code" in output["logs"]
    assert api.model.requests[1].messages[-1].content == output["logs"]
    assert not trace.exists()


def test_without_isolation_a_response_says_so_in_its_call(make_api: Any) -> None:
    lines = [calls(run_code("print(1)")), "I could not run it."]
    api = make_api(lines, make_sandbox=lambda: Sandbox(isolations=[]))
    tool = {"type": "code_interpreter", "container": {"type": "auto"}}
    include = ["code_interpreter_call.outputs"]
    made = api.post("/responses", {"model": "m", "input": "Compute.", "tools": [tool], "include": include})
    assert made["status"] == "completed"
    assert "this machine has no isolation" in made["output"][0]["outputs"][0]["logs"]


def test_the_reason_is_found_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def none(allowed: Any) -> Any:
        tried.append("again")
        return iter(())

    monkeypatch.setattr("harness.server.sandbox.sandbox.candidates", none)
    with Sandbox() as sandbox:
        for _ in range(3):
            with pytest.raises(HarnessError, match="no isolation"):
                sandbox.open("a")
    assert tried == ["again"]


@pytest.mark.parametrize(
    ("allowed", "logs"), [(True, "42\n"), (False, "PermissionError: code is not run here")]
)
def test_a_machine_without_isolation_runs_code_only_for_who_allows_it(
    make_api: Any, monkeypatch: pytest.MonkeyPatch, allowed: bool, logs: str
) -> None:
    def only_limits(wanted: Any) -> Any:
        return candidates([name for name in wanted if name == "limits"])

    monkeypatch.setattr("harness.server.sandbox.sandbox.candidates", only_limits)
    lines = [calls(run_code("print(6 * 7)")), "42."]
    api = make_api(lines, allow_unisolated_code=allowed)
    run = api.run(api.thread("Compute."), api.assistant(tools=CODE)["id"])
    [call] = api.steps(run)[0]["step_details"]["tool_calls"]
    assert call["code_interpreter"]["outputs"][0]["logs"].startswith(logs)


def test_by_default_only_isolations_that_keep_code_apart_are_tried() -> None:
    with Sandbox() as sandbox:
        assert sandbox._allowed == ("bubblewrap", "namespaces")
