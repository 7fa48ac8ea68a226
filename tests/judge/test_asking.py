"""A judge is asked as often as its rubric says, and whatever goes wrong is a vote without a label."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from judging import VERSION, Asked, completion, in_turn, material_in, rubric, saying
from virtual_time import CLOCK, run

from harness.clock import SYSTEM_CLOCK
from harness.cost.prices import Cost
from harness.errors import BudgetExhausted, TargetRefused, TargetUnavailable, TargetUnreadable
from harness.judge.asking import Judge, JudgeOptions, requests_of
from harness.plan import Trial
from harness.suite.records import AssistantFile, Conversation, Rubric, Suite, Variant
from harness.trace.costs import judge_cost
from harness.trace.records import Judgement, Message, RunStep, SearchResult, ToolCall, Trace, TurnTrace

AT = datetime(2026, 1, 1, tzinfo=UTC)


def trial(judge: Any, *, whole: Any = None, **rubrics: Rubric) -> Trial:
    expect = {"judge": judge} if judge is not None else {}
    turns = [{"user": "Hello"}, {"user": "Where is my order?", "expect": expect}]
    more = {"expect": {"judge": whole}} if whole is not None else {}
    conversation = Conversation.model_validate({"id": "c", "turns": turns, **more})
    assistant = AssistantFile(name="Desk", model="m", instructions="Be kind. Key sk-1234567890abcdef99.")
    variant = Variant(name="desk", assistant=assistant)
    suite = Suite(name="s", source=Path("s.yaml"), variant=variant, rubrics=rubrics or {"kind": rubric()})
    return Trial(suite, conversation, variant, 1)


def trace(answer: str = "Soon.", **last: Any) -> Trace:
    def turn(user: str, said: str, **more: Any) -> TurnTrace:
        told: dict[str, Any] = {"status": "completed", "started_at": AT, "latency_s": 1.0, **more}
        messages = (Message(role="assistant", text=said),)
        return TurnTrace(user=Message(role="user", text=user), messages=messages, **told)

    return Trace(
        trial_id="t", target="x", turns=(turn("Hello", "Hi!"), turn("Where is my order?", answer, **last))
    )


def judged(
    wire: Asked | None,
    *,
    of: Trial | None = None,
    what: Trace | None = None,
    kept: tuple[Judgement, ...] | None = None,
    clean: Any = str,
    **options: Any,
) -> tuple[Judgement, ...]:
    judge = Judge(wire, JudgeOptions(**{"model": "j", **options}), clean, SYSTEM_CLOCK)  # type: ignore[arg-type]
    return asyncio.run(judge.judge_trace(of or trial("kind"), what or trace(), kept))


def test_a_turn_is_judged_with_as_many_votes_as_the_rubric_wants() -> None:
    wire = Asked(in_turn([saying("pass"), saying("fail"), saying("pass")]))
    [found] = judged(wire)
    assert (found.turn, found.rubric, found.judge, found.models) == (1, "kind", "j", (VERSION,))
    assert [vote.label for vote in found.votes] == ["pass", "fail", "pass"]
    assert [vote.reversed for vote in found.votes] == [False, True, False]
    assert all(vote.usage and vote.usage.prompt_tokens == 100 for vote in found.votes)
    seeds = [body["seed"] for body in wire.bodies]
    assert len(set(seeds)) == 3 and {body["model"] for body in wire.bodies} == {"j"}


def test_the_judge_sees_the_talk_before_the_answer_and_what_the_rubric_shows() -> None:
    wire = Asked(lambda body: completion(saying("pass")))
    call = ToolCall(id="1", type="function", name="look_up", arguments='{"id": 7}', output="sent")
    hit = SearchResult(file_id="f", filename="faq.pdf", score=0.5, text="Two days.")
    search = ToolCall(id="2", type="file_search", name="file_search", results=(hit, hit))
    steps = (RunStep(id="s", type="tool_calls", status="completed", tool_calls=(call, search)),)
    rule = rubric(votes=1, shows=["calls", "passages", "instructions"])
    judged(wire, of=trial("kind", kind=rule), what=trace(steps=steps))
    shown = material_in(wire.bodies[0])
    assert [each["says"] for each in shown["talk"]] == ["Hello", "Hi!", "Where is my order?"]
    assert shown["answer"] == "Soon."
    assert shown["calls"] == [{"function": "look_up", "arguments": '{"id": 7}', "output": "sent"}]
    assert shown["passages"] == [{"document": "faq.pdf", "text": "Two days."}]
    assert shown["instructions"].startswith("Be kind.")


def test_a_whole_conversation_is_judged_once() -> None:
    wire = Asked(lambda body: completion(saying("pass")))
    [found] = judged(wire, of=trial(None, whole="kind", kind=rubric(votes=1)))
    assert found.turn is None
    assert [each["says"] for each in material_in(wire.bodies[0])["talk"]][-1] == "Soon."


def test_secrets_are_taken_out_before_anything_is_shown_and_out_of_what_the_judge_says() -> None:
    wire = Asked(lambda body: completion(saying("pass", "it tells 4711")))
    [found] = judged(wire, what=trace("The code is 4711."), clean=lambda text: text.replace("4711", "[x]"))
    assert material_in(wire.bodies[0])["answer"] == "The code is [x]."
    assert found.votes[0].reason == "it tells [x]"


def test_what_was_kept_and_still_fits_is_not_asked_again() -> None:
    former = judged(Asked(lambda body: completion(saying("pass"))))
    assert judged(None, kept=former) == former
    assert judged(None, kept=former, model=None) == former


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"what": trace("Later.")}, "what the judge is shown has changed"),
        ({"of": trial("kind", kind=rubric(asks="Is it nice?"))}, "the rubric has changed"),
        ({"model": "k"}, "j judged then, and k is set now"),
        ({"kept": ()}, "no judgement by this rubric was kept"),
    ],
)
def test_what_was_kept_and_does_not_fit_is_told_and_nobody_is_asked(changed: Any, told: str) -> None:
    former = judged(Asked(lambda body: completion(saying("pass"))))
    [found] = judged(None, **{"kept": former, **changed})
    assert found.votes == () and told in str(found.error)


def test_with_a_judge_at_hand_only_what_does_not_fit_is_asked_again() -> None:
    former = judged(Asked(lambda body: completion(saying("pass"))))
    wire = Asked(lambda body: completion(saying("fail")))
    assert judged(wire, kept=former) == former and wire.bodies == []
    [found] = judged(wire, kept=former, what=trace("Later."))
    assert {vote.label for vote in found.votes} == {"fail"}


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (trace(""), "the answer is empty"),
        (trace(" \n"), "the answer is empty"),
        (trace(status="timed_out"), "ended 'timed_out'"),
        (trace("x" * 200_001), "too long to be shown whole"),
    ],
    ids=["empty", "blank", "timed out", "too long"],
)
def test_what_can_not_be_judged_costs_no_request(what: Trace, told: str) -> None:
    wire = Asked(lambda body: completion(saying("pass")))
    [found] = judged(wire, what=what)
    assert wire.bodies == [] and told in str(found.error)


def raising(error: Exception) -> Any:
    def answer(body: dict[str, Any]) -> dict[str, Any]:
        raise error

    return answer


def test_a_judge_that_is_away_is_asked_for_every_vote_and_says_why_there_is_none() -> None:
    wire = Asked(raising(TargetUnavailable("nothing answers at 'x'")))
    [found] = judged(wire)
    assert [vote.reason for vote in found.votes] == [
        "the judge could not be asked: nothing answers at 'x'"
    ] * 3


def test_what_a_judge_that_answers_unreadably_costs_is_unknown_and_it_is_asked_again() -> None:
    wire = Asked(raising(TargetUnreadable("it answered with something that is no JSON object")))
    [found] = judged(wire)
    assert judge_cost([found]).usd is None
    assert found.models == () and found.votes[0].label is None
    able = Asked(lambda body: completion(saying("pass")))
    [again] = judged(able, kept=(found,))
    assert again.votes[0].label == "pass"


def test_a_judge_at_whose_address_nothing_answers_costs_nothing() -> None:
    assert judge_cost(judged(Asked(raising(TargetUnavailable("nothing answers"))))).usd == 0


@pytest.mark.parametrize("error", [TargetRefused("unknown model"), BudgetExhausted("nothing is left")])
def test_what_is_refused_once_is_not_asked_again(error: Exception) -> None:
    wire = Asked(raising(error))
    [found] = judged(wire)
    assert len(wire.bodies) == 1
    assert str(error) in found.votes[0].reason and found.models == ()


def test_a_judge_that_does_not_answer_in_time_has_no_vote() -> None:
    class Silent:
        async def call(self, *arguments: Any, **named: Any) -> Any:
            await asyncio.sleep(10_000)

        async def close(self) -> None: ...

    judge = Judge(Silent(), JudgeOptions("j", deadline_s=30), clock=CLOCK)  # type: ignore[arg-type]
    [found] = run(judge.judge_trace(trial("kind", kind=rubric(votes=2)), trace(), None))
    assert [vote.reason for vote in found.votes] == ["the judge did not answer within 30 s"] * 2
    assert [vote.latency_s for vote in found.votes] == [30, 30]
    assert judge_cost([found]) == Cost(
        None, "a judge did not answer in time, or what came back could not be read"
    )


def test_options_are_sent_as_they_are_set() -> None:
    wire = Asked(lambda body: completion(saying("pass")))
    judged(wire, temperature=0.0, structured=False)
    assert wire.bodies[0]["temperature"] == 0 and "response_format" not in wire.bodies[0]
    judged(wire)
    assert "temperature" not in wire.bodies[-1]
    assert wire.bodies[-1]["response_format"]["type"] == "json_schema"


def test_a_rubric_may_name_its_own_model_and_without_any_nobody_is_asked() -> None:
    wire = Asked(lambda body: completion(saying("pass")))
    [found] = judged(wire, of=trial("kind", kind=rubric(model="own")))
    assert found.judge == wire.bodies[0]["model"] == "own"
    [found] = judged(wire, model=None)
    assert "--judge-model" in str(found.error)


def test_two_answers_are_asked_about_in_both_positions() -> None:
    rule = rubric(compares=True, votes=2)
    wanted = {"rubric": "clear", "against": "Never."}
    wire = Asked(
        lambda body: completion(saying("first" if material_in(body)["first"] == "Soon." else "second"))
    )
    [found] = judged(wire, of=trial(wanted, clear=rule))
    assert requests_of(rule) == len(wire.bodies) == 4
    assert [vote.label for vote in found.votes] == ["better"] * 4
