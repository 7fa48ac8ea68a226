"""Transcripts as the report page is given them: plain JSON, without what stands elsewhere on the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from harness.cost.usage import Usage
from harness.results import Score, TrialResult
from harness.trace.records import Citation, Deletion, Message, RunStep, SearchResult, ToolCall, TurnTrace

Json = dict[str, Any]

_LONG = 100  # shorter texts are cheaper to repeat than to look up


class Texts(msgspec.Struct):
    """Long texts and passages, each kept once, numbered in the order in which they were first met."""

    numbers: dict[Any, int] = msgspec.field(default_factory=dict)

    def passage(self, found: SearchResult) -> int:
        """The number under which a passage is kept, as file name, page and text."""
        passage = (found.filename, found.attributes.get("page"), found.text)
        return self.numbers.setdefault(passage, len(self.numbers))

    def keep(self, text: str | None) -> Any:
        """The text itself when it is short, otherwise the number under which it is kept."""
        if text is None or len(text) < _LONG:
            return text
        return {"$": self.numbers.setdefault(text, len(self.numbers))}

    def keep_in(self, value: Any) -> Any:
        """Any JSON value with its long texts kept."""
        kind = type(value)  # one look instead of one for every possible type: there are many values
        if kind is str:
            return self.keep(value) if len(value) >= _LONG else value
        if kind is dict:
            return {key: self.keep_in(part) for key, part in value.items()}
        if kind is list or kind is tuple:
            return [self.keep_in(part) for part in value]
        return value


class Answers(msgspec.Struct):
    """What the assistant says in one trial, numbered on from those before it in its block."""

    first: int
    said: list[str] = msgspec.field(default_factory=list)

    def say(self, text: str) -> int:
        """The number under which an answer is kept."""
        self.said.append(text)
        return self.first + len(self.said) - 1


def trial_record(result: TrialResult, user: Sequence[str], answers: Answers, texts: Texts) -> Json:
    """What the page shows of one trial.

    Args:
        result: The trial.
        user: What the index says that the user says, turn by turn, as far as it does; it is not repeated.
        answers: Takes what the assistant says.
        texts: Takes passages and other long texts.
    """
    trace = result.trace
    by_turn: dict[int | None, list[Any]] = {}
    for score in result.scores:
        by_turn.setdefault(score.turn, []).append(_score(score, texts))
    turns = trace.turns if trace else ()
    return without_empty(
        {
            "id": result.trial_id,
            "error": result.error,
            "started": result.started_at,
            "latency": round(result.latency_s, 3),
            "cost": result.cost_usd,
            "cost_reason": result.cost_reason if result.cost_usd is None else None,
            "usage": _usage(result.usage),
            "history": [{"role": m.role, "text": texts.keep(m.text)} for m in trace.history]
            if trace
            else None,
            "turns": [
                _turn(turn, user[place : place + 1], by_turn.pop(place, ()), answers, texts)
                for place, turn in enumerate(turns)
            ],
            # Whatever is left: the conversation's own scores, and those of turns that were never begun.
            "scores": [score for scores in by_turn.values() for score in scores],
        }
    )


def _turn(
    turn: TurnTrace, user: Sequence[str], scores: Sequence[Any], answers: Answers, texts: Texts
) -> Json:
    return without_empty(
        {
            "user": turn.user.text if [turn.user.text] != [*user] else None,
            "attachments": turn.user.attachments,
            "returning": turn.returning or None,
            "deletion": _deletion(turn.deletion) if turn.deletion else None,
            "answers": [_answer(message, answers, texts) for message in turn.messages],
            "status": turn.status,
            "error": turn.error,
            "model": turn.model,
            "latency": round(turn.latency_s, 3),
            "wait": round(turn.wait_s, 3) or None,
            "usage": _usage(turn.usage),
            "attempts": [[a.request, a.number, a.error, round(a.wait_s, 3)] for a in turn.attempts],
            "steps": [_step(step, texts) for step in turn.steps],
            "scores": scores,
        }
    )


def _deletion(deletion: Deletion) -> Json:
    confirmed, deleted = deletion.confirmed, list(deletion.deleted)
    return without_empty({"confirmed": confirmed, "deleted": deleted, "error": deletion.error})


def _answer(message: Message, answers: Answers, texts: Texts) -> Json:
    return without_empty(
        {
            "text": answers.say(message.text),
            "citations": [_citation(citation, texts) for citation in message.citations],
            "files": [without_empty(msgspec.structs.asdict(file)) for file in message.files],
        }
    )


def _citation(citation: Citation, texts: Texts) -> Json:
    return without_empty(
        {
            "marker": citation.marker,
            "start": citation.start,
            "end": citation.end,
            "file": citation.filename or citation.file_id,
            "chunk": texts.keep(citation.chunk),
        }
    )


def _step(step: RunStep, texts: Texts) -> Json:
    begun, ended = step.created_at, step.completed_at
    return without_empty(
        {
            "type": step.type,
            "status": step.status,
            "took": (ended - begun).total_seconds() if begun and ended else None,
            "usage": _usage(step.usage),
            "error": step.error,
            "calls": [_call(call, texts) for call in step.tool_calls],
        }
    )


def _call(call: ToolCall, texts: Texts) -> Json:
    return without_empty(
        {
            "type": call.type,
            "name": call.name,
            "arguments": call.arguments,
            "output": texts.keep(call.output),
            "error": call.error,
            "latency": call.latency_s,
            "results": [[round(found.score, 3), texts.passage(found)] for found in call.results],
            "outputs": [without_empty(msgspec.structs.asdict(output)) for output in call.outputs],
        }
    )


def _score(score: Score, texts: Texts) -> Any:
    evidence = score.evidence
    if score.value is True and score.passed and not evidence and not score.reason:
        return score.check, score.scorer
    if "sentences" in evidence:
        evidence = evidence | {"sentences": _sentences(evidence["sentences"])}
    return without_empty(
        {
            "check": score.check,
            "scorer": score.scorer,
            "value": round(score.value, 4) if isinstance(score.value, float) else score.value,
            "passed": score.passed,
            "reason": score.reason,
            "evidence": texts.keep_in(evidence),
        }
    )


def _sentences(sentences: Any) -> Any:
    """Sentences that say where they stand, without their text: the answer has it."""
    if not isinstance(sentences, list | tuple):
        return sentences
    return [
        {key: value for key, value in sentence.items() if key != "text"}
        if isinstance(sentence, dict) and "start" in sentence and "end" in sentence
        else sentence
        for sentence in sentences
    ]


def _usage(usage: Usage | None) -> list[int] | None:
    """Prompt, completion, cached and reasoning tokens."""
    if usage is None:
        return None
    return [usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens]


def without_empty(record: Json) -> Json:
    """The record without the keys that say nothing: None, empty texts and lists; 0 and False stay."""
    return {key: value for key, value in record.items() if value or value == 0}
