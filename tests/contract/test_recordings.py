"""Every target can be recorded, and its recording answers as it did, without asking anyone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import workflows
from harness.cli import PASSED, USAGE, exit_code
from harness.errors import RecordingError, SettingsError
from harness.results import SuiteRun, TrialResult
from harness.runner.events import TrialFinished
from harness.runner.executors.local import Stop
from harness.server.app import App, ServerOptions
from harness.server.http import background
from harness.settings import load_settings
from harness.trace.recording_file import load_recording
from harness.trace.records import TurnTrace

ASSISTANT = """
name: Desk
model: gpt-5.4
instructions: |
  You are the support assistant of a lamp shop.
  - When a customer asks for a person, say "I'll connect you with a colleague" and call open_ticket.
tools:
{search}  - type: function
    function:
      name: open_ticket
      description: Opens a ticket for a colleague.
      parameters: {{type: object, properties: {{issue_summary: {{type: string}}}}, required: [issue_summary]}}
{knowledge}
escalation: {{phrases: [connect you with a colleague], tools: [open_ticket]}}
"""
SUITE = """
suite: desk
assistant: assistant.yaml
repeats: 2
tools: {open_ticket: [{returns: {ticket_id: T-1}}]}
conversations:
  - id: person
    turns:
      - user: I want to talk to a person, please open a ticket. My lamp is broken.
        expect: {escalates: true}
      - user: Thank you.
        expect: {status: completed}
  - id: earlier
    history:
      - {role: user, content: Hello there.}
      - {role: assistant, content: Hello. How can I help?}
    turns: [{user: How long is the warranty of a lamp?, expect: {status: completed, latency_s: {max: 30}}}]
  - id: comes-back
    as: jo
    turns:
      - user: How long is the warranty?
      - {user: And for returns?, returning: true}
"""
APPLICATION = """
from harness.targets.function import Answer, Called, Question


async def answer(question: Question) -> Answer:
    if "person" in question.text:
        output = await question.call("open_ticket", {"issue_summary": question.text})
        told = Called(name="look_up", arguments={"lamp": 1}, output="not a stub's", latency_s=0.5)
        return Answer(text=f"I'll connect you with a colleague: {output}", tool_calls=(told,))
    return Answer(text=f"I heard {question.text!r} after {len(question.history)} messages.")
"""
SIMULATED = """
from pathlib import Path

from harness import Suite

suite = Suite("desk-simulated", assistant="assistant.yaml")


def user(history):
    if Path("said.txt").exists():
        raise AssertionError(Path("said.txt").read_text())
    said = [each for each in history if each.role == "user"]
    return ["first", "second", None][len(said) - 1]


@suite.conversation
async def talks(talk):
    await talk.say("Hello")
    await talk.until(user)
