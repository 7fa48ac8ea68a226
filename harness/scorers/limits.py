"""Measures of a turn or a talk against a range: status, latency, tokens, cost, steps; and what was used.

=============  ==================================================================================
check          value
=============  ==================================================================================
status         how the run ended (text); for a conversation the first one that is not as expected
latency_s      seconds, waiting for rate limits left out; summed over a conversation
tokens         prompt and completion tokens together; prompt_tokens and completion_tokens apart
cost_usd       list price of the tokens and of code_interpreter sessions
steps          run steps
tool_calls     calls of functions, file_search and code_interpreter (evidence: how often each)
searches       whether file_search was called (evidence: how often)
runs_code      whether code_interpreter was called (evidence: how often, errors)
produces.KIND  how many images or files came back
=============  ==================================================================================

What the target did not report is unknown: no value, with the reason, never 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from harness.cost.usage import Usage
from harness.results import Score
from harness.scorers.interface import Check, Scene, scored, unscored
from harness.suite.records import Limit
from harness.trace.costs import turns_cost
from harness.trace.records import TurnTrace


class LimitScorer:
    """Numbers within their range, runs that end as they should, tools that are used."""

    name = "limits"
    keys = frozenset(
        {"status", "latency_s", "tokens", "prompt_tokens", "completion_tokens", "cost_usd", "steps"}
        | {"tool_calls", "searches", "runs_code", "produces"}
    )

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """One score; for ``produces`` one for each kind."""
        return _JUDGES[check.key](check, scene)


def _score(
    check: Check,
    value: bool | float | str,
    passed: bool,
    reason: str,
    *,
    part: str = "",
    **evidence: Any,
) -> Score:
    return scored(check, LimitScorer.name, value, passed, reason, part=part, **evidence)


# --- how runs end --------------------------------------------------------------------------------------


def _status(check: Check, scene: Scene) -> list[Score]:
    turns = list(enumerate(scene.turns(check), start=(check.turn or 0) + 1))
    wrong = next(((number, turn) for number, turn in turns if turn.status != check.value), None)
    number, turn = wrong or turns[-1]
    detail = f": {turn.error}" if turn.error else ""
    reason = f"the run of turn {number} ended {turn.status!r}, expected {check.value!r}{detail}"
    return [_score(check, turn.status, wrong is None, reason)]


# --- numbers -------------------------------------------------------------------------------------------


def _latency(check: Check, scene: Scene) -> list[Score]:
    turns = scene.turns(check)
    waited_s = sum(turn.wait_s for turn in turns)
    return [_within(check, sum(turn.latency_s for turn in turns), "s", waited_s=round(waited_s, 3))]


def _tokens(check: Check, scene: Scene) -> list[Score]:
    total = Usage()
    for number, turn in enumerate(scene.turns(check), start=(check.turn or 0) + 1):
        if turn.usage is None:
            return [unscored(check, LimitScorer.name, f"the target reported no usage for turn {number}")]
        total += turn.usage
    parts = {"prompt_tokens": total.prompt_tokens, "completion_tokens": total.completion_tokens}
    return [_within(check, parts.get(check.key, total.total_tokens), check.key.replace("_", " "), **parts)]


def _steps(check: Check, scene: Scene) -> list[Score]:
    return [_within(check, sum(len(turn.steps) for turn in scene.turns(check)), "run steps")]


def _tool_calls(check: Check, scene: Scene) -> list[Score]:
    made = Counter(call.name for turn in scene.turns(check) for call in turn.tool_calls)
    return [_within(check, made.total(), "tool calls", calls=dict(sorted(made.items())))]


def _cost(check: Check, scene: Scene) -> list[Score]:
    turns = scene.turns_so_far(check)
    first = len(turns) - len(scene.turns(check))
    cost = turns_cost(turns, scene.assistant.model, first=first, price=scene.cost)
    if cost.usd is None:
        return [unscored(check, LimitScorer.name, f"the cost is unknown: {cost.reason}")]
    return [_within(check, float(cost.usd), "USD", cost_usd=str(cost.usd.normalize()))]


def _within(check: Check, value: float, unit: str, **evidence: Any) -> Score:
    limit: Limit = check.value
    reason = ""
    if limit.max is not None and value > limit.max:
        reason = f"{_shown(value)} {unit} is more than the allowed {_shown(limit.max)} {unit}"
    elif limit.min is not None and value < limit.min:
        reason = f"{_shown(value)} {unit} is less than the required {_shown(limit.min)} {unit}"
    return _score(check, value, not reason, reason, unit=unit, **evidence)


def _shown(number: float) -> str:
    """Enough digits to tell small costs apart, no trailing zeros, no exponent."""
    text = format(Decimal(f"{number:.6g}"), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


# --- tools used ----------------------------------------------------------------------------------------


def _calls_of(turn: TurnTrace, kind: str) -> list[str | None]:
    return [call.error for call in turn.tool_calls if call.type == kind]


def _uses(kind: str) -> Callable[[Check, Scene], list[Score]]:
    def judge(check: Check, scene: Scene) -> list[Score]:
        errors = [error for turn in scene.turns(check) for error in _calls_of(turn, kind)]
        used = bool(errors)
        reason = f"{kind} was {f'called {len(errors)} times' if used else 'not called'}"
        reason += ", it should not be" if used else ", it should be"
        failed = [error for error in errors if error]
        return [_score(check, used, used is check.value, reason, calls=len(errors), errors=failed)]

    return judge


def _produces(check: Check, scene: Scene) -> list[Score]:
    made = [file for turn in scene.turns(check) for message in turn.messages for file in message.files]
    scores = []
    for kind in check.value:
        files = [file.filename or file.file_id for file in made if file.kind == kind]
        reason = f"no {kind} came back; {len(made)} other outputs did" if made else f"no {kind} came back"
        scores.append(_score(check, float(len(files)), bool(files), reason, part=kind, files=files))
    return scores


_JUDGES: dict[str, Callable[[Check, Scene], list[Score]]] = {
    "status": _status,
    "latency_s": _latency,
    "tokens": _tokens,
    "prompt_tokens": _tokens,
    "completion_tokens": _tokens,
    "cost_usd": _cost,
    "steps": _steps,
    "tool_calls": _tool_calls,
    "searches": _uses("file_search"),
    "runs_code": _uses("code_interpreter"),
    "produces": _produces,
}
