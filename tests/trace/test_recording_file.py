"""The file of a recording: what is kept comes back, and every mistake is named by its line."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cost.usage import Usage
from harness.errors import RecordingError
from harness.trace.recording import RecordedTrial, RecordedVariant, Recording, kept_turns
from harness.trace.recording_file import load_recording, parse_recording, recording_text, update_recording
from harness.trace.records import (
    Attempt,
    Citation,
    CodeOutput,
    Message,
    OutputFile,
    RunStep,
    SearchResult,
    ToolCall,
    Trace,
    TurnTrace,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["a\nb ", "x: |\n  y", "\x00\x1b", "- 1\n- 2", "true", "\u2028", "<<<<<<< a\nb"]
)
name = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
number = st.floats(0, 1000, allow_nan=False)
usages = st.none() | st.builds(Usage, prompt_tokens=st.integers(0, 9), completion_tokens=st.integers(0, 9))
moment = st.none() | st.just(datetime(2026, 1, 2, tzinfo=UTC))
results = st.builds(
    SearchResult,
    file_id=name,
    filename=name,
    score=number,
    text=st.none() | text,
    attributes=st.dictionaries(name, text | st.integers(), max_size=2),
)
calls = st.builds(
    ToolCall,
    id=name,
    type=st.sampled_from(["function", "file_search", "code_interpreter"]),
    name=name,
    arguments=text,
    output=st.none() | text,
    error=st.none() | text,
    latency_s=st.none() | number,
    results=st.lists(results, max_size=2).map(tuple),
    outputs=st.lists(
        st.builds(CodeOutput, type=st.just("logs"), logs=text)
        | st.builds(CodeOutput, type=st.just("image"), file_id=name),
        max_size=2,
    ).map(tuple),
)
steps = st.builds(
    RunStep,
    id=name,
    type=st.sampled_from(["message_creation", "tool_calls"]),
    status=name,
    created_at=moment,
    usage=usages,
    message_id=st.none() | name,
    tool_calls=st.lists(calls, max_size=2).map(tuple),
)
citations = st.builds(
    Citation,
    marker=text,
    start=st.integers(0, 9),
    end=st.integers(0, 9),
    file_id=name,
    chunk=st.none() | text,
)
files = st.builds(
    OutputFile, file_id=name, kind=st.sampled_from(["image", "file"]), content_base64=st.none() | name
)
answers = st.builds(
    Message,
    role=st.just("assistant"),
    text=text,
    id=st.none() | name,
    created_at=moment,
    citations=st.lists(citations, max_size=2).map(tuple),
    files=st.lists(files, max_size=2).map(tuple),
)
turns = st.builds(
    TurnTrace,
    user=st.builds(
        Message, role=st.just("user"), text=text, attachments=st.lists(name, max_size=2).map(tuple)
    ),
    status=st.sampled_from(["completed", "failed", "timed_out", "unknown"]),
    started_at=st.just(datetime(2026, 1, 2, tzinfo=UTC)),
    latency_s=number,
    messages=st.lists(answers, max_size=2).map(tuple),
    steps=st.lists(steps, max_size=2).map(tuple),
    usage=usages,
    model=st.none() | name,
    wait_s=number,
    attempts=st.lists(st.builds(Attempt, request=name, number=st.integers(1, 3)), max_size=1).map(tuple),
    error=st.none() | text,
    returning=st.booleans(),
    run_id=st.none() | name,
    thread_id=st.none() | name,
    api=st.sampled_from([None, "assistants", "responses"]),
)
traces = st.builds(
    Trace,
    trial_id=name,
    target=name,
    turns=st.lists(turns, max_size=2).map(tuple),
    documents=st.dictionaries(name, name, max_size=2),
)


def recorded(
    trace: Trace, conversation: str = "c", repeat: int = 1, fingerprint: str = "f1"
) -> RecordedTrial:
    kept, documents = kept_turns(trace)
    return RecordedTrial(
        "s", conversation, "v", fingerprint, repeat, trace.target, kept, trace.history, documents
    )


VARIANT = RecordedVariant(
    fingerprint="f1", name="v", content={"assistant": {"model": "m", "instructions": "Be\nkind."}}
)


def recording(*trials: RecordedTrial) -> Recording:
    return Recording().updated([VARIANT, msgspec.structs.replace(VARIANT, fingerprint="f2")], trials)


@settings(max_examples=60)
@given(traces, traces)
def test_what_is_kept_of_traces_comes_back_exactly(one: Trace, other: Trace) -> None:
    whole = recording(recorded(one), recorded(other, "d", fingerprint="f2"))
    written = recording_text(whole)
    back = parse_recording(written, "r.yaml")
    assert back.trials == whole.trials
    assert recording_text(back) == written


@settings(max_examples=60)
@given(traces)
def test_keeping_what_was_kept_changes_nothing(trace: Trace) -> None:
    kept, documents = kept_turns(trace)
    again, _ = kept_turns(msgspec.structs.replace(trace, turns=kept, documents=documents))
    assert [turn.messages for turn in again] == [turn.messages for turn in kept]


def turn(answer: str = "Hello.", *, latency_s: float = 1.0, tokens: int = 5, mark: str = "a") -> TurnTrace:
    """A turn whose ids and times are other ones with each mark."""
    found = SearchResult(file_id=f"file-{mark}", filename="faq.md", score=0.5, text="All\nanswers.")
    search = ToolCall(id=f"call_{mark}", type="file_search", name="file_search", results=(found,))
    code = f"open('/mnt/data/file-{mark * 24}')"
    ran = ToolCall(id=f"call_{mark}2", type="code_interpreter", name="code_interpreter", arguments=code)
    cited = Citation(marker="[1]", start=0, end=3, file_id=f"file-{mark}", chunk="All\nanswers.")
    return TurnTrace(
        user=Message(role="user", text="Hi"),
        status="completed",
        started_at=datetime(2026, 1, ord(mark) - 96, tzinfo=UTC),
        latency_s=latency_s,
        messages=(Message(role="assistant", text=answer, id=f"msg_{mark}", citations=(cited,)),),
        steps=(RunStep(id=f"step_{mark}", type="tool_calls", status="completed", tool_calls=(search, ran)),),
        usage=Usage(prompt_tokens=tokens),
        run_id=f"run_{mark}",
        thread_id=f"thread_{mark}",
    )


def trace(*turns: TurnTrace, mark: str = "a") -> Trace:
    return Trace(trial_id="t", target="embedded", turns=turns, documents={f"file-{mark}": "faq.md"})


def test_the_same_talk_recorded_again_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new" / "r.yaml"
    update_recording(path, [VARIANT], [recorded(trace(turn()))])
    before = path.read_bytes()
    again = turn(mark="b", latency_s=2.0, tokens=6)
    update_recording(path, [VARIANT], [recorded(trace(again, mark="b"))])
    assert path.read_bytes() == before
    assert b"b" * 24 not in before and b"file-1.1" in before


def test_another_answer_changes_its_turn_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    update_recording(path, [VARIANT], [recorded(trace(turn(), turn()))])
    before = path.read_text().split("\n")
    changed = trace(turn(mark="b", latency_s=9), turn("Good day.", mark="b"), mark="b")
    update_recording(path, [VARIANT], [recorded(changed)])
    after = path.read_text().split("\n")
    differing = [line for line, former in zip(after, before, strict=True) if line != former]
    assert [line.strip() for line in differing] == ['- text: "Good day."']


def test_recording_some_trials_keeps_the_others_and_drops_what_nothing_needs(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    update_recording(path, [VARIANT], [recorded(trace(turn()), "c"), recorded(trace(turn()), "d")])
    newer = msgspec.structs.replace(VARIANT, fingerprint="f2")
    update_recording(path, [newer], [recorded(trace(turn("Other.")), "d", fingerprint="f2")])
    both = load_recording(path)
    assert [key[1] for key in both.trials] == ["c", "d"]
    assert set(both.variants) == {"f1", "f2"}
    update_recording(path, [newer], [recorded(trace(turn()), "c", fingerprint="f2")])
    assert set(load_recording(path).variants) == {"f2"}


def test_a_file_that_cannot_be_written_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.yaml"
    update_recording(path, [VARIANT], [recorded(trace(turn()))])
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RecordingError, match="No space left") as caught:
        update_recording(path, [VARIANT], [recorded(trace(turn("x")))])
    assert caught.value.code == "recording-not-written"
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["r.yaml"]


def test_trials_that_are_recorded_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "recordings" / "r.yaml"
    kept = [recorded(trace(turn()), f"c{number}") for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: update_recording(path, [VARIANT], [each]), kept))
    assert {key[1] for key in load_recording(path).trials} == {f"c{number}" for number in range(24)}
    assert [each.name for each in path.parent.iterdir()] == ["r.yaml"]


def test_a_recording_that_is_not_there_is_named_with_the_nearest_file(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").touch()
    with pytest.raises(RecordingError, match=r"did you mean 'acme\.yaml'") as caught:
        load_recording(tmp_path / "acne.yaml")
    assert caught.value.code == "recording-missing"


def damaged(change: Callable[[str], str]) -> list[tuple[int, str]]:
    """Line and words of each mistake in a recording that was changed by hand."""
    written = recording_text(recording(recorded(trace(turn())), recorded(trace(turn()), "d")))
    changed = change(written)
    assert changed != written
    with pytest.raises(RecordingError) as caught:
        parse_recording(changed, "r.yaml")
    return [(each.where.line or 0, str(each)) for each in caught.value.problems if each.where]


def test_several_mistakes_are_told_at_once_each_with_its_line() -> None:
    def change(text: str) -> str:
        text = text.replace('status: "completed"', "status: 7", 1).replace("repeat: 1", "repeat: one", 1)
        return text.replace('conversation: "d"', 'konversation: "d"')

    told = damaged(change)
    assert len(told) == 3 and [line for line, _ in told] == sorted(line for line, _ in told)
    assert "one is no value" in told[0][1] and "konversation" in "".join(each for _, each in told)
    assert all(each.startswith("r.yaml:") for _, each in told)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name: "faq.md ', 'name: "faq.mb ', "there is no chunk"),
        ('fingerprint: "f1"\n    name', 'fingerprint: "f9"\n    name', "no variant of this recording"),
        ("format: 1", "format: 2", "the format is 2"),
        ("format: 1\n", "", "the format is None"),
        ("trials:", "trails:", "unknown key 'trails'"),
        ('conversation: "d"', 'conversation: "c"', "stands twice"),
        ("latency_s: 1.0", 'latency_s: "1"', "expected `float`"),
        ('    target: "embedded"\n', "", "missing required field `target`"),
        ("  - suite", "<<<<<<< HEAD\n  - suite", "merge conflict"),
        ("chunks:\n", "chunks: 3\nx:\n", "chunks must be a list"),
    ],
)
def test_a_mistake_says_what_is_wrong(old: str, new: str, words: str) -> None:
    told = damaged(lambda text: text.replace(old, new))
    assert any(words in each for _, each in told)


@pytest.mark.parametrize(
    "text", ["", "suite: s\nassistant: a.yaml\nexpect: {status: completed}\n", "import os\n"]
)
def test_a_file_of_another_kind_is_told_as_such_and_not_line_by_line(text: str) -> None:
    with pytest.raises(RecordingError) as caught:
        parse_recording(text, "r.yaml")
    assert [each.message for each in caught.value.problems] == ["this is no recording"]


@given(st.data())
@settings(max_examples=80)
def test_no_damage_makes_reading_fail_in_another_way(data: st.DataObject) -> None:
    written = recording_text(recording(recorded(trace(turn()))))
    lines = written.split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(
        st.sampled_from(["", "  " + lines[at], lines[at][2:], "x: 1", "- 3", lines[at] + "]", "}"])
    )
    try:
        parse_recording("\n".join(lines), "r.yaml")
    except RecordingError as error:
        assert error.problems


def test_documents_of_the_same_name_keep_names_of_their_own() -> None:
    twins = Trace(trial_id="t", target="t", turns=(), documents={"file-1": "a.md", "file-2": "a.md"})
    assert recorded(twins).documents == {"a.md": "a.md", "a.md (2)": "a.md"}


def test_replaced_trials_are_those_of_the_same_name_whatever_answered() -> None:
    first = recorded(trace(turn()))
    newer = replace(first, fingerprint="f2", target="responses")
    assert list(recording(first, newer).trials.values()) == [newer]