"""
KINDS = ("embedded", "assistants", "responses", "responses-http", "chat", "chat-http", "function")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a suite; recordings and the store go there too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lamps.md").write_text(
        "# Lamps\n\nThe warranty of a lamp lasts 24 months. Returns take 30 days.\n"
    )
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "app.py").write_text(APPLICATION)
    write_assistant(tmp_path, documents=True)
    return tmp_path


def write_assistant(folder: Path, *, documents: bool) -> None:
    search = "  - type: file_search\n" if documents else ""
    knowledge = "knowledge: [lamps.md]" if documents else ""
    (folder / "assistant.yaml").write_text(ASSISTANT.format(search=search, knowledge=knowledge))


@contextmanager
def settings_of(kind: str) -> Iterator[dict[str, Any]]:
    """The settings that name a target of this kind; its server ends with the block."""
    if kind in ("embedded", "responses", "chat"):
        yield {"target": kind}
    elif kind == "function":
        yield {"target": kind, "target_function": "app.py:answer"}
    else:
        with background(App(ServerOptions())) as base_url:
            yield {"target": kind.removesuffix("-http"), "base_url": base_url, "api_key": "0123456789abcdef"}


def evaluate(**settings: Any) -> SuiteRun:
    return workflows.evaluate("suite.yaml", store="store.sqlite", **settings)


def replay(**settings: Any) -> SuiteRun:
    return evaluate(target="recording", recording="desk.yaml", **settings)


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_answers_as_the_target_did_without_any_request(
    desk: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_assistant(desk, documents="chat" not in kind)
    with settings_of(kind) as settings:
        live = evaluate(record="desk.yaml", **settings)
    monkeypatch.setattr("socket.socket.connect", _refuse)
    monkeypatch.setattr("harness.targets.embedded.EmbeddedWire.__init__", _refuse)
    again = replay()
    assert {result.outcome for result in live.results} == {"passed"}
    assert [_comparable(result) for result in again.results] == [
        _comparable(result) for result in live.results
    ]
    assert all(result.replayed for result in again.results)
    assert not any(result.replayed for result in live.results)


def _refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("nobody may be asked")


def _comparable(result: TrialResult) -> Any:
    """All but what docs/recordings.md says is not kept: ids, moments, waits, images."""
    assert result.trace is not None
    turns = [_shape(turn) for turn in result.trace.turns]
    same = ("trial_id", "outcome", "error", "usage", "cost_usd", "tags", "cluster", "fingerprint")
    scores = [_without(msgspec.to_builtins(score), {"call_id", "waited_s"}) for score in result.scores]
    for score in scores:
        if score["check"] == "latency_s":
            score["value"] = round(score["value"], 3)
    return turns, result.trace.history, scores, [getattr(result, name) for name in same]


def _shape(turn: TurnTrace) -> Any:
    plain = msgspec.to_builtins(turn)
    for key in ("started_at", "run_id", "thread_id", "attempts", "wait_s", "latency_s"):
        plain.pop(key, None)
    return _without(
        plain, {"id", "file_id", "message_id", "created_at", "completed_at", "latency_s", "score"}
    )


def _without(data: Any, keys: set[str]) -> Any:
    if isinstance(data, dict):
        return {key: _without(value, keys) for key, value in data.items() if key not in keys}
    return [_without(each, keys) for each in data] if isinstance(data, list | tuple) else data


def test_a_recording_of_a_part_updates_it_and_keeps_the_rest(desk: Path) -> None:
    evaluate(record="desk.yaml", repeats=1)
    before = (desk / "desk.yaml").read_text()
    (desk / "suite.yaml").write_text(SUITE.replace("Thank you.", "Thanks a lot."))
    workflows.evaluate("suite.yaml", store="store.sqlite", record="desk.yaml", repeats=1, tags=[])
    after = (desk / "desk.yaml").read_text()
    assert "Thanks a lot." in after and "Thank you." not in after
    assert before.split("conversation:")[1:3] == after.split("conversation:")[1:3]


def test_an_errored_trial_is_not_recorded_and_leaves_what_was(desk: Path) -> None:
    evaluate(record="desk.yaml", target="function", target_function="app.py:answer")
    before = (desk / "desk.yaml").read_bytes()
    (desk / "broken.py").write_text("def answer(question):\n    return 7\n")
    run = evaluate(record="desk.yaml", target="function", target_function="broken.py:answer")
    assert {result.outcome for result in run.results} == {"errored"}
    assert (desk / "desk.yaml").read_bytes() == before


def test_an_interrupted_run_keeps_what_was_finished_and_the_rest_when_it_goes_on(desk: Path) -> None:
    settings = load_settings({"store": "store.sqlite", "record": "desk.yaml", "concurrency": 1})
    stop = Stop()

    def stop_after_the_first(event: object) -> None:
        if isinstance(event, TrialFinished):
            stop.set()

    job = workflows.Job(("suite.yaml",), settings)
    run = asyncio.run(workflows.start(job, workflows.Control([stop_after_the_first], stop)))
    assert run.status == "interrupted"
    assert len(load_recording(desk / "desk.yaml").trials) == len(run.results) < run.planned
    (desk / "desk.yaml").unlink()
    whole = asyncio.run(workflows.resume(run.id, load_settings({"store": "store.sqlite"})))
    assert len(load_recording(desk / "desk.yaml").trials) == len(whole.results) == whole.planned


def test_the_command_line_records_and_replays(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["run", "suite.yaml", "--store", "store.sqlite", "--no-progress", "--repeats", "1"]
    assert exit_code([*common, "--record", "desk.yaml"]) == PASSED
    assert exit_code([*common, "--replay", "desk.yaml"]) == PASSED
    assert "all trials replayed: no new evidence" in capsys.readouterr().out
    assert exit_code([*common, "--replay", "desc.yaml"]) == USAGE
    assert "did you mean 'desk.yaml'?" in capsys.readouterr().err
    assert exit_code([*common, "--replay", "desk.yaml", "--target", "chat"]) == USAGE
    assert "--replay asks nobody" in capsys.readouterr().err
    assert exit_code([*common, "--target", "recording"]) == USAGE
    assert "give --replay FILE" in capsys.readouterr().err
    assert exit_code(["runs", "--store", "store.sqlite"]) == PASSED
    assert "3/3 (3 replayed)" in capsys.readouterr().out


def test_a_simulated_user_says_what_was_said_then(desk: Path) -> None:
    (desk / "app.py").write_text("def answer(question):\n    return 'I heard: ' + question.text\n")
    (desk / "suite.py").write_text(SIMULATED)
    flags: dict[str, Any] = {"store": "store.sqlite"}
    live = workflows.evaluate(
        "suite.py", target="function", target_function="app.py:answer", record="desk.yaml", **flags
    )
    (desk / "said.txt").write_text("nobody is asked for another word")
    again = workflows.evaluate("suite.py", target="recording", recording="desk.yaml", **flags)
    said = [[turn.user.text for turn in each.trace.turns] for each in live.results if each.trace]
    assert said == [["Hello", "first", "second"]]
    assert [[turn.user.text for turn in each.trace.turns] for each in again.results if each.trace] == said
    assert [each.error for each in again.results] == [None]


def test_recording_what_is_replayed_is_refused(desk: Path) -> None:
    evaluate(record="desk.yaml", repeats=1)
    with pytest.raises(SettingsError, match="nothing to record"):
        replay(record="other.yaml")


def test_a_damaged_file_to_record_into_is_refused_before_anything_is_asked(desk: Path) -> None:
    (desk / "desk.yaml").write_text("format: 1\nsurprise: 1\n")
    with pytest.raises(RecordingError, match=r"desk\.yaml:2: unknown key 'surprise'"):
        evaluate(record="desk.yaml")
    assert not (desk / "store.sqlite").exists()


def test_secrets_stand_in_neither_the_recording_nor_the_store(desk: Path) -> None:
    secret = "sk-live-" + "4f8h2k3l5m6n7p8q"
    (desk / "suite.yaml").write_text(
        SUITE.replace("Thank you.", f"Thanks. My key is {secret}, mail jo@example.com")
    )
    live = evaluate(record="desk.yaml", repeats=1, scrub=["Lamps?"], scrub_emails=True)
    kept = (desk / "desk.yaml").read_text() + str(msgspec.to_builtins([*live.results]))
    assert secret not in kept and "jo@example.com" not in kept
    assert "My key is [redacted: api key], mail [redacted: e-mail]" in kept
    assert b"sk-live" not in (desk / "store.sqlite").read_bytes()
    again = replay(repeats=1)
    assert [result.outcome for result in again.results] == [result.outcome for result in live.results]


# --- misses ---------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(desk: Path) -> Path:
    evaluate(record="desk.yaml", repeats=1)
    return desk


def change(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


def missed(**settings: Any) -> dict[str, str]:
    """The errors of a replay by conversation; what did not miss must not have errored."""
    run = replay(**{"repeats": 1, **settings})
    return {result.conversation: result.error or "" for result in run.results if result.outcome == "errored"}


def test_another_message_is_a_miss_at_its_turn_with_the_words_that_differ(recorded: Path) -> None:
    change(recorded, "suite.yaml", "Thank you.", "Thank you all.")
    run = replay(repeats=1)
    [person] = [result for result in run.results if result.conversation == "person"]
    assert person.outcome == "errored"
    assert "turn 2 is another than was recorded: Thank you{+ all+}." in (person.error or "")
    assert person.trace is not None and len(person.trace.turns) == 1
    assert person.scores[0].passed is True


def test_a_changed_assistant_is_a_miss_that_shows_what_changed(recorded: Path) -> None:
    change(recorded, "assistant.yaml", "a lamp shop", "a shop of lamps")
    change(recorded, "assistant.yaml", "gpt-5.4", "gpt-5.4-mini")
    change(recorded, "assistant.yaml", "Opens a ticket for a colleague.", "Opens a ticket.")
    change(recorded, "lamps.md", "24 months", "36 months")
    told = missed()
    assert set(told) == {"person", "earlier", "comes-back"}
    assert "model: 'gpt-5.4' then, 'gpt-5.4-mini' now" in told["person"]
    assert "instructions: + You are the support assistant of a shop of lamps." in told["person"]
    assert "tools.open_ticket.function.description: 'Opens a ticket for a colleague.' then" in told["person"]
    assert "documents.lamps.md: its content has changed" in told["person"]


def test_another_repeat_is_a_miss_that_names_those_there_are(recorded: Path) -> None:
    told = missed(repeats=2)
    assert told["person"].startswith("no recorded answer: repeat 2 was not recorded; recorded repeats: 1.")


def test_a_conversation_that_was_not_recorded_names_the_nearest(recorded: Path) -> None:
    change(recorded, "suite.yaml", "id: person", "id: persons")
    assert "this conversation was not recorded; the nearest is 'person'" in missed()["persons"]


def test_a_suite_that_was_not_recorded_names_those_that_were(recorded: Path) -> None:
    change(recorded, "suite.yaml", "suite: desk", "suite: somewhere-else")
    assert "recorded suites: desk" in missed()["earlier"]


def test_another_history_is_a_miss(recorded: Path) -> None:
    change(recorded, "suite.yaml", "Hello there.", "Good day.")
    told = missed()
    assert set(told) == {"earlier"}
    assert "the history before the first turn has changed" in told["earlier"]


def test_a_stub_that_answers_otherwise_is_told(recorded: Path) -> None:
    change(recorded, "suite.yaml", "T-1", "T-2")
    told = missed()
    assert set(told) == {"person"}
    assert "the stub of 'open_ticket' answers otherwise now" in told["person"]
    assert "[-1-]{+2+}" in told["person"]


def test_a_further_turn_is_a_miss(recorded: Path) -> None:
    change(recorded, "suite.yaml", "turns: [{user: How", "turns: [{user: How much?}, {user: How")
    change(recorded, "suite.yaml", "How much?", "How long is the warranty of a lamp?")
    assert "1 turn was recorded, and there is another" in missed()["earlier"]


def test_a_changed_file_sent_with_a_message_is_a_miss(desk: Path) -> None:
    (desk / "rows.csv").write_text("month,units\n2026-01,3\n2026-02,4\n")
    change(desk, "assistant.yaml", "  - type: function", "  - type: code_interpreter\n  - type: function")
    change(desk, "suite.yaml", "Thank you.", "What is the sum of units?\n        attach: [{file: rows.csv}]")
    evaluate(record="desk.yaml", repeats=1)
    assert missed() == {}
    change(desk, "rows.csv", "3", "5")
    assert "the content of rows.csv has changed" in missed()["person"]


def test_an_expectation_may_change_and_is_judged_anew(recorded: Path) -> None:
    change(recorded, "suite.yaml", "expect: {escalates: true}", "expect: {escalates: false}")
    assert missed() == {}
    assert replay(repeats=1).results[0].outcome == "failed"


def test_the_same_assistant_under_another_name_is_no_miss(recorded: Path) -> None:
    (recorded / "renamed.yaml").write_text((recorded / "assistant.yaml").read_text())
    assert missed(assistant="renamed.yaml") == {}


def test_only_one_recording_stands_for_one_trial(recorded: Path) -> None:
    assert len(load_recording(recorded / "desk.yaml").trials) == 3
