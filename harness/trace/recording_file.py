"""The file of a recording: text that people review in a diff, read strictly, written whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec

from harness.errors import Problem, RecordingError, Where
from harness.text import nearest
from harness.trace.lines import Read, read, written
from harness.trace.recording import NO_TIME, RecordedTrial, RecordedVariant, Recording
from harness.trace.records import Judgement, Message, Record, RunStep, SearchResult, TurnTrace

FORMAT = 1
_HEADER = "# Made by: harness run --record. What stands here, and how it is read: docs/recordings.md\n"
_PARTS = ("format", "variants", "trials", "judgements", "chunks")
_MOST_TOLD = 50
_Place = tuple[str | int, ...]
_T = TypeVar("_T")


class _Chunk(Record, frozen=True):
    """A passage that was found, kept once however often it was found."""

    name: str
    file_id: str
    filename: str
    text: str
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class _Turn(Record, frozen=True):
    """What a turn has of its own in the file; the rest is as in the trace."""

    user: str
    attachments: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    answers: tuple[Any, ...] = ()


class _Trial(Record, frozen=True):
    """A trial as the file has it."""

    suite: str
    conversation: str
    repeat: int
    variant: str
    fingerprint: str
    target: str
    turns: tuple[dict[str, Any], ...]
    documents: dict[str, str] | None = None
    history: tuple[Message, ...] = ()
    judgements: tuple[Judgement, ...] = ()


def load_recording(path: Path) -> Recording:
    """The recording in a file.

    Raises:
        RecordingError: There is none (``recording-missing``), or it has mistakes (``recording-invalid``): all
            of them, with their lines.
    """
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RecordingError([Problem(f"cannot be read: {reason}", Where(str(path)))]) from error
    return parse_recording(text, str(path))


def parse_recording(text: str, file: str) -> Recording:
    """The recording in a text; ``file`` is the name messages show.

    Raises:
        RecordingError: With every mistake.
    """
    return _Parser(read(text), file).recording()


def update_recording(
    path: Path,
    variants: Iterable[RecordedVariant],
    trials: Iterable[RecordedTrial],
    judgements: Iterable[Judgement] = (),
) -> Recording:
    """Put trials and judgements into a file, beside what it has already; it is there whole or as it was.

    Others who put trials into the same folder at the same time wait their turn, so that nobody's are lost.

    Raises:
        RecordingError: The file has mistakes, or can't be written (``recording-not-written``).
    """
    with _alone_in(path):
        known = load_recording(path) if path.exists() else Recording()
        recording = known.updated(variants, trials, judgements)
        _write(path, recording_text(recording))
    return recording


@contextmanager
def _alone_in(path: Path) -> Iterator[None]:
    """Nobody else updates a file of the same folder meanwhile; the lock ends with its process at the latest.

    The folder is locked and not the file, which is replaced by another, and no further file is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise _not_written(path, error) from error
    try:
        with suppress(OSError):  # on drives that lock no folders the last one wins
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def recording_text(recording: Recording) -> str:
    """The file's text: the same for the same recording, everything in a fixed order."""
    chunks = _Chunks()
    documents = {trial.fingerprint: dict(trial.documents) for trial in recording.trials.values()}
    variants = [
        msgspec.structs.replace(each, documents=documents.get(each.fingerprint, {}))
        for each in recording.variants.values()
    ]
    data = {
        "format": FORMAT,
        "variants": [_without_defaults(each) for each in variants],
        "trials": [_trial_data(each, chunks, documents) for each in recording.trials.values()],
        "judgements": [_without_defaults(each) for each in recording.judgements.values()],
        "chunks": [_without_defaults(chunks.by_name[name]) for name in sorted(chunks.by_name)],
    }
    if not recording.judgements:
        del data["judgements"]
    return _HEADER + written(data)


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _not_written(path, error) from error


def _not_written(path: Path, error: OSError) -> RecordingError:
    problem = Problem(
        f"the recording cannot be written: {error.strerror or error}",
        Where(str(path)),
        "name a file in a folder that you may write to; one that was there before is unchanged",
    )
    return RecordingError([problem], code="recording-not-written")


def _missing(path: Path) -> RecordingError:
    hint = "make it with: harness run ... --record FILE"
    if path.parent.is_dir() and (near := nearest(path.name, sorted(p.name for p in path.parent.iterdir()))):
        hint = f"did you mean {near!r}? It lies in the same folder"
    return RecordingError(
        [Problem("there is no such recording", Where(str(path)), hint)], code="recording-missing"
    )


# --- writing --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Chunks:
    """Passages by name; the name says the document, and tells the content apart."""

    by_name: dict[str, _Chunk] = field(default_factory=dict)
    names: dict[tuple[str, str], str] = field(default_factory=dict)

    def keep(self, result: SearchResult) -> str:
        """The name of a result's passage, which is kept under it."""
        text = result.text or ""
        content = (
            result.file_id,
            result.filename,
            text,
            msgspec.json.encode(result.attributes, order="sorted"),
        )
        digest = hashlib.sha256(repr(content).encode("utf-8", "surrogatepass")).hexdigest()[:12]
        name = f"{result.filename} {digest}"
        self.by_name[name] = _Chunk(
            name=name,
            file_id=result.file_id,
            filename=result.filename,
            text=text,
            attributes=result.attributes,
        )
        self.names.setdefault((result.file_id, text), name)
        return name


