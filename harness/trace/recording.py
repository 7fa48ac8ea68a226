"""Recordings: traces kept to answer from again, without what changes from run to run.

What is kept of a trace is what was said, called, found and spent. Ids become names by place (``call-2.1`` is
the first call of the second turn), ids of documents their names; moments, attempts, waits and the bytes of
images are left out. How long something took and how many tokens it spent stays as it was first recorded, as
long as all else is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from harness.trace.records import (
    Citation,
    CodeOutput,
    Deletion,
    Judgement,
    Message,
    OutputFile,
    Record,
    RunStep,
    SearchResult,
    ToolCall,
    Trace,
    TurnTrace,
)

NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Stands for a moment that was not kept."""

_DIGITS_OF_SECONDS = 3
_DIGITS_OF_RELEVANCE = 6  # the last ones differ from machine to machine

# As hosted and compatible servers spell them; code_interpreter's files lie under their ids.
_FILE_ID = re.compile(r"\b(?:file|assistant|cfile)[-_][A-Za-z0-9]{16,}\b")

Key = tuple[str, str, str, int]
"""Suite, conversation, variant and repeat: what one recorded trial replaces when it is recorded again."""


class RecordedVariant(Record, frozen=True):
    """What an assistant consisted of when it was recorded; a fingerprint alone can't tell what has changed.

    Attributes:
        fingerprint: Of all that follows.
        name: The variant's name.
        content: Instructions, model, options, tools; names and digests of documents.
        documents: Its knowledge base in the traces: file id to name.
    """

    fingerprint: str
    name: str
    content: dict[str, Any] = msgspec.field(default_factory=dict)
    documents: dict[str, str] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordedTrial:
    """One trial, ready to be answered from.

    Attributes:
        suite: The suite's name.
        conversation: The conversation's id.
        variant: The variant's name.
        fingerprint: The variant's.
        repeat: From 1.
        target: Where the assistant lived.
        turns: What each turn brought.
        history: Messages that were there before the first turn.
        documents: The knowledge base: file id to name.
        judgements: What judges decided about it.
    """

    suite: str
    conversation: str
    variant: str
    fingerprint: str
    repeat: int
    target: str
    turns: tuple[TurnTrace, ...]
    history: tuple[Message, ...] = ()
    documents: Mapping[str, str] = field(default_factory=dict)
    judgements: tuple[Judgement, ...] = ()

    @property
    def key(self) -> Key:
        """What it replaces when it is recorded again, and where it stands among the others."""
        return self.suite, self.conversation, self.variant, self.repeat


@dataclass(frozen=True, slots=True)
class Recording:
    """Trials kept to answer from.

    Attributes:
        variants: What each variant consisted of, by fingerprint.
        trials: By their key, in its order.
        judgements: What judges decided about rows that people labelled, by what was asked, in its order.
    """

    variants: Mapping[str, RecordedVariant] = field(default_factory=dict)
    trials: Mapping[Key, RecordedTrial] = field(default_factory=dict)
    judgements: Mapping[str, Judgement] = field(default_factory=dict)

    def updated(
        self,
        variants: Iterable[RecordedVariant],
        trials: Iterable[RecordedTrial],
        judgements: Iterable[Judgement] = (),
    ) -> Recording:
        """This recording with trials recorded anew; the others stay, and variants that no trial needs go.

        A turn of the same assistant that is as it was, apart from what it took, stays as it is.
        """
        merged = dict(self.trials)
        for trial in trials:
            merged[trial.key] = _settled(trial, merged.get(trial.key))
        used = {trial.fingerprint for trial in merged.values()}
        known = {**self.variants, **{each.fingerprint: each for each in variants}}
        in_order = sorted(known.values(), key=lambda each: (each.name, each.fingerprint))
        decided = {**self.judgements, **{each.asked: self._as_before(each) for each in judgements}}
        return Recording(
            {each.fingerprint: each for each in in_order if each.fingerprint in used},
            {key: merged[key] for key in sorted(merged)},
            {asked: decided[asked] for asked in sorted(decided)},
        )

    def _as_before(self, judgement: Judgement) -> Judgement:
        """The judgement as it stands there, where it is the same apart from what it took."""
        kept, former = _judgement(judgement), self.judgements.get(judgement.asked)
        return former if former is not None and _decided(former) == _decided(kept) else kept


def _settled(trial: RecordedTrial, former: RecordedTrial | None) -> RecordedTrial:
    """The trial, with each turn as it stood before where only what it took differs."""
    if former is None or former.fingerprint != trial.fingerprint:
        return trial
    before = dict(enumerate(former.turns))
    turns = (_unless_changed(turn, before.get(place)) for place, turn in enumerate(trial.turns))
    known = {_decided(each): each for each in former.judgements}
    judgements = (known.get(_decided(each), each) for each in trial.judgements)
    return replace(trial, turns=tuple(turns), judgements=tuple(judgements))


def _decided(judgement: Judgement) -> Judgement:
    """The judgement without what it took in seconds and tokens."""
    votes = (msgspec.structs.replace(each, latency_s=0.0, usage=None) for each in judgement.votes)
    return msgspec.structs.replace(judgement, votes=tuple(votes))


def _unless_changed(turn: TurnTrace, former: TurnTrace | None) -> TurnTrace:
    return former if former is not None and _said_and_done(former) == _said_and_done(turn) else turn


def _said_and_done(turn: TurnTrace) -> TurnTrace:
    """The turn without what it took in seconds and tokens."""
    steps = tuple(
        msgspec.structs.replace(
            step,
            usage=None,
            tool_calls=tuple(msgspec.structs.replace(call, latency_s=None) for call in step.tool_calls),
        )
        for step in turn.steps
    )
    return msgspec.structs.replace(turn, latency_s=0.0, usage=None, steps=steps)


