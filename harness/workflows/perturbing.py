"""Suites are run with varied words of their users, to find the smallest variation that breaks something.

First the conversations are played as they stand, then all variations that were drawn, and then, for each
conversation in which something did not stay, smaller and smaller ones. All are trials of one suite run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import overload

from msgspec.structs import replace

from harness.clock import Clock
from harness.errors import HarnessError
from harness.perturb.invariants import (
    Observed,
    as_information,
    kept_of,
    kept_scores,
    observed,
    varied_score,
)
from harness.perturb.search import Said, draw, seed_of, smallest
from harness.perturb.variation import SMALLEST, Space, Variation, asked_of, named, space_of
from harness.plan import Plan, Trial
from harness.results import Score, SuiteRun
from harness.runner.events import Event, RunFinished, RunStarted
from harness.runner.executors.local import Stop, run
from harness.runner.failures import FailureLimit
from harness.runner.trial import ScoreTrace, TrialOptions
from harness.scorers.interface import Scene
from harness.settings import Settings
from harness.suite.records import CodedConversation, Conversation, Kept, PerturbationKind, Suite, Variant
from harness.targets.interface import Target
from harness.trace.records import Trace
from harness.workflows.jobs import Job, load, variants_of
from harness.workflows.running import Control, begin
from harness.workflows.stored import open_store

_DOCUMENTS = "perturbations"


@dataclass(frozen=True, slots=True)
class Perturbing:
    """What is asked for.

    Attributes:
        job: Suites, target and the rest, as for a run.
        kinds: Only these variations; those that the suites ask for when empty.
        examples: How many variations of each conversation; what the suites say when left out.
        seed: Decides which.
        search_s: No further variation is begun after so many seconds.
        documents: Where files that carry an injection are written; beside the store when left out.
    """

    job: Job
    kinds: tuple[PerturbationKind, ...] = ()
    examples: int | None = None
    seed: int = 0
    search_s: float = 600.0
    documents: Path | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """The smallest variation that was found under which something did not stay.

    Attributes:
        suite: The suite.
        variant: The assistant it was played with.
        conversation: As it stands in the suite.
        variation: What was varied.
        broken: What did not stay, with why, in the suite's words.
        trial_id: The trial that shows it.
        before: What the conversation brought with the user's own words.
        is_steady: It broke again when it was played once more at the end.
    """

    suite: Suite
    variant: Variant
    conversation: Conversation
    variation: Variation
    broken: dict[str, str]
    trial_id: str
    before: tuple[Observed, ...]
    is_steady: bool = True


@dataclass(frozen=True, slots=True)
class Perturbed:
    """A suite run with variations.

    Attributes:
        run: All its trials.
        broken: What was found, in the order of the suites.
        tried: How many variations were played.
        left_out: Conversations of which none was, with why.
    """

    run: SuiteRun
    broken: tuple[Broken, ...]
    tried: int
    left_out: dict[str, str]


async def perturb(asked: Perturbing, control: Control | None = None) -> Perturbed:
    """Play the suites' conversations and variations of them; every one is a trial of the run.

    Raises:
        HarnessError: Nothing can be varied (code ``nothing-to-run``); as for a run.
    """
    suites, control = load(asked.job), control or Control()
    search = _Search(asked, suites, control.clock)
    if not search.cases:
        raise _nothing(search.left_out)
    told = {"perturbed": {"seed": asked.seed, "kinds": list(asked.kinds), "examples": asked.examples}}
    record = await begin(asked.job, suites, search.plan, control, play=search.play, told=told)
    with open_store(asked.job.settings) as store:
        if record.status == "finished":
            store.change_planned(record.id, len(record.results))
        record = store.run(record.id)
    return Perturbed(record, tuple(search.found), search.tried, search.left_out)


def _nothing(left_out: dict[str, str]) -> HarnessError:
    why = next((f": {name}: {why}" for name, why in left_out.items()), "")
    return HarnessError(
        f"there is no conversation whose words can be varied{why}",
        code="nothing-to-run",
        hint="name suites in YAML, and check --kinds, --only and what they say under perturb",
    )


# --- what is varied -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Case:
    """One conversation with one assistant, its variations, and what came of them.

    Attributes:
        space: All variations that are possible.
        seed: Decides which of them are drawn.
        repeats: How often each of them is played.
        variations: Those that were drawn.
        before: What the user's own words brought, each repeat.
        is_cut_short: A trial with the user's own words did not come to its end.
        scripts: What was or will be played, by what is said; and, by id, what is varied in it.
        lost: By id what did not stay, with why, each repeat.
    """

    suite: Suite
    variant: Variant
    conversation: Conversation
    keeps: tuple[Kept, ...]
    space: Space
    seed: int
    repeats: int
    variations: list[Variation]
    before: list[Observed] = field(default_factory=list)
    is_cut_short: bool = False
    scripts: dict[Said, Conversation] = field(default_factory=dict)
    varied: dict[str, Variation] = field(default_factory=dict)
    lost: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.suite.name}/{self.conversation.id}@{self.variant.name}"

    @property
    def is_comparable(self) -> bool:
        """Whether there is something that variations can be compared with."""
        return len(self.before) == self.repeats and not self.is_cut_short

    def script(self, variation: Variation, number: int | str) -> Conversation:
        """The varied conversation, to be played."""
        script = named(variation, self.conversation, number)
        self.scripts.setdefault(variation.said, script)
        self.varied[script.id] = variation
        return script

    def broken_by(self, script: Conversation) -> dict[str, str]:
        """What did not stay in any of the repeats of a variation, with why."""
        found = self.lost.get(script.id, [])
        if len(found) < self.repeats:
            return {}
        return {kept: why for kept, why in found[0].items() if all(kept in each for each in found)}

    def trials(self, script: Conversation, first: int) -> list[Trial]:
        """All repeats of a script, at places from this one on."""
        repeats = range(1, self.repeats + 1)
        return [Trial(self.suite, script, self.variant, each, first + each - 1) for each in repeats]

    def take(self, trial: Trial, trace: Trace, scores: tuple[Score, ...]) -> tuple[Score, ...]:
        """The scores of a trial of this case; of one with varied words what stayed decides."""
        documents = self.variant.documents
        brought = observed(
            Scene(trial.conversation, self.variant.assistant, trace, documents=documents), scores
        )
        is_whole = len(trace.turns) == len(trial.conversation.turns)
        variation = self.varied.get(trial.conversation.id)
        if variation is None:
            self.before.append(brought)
            self.is_cut_short = self.is_cut_short or not is_whole
            return scores
        kept = kept_scores(self.keeps, self.before, brought, variation) if is_whole else []
        if is_whole:
            lost = {kept_of(score): score.reason for score in kept if score.passed is False}
            self.lost.setdefault(trial.conversation.id, []).append(lost)
        return (*as_information(scores), varied_score(self.conversation.id, variation), *kept)


def _cases(asked: Perturbing, suites: Sequence[Suite], left_out: dict[str, str]) -> Iterator[_Case]:
    for suite in suites:
        for variant in variants_of(suite):
            for conversation in suite.conversations:
                case = _case(asked, suite, variant, conversation)
                if isinstance(case, _Case):
                    yield case
                else:
                    left_out[f"{suite.name}/{conversation.id}"] = case


def _case(asked: Perturbing, suite: Suite, variant: Variant, conversation: Conversation) -> _Case | str:
    """A conversation with its variations, or why it has none."""
    wanted = asked_of(suite, conversation)
    if wanted is None:
        is_played = isinstance(conversation, CodedConversation)
        return "a Python function says what the user says" if is_played else "the suite wants no variations"
    settings = asked.job.settings
    folder = asked.documents or documents_of(settings)
    space = space_of(conversation, wanted, variant.assistant, folder, asked.kinds)
    seed = seed_of(asked.seed, suite.name, conversation.id)
    variations = draw(space, asked.examples or wanted.examples, seed)
    if not variations:
        return "none of the variations is possible in its words"
    repeats = settings.repeats or conversation.repeats or suite.repeats
    return _Case(suite, variant, conversation, wanted.keeps, space, seed, repeats, variations)


def documents_of(settings: Settings) -> Path:
    """Where files that carry an injection are kept: beside the store, or in the usual folder."""
    is_address = "://" in settings.store
    return (Path(".harness") if is_address else Path(settings.store).parent) / _DOCUMENTS


# --- playing --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where trials are played."""

    target: Target
    options: TrialOptions
    concurrency: int
    clock: Clock
    stop: Stop

    async def events(self, trials: Sequence[Trial], *, is_ready: bool = True) -> AsyncGenerator[Event, None]:
        """What happens while these trials are played, all of them a part of one run."""
        if self.stop.requested.is_set() or not len(trials):
            return
        part = run(
            Plan(trials),
            self.target,
            self.options,
            concurrency=self.concurrency,
            clock=self.clock,
            stop=self.stop,
            is_ready=is_ready,
        )
        async with aclosing(part) as events:
            async for event in events:
                if not isinstance(event, RunStarted | RunFinished):
                    yield event


