"""Size and CPU of the HTML report and of the store, for many three-turn conversations with their steps.

Usage: ``python benchmarks/report_size.py [CONVERSATIONS]`` (10,000 unless given). Prints one line a figure.
The conversations are invented: sentences of random words over a knowledge base of 400 passages, every turn
with a search of five passages, two run steps, a citation, and scores with evidence sentence by sentence.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from harness.cost.usage import Usage
from harness.reporters.html import HtmlReporter
from harness.reporters.interface import write_report
from harness.results import Score, SuiteRun, TrialResult
from harness.store.store import Store
from harness.trace.records import Citation, Message, RunStep, SearchResult, ToolCall, Trace, TurnTrace

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
TURNS = 3
PASSAGES = 400
PASSAGE_WORDS = 120
FOUND = 5


class Author:
    """Invents words, passages and conversations; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.words = [
            "".join(self.random.choices("aeioulnrst", k=self.random.randint(2, 10))) for _ in range(4000)
        ]
        self.passages = [self.text(PASSAGE_WORDS) for _ in range(PASSAGES)]

    def text(self, words: int) -> str:
        """A sentence of this many words."""
        return " ".join(self.random.choices(self.words, k=words)).capitalize() + "."

    def trial(self, number: int) -> TrialResult:
        """One conversation; every tenth fails."""
        trial_id = f"load/conversation-{number}@main#1"
        turns = tuple(self.turn() for _ in range(TURNS))
        failed = number % 10 == 0
        return TrialResult(
            trial_id=trial_id,
            suite=f"load-{number % 7}",
            conversation=f"conversation-{number}",
            cluster=f"topic-{number % 97}",
            tags=(f"tag-{number % 11}", "load"),
            variant="main",
            fingerprint="5f" * 32,
            repeat=1,
            outcome="failed" if failed else "passed",
            started_at=START + timedelta(seconds=number),
            ended_at=START + timedelta(seconds=number + 9),
            scores=tuple(
                score for place, turn in enumerate(turns) for score in self.scores(place, turn, failed)
            ),
            usage=Usage(prompt_tokens=9000 + number % 500, completion_tokens=300),
            cost_usd=Decimal(number % 900 + 100) / 10**6,
            latency_s=sum(turn.latency_s for turn in turns),
            trace=Trace(trial_id=trial_id, target="embedded", turns=turns),
        )

    def turn(self) -> TurnTrace:
        """A question, a search, an answer of three sentences with a citation."""
        found = tuple(
            SearchResult(
                file_id=f"file-{place % 12:024}",
                filename=f"document-{place % 12}.pdf",
                score=self.random.random(),
                text=self.passages[place],
                attributes={"page": place % 30 + 1},
            )
            for place in self.random.sample(range(PASSAGES), FOUND)
        )
        call = ToolCall(id=self.identifier("call"), type="file_search", name="file_search", results=found)
        marker = "【4:0†document】"
        text = " ".join(self.text(14) for _ in range(3)) + marker
        citation = Citation(
            marker=marker,
            start=len(text) - len(marker),
            end=len(text),
            file_id=found[0].file_id,
            filename=found[0].filename,
            chunk=found[0].text,
        )
        latency_s = self.random.uniform(0.5, 4)
        usage = Usage(prompt_tokens=3000, completion_tokens=100)
        return TurnTrace(
            user=Message(role="user", text=self.text(12)),
            messages=(
                Message(
                    role="assistant",
                    text=text,
                    id=self.identifier("msg"),
                    created_at=START,
                    citations=(citation,),
                ),
            ),
            status="completed",
            started_at=START,
            latency_s=latency_s,
            steps=(self.step("tool_calls", usage, (call,)), self.step("message_creation", usage, ())),
            usage=usage,
            model="some-model",
            run_id=self.identifier("run"),
            thread_id=self.identifier("thread"),
        )

    def step(self, kind: Any, usage: Usage, calls: tuple[ToolCall, ...]) -> RunStep:
        """One run step."""
        return RunStep(
            id=self.identifier("step"),
            type=kind,
            status="completed",
            created_at=START,
            completed_at=START + timedelta(seconds=1),
            usage=usage,
            tool_calls=calls,
        )

    def scores(self, place: int, turn: TurnTrace, failed: bool) -> Iterator[Score]:
        """Four scores; grounding tells its evidence."""
        found = turn.search_results[0]
        sentences = [
            {
                "text": turn.answer[start : start + 90],
                "start": start,
                "end": start + 90,
                "claim": True,
                "supported": True,
                "support": 0.9,
                "evidence": {"filename": found.filename, "page": 1, "text": (found.text or "")[:200]},
                "why": "Its words occur in the passage.",
            }
            for start in (0, 91, 182)
        ]
        yield Score(check="status", scorer="limits", turn=place, value=True, passed=True)
        yield Score(check="cites", scorer="citations", turn=place, value=True, passed=True)
        yield Score(check="latency_s", scorer="limits", turn=place, value=turn.latency_s, passed=True)
        yield Score(
            check="grounded",
            scorer="grounding",
            turn=place,
            value=0.5 if failed else 1.0,
            passed=not failed,
            reason=f"Not supported: {self.text(10)}" if failed else "",
            evidence={"sentences": sentences},
        )

    def identifier(self, prefix: str) -> str:
        """An id as the API makes them."""
        return f"{prefix}_{self.random.randbytes(12).hex()}"


@contextmanager
def measured(what: str, each: int) -> Iterator[None]:
    """Prints the CPU seconds of the block."""
    begun = time.process_time()
    yield
    used = time.process_time() - begun
    print(f"{what}: {used:.2f} s CPU, {1e6 * used / each:.0f} us a conversation")


def main(count: int) -> None:
    """Makes the conversations, stores them, loads them, renders the page."""
    author = Author(seed=1)
    results = [author.trial(number) for number in range(count)]
    json_bytes = sum(len(msgspec.json.encode(result)) for result in results)
    print(f"{count:,} conversations of {json_bytes / count / 1000:.1f} KB JSON")
    run = SuiteRun(id="load", started_at=START, target="embedded", status="running", planned=count)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        with Store.open(path) as store:
            store.begin_run(run)
            with measured("store", count):
                for position, result in enumerate(results):
                    store.add_trials(run.id, [(result, position)])
        print(f"store: {path.stat().st_size / count / 1000:.2f} KB a conversation on disk")
        del results
        with Store.open(path) as store, measured("load", count):
            run = store.run(run.id)
        with measured("report", count):
            report = write_report(HtmlReporter().render(run), Path(folder) / "report.html")
        print(f"report: {report.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
