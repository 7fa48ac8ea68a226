"""A budget on the command line: what was spent is known after a kill, and counts when the run goes on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness.results import SuiteRun
from harness.server.app import App, ServerOptions
from harness.server.http import background
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted
from harness.store.store import Store

HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
SUITE = """
suite: s
assistant: bot.yaml
conversations:
  - {id: a, turns: [{user: one}, {user: two}]}
  - {id: b, turns: [{user: one}, {user: two}]}
  - {id: c, turns: [{user: one}]}
"""
ONE_RUN = Decimal("0.001") * 300 + Decimal("0.002") * 256  # at the prices and limits below
PRICED = ("--price", "m=1000/2000", "--concurrency", "1", "--no-progress")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "s.yaml").write_text(SUITE)
    bot = "{name: Bot, model: m, instructions: Be kind., max_prompt_tokens: 300, max_completion_tokens: 256}"
    (tmp_path / "suites" / "bot.yaml").write_text(bot)
    return tmp_path


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """A server over HTTP whose model answers as the test says; its base URL."""
    with ExitStack() as servers:

        def start(model: Any) -> str:
            app = App(ServerOptions(models=ModelTable(default=Scripted(model))))
            return str(servers.enter_context(background(app)))

        yield start


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HARNESS, "run", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OPENAI_API_KEY": "any"},
        check=False,
    )


def stored(folder: Path) -> SuiteRun:
    with Store.open(folder / ".harness" / "store.sqlite") as store:
        return store.run()


def costs(record: SuiteRun) -> Decimal:
    return sum((result.cost_usd or Decimal(0) for result in record.results), Decimal(0))


def test_a_run_without_enough_money_ends_cleanly_and_goes_on_with_more(folder: Path) -> None:
    done = run(folder, *PRICED, "--budget", "0.90")
    assert done.returncode == 2, done.stdout + done.stderr
    assert re.search(r"^budget: spent \$0\.\d+; \$0\.\d+ left of \$0\.90$", done.stdout, re.MULTILINE)
    assert "budget: the next request could cost $0.812 (300 prompt and 256 completion" in done.stdout
    assert "--budget USD" in done.stdout and "report: " in done.stdout
    early = stored(folder)
    assert early.status == "budget_exhausted" and len(early.results) < 3
    assert early.spending and 0 < early.spending.spent_usd <= Decimal("0.90")
    assert early.settings["budget_usd"] == "0.90" and early.settings["cap_completion_tokens"] == 8192

    again = run(folder, "--resume", "latest", "--budget", "5.00", "--no-progress")
    assert again.returncode == 0, again.stdout + again.stderr
    late = stored(folder)
    assert late.status == "finished" and len(late.results) == 3
    assert late.spending and late.spending.unknown_usd == 0
    # Trials that were cut short were paid for too, beside those that have a result.
    assert early.spending.spent_usd <= late.spending.spent_usd
    assert late.spending.spent_usd > costs(late)
    assert late.settings["budget_usd"] == "5.00"


def test_what_was_spent_before_a_kill_counts_and_the_request_under_way_in_full(
    folder: Path, serve: Callable[[Any], str]
) -> None:
    asked, released, seen = threading.Semaphore(0), threading.Event(), []

    def model(request: Any) -> str:
        seen.append(request)
        asked.release()
        if len(seen) == 4:
            released.wait(60)
        return "fine"

    url = serve(model)
    arguments = [*HARNESS, "run", *PRICED, "--budget", "4.00", "--target", "assistants", "--base-url", url]
    process = subprocess.Popen(arguments, cwd=folder, env={**os.environ, "OPENAI_API_KEY": "any"})
    for _ in range(4):
        assert asked.acquire(timeout=120)
    process.send_signal(signal.SIGKILL)
    process.wait(120)
    released.set()

    killed = stored(folder)
    assert killed.status == "running" and len(killed.results) <= 1  # the last second may be lost
    assert killed.spending and killed.spending.requests == 4
    assert killed.spending.unknown_usd == ONE_RUN
    before = killed.spending.spent_usd

    again = run(folder, "--resume", "latest", "--no-progress")
    assert again.returncode == 0, again.stdout + again.stderr
    late = stored(folder)
    assert late.spending and late.spending.unknown_usd == ONE_RUN
    new = costs(late) - costs(killed)
    assert late.spending.spent_usd == before + new
    assert "$0.812 of what is spent is a worst case, the cost unknown" in again.stdout


def test_a_budget_that_comes_later_counts_what_was_spent_before(folder: Path) -> None:
    free = run(folder, *PRICED, "--only", "a")
    assert free.returncode == 0, free.stdout + free.stderr
    before = stored(folder)
    assert before.spending is None
    with Store.open(folder / ".harness" / "store.sqlite") as store:
        store.finish_run(before.id, "interrupted", None)
    again = run(folder, "--resume", "latest", "--budget", "9.00", "--no-progress")
    assert again.returncode == 0, again.stdout + again.stderr
    assert (late := stored(folder)).spending and late.spending.spent_usd == costs(before) > 0


def test_a_model_without_a_price_is_refused_before_anything_is_sent(folder: Path) -> None:
    done = run(folder, "--budget", "1.00", "--no-progress")
    assert done.returncode == 4
    assert "no price is known for model 'm'" in done.stderr and "[budget-unpriced]" in done.stderr
    assert "--price m=INPUT/OUTPUT" in done.stderr
    assert not (folder / ".harness" / "store.sqlite").exists()


def test_prices_of_ones_own_are_what_costs_are_shown_by(folder: Path) -> None:
    (folder / "harness.toml").write_text('[prices."m"]\ninput = 1000\noutput = 2000\n')
    done = run(folder, "--no-progress")
    assert done.returncode == 0, done.stdout + done.stderr
    for result in (record := stored(folder)).results:
        assert result.usage
        tokens = result.usage.prompt_tokens * 1000 + result.usage.completion_tokens * 2000
        assert result.cost_usd == Decimal(tokens) / 1_000_000
    assert record.settings["prices"]["m"]["input"] == "1000"


def test_a_budget_that_can_not_pay_the_first_request_says_what_makes_requests_cheaper(folder: Path) -> None:
    done = run(folder, *PRICED, "--budget", "0.10")
    assert done.returncode == 2 and not stored(folder).results
    assert "hint: what a request can cost at most is decided by max_prompt_tokens" in done.stdout
    assert "cap_prompt_tokens" in done.stdout


@pytest.mark.parametrize("amount", ["0", "-2", "two", "nan"])
def test_an_amount_that_is_none_is_a_usage_error(folder: Path, amount: str) -> None:
    done = run(folder, f"--budget={amount}")
    assert done.returncode == 4 and "is no amount above 0 in USD" in done.stderr
