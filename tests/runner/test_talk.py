"""Conversations that a Python function plays: what it sees, and what becomes of what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.clock import SYSTEM_CLOCK
from harness.errors import TargetUnavailable
from harness.plan import Plan, make_plan
from harness.results import TrialResult
from harness.runner.events import TrialFinished
from harness.runner.executors.local import Stop, run
from harness.runner.trial import TrialOptions
from harness.scorers.checks import score_trace
from harness.server.app import App, ServerOptions
from harness.server.http import background
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, function_call
from harness.suite.load import load_suite
from harness.targets.interface import Target
from harness.trace.costs import simulator_cost

ASSISTANT = """
name: Tester
model: gpt-5.4
escalation: {phrases: [A colleague will call]}
tools:
  - type: function
    function: {name: open_ticket, parameters: {type: object, properties: {subject: {type: string}}}}
"""
Play = Callable[..., TrialResult]


@pytest.fixture
def plan_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plan]:
    monkeypatch.chdir(tmp_path)

    def make(body: str, decorator: str = "s.conversation", signature: str = "talk", suite: str = "") -> Plan:
        (tmp_path / "assistant.yaml").write_text(ASSISTANT)
        lines = [
            "import asyncio",
            "from harness import ChatUser, Suite",
            f's = Suite("s", assistant="assistant.yaml"{suite})',
            f"@{decorator}",
            f"async def c({signature}):",
            *(f"    {line}" for line in body.strip("\n").splitlines()),
        ]
        (tmp_path / "s.py").write_text("\n".join(lines) + "\n")
        return make_plan([load_suite(Path("s.py"))])

    return make


@pytest.fixture
def play(plan_of: Callable[..., Plan], make_target: Callable[..., Target]) -> Play:
    """The result of the one conversation whose body this is; the body begins in line 6."""

    def one(
        body: str, model: Any = lambda request: "fine", deadline_s: float = 30.0, **more: str
    ) -> TrialResult:
        return played(plan_of(body, **more), make_target(model), deadline_s)

    return one


def played(plan: Plan, target: Target, deadline_s: float = 30.0) -> TrialResult:
    def score(trial: Any, trace: Any) -> Any:
        return score_trace(trial.conversation, trial.variant.assistant, trace)

    async def go() -> list[TrialResult]:
        options = TrialOptions(deadline_s=deadline_s, score=score)
        try:
            events = run(plan, target, options, concurrency=1, clock=SYSTEM_CLOCK, stop=Stop())
            return [event.result async for event in events if isinstance(event, TrialFinished)]
        finally:
            await target.tear_down()

    [result] = asyncio.run(go())
    return result


def bad(result: TrialResult) -> list[tuple[str, int | None, str]]:
    return [(score.check, score.turn, score.reason) for score in result.scores if score.passed is False]


def echo(request: Any) -> str:
    return f"you said {request.messages[-1].content}"


def test_what_is_said_next_may_depend_on_the_answer(play: Play) -> None:
    answers = iter(["Which plan?", "Which month?", "It is 5 euros."])
    body = """
answer = await talk.say("What does it cost?")
while "?" in answer.text and answer.turn < 9:
    answer = await talk.say("I don't know", expect={"answer": {"mentions": ["euros"]}})
talk.check("three turns", answer.turn == talk.turns == 3, value=talk.turns)
"""
    result = play(body, lambda request: next(answers))
    assert [turn.answer for turn in result.trace.turns] == ["Which plan?", "Which month?", "It is 5 euros."]
    assert [(check, turn) for check, turn, _ in bad(result)] == [("answer.mentions", 1)]
    [own] = [score for score in result.scores if score.scorer == "script"]
    assert (own.check, own.turn, own.value, own.passed) == ("three turns", 2, 3.0, True)


def test_an_assert_that_fails_is_a_failed_score_with_its_line_and_its_words(play: Play) -> None:
    result = play('answer = await talk.say("a")\nassert "b" in answer.text')
    assert (result.outcome, result.error) == ("failed", None)
    assert bad(result) == [("assert", 0, 's.py:7: assert "b" in answer.text')]
    told = play('answer = await talk.say("a")\nassert answer.escalated, "nobody was called"')
    assert bad(told) == [("assert", 0, "s.py:7: nobody was called")]


def test_the_answer_tells_what_was_captured(play: Play) -> None:
    def model(request: Any) -> Any:
        called = any(message.role == "tool" for message in request.messages)
        return "A colleague will call." if called else calls(function_call("open_ticket", subject="x"))

    body = """
