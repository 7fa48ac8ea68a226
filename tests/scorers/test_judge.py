"""What a judge decided becomes a score that passes or fails only where the judge may decide."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from harness.judge.gating import Judging
from harness.results import Calibration, Estimate, Score
from harness.scorers.checks import score_trace
from harness.suite.records import AssistantFile, Conversation, Rubric
from harness.trace.records import Judgement, Message, Trace, TurnTrace, Vote

AT = datetime(2026, 1, 1, tzinfo=UTC)
MEASURED = Calibration(
    rubric="kind",
    fingerprint="f",
    model="j-1",
    made_at=AT,
    rows=40,
    judged=40,
    met=20,
    unmet=20,
    kappa=Estimate(value=0.75, low=0.5, high=0.9),
    sensitivity=Estimate(value=0.9, low=0.7, high=1.0),
    specificity=Estimate(value=0.8, low=0.6, high=0.9),
)


def scored(
    *judgements: Judgement, expect: Any = None, calibrated: bool = True, **given: Any
) -> tuple[Score, ...]:
    wanted = {"judge": "kind"} if expect is None else expect
    conversation = Conversation.model_validate({"id": "c", "turns": [{"user": "Hi", "expect": wanted}]})
    turn = TurnTrace(
        user=Message(role="user", text="Hi"),
        messages=(Message(role="assistant", text="Hello"),),
        status="completed",
        started_at=AT,
        latency_s=1,
    )
    rule = Rubric.model_validate({"asks": "Is it kind?", "labels": ["kind", "cold"], **given}, by_alias=True)
    known = {("f", "j-1"): MEASURED} if calibrated else {}
    return score_trace(
        conversation,
        AssistantFile(name="A", model="m"),
        Trace(trial_id="t", target="x", turns=(turn,), judgements=judgements),
        judging=Judging({"kind": rule}, known),
    )


def judgement(*labels: str | None, **changed: Any) -> Judgement:
    votes = tuple(Vote(label=label, reason=f"as {label}", model="j-1") for label in labels)
    made = Judgement(turn=0, rubric="kind", fingerprint="f", asked="a", judge="j", votes=votes)
    return msgspec.structs.replace(made, **changed)


def judged(*judgements: Judgement, **more: Any) -> Score:
    [found] = [score for score in scored(*judgements, **more) if score.scorer == "judge"]
    return found


def test_a_judge_that_was_measured_passes_and_fails() -> None:
    good, bad = judged(judgement("kind", "kind", "cold")), judged(judgement("cold", "cold"))
    assert (good.check, good.value, good.passed, good.reason) == ("judge.kind", "kind", True, "")
    assert (bad.value, bad.passed) == ("cold", False)
    assert bad.reason == "the judge says 'cold', not kind: as cold"
    assert good.evidence["calibration"] == {"kappa": 0.75, "sensitivity": 0.9, "specificity": 0.8}
    assert good.evidence["share"] == pytest.approx(2 / 3, abs=1e-6)


def test_a_judge_that_was_not_measured_informs_and_neither_passes_nor_fails() -> None:
    found = judged(judgement("cold", "cold"), calibrated=False)
    assert (found.value, found.passed) == ("cold", None)
    assert "for information only, j-1 was not calibrated on this rubric" in found.reason
    assert "informational" in found.evidence


def test_a_check_that_requires_a_judge_without_a_say_is_not_held_up_by_it() -> None:
    expect = {"judge": "kind", "answer": {"mentions": ["Hello"]}, "requires": ["judge"]}
    scores = scored(judgement("cold", "cold"), expect=expect, calibrated=False)
    assert [score.passed for score in scores if score.check == "answer.mentions"] == [True]
    held_up = scored(judgement("cold", "cold"), expect=expect)
    assert [score.passed for score in held_up if score.check == "answer"] == [None]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (judgement("kind", "cold"), "the votes don't agree"),
        (judgement(error="the answer is empty: there is nothing to judge"), "the answer is empty"),
        (judgement(None, "kind", None), "1 of 3 votes gave a label"),
    ],
)
def test_without_a_decision_there_is_no_value_and_the_reason(found: Judgement, told: str) -> None:
    score = judged(found)
    assert (score.value, score.passed) == (None, None) and told in score.reason


def test_nobody_asked_is_told() -> None:
    assert judged().reason == "no judge was asked"
    assert judged(judgement("kind", rubric="other")).reason == "no judge was asked"


def test_the_value_of_a_scale_is_its_number() -> None:
    found = judged(judgement("2", "4", "4"), labels=None, scale=5)
    assert (found.value, found.passed) == (4.0, True)


def test_scoring_the_same_trace_again_gives_the_same() -> None:
    assert scored(judgement("kind", "cold", "kind")) == scored(judgement("kind", "cold", "kind"))
