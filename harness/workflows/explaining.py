"""Scores of a stored trial explained: what each measures, what it looked at, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from harness.errors import SettingsError
from harness.results import Score, SuiteRun, TrialResult
from harness.scorers.definitions import PARTS, Definition, Input, definition_of
from harness.settings import Settings
from harness.text import nearest
from harness.trace.records import TurnTrace
from harness.workflows.stored import open_store

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Explanation:
    """One score with what it means.

    Attributes:
        score: As it is stored.
        definition: What its scorer measures.
        inputs: What of the trial it looked at, plain JSON by name.
    """

    score: Score
    definition: Definition
    inputs: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        told = asdict(self.definition)
        return {
            "check": self.score.check,
            "scorer": self.score.scorer,
            "turn": None if self.score.turn is None else self.score.turn + 1,
            "value": self.score.value,
            "passed": self.score.passed,
            "reason": self.score.reason,
            "explained": {part: told[part] for part in PARTS},
            "inputs": dict(self.inputs),
            "evidence": self.score.evidence,
        }


@dataclass(frozen=True, slots=True)
class Explained:
    """A stored trial with all its scores explained.

    Attributes:
        run_id: Of the suite run.
        result: The trial.
        scores: In the order of the suite file.
    """

    run_id: str
    result: TrialResult
    scores: tuple[Explanation, ...]

    def as_json(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        return {
            "run": self.run_id,
            "trial": self.result.trial_id,
            "outcome": self.result.outcome,
            "error": self.result.error,
            "quarantined": self.result.quarantined,
            "scores": [each.as_json() for each in self.scores],
        }


def explain(settings: Settings, trial: str | None, run_id: str = "latest") -> Explained:
    """The scores of a stored trial, explained.

    Args:
        settings: Where the store is.
        trial: The trial's id, or as much of it as names one trial of the run: ``suite/conversation`` or the
            conversation alone. Without it the error lists what there is.
        run_id: The suite run.

    Raises:
        StoreError: There is no such store or run.
        SettingsError: None is named, the run has no such trial, or several (code ``unknown-trial``).
    """
    with open_store(settings, create=False) as store:
        run = store.run(run_id)
        result = _found(run, trial) if trial else _unnamed(run)
    turns = result.trace.turns if result.trace else ()
    explained = (_explanation(score, turns) for score in result.scores)
    return Explained(run.id, result, tuple(explained))


def _unnamed(run: SuiteRun) -> NoReturn:
    """Say which trials there are, first those that somebody will want to look at."""
    told = sorted((result.outcome == "passed", place, result) for place, result in enumerate(run.results))
    ids = [f"{result.trial_id} ({result.outcome})" for _, _, result in told]
    message = f"no trial is named, and run {run.id} has {len(ids)}"
    raise SettingsError(message, code="unknown-trial", hint=f"name one: {_listed(ids)}")


def _found(run: SuiteRun, named: str) -> TrialResult:
    found, ids = [], []
    for result in run.results:
        if result.trial_id == named:
            return result
        ids.append(result.trial_id)
        without_repeat = result.trial_id.rpartition("#")[0]
        known_as = (result.conversation, f"{result.suite}/{result.conversation}", without_repeat)
        if named in known_as:
            found.append(result)
    if len(found) == 1:
        return found[0]
    raise _unknown(run.id, named, [each.trial_id for each in found], ids)


def _unknown(run_id: str, named: str, found: Sequence[str], ids: Sequence[str]) -> SettingsError:
    if found:
        message = f"{named!r} names {len(found)} trials of run {run_id}"
        return SettingsError(message, code="unknown-trial", hint=f"name one: {_listed(found)}")
    near = nearest(named, ids)
    told = f"did you mean {near!r}? It has: " if near else "it has: "
    return SettingsError(
        f"run {run_id} has no trial {named!r}", code="unknown-trial", hint=f"{told}{_listed(ids)}"
    )


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return (", ".join(ids[:_SHOWN]) or "none") + more


# --- what a score looked at -------------------------------------------------------------------------------


def _explanation(score: Score, turns: Sequence[TurnTrace]) -> Explanation:
    definition = definition_of(score.scorer)
    looked_at = turns if score.turn is None else turns[score.turn : score.turn + 1]
    before = turns if score.turn is None else turns[: score.turn + 1]
    inputs = {name: _INPUTS[name](looked_at, before) for name in definition.inputs}
    return Explanation(score, definition, {name: value for name, value in inputs.items() if value})


def _user(turns: Iterable[TurnTrace], before: Iterable[TurnTrace]) -> list[str]:
    return [turn.user.text for turn in turns]


def _answer(turns: Iterable[TurnTrace], before: Iterable[TurnTrace]) -> list[str]:
    return [turn.answer for turn in turns]


def _passages(turns: Iterable[TurnTrace], before: Iterable[TurnTrace]) -> list[dict[str, Any]]:
    """What file_search found in these turns and those before: that is what claims may rest on."""
    found = (result for turn in before for result in turn.search_results)
    return [
        {
            "filename": each.filename,
            "page": each.attributes.get("page"),
            "score": each.score,
            "text": each.text,
        }
        for each in found
    ]


def _citations(turns: Iterable[TurnTrace], before: Iterable[TurnTrace]) -> list[dict[str, Any]]:
    found = (citation for turn in turns for citation in turn.citations)
    return [{"marker": each.marker, "filename": each.filename, "chunk": each.chunk} for each in found]


def _calls(turns: Iterable[TurnTrace], before: Iterable[TurnTrace]) -> list[dict[str, Any]]:
    return list(_each_call(turns))


def _each_call(turns: Iterable[TurnTrace]) -> Iterator[dict[str, Any]]:
    for turn in turns:
        for call in turn.tool_calls:
            told = {
                "name": call.name,
                "arguments": call.arguments,
                "output": call.output,
                "error": call.error,
            }
            yield {key: value for key, value in told.items() if value}


def _run(turns: Iterable[TurnTrace], before: Iterable[TurnTrace]) -> list[dict[str, Any]]:
    return [
        {
            "status": turn.status,
            "model": turn.model,
            "latency_s": turn.latency_s,
            "wait_s": turn.wait_s,
            "steps": len(turn.steps),
            "prompt_tokens": turn.usage.prompt_tokens if turn.usage else None,
            "completion_tokens": turn.usage.completion_tokens if turn.usage else None,
        }
        for turn in turns
    ]


def _deletion(turns: Iterable[TurnTrace], before: Iterable[TurnTrace]) -> list[dict[str, Any]]:
    found = (turn.deletion for turn in turns if turn.deletion)
    return [
        {"confirmed": each.confirmed, "deleted": list(each.deleted), "error": each.error} for each in found
    ]


_INPUTS: dict[Input, Any] = {
    "user": _user,
    "answer": _answer,
    "passages": _passages,
    "citations": _citations,
    "calls": _calls,
    "run": _run,
    "deletion": _deletion,
}