class _Lasting(Sequence[Trial]):
    """Trials of which no further one is begun once the time is up."""

    def __init__(self, trials: Sequence[Trial], is_time: Callable[[], bool]) -> None:
        self._trials = trials
        self._is_time = is_time

    def __len__(self) -> int:
        return len(self._trials)

    @overload
    def __getitem__(self, index: int) -> Trial: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Trial]: ...

    def __getitem__(self, index: int | slice) -> Trial | Sequence[Trial]:
        return self._trials[index]

    def __iter__(self) -> Iterator[Trial]:
        return takewhile(lambda _: self._is_time(), self._trials)


class _Search:
    """Plays the cases of a job; ``play`` takes the place of the runner's own.

    Args:
        asked: What is asked for.
        suites: Loaded and selected.
        clock: What the time of the search is measured by.
    """

    def __init__(self, asked: Perturbing, suites: Sequence[Suite], clock: Clock) -> None:
        self.left_out: dict[str, str] = {}
        self.found: list[Broken] = []
        self.cases = list(_cases(asked, suites, self.left_out))
        self._until = clock.monotonic() + asked.search_s
        self._clock = clock
        own = [(case, case.conversation) for case in self.cases]
        varied = [
            (case, case.script(variation, number))
            for case in self.cases
            for number, variation in enumerate(case.variations, start=1)
        ]
        self._own = _trials(own, 0)
        self._varied = _trials(varied, len(self._own))
        self._case_of = {
            (case.suite.name, script.id, case.variant.name): case for case, script in (*own, *varied)
        }

    @property
    def plan(self) -> Plan:
        """The trials that are known beforehand."""
        return Plan((*self._own, *self._varied))

    @property
    def tried(self) -> int:
        """How many variations were played to their end."""
        return sum(len(case.lost) for case in self.cases)

    @property
    def is_time(self) -> bool:
        """Whether a further variation may be begun."""
        return self._clock.monotonic() < self._until

    async def play(
        self,
        plan: Plan,
        target: Target,
        options: TrialOptions,
        *,
        concurrency: int,
        clock: Clock,
        stop: Stop,
    ) -> AsyncGenerator[Event, None]:
        """Events of the whole search, as those of a run; the last is ``RunFinished``."""
        yield RunStarted(plan, clock.now())
        # Variations that fail are what is looked for: they don't end the search.
        limit = FailureLimit(None, options.failures.most_errors)
        judged = replace(options, score=partial(self._scored, options.score), failures=limit)
        stage = _Stage(target, judged, concurrency, clock, stop)
        async with aclosing(self._stages(stage)) as events:
            async for event in events:
                yield event
        yield RunFinished(clock.now(), stop.status if stop.requested.is_set() else "finished")

    async def _stages(self, stage: _Stage) -> AsyncGenerator[Event, None]:
        async for event in stage.events(self._own, is_ready=False):
            yield event
        for case in [] if stage.stop.requested.is_set() else self.cases:
            if not case.is_comparable:
                self.left_out[case.name] = "with the user's own words it does not come to its end"
        worth = [trial for trial in self._varied if self._of(trial).is_comparable]
        async for event in stage.events(_Lasting(worth, lambda: self.is_time)):
            yield event
        position = len(self.plan.trials)
        for case in self.cases:
            shrinking = _Shrinking(self, case, stage, position)
            async with aclosing(shrinking.events()) as events:
                async for event in events:
                    yield event
            position = shrinking.position

    def _of(self, trial: Trial) -> _Case:
        return self._case_of[trial.suite.name, trial.conversation.id, trial.variant.name]

    def know(self, case: _Case, script: Conversation) -> None:
        """Take in a script that is played on the way to the smallest."""
        self._case_of[case.suite.name, script.id, case.variant.name] = case

    def _scored(self, score: ScoreTrace, trial: Trial, trace: Trace) -> tuple[Score, ...]:
        return self._of(trial).take(trial, trace, score(trial, trace))


