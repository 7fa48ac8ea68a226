"""One suite run for the whole session: all its conversations are played at one target and stored together."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import HarnessError, SuiteError, Where
from harness.plan import Plan, Trial, make_plan
from harness.pytest_plugin import options
from harness.pytest_plugin.told import Played, properties
from harness.results import RunStatus, TrialResult
from harness.settings import Settings
from harness.suite import authoring
from harness.suite.records import Conversation, Suite
from harness.targets.turnstile import Turnstile
from harness.workflows import Job, Part, PiecewiseRun, load, more_planned

if TYPE_CHECKING:
    from harness.runner.talk import Talk

_IN_PYTHON = "pytest"
"""The suite of conversations that tests in Python hold."""
_LONGEST_ID = 190


def playing(session: pytest.Session) -> Playing:
    """The session's suite run, or this worker's part of it."""
    stash = session.config.stash
    if options.PLAYING not in stash:
        stash[options.PLAYING] = Playing(session)
    return stash[options.PLAYING]


class Playing:
    """The suite run of a session, as far as this process carries it out."""

    def __init__(self, session: pytest.Session) -> None:
        config = session.config
        self.settings = _share_of(options.settings_of(config), config)
        self._suites = list(_selected(session))
        self._plan = _plan(self._suites, self.settings)
        self._job = _job(session, self.settings, self._suites)
        self._trials: dict[tuple[str, str], list[Trial]] = defaultdict(list)
        for trial in self._plan.trials:
            self._trials[trial.suite.name, trial.conversation.id].append(trial)
        self._runs: dict[Path | None, PiecewiseRun] = {}
        self._part = self._new_part(config)
        self._further = count(len(self._plan.trials))

    def _new_part(self, config: pytest.Config) -> Part:
        shared = getattr(config, "workerinput", {}).get(options.SHARED) or options.shared_by_workers(config)
        turnstile = Turnstile(Path(shared["limits"]), self.settings.limits())
        if options.is_worker(config):
            Path(shared["limits"]).touch()  # also tells who started it that something is played
        others = options.is_worker(config) or len({self._faults(suite) for suite in self._suites}) > 1
        return Part(shared["run"], turnstile if others and not turnstile.is_open else None)

    @property
    def run_id(self) -> str:
        """The stored run."""
        return self._part.run_id

    @property
    def status(self) -> RunStatus:
        """Why no further trial is begun; ``finished`` while that goes on."""
        return next((run.status for run in self._runs.values() if run.status != "finished"), "finished")

    def play(self, suite: Suite, conversation: Conversation) -> Played:
        """Run the trials of a conversation.

        Raises:
            HarnessError: There is no target that could play them.
        """
        trials = self._trials[suite.name, conversation.id]
        run = self._run_for(suite)
        results = run.play(trials)
        return Played(self.run_id, results, len(trials), run.why_ended, run.status)

    def hold(self, suite: Suite, conversation: Conversation) -> Played:
        """Run a conversation once that nobody knew of when the session began."""
        assert suite.variant is not None  # the fixture has named an assistant
        trial = Trial(suite, conversation, suite.variant, 1, next(self._further))
        run = self._run_for(suite)
        run.add([trial])
        results = run.play([trial])
        more_planned(self.settings, self.run_id, 1)
        return Played(self.run_id, results, 1, run.why_ended, run.status)

    def close(self, *, at_once: bool = False) -> None:
        """Write what was played.

        Raises:
            HarnessError: Something could not be written; all else was.
        """
        failure: HarnessError | None = None
        for run in self._runs.values():
            try:
                run.close(at_once=at_once)
            except HarnessError as error:
                failure = failure or error
        if failure:
            raise failure

    def _run_for(self, suite: Suite) -> PiecewiseRun:
        """The part of the run that has a server with the suite's faults on demand."""
        key = self._faults(suite)
        if key not in self._runs:
            served = [each for each in self._suites if self._faults(each) == key] or [suite]
            self._runs[key] = PiecewiseRun(self._job, self._suites, self._plan, self._part, served)
        return self._runs[key]

    def _faults(self, suite: Suite) -> Path | None:
        return None if self.settings.faults else suite.faults


