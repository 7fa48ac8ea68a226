"""A run that is stopped, killed, resumed and retried in any order, against a model of what must be stored."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from harness import workflows
from harness.results import SuiteRun
from harness.runner.events import Event, RunFinished, RunStarted, TrialFinished, TrialStarted
from harness.runner.executors.local import Stop
from harness.settings import load_settings

APP = """\
import harness_told

async def answer(question):
    return await harness_told.answer(question.text)
"""
ENDINGS = st.sampled_from(["passed", "passed", "passed", "failed", "errored"])
SAYS = {"passed": "fine", "failed": "bad", "errored": 5}  # a number is no answer: missing data


class World:
    """What the function answers, by conversation, and how often each was asked."""

    def __init__(self) -> None:
        self.endings: dict[str, str] = {}
        self.played: Counter[str] = Counter()

    async def answer(self, text: str) -> Any:
        self.played[text] += 1
        await asyncio.sleep(0)
        return SAYS[self.endings[text]]


class Session:
    """One process' part in a run: what it was told, and when it is to be stopped or killed."""

    def __init__(self, how: str, after: int, store: Path) -> None:
        self.stop = Stop()
        self.events: list[Event] = []
        self._how, self._after, self._store = how, after, store
        self.copy = store.with_name("at-the-kill.sqlite")

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if self._how == "to the end" or len(self.events) != self._after:
            return
        if self._how == "drained":
            self.stop.set()
        if self._how == "stopped at once":
            self.stop.at_once()
        if self._how == "killed":  # what is on the disk at this moment is all that there will be
            with closing(sqlite3.connect(self._store)) as now, closing(sqlite3.connect(self.copy)) as copy:
                now.backup(copy)

    def after_the_kill(self) -> None:
        if self.copy.exists():
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._store}{suffix}").unlink(missing_ok=True)
            self.copy.rename(self._store)

    @property
    def was_killed(self) -> bool:
        return self.copy.exists()

    def ids(self, kind: type[Any]) -> list[str]:
        if kind is TrialStarted:
            return [event.trial.id for event in self.events if isinstance(event, TrialStarted)]
        return [event.result.trial_id for event in self.events if isinstance(event, TrialFinished)]


@contextmanager
def told(world: World) -> Iterator[None]:
    """The function's file finds the world of this test."""
    module = ModuleType("harness_told")
    module.answer = world.answer  # type: ignore[attr-defined]
    sys.modules["harness_told"] = module
    try:
        yield
    finally:
        del sys.modules["harness_told"]


class Runs(RuleBasedStateMachine):
    """A run in as many sessions as it takes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="run-states-"))
        self.store = self.folder / "store.sqlite"
        self.world = World()
        self.stored: dict[str, str] = {}
        self.record: SuiteRun | None = None

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(count=st.integers(1, 9))
    def write_a_suite(self, count: int) -> None:
        self.names = [f"c{number}" for number in range(count)]
        rows = "".join(f"  - {{id: {name}, turns: [{{user: {name}}}]}}\n" for name in self.names)
        head = "suite: s\nassistant: bot.yaml\nexpect: {answer: {mentions: [fine]}}\nconversations:\n"
        (self.folder / "suite.yaml").write_text(head + rows)
        (self.folder / "bot.yaml").write_text("{name: Bot, model: m}")
        (self.folder / "app.py").write_text(APP)

    @rule(
        how=st.sampled_from(["to the end", "drained", "stopped at once", "killed"]),
        after=st.integers(1, 25),
        endings=st.lists(ENDINGS, min_size=9, max_size=9),
        concurrency=st.integers(1, 4),
        retries=st.booleans(),
        max_failures=st.none() | st.integers(1, 4),
    )
    def go_on(
        self,
        how: str,
        after: int,
        endings: list[str],
        concurrency: int,
        retries: bool,
        max_failures: int | None,
    ) -> None:
        self.world.endings = dict(zip(self.names, endings, strict=False))
        session = Session(how, after, self.store)
        flags = {"concurrency": concurrency, "max_failures": max_failures}
        before, played = dict(self.stored), self.world.played.copy()
        with told(self.world):
            record = self._session(session, retries=retries, **flags)
        self._check(session, record, before, played, retries=retries)

    def _session(self, session: Session, *, retries: bool, **flags: Any) -> SuiteRun:
        function = {"target": "function", "target_function": str(self.folder / "app.py") + ":answer"}
        chosen = load_settings({**flags, **function, "store": str(self.store)})
        control = workflows.Control([session], session.stop)
        if self.record is None:
            job = workflows.Job((str(self.folder / "suite.yaml"),), chosen)
            return asyncio.run(workflows.start(job, control))
        changed = ["concurrency"]
        return asyncio.run(
            workflows.resume(self.record.id, chosen, control, retry_errors=retries, changed=changed)
        )

    def _check(
        self,
        session: Session,
        record: SuiteRun,
        before: dict[str, str],
        played: Counter[str],
        *,
        retries: bool,
    ) -> None:
        kept = {name for name, outcome in before.items() if not (retries and outcome == "errored")}
        begun, ended = set(session.ids(TrialStarted)), set(session.ids(TrialFinished))
        assert ended <= begun and not begun & kept
        assert len(session.ids(TrialFinished)) == len(ended)
        assert max((self.world.played - played).values(), default=0) <= 1
        killed = session.was_killed
        session.after_the_kill()
        self.record = workflows.stored_run(load_settings({"store": str(self.store)}), record.id)
        self.stored = {result.trial_id: result.outcome for result in self.record.results}
        assert before.keys() <= self.stored.keys()
        assert self.stored.keys() <= before.keys() | ended
        if not killed:
            assert self.stored.keys() == before.keys() | ended
            self._check_the_end(session, ended | kept)

    def _check_the_end(self, session: Session, good: set[str]) -> None:
        assert self.record is not None
        last = next(event for event in reversed(session.events) if isinstance(event, RunFinished))
        assert last.status == self.record.status
        assert (last.status == "finished") == (len(good) == len(self.names))
        assert isinstance(session.events[0], RunStarted)

    @precondition(lambda self: self.record is not None)
    @invariant()
    def results_stand_once_in_the_order_of_the_plan(self) -> None:
        assert self.record is not None
        ids = [result.trial_id for result in self.record.results]
        plan = [f"s/{name}@bot#1" for name in self.names]
        assert ids == [trial_id for trial_id in plan if trial_id in set(ids)]
        assert self.record.planned == len(plan)


TestRuns = Runs.TestCase
TestRuns.settings = settings(max_examples=25, stateful_step_count=6)