def _trials(scripts: Sequence[tuple[_Case, Conversation]], first: int) -> list[Trial]:
    found: list[Trial] = []
    for case, script in scripts:
        found += case.trials(script, first + len(found))
    return found


# --- the smallest ---------------------------------------------------------------------------------------


class _Shrinking:
    """The way to the smallest variation of one case; each step is played.

    Hypothesis asks from a thread of its own whether a variation breaks something, and waits for the answer.
    """

    def __init__(self, search: _Search, case: _Case, stage: _Stage, position: int) -> None:
        self.position = position
        self._search = search
        self._case = case
        self._stage = stage
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._steps = 0
        self._is_over = False
        self._failure: BaseException | None = None
        self._wanted: frozenset[str] = frozenset()

    async def events(self) -> AsyncGenerator[Event, None]:
        """What happens on the way; nothing where all has stayed."""
        known = {variation.said: self._case.broken_by(self._known(variation)) for variation in self._drawn}
        first = next((broken for broken in known.values() if broken), None)
        if first is None:
            return
        self._wanted = frozenset(first)
        task = asyncio.create_task(self._look({said: self._is_same(lost) for said, lost in known.items()}))
        task.add_done_callback(lambda _: self._events.put_nowait(None))
        try:
            while (event := await self._events.get()) is not None:
                yield event
            await task
        finally:
            self._is_over = True
            task.cancel()
            await asyncio.wait([task])

    @property
    def _drawn(self) -> list[Variation]:
        return self._case.variations

    def _known(self, variation: Variation) -> Conversation:
        return self._case.scripts[variation.said]

    def _is_same(self, lost: Mapping[str, str]) -> bool:
        """Whether it breaks something that the first variation broke: else another fault would be shrunk."""
        return not self._wanted.isdisjoint(lost)

    async def _look(self, known: dict[Said, bool]) -> None:
        loop = asyncio.get_running_loop()

        def breaks(variation: Variation) -> bool:
            if self._is_over:
                return False
            answer = asyncio.run_coroutine_threadsafe(self._breaks(variation), loop)
            try:
                return answer.result()
            except CancelledError:
                return False
            except BaseException as failure:  # noqa: BLE001 - the search would take it for what it looks for
                self._failure, self._is_over = failure, True
                return False

        found = await asyncio.to_thread(smallest, self._case.space, self._case.seed, known, breaks)
        if self._failure is not None:
            raise self._failure
        if found is not None:
            self._search.found.append(await self._shown(found))

    async def _breaks(self, variation: Variation) -> bool:
        self._steps += 1
        if not self._search.is_time:
            return False
        number = len(self._drawn) + self._steps
        script = self._case.script(variation, number)
        await self._play(script)
        return self._is_same(self._case.broken_by(script))

    async def _play(self, script: Conversation) -> None:
        self._search.know(self._case, script)
        trials = self._case.trials(script, self.position)
        self.position += len(trials)
        async with aclosing(self._stage.events(trials)) as events:
            async for event in events:
                self._events.put_nowait(event)

    async def _shown(self, variation: Variation) -> Broken:
        """The smallest, played once more under its own name."""
        case, earlier = self._case, self._known(variation)
        script = case.script(variation, SMALLEST)
        await self._play(script)
        again = case.broken_by(script)
        broken = again or case.broken_by(earlier)
        shown = script if again else earlier
        trial = Trial(case.suite, shown, case.variant, 1)
        return Broken(
            case.suite,
            case.variant,
            case.conversation,
            variation,
            broken,
            trial.id,
            tuple(case.before),
            is_steady=bool(again),
        )