def kept_judgements(trace: Trace) -> tuple[Judgement, ...]:
    """What judges decided, without waits; what was never asked is left out."""
    return tuple(_judgement(each) for each in trace.judgements if each.error is None)


def _judgement(judgement: Judgement) -> Judgement:
    votes = tuple(
        msgspec.structs.replace(vote, latency_s=round(vote.latency_s, _DIGITS_OF_SECONDS), wait_s=0.0)
        for vote in judgement.votes
    )
    return msgspec.structs.replace(judgement, votes=votes)


# --- what of a trace is kept -----------------------------------------------------------------------------


def kept_turns(trace: Trace) -> tuple[tuple[TurnTrace, ...], dict[str, str]]:
    """The turns and documents of a trace, without what changes from run to run."""
    names = _Names()
    documents = {names.of_document(file, name): name for file, name in trace.documents.items()}
    turns = tuple(_turn(turn, names.in_turn(number)) for number, turn in enumerate(trace.turns, start=1))
    return turns, documents


@dataclass(slots=True)
class _Names:
    """Names instead of ids; equal ids get equal names."""

    turn: int = 0
    known: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def in_turn(self, number: int) -> _Names:
        """The same names, new ones counted within this turn."""
        return _Names(number, self.known, self.taken)

    def of_document(self, file_id: str, filename: str) -> str:
        """The document's own name, numbered when several have it."""
        if file_id in self.known:
            return self.known[file_id]
        wanted = [filename, *(f"{filename} ({number})" for number in range(2, len(self.taken) + 3))]
        return self._take(file_id, next(name for name in wanted if name not in self.taken))

    def by_place(self, kind: str, given: str) -> str:
        """``kind-2.1``: the first of its kind in the second turn."""
        if given in self.known:
            return self.known[given]
        numbers = (f"{kind}-{self.turn}.{number}" for number in range(1, len(self.taken) + 2))
        return self._take(given, next(name for name in numbers if name not in self.taken))

    def in_text(self, text: str) -> str:
        """The text of a program or its log, with names instead of ids of files."""
        return _FILE_ID.sub(lambda found: self.by_place("file", found[0]), text)

    def _take(self, given: str, name: str) -> str:
        self.known[given] = name
        self.taken.add(name)
        return name


def _turn(turn: TurnTrace, names: _Names) -> TurnTrace:
    steps = tuple(_step(step, names) for step in turn.steps)
    return msgspec.structs.replace(
        turn,
        started_at=NO_TIME,
        latency_s=round(turn.latency_s, _DIGITS_OF_SECONDS),
        wait_s=0.0,
        attempts=(),
        steps=steps,
        messages=tuple(_message(message, names) for message in turn.messages),
        run_id=names.by_place("run", turn.run_id) if turn.run_id else None,
        thread_id=names.by_place("thread", turn.thread_id) if turn.thread_id else None,
        deletion=_deletion(turn.deletion, names) if turn.deletion else None,
    )


def _deletion(deletion: Deletion, names: _Names) -> Deletion:
    deleted = tuple(names.by_place("deleted", each) for each in deletion.deleted)
    return msgspec.structs.replace(deletion, deleted=deleted)


def _step(step: RunStep, names: _Names) -> RunStep:
    return msgspec.structs.replace(
        step,
        id=names.by_place("step", f"step {step.id}"),
        created_at=None,
        completed_at=None,
        message_id=names.by_place("message", step.message_id) if step.message_id else None,
        tool_calls=tuple(_call(call, names) for call in step.tool_calls),
    )


def _call(call: ToolCall, names: _Names) -> ToolCall:
    # A function that is tested tells of calls that it made by itself: no stub answered those.
    kind = "told" if call.id.startswith("told-") else "call"
    is_code = call.type == "code_interpreter"
    return msgspec.structs.replace(
        call,
        id=names.by_place(kind, f"turn {names.turn} call {call.id}"),
        arguments=names.in_text(call.arguments) if is_code else call.arguments,
        latency_s=None if call.latency_s is None else round(call.latency_s, _DIGITS_OF_SECONDS),
        results=tuple(_result(result, names) for result in call.results),
        outputs=tuple(_output(output, names) for output in call.outputs),
    )


def _result(result: SearchResult, names: _Names) -> SearchResult:
    return msgspec.structs.replace(
        result,
        file_id=names.of_document(result.file_id, result.filename or "document"),
        score=round(result.score, _DIGITS_OF_RELEVANCE),
    )


def _output(output: CodeOutput, names: _Names) -> CodeOutput:
    return msgspec.structs.replace(
        output,
        logs=names.in_text(output.logs) if output.logs else output.logs,
        file_id=names.by_place("file", output.file_id) if output.file_id else None,
    )


def _message(message: Message, names: _Names) -> Message:
    return msgspec.structs.replace(
        message,
        id=names.by_place("message", message.id) if message.id else None,
        created_at=None,
        citations=tuple(_citation(citation, names) for citation in message.citations),
        files=tuple(_file(file, names) for file in message.files),
    )


def _citation(citation: Citation, names: _Names) -> Citation:
    name = citation.filename or "document"
    return msgspec.structs.replace(citation, file_id=names.of_document(citation.file_id, name))


def _file(file: OutputFile, names: _Names) -> OutputFile:
    return msgspec.structs.replace(file, file_id=names.by_place("file", file.file_id), content_base64=None)
