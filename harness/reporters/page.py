"""What the report page's script is given: an index of all conversations, and transcripts in blocks.

The index is unpacked when the page opens, a block when one of its transcripts is first looked at. What would
stand there again and again is packed once: retrieved passages and other long texts in a list of their own
(where they belong stands ``{"$": number}``), what the user says in the index. Keys whose value is empty are
left out, and a score that says no more than that it passed is only ``[check, scorer]``. In a block, what
assistants say stands after all else: deflate spends a fifth less when prose and structure do not alternate.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from harness.cost.usage import Usage
from harness.reporters.summary import ConversationResult, Summary
from harness.results import Score, TrialResult
from harness.trace.records import Citation, Message, RunStep, SearchResult, ToolCall, TurnTrace

_BLOCK_BYTES = 1_500_000  # unpacked in a few milliseconds
_LONG = 100  # shorter texts are cheaper to repeat than to look up
_LEVEL = 6  # zlib's own default: 9 takes twice as long for 1 % less

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PageData:
    """Everything the script draws from, packed (gzip, base64).

    Attributes:
        index: Conversations, and where their transcripts are.
        blocks: Transcripts, some hundred in each.
        texts: The long texts.
    """

    index: str
    blocks: tuple[str, ...]
    texts: str


def page_data(summary: Summary) -> PageData:
    """The data of the page for this suite run."""
    texts = _Texts()
    blocks: list[str] = []
    places: dict[str, tuple[int, int]] = {}
    for number, block in enumerate(_blocks(summary, texts)):
        places.update({trial_id: (number, place) for place, trial_id in enumerate(block.trials)})
        blocks.append(block.packed())
    return PageData(_packed(_index(summary, places)), tuple(blocks), _packed(list(texts.numbers)))


@dataclass(slots=True)
class _Block:
    """Some trials as JSON by id, and what was said in them."""

    trials: dict[str, bytes] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    size: int = 0

    def say(self, text: str) -> int:
        """The number under which an answer is kept in this block."""
        self.said.append(text)
        self.size += len(text)
        return len(self.said) - 1

    def add(self, trial_id: str, trial: bytes) -> None:
        """One more trial."""
        self.trials[trial_id] = trial
        self.size += len(trial)

    def packed(self) -> str:
        """Trials and answers, as the page holds them."""
        return _pack(b'{"trials":[' + b",".join(self.trials.values()) + b'],"said":' + _json(self.said) + b"}")


def _blocks(summary: Summary, texts: _Texts) -> Iterator[_Block]:
    """All trials, in portions of a size that is quickly unpacked."""
    block = _Block()
    for row in summary.conversations:
        said = _said(row.results)
        for result in row.results:
            block.add(result.trial_id, _json(_trial(result, said, _Writer(texts, block))))
            if block.size > _BLOCK_BYTES:
                yield block
                block = _Block()
    if block.trials:
        yield block


@dataclass(slots=True)
class _Texts:
    """Long texts and passages, each kept once, numbered in the order in which they were first met."""

    numbers: dict[Any, int] = field(default_factory=dict)

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


# --- the index -----------------------------------------------------------------------------------------


def _index(summary: Summary, places: Mapping[str, tuple[int, int]]) -> Json:
    names = _Names()
    rows = [_row(row, places, names) for row in summary.conversations]
    return {"rows": rows, **names.lists()}


@dataclass(slots=True)
class _Names:
    """Names that many rows share, as numbers."""

    known: dict[str, dict[str, int]] = field(default_factory=dict)

    def number(self, kind: str, name: str) -> int:
        """The number of a name among those of its kind."""
        names = self.known.setdefault(kind, {})
        return names.setdefault(name, len(names))

    def lists(self) -> dict[str, list[str]]:
        """The names by kind, in the order of their numbers."""
        empty: Json = {"suites": [], "variants": [], "tags": [], "checks": []}
        return empty | {kind: list(names) for kind, names in self.known.items()}


def _row(row: ConversationResult, places: Mapping[str, tuple[int, int]], names: _Names) -> Json:
    usages = [result.usage.total_tokens for result in row.results if result.usage]
    costs = [float(result.cost_usd) for result in row.results if result.cost_usd is not None]
    latencies = [result.latency_s for result in row.results if result.outcome != "skipped"]
    return _without_empty(
        {
            "suite": names.number("suites", row.suite),
            "variant": names.number("variants", row.variant),
            "id": row.conversation,
            "says": _said(row.results),
            "tags": [names.number("tags", tag) for tag in row.tags],
            "checks": [names.number("checks", check) for check in row.failing_checks],
            "why": row.reason,
            "outcome": row.outcome,
            "flaky": row.flaky or None,
            "trials": [_trial_place(result, places) for result in row.results],
            "tokens": sum(usages) if usages else None,
            "cost": round(sum(costs), 9) if costs else None,
            "latency": round(sum(latencies) / len(latencies), 4) if latencies else None,
        }
    )


def _said(results: Iterable[TrialResult]) -> tuple[str, ...]:
    """What the user says in each turn of a conversation: in the trial in which most was said."""
    traces = (result.trace for result in results if result.trace)
    return max((tuple(turn.user.text for turn in trace.turns) for trace in traces), key=len, default=())


def _trial_place(result: TrialResult, places: Mapping[str, tuple[int, int]]) -> list[Any]:
    """Id, repeat, outcome, and block and place of the transcript."""
    return [result.trial_id, result.repeat, result.outcome, *places[result.trial_id]]


# --- transcripts ---------------------------------------------------------------------------------------


def _trial(result: TrialResult, said: Sequence[str], texts: _Texts) -> Json:
    trace = result.trace
    by_turn: dict[int | None, list[Any]] = {}
    for score in result.scores:
        by_turn.setdefault(score.turn, []).append(_score(score, texts))
    turns = trace.turns if trace else ()
    return _without_empty(
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
                _turn(turn, said[place], by_turn.pop(place, ()), texts) for place, turn in enumerate(turns)
            ],
            # Whatever is left: the conversation's own scores, and those of turns that were never begun.
            "scores": [score for scores in by_turn.values() for score in scores],
        }
    )


def _turn(turn: TurnTrace, said: str, scores: Sequence[Any], texts: _Texts) -> Json:
    return _without_empty(
        {
            "user": turn.user.text if turn.user.text != said else None,
            "attachments": turn.user.attachments,
            "returning": turn.returning or None,
            "answers": [_answer(message, texts) for message in turn.messages],
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


def _answer(message: Message, texts: _Texts) -> Json:
    return _without_empty(
        {
            "text": message.text,
            "citations": [_citation(citation, texts) for citation in message.citations],
            "files": [_without_empty(msgspec.structs.asdict(file)) for file in message.files],
        }
    )


def _citation(citation: Citation, texts: _Texts) -> Json:
    return _without_empty(
        {
            "marker": citation.marker,
            "start": citation.start,
            "end": citation.end,
            "file": citation.filename or citation.file_id,
            "chunk": texts.keep(citation.chunk),
        }
    )


def _step(step: RunStep, texts: _Texts) -> Json:
    begun, ended = step.created_at, step.completed_at
    return _without_empty(
        {
            "type": step.type,
            "status": step.status,
            "took": (ended - begun).total_seconds() if begun and ended else None,
            "usage": _usage(step.usage),
            "error": step.error,
            "calls": [_call(call, texts) for call in step.tool_calls],
        }
    )


def _call(call: ToolCall, texts: _Texts) -> Json:
    return _without_empty(
        {
            "type": call.type,
            "name": call.name,
            "arguments": call.arguments,
            "output": texts.keep(call.output),
            "error": call.error,
            "latency": call.latency_s,
            "results": [[round(found.score, 3), texts.passage(found)] for found in call.results],
            "outputs": [_without_empty(msgspec.structs.asdict(output)) for output in call.outputs],
        }
    )


def _score(score: Score, texts: _Texts) -> Any:
    evidence = score.evidence
    if score.value is True and score.passed and not evidence and not score.reason:
        return score.check, score.scorer
    if "sentences" in evidence:
        evidence = evidence | {"sentences": _sentences(evidence["sentences"])}
    return _without_empty(
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


def _without_empty(record: Json) -> Json:
    return {key: value for key, value in record.items() if value or value == 0}  # False is 0 too


# --- packing -------------------------------------------------------------------------------------------


def _packed(value: Any) -> str:
    return _pack(_json(value))


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # half a surrogate pair: JSON can spell it, UTF-8 cannot
        return json.dumps(msgspec.to_builtins(value)).encode("ascii")


def _pack(content: bytes) -> str:
    """Gzip and base64; without a time stamp, so that the same run gives the same page."""
    packer = zlib.compressobj(_LEVEL, wbits=31)
    return base64.b64encode(packer.compress(content) + packer.flush()).decode("ascii")
