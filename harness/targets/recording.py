"""A recording as a target: recorded traces answer, and nothing is ever asked of anyone.

What has no recorded answer is a miss: the trial ends as errored, with the nearest that was recorded and what
differs (``misses.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import TargetError
from harness.plan import Trial
from harness.suite.assistants import content_of
from harness.suite.records import HistoryMessage, Variant
from harness.targets import misses
from harness.targets.interface import AnswerFunction, FunctionCall, OutgoingTurn, Pays, Session, Target
from harness.targets.turns import timed, user_message
from harness.trace.recording import RecordedTrial, Recording
from harness.trace.records import Deletion, Judgement, Message, ToolCall, TurnTrace
from harness.trace.scrubbing import same_text


@dataclass(slots=True)
class _Place:
    """How far a trial has come in what was recorded of it; kept while a user is away."""

    recorded: RecordedTrial
    turn: int = 0


class RecordingTarget:
    """Answers from a recording, trial by trial."""

    pays: Pays = "nothing"

    def __init__(self, name: str, recording: Recording, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self._recording = recording
        self._clock = clock
        self._by_conversation: dict[tuple[str, str], list[RecordedTrial]] = {}
        for trial in recording.trials.values():
            self._by_conversation.setdefault((trial.suite, trial.conversation), []).append(trial)

    def for_trial(self, trial: Trial) -> Target:
        """The target as this trial sees it, at the beginning of what was recorded.

        Raises:
            TargetError: Nothing was recorded that answers it (code ``recording-miss``).
        """
        variant = trial.variant
        key = (trial.suite.name, trial.conversation.id, variant.name, trial.repeat)
        recorded = self._recording.trials.get(key)
        if recorded is None or recorded.fingerprint != variant.fingerprint:
            recorded = self._of_other_name(trial)
        return _TrialTarget(self.name, _Place(recorded), self._clock)

    def _of_other_name(self, trial: Trial) -> RecordedTrial:
        """The same variant may be called otherwise now."""
        here = self._by_conversation.get((trial.suite.name, trial.conversation.id), [])
        wanted = (trial.repeat, trial.variant.fingerprint)
        same = next((each for each in here if (each.repeat, each.fingerprint) == wanted), None)
        if same is None:
            raise misses.of_trial(self._recording, here, trial, content_of(trial.variant))
        return same

    async def provision(self, variant: Variant) -> None:
        """Nothing is made anywhere."""

    async def open(
        self, variant: Variant, *, history: Sequence[HistoryMessage] = (), user_id: str | None = None
    ) -> Session:
        """Nothing can be answered without knowing the trial.

        Raises:
            TargetError: Always: ``for_trial`` gives what can be opened.
        """
        raise TargetError("a recording answers trials only, and this is none", code="recording-miss")

    async def forget(self, user_id: str) -> Deletion:
        """Nobody is known without the trial.

        Raises:
            TargetError: Always: what ``for_trial`` gives can forget.
        """
        raise TargetError("a recording answers trials only, and this is none", code="recording-miss")

    async def tear_down(self) -> None:
        """Nothing was made."""


class _TrialTarget:
    """One trial's part of a recording."""

    def __init__(self, name: str, place: _Place, clock: Clock) -> None:
        self.name = name
        self._place = place
        self._clock = clock

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """What judges decided when it was recorded."""
        return self._place.recorded.judgements

    async def provision(self, variant: Variant) -> None:
        """Nothing is made anywhere."""

    async def open(
        self, variant: Variant, *, history: Sequence[HistoryMessage] = (), user_id: str | None = None
    ) -> Session:
        """The recorded session, or the same one again for a user who comes back."""
        if self._place.turn == 0 and not _same_history(self._place.recorded.history, history):
            raise misses.of_history(self._place.recorded.history, history)
        return _RecordedSession(self._place, self._clock)

    async def forget(self, user_id: str) -> Deletion:
        """What came of it when it was recorded, after the turn that was played last."""
        told = self._place.recorded.turns[self._place.turn - 1].deletion
        return told or Deletion(confirmed=False, error="nothing was recorded of a deletion")

    async def tear_down(self) -> None:
        """Nothing was made."""


class _RecordedSession:
    """Turns that are answered as they were recorded."""

    def __init__(self, place: _Place, clock: Clock) -> None:
        self._place = place
        self._clock = clock

    @property
    def documents(self) -> dict[str, str]:
        """The knowledge base as it was recorded."""
        return dict(self._place.recorded.documents)

    async def send(self, turn: OutgoingTurn, answer: AnswerFunction, *, deadline_s: float) -> TurnTrace:
        """What was recorded for this message.

        Raises:
            TargetError: Another message was recorded, or other outputs of functions (``recording-miss``).
        """
        place, number = self._place, self._place.turn
        said = user_message(turn)
        if number >= len(place.recorded.turns):
            raise misses.of_further_turn(place.recorded, said)
        recorded = place.recorded.turns[number]
        if difference := _difference(recorded.user, said):
            raise misses.of_turn(number, difference)
        started_at = self._clock.now()
        await timed(self._compare_outputs(recorded, number, answer), self._clock, deadline_s)
        place.turn = number + 1
        return msgspec.structs.replace(recorded, user=said, started_at=started_at)

    async def _compare_outputs(self, recorded: TurnTrace, number: int, answer: AnswerFunction) -> None:
        """Stubs are asked as they were then: what was answered after other outputs is no answer to these."""
        for call in recorded.tool_calls:
            if not _was_asked(call):
                continue
            now = await answer(FunctionCall(call.id, call.name, call.arguments))
            if not same_text(call.output or "", now.output):
                raise misses.of_output(number, call, now.output)

    def next_simulated(self) -> str | None:
        """What the simulated user said in the turn that comes now; None when it said nothing more."""
        turns = self._place.recorded.turns[self._place.turn :]
        return turns[0].user.text if turns and turns[0].simulated else None

    async def close(self) -> None:
        """Nothing is open."""


def _was_asked(call: ToolCall) -> bool:
    """Whether a stub answered the call; a function that is tested may have made it by itself."""
    return call.type == "function" and call.output is not None and not call.id.startswith("told-")


def _same_history(recorded: Sequence[Message], now: Sequence[HistoryMessage]) -> bool:
    return len(recorded) == len(now) and all(
        then.role == each.role and same_text(then.text, each.content)
        for then, each in zip(recorded, now, strict=True)
    )


def _difference(recorded: Message, now: Message) -> str | None:
    """What differs between the recorded message of the user and this one, in words."""
    if not same_text(recorded.text, now.text):
        return misses.different_words(recorded.text, now.text)
    if recorded.attachments != now.attachments:
        return f"files sent with it: {_files(recorded)} then, {_files(now)} now"
    pairs = zip(recorded.attachments, recorded.digests, now.digests, strict=False)
    changed = [name for name, then, digest in pairs if then != digest]
    return f"the content of {', '.join(changed)} has changed" if changed else None


def _files(message: Message) -> str:
    return ", ".join(message.attachments) if message.attachments else "none"