def _share_of(settings: Settings, config: pytest.Config) -> Settings:
    """The settings of one worker of several: each plays its share of the trials at the same time."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    return settings.model_copy(update={"concurrency": max(1, settings.concurrency // workers)})


def _selected(session: pytest.Session) -> Iterator[Suite]:
    """The suites with those conversations that are tests of this session."""
    chosen: dict[str, tuple[Suite, list[Conversation]]] = {}
    for item in session.items:
        conversation = getattr(item, "conversation", None)
        if isinstance(conversation, Conversation):
            suite: Suite = item.suite  # type: ignore[attr-defined]  # it is a ConversationItem
            chosen.setdefault(suite.name, (suite, []))[1].append(conversation)
    for suite, conversations in chosen.values():
        in_order = tuple(conversations)
        same = len(in_order) == len(suite.conversations)
        yield suite if same else suite.model_copy(update={"conversations": in_order})


def _plan(suites: list[Suite], settings: Settings) -> Plan:
    return make_plan(suites, repeats=settings.repeats)


def _job(session: pytest.Session, settings: Settings, suites: list[Suite]) -> Job:
    """What the run is remembered as, so that ``harness run --resume`` can go on with it."""
    chosen = [f"{suite.name}/{each.id}" for suite in suites for each in suite.conversations]
    known = sum(len(suite.conversations) for suite in _collected(session))
    held = any("conversation" in getattr(item, "fixturenames", ()) for item in session.items)
    return Job(
        suites=tuple(dict.fromkeys(str(suite.source) for suite in suites)),
        settings=settings,
        assistants=options.assistants_of(session.config),
        ids=tuple(chosen) if len(chosen) < known else (),
        made=(authoring.Suite(_IN_PYTHON),) if held else (),
    )


def _collected(session: pytest.Session) -> Iterator[Suite]:
    """All suites of the files that have a test in this session."""
    parents = {item.parent: None for item in session.items if item.parent is not None}
    for parent in parents:
        yield from getattr(parent, "suites", ())


def held_in(request: pytest.FixtureRequest, assistant: str) -> Callable[..., TrialResult]:
    """Holds conversations for a test in Python."""
    numbers = count(1)

    def hold(*said: str, expect: Mapping[str, Any] | None = None) -> TrialResult:
        number = next(numbers)
        name = request.node.nodeid[-_LONGEST_ID:] + (f" ({number})" if number > 1 else "")
        made = _made(name, assistant, said, expect)
        session = playing(request.session)
        try:
            (suite,) = load(Job((), session.settings, made=(made,)))
        except SuiteError as error:
            raise _where_held(error, sys._getframe(1)) from error
        played = session.hold(suite, suite.conversations[0])
        request.node.user_properties += [each for each in properties(played) if number == 1]
        if not played.results:
            raise HarnessError(f"the conversation was not begun: {played.why_ended}", code="nothing-to-run")
        return played.results[0]

    return hold


def _where_held(error: SuiteError, frame: FrameType) -> SuiteError:
    """The same mistakes, at the line of the test instead of here where the suite is made."""
    held = Where(frame.f_code.co_filename, frame.f_lineno)
    problems = [
        replace(each, where=held) if each.where and each.where.file == __file__ else each
        for each in error.problems
    ]
    return SuiteError(problems)


def _made(
    name: str, assistant: str, said: tuple[str, ...], expect: Mapping[str, Any] | None
) -> authoring.Suite:
    suite = authoring.Suite(_IN_PYTHON, assistant=assistant, expect=dict(expect or {}), repeats=1)

    @suite.conversation(id=name, most_turns=max(len(said), 1))
    async def as_said(talk: Talk) -> None:
        for text in said:
            await talk.say(text)

    return suite