answer = await talk.say("a")
assert answer.escalated and answer.status == "completed" and str(answer) == answer.text
assert [call.output for call in answer.tool_calls] == ["T-1"]
assert answer.usage.total_tokens > 0 and answer.latency_s >= 0 and not answer.cited
assert [message.role for message in talk.history] == ["user", "assistant"]
assert (talk.variant, talk.repeat) == ("assistant", 1)
"""
    result = play(body, model, suite=', tools={"open_ticket": lambda subject="": "T-1"}')
    assert bad(result) == []


def test_what_else_the_function_raises_is_missing_data_with_its_line(play: Play) -> None:
    result = play('answer = await talk.say("a")\n{}["b"]')
    assert (result.outcome, result.error) == ("errored", "s.py:7: KeyError: 'b'")
    assert len(result.trace.turns) == 1


@pytest.mark.parametrize("end", ["SystemExit(3)", "asyncio.CancelledError()"])
def test_a_function_that_would_end_the_run_ends_its_own_trial_with_its_line(play: Play, end: str) -> None:
    result = play(f"await talk.say('hello')\nraise {end}")
    assert result.outcome == "errored" and len(result.trace.turns) == 1
    assert (
        result.error is not None
        and result.error.startswith("s.py:7: Quit")
        and end.split(".")[-1] in result.error
    )


def test_a_loop_without_end_is_a_failure_after_the_turns_it_may_take(play: Play) -> None:
    result = play('while True: await talk.say("a")', decorator="s.conversation(most_turns=3)")
    assert (result.outcome, len(result.trace.turns)) == ("failed", 3)
    [(check, turn, reason)] = bad(result)
    assert (check, turn) == ("most_turns", 2) and "within 3 turns" in reason


def test_a_function_that_goes_on_after_every_error_ends_too(
    play: Play, plan_of: Callable[..., Plan], make_target: Callable[..., Target]
) -> None:
    body = """
while True:
    try:
        await talk.say("a")
    except Exception:
        if talk.turns: pass
"""
    looping = play(body, decorator="s.conversation(most_turns=2)")
    assert (looping.outcome, len(looping.trace.turns)) == ("failed", 2)

    target = make_target(echo)
    opened = target.open

    async def open_broken(*arguments: Any, **named: Any) -> Any:
        session = await opened(*arguments, **named)
        session.send = broken
        return session

    async def broken(*arguments: Any, **named: Any) -> Any:
        raise TargetUnavailable("gone")

    target.open = open_broken  # type: ignore[method-assign]
    for swallowing in (body, 'try: await talk.say("a")\nexcept Exception: talk.check("fine", True)'):
        result = played(plan_of(swallowing), target)
        assert (result.outcome, result.error) == ("errored", "gone")
    refused = play(body.replace('"a"', '"a", expect=dict(x=1)'))
    assert [check for check, _, _ in bad(refused)] == ["most_turns"]


def test_a_function_that_hangs_is_ended_and_named(play: Play) -> None:
    result = play(
        'await talk.say("a")\nfrom virtual_time import jump\njump(31)\nawait asyncio.Event().wait()',
        deadline_s=30,
    )
    assert result.outcome == "errored"
    assert "the conversation 'c' did nothing for 30 s" in (result.error or "")
    assert len(result.trace.turns) == 1


def test_a_conversation_that_says_nothing_is_no_passed_one(play: Play) -> None:
    result = play("pass")
    assert result.outcome == "errored"
    assert "ended without saying or checking anything" in (result.error or "")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ('say("a", expect=dict(answr=1))', "s.py:6: unknown key 'answr' in expect"),
        ('say("")', "s.py:6: user must not be empty"),
        ('say("a", attach="none" + ".csv")', "s.py:6: no file 'none.csv'"),
        ('say("a", returning=True)', "s.py:6: nobody can return: the conversation has no user"),
    ],
)
def test_what_can_not_be_said_is_told_with_its_line_before_anything_is_sent(
    play: Play, call: str, told: str
) -> None:
    result = play(f"await talk.{call}")
    assert result.outcome == "errored" and told in (result.error or "")
    assert result.trace.turns == ()


def test_a_user_may_leave_and_come_back_to_the_same_thread(play: Play) -> None:
    body = 'await talk.say("a")\nawait talk.say("b", returning=True)'
    result = play(body, lambda request: f"{len(request.messages)}", decorator='s.conversation(as_="jo")')
    assert [(turn.answer, turn.returning) for turn in result.trace.turns] == [("1", False), ("3", True)]


def test_rows_reach_the_function_and_none_switches_the_defaults_off(play: Play) -> None:
    result = play(
        "await talk.say(word)\nawait talk.say(word, expect=None)",
        echo,
        decorator='s.conversation(rows=[{"word": "x"}])',
        signature="talk, word",
        suite=', expect={"answer": {"omits": ["x"]}}',
    )
    assert [turn.answer for turn in result.trace.turns] == ["you said x"] * 2
    assert [(check, turn) for check, turn, _ in bad(result)] == [("answer.omits", 0)]


def test_chance_falls_alike_in_every_run(play: Play) -> None:
    body = "await talk.say(str(talk.random.random()))"
    assert play(body, echo).trace.turns[0].answer == play(body, echo).trace.turns[0].answer


# --- simulated users ---------------------------------------------------------------------------------------

UNTIL = """
words = ["one", "two", "three"]
async def user(history):
    said = sum(message.role == "user" for message in history)
    return words[said] if said < len(words) else None
