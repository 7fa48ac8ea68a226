"""An application of the user's own: what it is given, what it may return, and what it does wrong."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.errors import SettingsError, TargetRefused
from harness.suite.naming import named_function
from harness.suite.records import Attachment
from harness.targets.function import Answer, Called, Cited, Found, FunctionTarget, Question
from harness.targets.interface import FunctionCall, FunctionOutput, OutgoingTurn


def test_a_text_is_an_answer_and_stands_in_the_history_of_the_next_turn(make_variant: Any, talk: Any) -> None:
    def echo(question: Question) -> str:
        return " | ".join([*(f"{said.role}: {said.text}" for said in question.history), question.text])

    first, second = talk(FunctionTarget("function", echo), make_variant(), ["one", "two"])
    assert (first.status, first.answer, first.usage) == ("completed", "one", None)
    assert second.answer == "user: one | assistant: one | two"


def test_the_question_tells_what_the_assistant_file_says(
    make_variant: Any, talk: Any, tmp_path: Path
) -> None:
    (tmp_path / "guide.md").write_text("# Guide\n\nText.\n")
    (tmp_path / "rows.csv").write_text("a\n1\n")
    seen: list[Question] = []

    async def answer(question: Question) -> str:
        seen.append(question)
        return "ok"

    variant = make_variant(instructions="Be kind.", tools=[{"type": "file_search"}], knowledge=["guide.md"])
    turn = OutgoingTurn("Hi", ((tmp_path / "rows.csv", Attachment(file="rows.csv")),))
    [trace] = talk(FunctionTarget("function", answer), variant, [turn])
    assert (seen[0].instructions, seen[0].model) == ("Be kind.", "scripted")
    assert [path.name for path in seen[0].documents] == ["guide.md"]
    assert [path.name for path in seen[0].attachments] == ["rows.csv"]
    assert trace.user.attachments == ("rows.csv",)


def test_everything_an_answer_can_hold_reaches_the_trace(make_variant: Any, talk: Any) -> None:
    def answer(question: Question) -> dict[str, Any]:
        return {
            "text": "24 months. Anything else?",
            "tool_calls": [{"name": "lookup", "arguments": {"id": 7}, "output": "found", "latency_s": 0.5}],
            "retrieved": [{"filename": "guide.md", "text": "The warranty lasts 24 months.", "score": 0.9}],
            "citations": [{"filename": "guide.md", "text": "The warranty lasts 24 months.", "end": 10}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 5},
            "model": "gpt-5.4",
        }

    [turn] = talk(FunctionTarget("function", answer), make_variant(), ["How long?"])
    lookup, search = turn.tool_calls
    assert (lookup.name, lookup.arguments, lookup.output, lookup.latency_s) == (
        "lookup",
        '{"id":7}',
        "found",
        0.5,
    )
    assert search.type == "file_search" and turn.search_results[0].filename == "guide.md"
    [citation] = turn.citations
    assert (citation.start, citation.filename, citation.chunk) == (
        10,
        "guide.md",
        "The warranty lasts 24 months.",
    )
    assert turn.usage and turn.usage.total_tokens == 17 and turn.model == "gpt-5.4"


def test_records_say_the_same_as_mappings(make_variant: Any, talk: Any) -> None:
    answer = Answer(
        text="Yes.",
        tool_calls=(Called(name="lookup"),),
        retrieved=(Found(filename="a.md", text="yes"),),
        citations=(Cited(filename="a.md"),),
        status="incomplete",
        error="cut",
    )
    [turn] = talk(FunctionTarget("function", lambda question: answer), make_variant(), ["?"])
    assert (turn.status, turn.error, turn.citations[0].end) == ("incomplete", "cut", 4)


def test_functions_of_the_suite_answer_sync_and_async_applications(make_variant: Any, talk: Any) -> None:
    async def answer(call: FunctionCall) -> FunctionOutput:
        return FunctionOutput(f"{call.name}: {call.arguments}")

    async def parallel(question: Question) -> str:
        outputs = await asyncio.gather(*(question.call("look", {"n": n}) for n in (1, 2)))
        return " ".join(outputs)

    def serial(question: Question) -> str:
        return " ".join(question.call_now("look", {"n": n}) for n in (1, 2))

    for application in (parallel, serial):
        [turn] = talk(FunctionTarget("function", application), make_variant(), ["Go"], answer=answer)
        assert turn.answer == 'look: {"n":1} look: {"n":2}'
        assert [call.name for call in turn.tool_calls] == ["look", "look"]


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (None, "NoneType"),
        (7, "int"),
        ({"txt": "typo"}, "txt"),
        ({"text": 3}, "text"),
        ({}, "text"),
        (Answer(text=3), "text"),
    ],
)
def test_what_is_no_answer_is_refused_with_what_it_is(
    make_variant: Any, talk: Any, returned: Any, told: str
) -> None:
    with pytest.raises(TargetRefused, match=told) as caught:
        talk(FunctionTarget("function", lambda question: returned), make_variant(), ["Hi"])
    assert caught.value.code == "function-answer"


@pytest.mark.parametrize("failure", [ValueError("bad luck"), TimeoutError("upstream"), StopIteration()])
def test_what_it_raises_is_data_and_the_talk_goes_on(
    make_variant: Any, talk: Any, failure: Exception
) -> None:
    def sometimes(question: Question) -> str:
        if question.text == "one":
            raise failure
        return f"{len(question.history)} said"

    first, second = talk(FunctionTarget("function", sometimes), make_variant(), ["one", "two"])
    assert first.status == "failed" and first.error
    assert (second.status, second.answer) == ("completed", "1 said")


@pytest.mark.parametrize("end", [SystemExit(3), asyncio.CancelledError()])
@pytest.mark.parametrize("is_async", [True, False])
def test_a_function_that_would_end_the_program_or_its_task_ends_only_its_turn(
    make_variant: Any, talk: Any, end: BaseException, is_async: bool
) -> None:
    def leaves(question: Question) -> str:
        if question.text == "one":
            raise end
        return "still here"

    async def leaves_async(question: Question) -> str:
        return leaves(question)

    application = leaves_async if is_async else leaves
    first, second = talk(FunctionTarget("function", application), make_variant(), ["one", "two"])
    assert first.status == "failed" and type(end).__name__ in first.error
    assert second.answer == "still here"


def test_a_function_that_never_ends_holds_nobody_up(make_variant: Any, talk: Any) -> None:
    release = threading.Event()

    def hangs(question: Question) -> str:
        release.wait(60)
        return "too late"

    [turn] = talk(FunctionTarget("function", hangs), make_variant(), ["Hi"], deadline_s=0.1)
    assert turn.status == "timed_out" and turn.messages == ()
    assert not release.is_set()
    release.set()


def test_a_function_is_found_in_a_file_whose_neighbours_it_imports(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.path", ["/nowhere"])
    (tmp_path / "neighbour_of_app.py").write_text("WORD = 'hello'\n")
    (tmp_path / "app.py").write_text(
        "import neighbour_of_app\n\nclass Support:\n    def answer(self, question):\n"
        "        return neighbour_of_app.WORD\n\nsupport = Support()\n"
    )
    found = named_function(f"{tmp_path}/app.py:support.answer")
    assert found(None) == "hello"


def test_a_function_is_found_in_a_module_of_the_working_folder(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere"])
    (tmp_path / "app_in_working_folder.py").write_text("def answer(question):\n    return 'hi'\n")
    assert named_function("app_in_working_folder:answer")(None) == "hi"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("answer", "names no function"),
        ("app.py:", "names no function"),
        ("nowhere.py:answer", "there is no file"),
        ("no_such_module_anywhere:answer", "ModuleNotFoundError"),
        ("json:dumbs", "there is no 'dumbs'"),
        ("json:__name__", "can't be called"),
    ],
)
def test_a_function_that_is_not_there_is_told_by_name(name: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        named_function(name)
    assert caught.value.hint


def test_a_module_that_fails_when_it_is_imported_is_told_with_its_error(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('no database')\n")
    with pytest.raises(SettingsError, match="RuntimeError: no database"):
        named_function(f"{tmp_path}/broken.py:answer")
