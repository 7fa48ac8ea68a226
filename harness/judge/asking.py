"""A judge is asked: each rubric as often as it has votes, through the same wires as every other model."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

import msgspec

from harness.clock import SYSTEM_CLOCK, Clock
from harness.cost.usage import from_api
from harness.errors import BudgetError, TargetError, TargetRefused, TargetUnreadable
from harness.judge import prompt
from harness.judge.material import Clean, Material, material_of, not_judgeable
from harness.judge.reading import vote_of
from harness.plan import Trial
from harness.suite.records import Conversation, JudgeExpectation, Rubric
from harness.targets.turns import timed
from harness.targets.wire import Json, Wire
from harness.trace.records import Judgement, Trace, Vote

_Wish = tuple[int | None, JudgeExpectation]


class JudgeOptions(msgspec.Struct, frozen=True):
    """How a judge is asked.

    Attributes:
        model: The chat model that is asked where a rubric names none.
        temperature: Of the model; its own default when None.
        deadline_s: Longest one vote may take, in seconds, waiting for limits left out.
        structured: Whether the answer's JSON Schema is sent; a server that refuses it needs false.
    """

    model: str | None = None
    temperature: float | None = None
    deadline_s: float = 120.0
    structured: bool = True


class Judge:
    """Asks judges about traces.

    Attributes:
        stopped: What kept a judge from being asked and will go on doing so: a refusal, a budget that is used
            up; None while nothing did.

    Args:
        wire: Where they are asked; None asks nobody, and only what was kept counts.
        options: How.
        clean: Takes secrets out of all that is shown.
        clock: What time it is.
    """

    def __init__(
        self, wire: Wire | None, options: JudgeOptions, clean: Clean = str, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._wire = wire
        self._options = options
        self._clean = clean
        self._clock = clock
        self.stopped: TargetError | BudgetError | None = None

    @property
    def asks_nobody(self) -> bool:
        """Whether only what was kept counts."""
        return self._wire is None

    async def close(self) -> None:
        """Let go of connections."""
        if self._wire is not None:
            await self._wire.close()

    async def judge_trace(
        self,
        trial: Trial,
        trace: Trace,
        kept: tuple[Judgement, ...] | None,
        held_up: Container[int | None] = (),
    ) -> tuple[Judgement, ...]:
        """What judges decide about a trace, in the order of its expectations.

        Args:
            trial: Its suite has the rubrics, its conversation says what is wanted.
            trace: What happened.
            kept: What was decided before; what fits is not asked again.
            held_up: Turns, and None for the conversation, of which nothing has to be judged.
        """
        found = []
        for turn, wanted in wishes(trial.conversation):
            if turn in held_up:
                continue
            rubric = trial.suite.rubrics.get(wanted.rubric)
            if rubric is not None:
                found.append(await self._judged(trial, trace, turn, wanted, rubric, kept))
        return tuple(found)

    async def _judged(
        self,
        trial: Trial,
        trace: Trace,
        turn: int | None,
        wanted: JudgeExpectation,
        rubric: Rubric,
        kept: tuple[Judgement, ...] | None,
    ) -> Judgement:
        former = next(
            (each for each in kept or () if (each.turn, each.rubric) == (turn, wanted.rubric)), None
        )
        model = self._model(rubric) or (former.judge if former else "")
        made = Judgement(
            turn=turn, rubric=wanted.rubric, fingerprint=prompt.fingerprint(rubric), asked="", judge=model
        )
        if why := not_judgeable(trace, turn):
            return _not_asked(made, why)
        instructions = trial.variant.assistant.instructions
        material = material_of(trace, turn, wanted, rubric, instructions, self._clean)
        made = msgspec.structs.replace(made, asked=prompt.asked(rubric, material, model))
        if former is not None and former.asked == made.asked and self._is_enough(former):
            return former
        if self._wire is None:
            return _not_asked(made, _why_not_kept(made, former))
        return await self.judged(made, rubric, material)

    async def judged(self, made: Judgement, rubric: Rubric, material: Material) -> Judgement:
        """The judgement with the votes that are asked for now."""
        if not made.judge:
            return _not_asked(made, "no model is set that judges: give --judge-model NAME")
        if material.is_too_long:
            return _not_asked(made, "what is to be judged is too long to be shown whole")
        votes: list[Vote] = []
        for number, turned in enumerate(_orders(rubric)):
            vote, goes_on = await self._vote(made, rubric, material, number, turned=turned)
            votes.append(vote)
            if not goes_on:  # what was refused once is refused again
                break
        return msgspec.structs.replace(made, votes=tuple(votes))

    def _is_enough(self, former: Judgement) -> bool:
        """Whether it need not be asked again: what nobody answered is, as soon as somebody can."""
        return former.error is None and (self.asks_nobody or is_answered(former))

    def _model(self, rubric: Rubric) -> str | None:
        """Who is asked by a rubric."""
        return rubric.model or self._options.model

    async def _vote(
        self, made: Judgement, rubric: Rubric, material: Material, number: int, *, turned: bool
    ) -> tuple[Vote, bool]:
        """One vote, and whether asking for another one makes sense."""
        body = self._body(rubric, material, made, number, turned=turned)
        answers: list[Json] = []
        begun = self._clock.monotonic()
        try:
            timing = await timed(self._asked(body, answers), self._clock, self._options.deadline_s)
        except (TargetError, BudgetError) as failure:
            if isinstance(failure, TargetRefused | BudgetError):
                self.stopped = failure
            told = f"the judge could not be asked: {failure.message}"
            # what can't be read was paid for all the same: its time says that it was sent
            took_s = self._clock.monotonic() - begun if isinstance(failure, TargetUnreadable) else 0.0
            return Vote(reason=told, reversed=turned, latency_s=took_s), failure is not self.stopped
        if timing.timed_out or not answers:
            late = f"the judge did not answer within {self._options.deadline_s:g} s"
            took_s, waited_s = timing.latency_s, timing.wait_s
            return Vote(reason=late, reversed=turned, latency_s=took_s, wait_s=waited_s), True
        vote, completion = vote_of(answers[0], rubric, turned=turned), answers[0]
        return msgspec.structs.replace(
            vote,
            reason=self._clean(vote.reason),
            model=str(completion.get("model") or made.judge),
            usage=from_api(completion.get("usage")),
            service_tier=completion.get("service_tier"),
            latency_s=timing.latency_s,
            wait_s=timing.wait_s,
        ), True

    async def _asked(self, body: Json, answers: list[Json]) -> None:
        assert self._wire is not None
        from harness.targets.chat import completed  # only a run with judges asks by chat

        answers.append(await completed(self._wire, body))

    def _body(
        self, rubric: Rubric, material: Material, made: Judgement, number: int, *, turned: bool
    ) -> Json:
        seed = (int(made.asked[:7], 16) + number) % 2**31
        body = prompt.request(rubric, material, made.judge, turned=turned, seed=seed)
        if self._options.structured:
            body["response_format"] = prompt.response_format(rubric)
        if self._options.temperature is not None:
            body["temperature"] = self._options.temperature
        return body


def is_answered(judgement: Judgement) -> bool:
    """Whether a judge answered each time that it was asked, whatever it said."""
    return bool(judgement.votes) and all(vote.model is not None for vote in judgement.votes)


def wishes(conversation: Conversation) -> Iterator[_Wish]:
    """All that a judge is asked about a conversation: turn by turn, then as a whole."""
    for index, turn in enumerate(conversation.turns):
        yield from ((index, each) for each in turn.expect.judged)
    yield from ((None, each) for each in conversation.expect.judged)


def requests_of(rubric: Rubric) -> int:
    """How many requests one judgement takes: two answers are compared in both positions for each vote."""
    return len(_orders(rubric))


def _orders(rubric: Rubric) -> Sequence[bool]:
    """Whether labels or answers are turned round, for each request in order."""
    if rubric.compares:
        return (False, True) * rubric.votes
    return tuple(bool(number % 2) for number in range(rubric.votes))


def _not_asked(made: Judgement, why: str) -> Judgement:
    return msgspec.structs.replace(made, error=why)


def _why_not_kept(now: Judgement, former: Judgement | None) -> str:
    """What differs from what was kept, so that it does not answer."""
    if former is None:
        what = "no judgement by this rubric was kept"
    elif former.fingerprint != now.fingerprint:
        what = "the rubric has changed since it was judged"
    elif former.judge != now.judge:
        what = f"{former.judge} judged then, and {now.judge} is set now"
    else:
        what = "what the judge is shown has changed since it was judged"
    return f"{what}, and nobody is asked now; harness rescore --judge asks, or record it again"