answers = await talk.until(user, done=lambda answer: {done}, most_turns={most})
talk.check("answers", True, value=len(answers))
"""


@pytest.mark.parametrize(
    ("done", "most", "answers", "told"),
    [
        ('"two" in answer.text', 8, 2, None),
        ("False", 8, 3, "not done after 3 turns: the user gave up"),
        ("False", 2, 2, "not done after 2 turns: all that most_turns allows"),
    ],
)
def test_a_simulated_user_speaks_until_it_is_done_or_gives_up(
    play: Play, done: str, most: int, answers: int, told: str | None
) -> None:
    result = play(UNTIL.format(done=done, most=most), echo)
    assert len(result.trace.turns) == answers
    assert [reason for check, _, reason in bad(result) if check == "until"] == ([told] if told else [])
    begun = [each.turn for each in result.trace.simulations if each.turn is not None]
    assert begun == list(range(answers))
    assert all(turn.simulated for turn in result.trace.turns)


@contextmanager
def chat_server(lines: Any) -> Iterator[str]:
    with background(App(ServerOptions(models=ModelTable(default=Scripted(lines))))) as base_url:
        yield base_url


def test_a_chat_model_plays_the_user_and_its_cost_stands_apart(play: Play) -> None:
    asked: list[Any] = []
    lines = iter(["I want my money back", "DONE"])

    def person(request: Any) -> str:
        asked.append(request)
        return next(lines)

    with chat_server(person) as base_url:
        user = f'ChatUser(goal="A refund", model="gpt-5.4", persona="Curt", base_url={base_url!r})'
        result = play(f"await talk.until({user})", lambda request: "Of course.")
    assert [turn.user.text for turn in result.trace.turns] == ["I want my money back"]
    first, last = result.trace.simulations
    assert (first.turn, last.turn, first.model) == (0, None, "gpt-5.4")
    assert first.usage and first.usage.completion_tokens > 0
    assert "A refund" in asked[0].instructions and "Curt" in asked[0].instructions
    assert [message.role for message in asked[1].messages] == ["user", "assistant", "user"]
    assert asked[1].messages[-1].content == "Of course."
    cost = simulator_cost(result.trace.simulations)
    assert cost.usd and result.cost_usd and cost.usd != result.cost_usd


def test_a_chat_model_that_can_not_be_asked_is_missing_data(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = play('await talk.until(ChatUser(goal="x", model="m"))')
    assert result.outcome == "errored"
    assert "a ChatUser needs the address of a chat completions API" in (result.error or "")


class Replaying:
    """A session whose simulated user speaks from a recording."""

    def __init__(self, session: Any, messages: list[str]) -> None:
        self._session = session
        self._messages = iter(messages)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def next_simulated(self) -> str | None:
        return next(self._messages, None)


def test_at_a_recording_the_simulated_user_says_what_it_said_then(
    plan_of: Callable[..., Plan], make_target: Callable[..., Target]
) -> None:
    target = make_target(echo)
    opened = target.open

    async def open_recording(*arguments: Any, **named: Any) -> Any:
        return Replaying(await opened(*arguments, **named), ["recorded one", "recorded two"])

    target.open = open_recording  # type: ignore[method-assign]
    result = played(plan_of("await talk.until(lambda history: 1 / 0)"), target)
    assert [turn.user.text for turn in result.trace.turns] == ["recorded one", "recorded two"]
    assert result.error is None
