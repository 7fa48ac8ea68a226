"""What a judge decided, made scores: the label or number, and whether it may decide anything.

``judge: NAME`` wants more than half of the votes for a label that the rubric lets pass. A judge whose
agreement with people was not measured on this very rubric and model version has no verdict: its label stands
there for information. Asking is done before anything is scored (``harness.judge``); here nobody is asked.

Evidence: ``label``, ``met``, ``share`` (of the votes), ``votes`` (label and reason of each), ``models``,
``calibration`` (kappa, sensitivity, specificity of the judge; absent when there is none), ``informational``
(why it has no verdict; absent when it has one).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.judge.verdict import Verdict, verdict_of
from harness.results import Calibration, Score
from harness.scorers.interface import Check, Scene, scored
from harness.suite.records import JudgeExpectation, Rubric, judged_of
from harness.trace.records import Judgement


class JudgeScorer:
    """Verdicts of judges; they gate only where they were calibrated."""

    name = "judge"
    keys = frozenset({"judge"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """One score for each rubric."""
        return [_score(check, scene, wanted) for wanted in judged_of(check.value)]


def _score(check: Check, scene: Scene, wanted: JudgeExpectation) -> Score:
    rubric = scene.judging.rubrics.get(wanted.rubric)
    judgement = next((each for each in scene.trace.judgements if _is_about(each, check, wanted)), None)
    if rubric is None:
        return _made(check, wanted, None, None, f"the suite has no rubric {wanted.rubric!r}")
    if judgement is None:
        return _made(check, wanted, None, None, "no judge was asked")
    verdict = verdict_of(judgement, rubric)
    if verdict.label is None:
        return _made(check, wanted, None, None, verdict.reason, _evidence(judgement, verdict, None))
    calibration = _calibration(scene, judgement)
    evidence = _evidence(judgement, verdict, calibration)
    value = float(verdict.label) if rubric.scale is not None else verdict.label
    why = scene.judging.why_informational(judgement.fingerprint, judgement.models)
    if why:
        evidence["informational"] = why
        told = f"for information only, {why}: the judge says {verdict.label!r}: {verdict.reason}"
        return _made(check, wanted, value, None, told, evidence)
    return _made(check, wanted, value, verdict.met, _reason(verdict, rubric), evidence)


def _is_about(judgement: Judgement, check: Check, wanted: JudgeExpectation) -> bool:
    return judgement.turn == check.turn and judgement.rubric == wanted.rubric


def _calibration(scene: Scene, judgement: Judgement) -> Calibration | None:
    known = (scene.judging.calibrations.get((judgement.fingerprint, each)) for each in judgement.models)
    return next((each for each in known if each is not None), None)


def _reason(verdict: Verdict, rubric: Rubric) -> str:
    if verdict.met:
        return ""
    wanted = ", ".join(rubric.passing)
    return f"the judge says {verdict.label!r}, not {wanted}: {verdict.reason}"


def _evidence(judgement: Judgement, verdict: Verdict, calibration: Calibration | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "label": verdict.label,
        "met": verdict.met,
        "share": round(verdict.share, 6),
        "votes": [{"label": vote.label, "reason": vote.reason} for vote in judgement.votes],
        "models": list(judgement.models),
    }
    if calibration is not None:
        measured = ("kappa", "sensitivity", "specificity")
        known = {name: getattr(calibration, name) for name in measured}
        told["calibration"] = {name: round(each.value, 4) for name, each in known.items() if each is not None}
    return told


def _made(
    check: Check,
    wanted: JudgeExpectation,
    value: str | float | None,
    passed: bool | None,
    reason: str,
    evidence: dict[str, Any] | None = None,
) -> Score:
    name = JudgeScorer.name
    return scored(check, name, value, passed, reason, part=wanted.rubric, **(evidence or {}))
