"""A suite run as pandas tables, for notebooks and further analysis.

What is unknown is missing (NaN or <NA>), never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from harness.cost.prices import Cost
from harness.results import SuiteRun, TrialResult
from harness.trace.costs import simulator_cost, turns_cost

if TYPE_CHECKING:
    import pandas as pd

_TRIAL_TYPES = {
    "repeat": "int64",
    "started_at": "datetime64[us, UTC]",
    "ended_at": "datetime64[us, UTC]",
    "prompt_tokens": "Int64",
    "completion_tokens": "Int64",
    "cached_tokens": "Int64",
    "reasoning_tokens": "Int64",
    "cost_usd": "float64",
    "latency_s": "float64",
    "wait_s": "float64",
    "turns": "int64",
    "simulator_cost_usd": "float64",
    "judge_cost_usd": "float64",
    "replayed": "bool",
    "quarantined": "bool",
}
_TRIAL_COLUMNS = (
    "trial_id suite conversation cluster tags variant fingerprint repeat outcome error started_at ended_at "
    "prompt_tokens completion_tokens cached_tokens reasoning_tokens cost_usd latency_s wait_s turns "
    "simulator_cost_usd judge_cost_usd replayed quarantined"
).split()
_SCORE_COLUMNS = (
    "trial_id suite conversation variant repeat turn check scorer value passed reason".split()  # value: mixed
)
_SCORE_TYPES = {"repeat": "int64", "turn": "Int64", "passed": "boolean"}
_TURN_COLUMNS = (
    "trial_id suite conversation variant repeat turn status model user answer prompt_tokens "
    "completion_tokens cached_tokens cost_usd latency_s wait_s steps tool_calls search_results citations "
    "error"
).split()
_TURN_TYPES = {
    "repeat": "int64",
    "turn": "int64",
    "prompt_tokens": "Int64",
    "completion_tokens": "Int64",
    "cached_tokens": "Int64",
    "cost_usd": "float64",
    "latency_s": "float64",
    "wait_s": "float64",
    "steps": "int64",
    "tool_calls": "int64",
    "search_results": "int64",
    "citations": "int64",
}


def trials_frame(run: SuiteRun) -> pd.DataFrame:
    """One row a trial: what it is, how it ended, what it took."""
    return _frame((_trial(result) for result in run.results), _TRIAL_COLUMNS, _TRIAL_TYPES)


def scores_frame(run: SuiteRun) -> pd.DataFrame:
    """One row a score; ``turn`` counts from 0 and is missing for the whole conversation."""
    rows = (
        _key(result)
        | {
            "turn": score.turn,
            "check": score.check,
            "scorer": score.scorer,
            "value": score.value,
            "passed": score.passed,
            "reason": score.reason,
        }
        for result in run.results
        for score in result.scores
    )
    return _frame(rows, _SCORE_COLUMNS, _SCORE_TYPES)


def turns_frame(run: SuiteRun) -> pd.DataFrame:
    """One row a turn that was begun: what was said, what it took, how much was called and found."""
    rows = (row for result in run.results for row in _turns(result))
    return _frame(rows, _TURN_COLUMNS, _TURN_TYPES)


def _frame(rows: Iterable[Mapping[str, Any]], columns: list[str], types: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows), columns=columns).astype(dict(types))


def _key(result: TrialResult) -> dict[str, Any]:
    return {
        "trial_id": result.trial_id,
        "suite": result.suite,
        "conversation": result.conversation,
        "variant": result.variant,
        "repeat": result.repeat,
    }


def _trial(result: TrialResult) -> dict[str, Any]:
    usage = result.usage
    turns = result.trace.turns if result.trace else ()
    return _key(result) | {
        "cluster": result.cluster or result.conversation,
        "tags": result.tags,
        "fingerprint": result.fingerprint,
        "outcome": result.outcome,
        "error": result.error,
        "started_at": result.started_at,
        "ended_at": result.ended_at,
        "prompt_tokens": usage.prompt_tokens if usage else None,
        "completion_tokens": usage.completion_tokens if usage else None,
        "cached_tokens": usage.cached_tokens if usage else None,
        "reasoning_tokens": usage.reasoning_tokens if usage else None,
        "cost_usd": None if result.cost_usd is None else float(result.cost_usd),
        "latency_s": result.latency_s,
        "wait_s": sum(turn.wait_s for turn in turns),
        "turns": len(turns),
        "judge_cost_usd": None if result.judge_cost_usd is None else float(result.judge_cost_usd),
        "simulator_cost_usd": _dollars(simulator_cost(result.trace.simulations if result.trace else ())),
        "replayed": result.replayed,
        "quarantined": result.quarantined,
    }


def _dollars(cost: Cost) -> float | None:
    return None if cost.usd is None else float(cost.usd)


def _turns(result: TrialResult) -> Iterable[dict[str, Any]]:
    turns = result.trace.turns if result.trace else ()
    for place, turn in enumerate(turns):
        yield _key(result) | {
            "turn": place,
            "status": turn.status,
            "model": turn.model,
            "user": turn.user.text,
            "answer": turn.answer,
            "prompt_tokens": turn.usage.prompt_tokens if turn.usage else None,
            "completion_tokens": turn.usage.completion_tokens if turn.usage else None,
            "cached_tokens": turn.usage.cached_tokens if turn.usage else None,
            "cost_usd": _dollars(turns_cost(turns[: place + 1], turn.model or "", first=place)),
            "latency_s": turn.latency_s,
            "wait_s": turn.wait_s,
            "steps": len(turn.steps),
            "tool_calls": len(turn.tool_calls),
            "search_results": len(turn.search_results),
            "citations": len(turn.citations),
            "error": turn.error,
        }