def _without_defaults(record: msgspec.Struct) -> dict[str, Any]:
    """The record's fields in their order, those at their defaults left out."""
    found = {}
    for each in msgspec.structs.fields(record):
        value = getattr(record, each.name)
        default = each.default if each.default_factory is msgspec.NODEFAULT else each.default_factory()
        if value != default:
            found[each.name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return _without_defaults(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _trial_data(
    trial: RecordedTrial, chunks: _Chunks, documents: Mapping[str, dict[str, str]]
) -> dict[str, Any]:
    """The trial; its documents stand with its variant, unless they were others."""
    told: dict[str, Any] = {
        "suite": trial.suite,
        "conversation": trial.conversation,
        "repeat": trial.repeat,
        "variant": trial.variant,
        "fingerprint": trial.fingerprint,
        "target": trial.target,
        "history": [_without_defaults(message) for message in trial.history],
        "turns": [_turn_data(turn, chunks) for turn in trial.turns],
        "judgements": [_without_defaults(judgement) for judgement in trial.judgements],
    }
    if trial.documents != documents[trial.fingerprint]:
        told["documents"] = dict(trial.documents)
    return {key: value for key, value in told.items() if key not in ("history", "judgements") or value}


def _turn_data(turn: TurnTrace, chunks: _Chunks) -> dict[str, Any]:
    """A turn in the order in which it was: what was said, the steps, the answers, what it took."""
    rest = _without_defaults(msgspec.structs.replace(turn, steps=(), messages=()))
    for key in ("user", "started_at"):
        del rest[key]
    whole: dict[str, Any] = {
        "user": turn.user.text,
        "attachments": [*turn.user.attachments],
        "digests": [*turn.user.digests],
        "status": rest.pop("status"),
        "steps": [_step_data(step, chunks) for step in turn.steps],
        "answers": [_answer_data(message, chunks) for message in turn.messages],
        **rest,
    }
    return {key: value for key, value in whole.items() if value != []}


def _step_data(step: RunStep, chunks: _Chunks) -> dict[str, Any]:
    data = _without_defaults(step)
    for call, plain in zip(step.tool_calls, data.get("tool_calls", ()), strict=True):
        if call.results:
            plain["results"] = [_result_data(result, chunks) for result in call.results]
    return data


def _result_data(result: SearchResult, chunks: _Chunks) -> Any:
    """The passage by its name, with its relevance in this search."""
    if result.text is None:
        return _without_defaults(result)
    return [result.score, chunks.keep(result)]


def _answer_data(message: Message, chunks: _Chunks) -> dict[str, Any]:
    data = _without_defaults(message)
    del data["role"]
    for citation, plain in zip(message.citations, data.get("citations", ()), strict=True):
        name = chunks.names.get((citation.file_id, citation.chunk or ""))
        if citation.chunk is not None and name is not None:
            plain["chunk"] = [name]
    return data


# --- reading --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Parser:
    """Makes records of what was read, and notes every mistake with its line."""

    source: Read
    file: str
    problems: list[Problem] = field(default_factory=list)
    chunks: dict[str, _Chunk] = field(default_factory=dict)

    def recording(self) -> Recording:
        self.problems += [
            Problem(flaw.message, Where(self.file, flaw.line), flaw.hint) for flaw in self.source.flaws
        ]
        self._check_parts()
        named = self._each("chunks", _Chunk)
        self.chunks = {chunk.name: chunk for _, chunk in named}
        variants = {each.fingerprint: each for _, each in self._each("variants", RecordedVariant)}
        trials: dict[Any, RecordedTrial] = {}
        for place, found in self._each("trials", _Trial):
            if found.fingerprint not in variants:
                self._mistake((*place, "fingerprint"), "no variant of this recording has this fingerprint")
                continue
            trial = self._trial(place, found, variants[found.fingerprint].documents)
            if trial.key in trials:
                self._mistake(place, f"{'/'.join(trial.key[:2])} repeat {trial.repeat} stands twice")
            trials[trial.key] = trial
        decided = {each.asked: each for _, each in self._each("judgements", Judgement)}
        if self.problems:
            self._refuse()
        return Recording(variants, {key: trials[key] for key in sorted(trials)}, decided)

    def _check_parts(self) -> None:
        """The version comes first: what a later one wrote can't be judged by this one's rules."""
        data = self.source.data
        if not data.keys() & set(_PARTS):
            self.problems = []
            self._mistake(
                (), "this is no recording", "name another file; --record makes one that is not there"
            )
            self._refuse()
        if data.get("format") != FORMAT:
            self.problems = [] if isinstance(data.get("format"), int) else self.problems
            message = f"the format is {data.get('format')!r}, and this version of harness reads {FORMAT}"
            self._mistake(("format",), message, "record again, or use the version that wrote it")
            self._refuse()
        for key in data.keys() - set(_PARTS):
            self._mistake((key,), f"unknown key {key!r}", f"what may stand here: {', '.join(_PARTS)}")

    def _refuse(self) -> NoReturn:
        in_order = sorted(self.problems, key=lambda each: (each.where.line or 0) if each.where else 0)
        if (more := len(in_order) - _MOST_TOLD) > 0:
            in_order[_MOST_TOLD:] = [Problem(f"and {more} more", Where(self.file))]
        raise RecordingError(in_order)

    def _each(self, part: str, kind: type[_T]) -> list[tuple[_Place, _T]]:
        """The entries of one part of the file that are what they should be, with their places."""
        entries = self.source.data.get(part, [])
        if not isinstance(entries, list):
            self._mistake((part,), f"{part} must be a list")
            return []
        places: list[_Place] = [(part, number) for number in range(len(entries))]
        made = [(place, self._made(place, entries[int(place[1])], kind)) for place in places]
        return [(place, record) for place, record in made if record is not None]

    def _trial(self, place: _Place, trial: _Trial, documents: Mapping[str, str]) -> RecordedTrial:
        turns = [self._turn((*place, "turns", number), turn) for number, turn in enumerate(trial.turns)]
        return RecordedTrial(
            suite=trial.suite,
            conversation=trial.conversation,
            variant=trial.variant,
            fingerprint=trial.fingerprint,
            repeat=trial.repeat,
            target=trial.target,
            turns=tuple(turn for turn in turns if turn is not None),
            history=trial.history,
            documents=documents if trial.documents is None else trial.documents,
            judgements=trial.judgements,
        )

    def _turn(self, place: _Place, data: Mapping[str, Any]) -> TurnTrace | None:
        own = {key: data[key] for key in _Turn.__struct_fields__ if key in data}
        said = self._made(place, own, _Turn)
        if said is None:
            return None
        rest = {key: value for key, value in data.items() if key not in own}
        answers = [self._answer((*place, "answers", n), each) for n, each in enumerate(said.answers)]
        user = Message(role="user", text=said.user, attachments=said.attachments, digests=said.digests)
        rest["steps"] = self._with_chunks((*place, "steps"), rest.get("steps", []))
        turn = self._made(
            place, {"user": {"role": "user", "text": ""}, "started_at": NO_TIME, **rest}, TurnTrace
        )
        if turn is None:
            return None
        messages = tuple(answer for answer in answers if answer is not None)
        return msgspec.structs.replace(turn, user=user, messages=messages)

    def _answer(self, place: _Place, data: Any) -> Message | None:
        filled = self._with_chunks(place, data)
        return self._made(
            place, {"role": "assistant", **filled} if isinstance(filled, dict) else filled, Message
        )

    def _with_chunks(self, place: _Place, data: Any) -> Any:
        """The data with passages in place of their names."""
        if isinstance(data, list):
            return [self._with_chunks((*place, number), each) for number, each in enumerate(data)]
        if not isinstance(data, dict):
            return data
        return {key: self._with_chunk((*place, key), key, value) for key, value in data.items()}

    def _with_chunk(self, place: _Place, key: str, value: Any) -> Any:
        if key == "chunk" and isinstance(value, list):
            chunk = self._chunk(place, value[-1] if value else None)
            return chunk.text if chunk else ""
        if key == "results" and isinstance(value, list):
            return [self._result((*place, number), each) for number, each in enumerate(value)]
        return value if key == "attributes" else self._with_chunks(place, value)

    def _result(self, place: _Place, data: Any) -> Any:
        match data:
            case [int() | float() as score, name]:
                chunk = self._chunk(place, name)
                return {**_found_in(chunk), "score": score} if chunk else _NOTHING_FOUND
            case _:
                return data

    def _chunk(self, place: _Place, name: Any) -> _Chunk | None:
        if name not in self.chunks:
            near = nearest(str(name), self.chunks)
            hint = f"did you mean {near!r}?" if near else "take it from an undamaged copy, or record again"
            self._mistake(place, f"there is no chunk {name!r} in this recording", hint)
        return self.chunks.get(name)

    def _made(self, place: _Place, data: Any, kind: type[_T]) -> _T | None:
        try:
            return msgspec.convert(data, kind)
        except msgspec.ValidationError as error:
            message, inner = _explained(str(error))
            self._mistake((*place, *inner), message)
            return None

    def _mistake(self, place: _Place, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(message, Where(self.file, self.source.line(place)), hint))


_NOTHING_FOUND = {"file_id": "", "filename": "", "score": 0.0}
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")


def _found_in(chunk: _Chunk) -> dict[str, Any]:
    return {
        "file_id": chunk.file_id,
        "filename": chunk.filename,
        "text": chunk.text,
        "attributes": chunk.attributes,
    }


def _explained(error: str) -> tuple[str, _Place]:
    """What msgspec says of a value, and the place in the value that it says it of."""
    message, _, path = error.partition(" - at `$")
    steps = (match[1] or int(match[2]) for match in _STEP.finditer(path))
    return message[:1].lower() + message[1:], tuple(steps)
