"""What a run will cost is said before anything is sent, and what nobody knows stays unknown."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import harness
from harness.cli import cli
from harness.settings import load_settings
from harness.workflows import Forecast, Job, forecast

SUITE = """
suite: s
assistant: bot.yaml
conversations:
  - {id: a, turns: [{user: hello}, {user: and then}]}
  - {id: b, turns: [{user: hello}]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "s.yaml").write_text(SUITE)
    (tmp_path / "suites" / "bot.yaml").write_text("{name: Bot, model: gpt-5.4, instructions: Be kind.}")
    return tmp_path


def foreseen(**settings: Any) -> Forecast:
    return forecast(Job((), load_settings(settings)))


def test_without_earlier_trials_tokens_and_limits_tell(folder: Path) -> None:
    found = foreseen(cap_prompt_tokens=1000, cap_completion_tokens=1000)
    assert (found.trials, found.turns, found.as_before.trials, found.counted.trials) == (2, 3, 0, 2)
    assert found.counted.most_usd == 3 * (Decimal("0.0025") + Decimal("0.015"))
    assert 0 < found.counted.least_usd < Decimal("0.001")
    assert not (folder / ".harness").exists()


def test_what_a_run_then_costs_lies_in_the_range(folder: Path) -> None:
    for target in ("embedded", "responses", "chat"):
        found = foreseen(target=target).total
        run = harness.evaluate(target=target, store=f"{target}.sqlite", budget_usd=5)
        cost = sum((result.cost_usd or Decimal(0) for result in run.results), Decimal(0))
        assert found.most_usd is not None and found.least_usd <= cost <= found.most_usd


def test_earlier_trials_of_the_same_conversation_and_target_tell_best(folder: Path) -> None:
    run = harness.evaluate(repeats=2)
    costs = [result.cost_usd or Decimal(0) for result in run.results if result.conversation == "a"]
    (folder / "suites" / "s.yaml").write_text(SUITE.replace("id: b", "id: new"))
    found = foreseen()
    assert (found.as_before.trials, found.counted.trials) == (1, 1)
    assert (found.as_before.least_usd, found.as_before.most_usd) == (min(costs), max(costs))
    assert found.as_before.mean_usd == sum(costs) / 2
    assert foreseen(target="responses").as_before.trials == 0


def test_what_nobody_knows_is_unknown_and_never_nothing(folder: Path) -> None:
    (folder / "suites" / "bot.yaml").write_text("{name: Bot, model: mystery}")
    found = foreseen()
    assert found.unknown == {"no price is known for model 'mystery'": 2}
    assert foreseen(prices=["mystery=1/2"]).unknown == {}
    assert list(foreseen(target="function").unknown.values()) == [2]
    assert foreseen(target="function", most_per_turn_usd="0.10").counted.most_usd == Decimal("0.30")


def test_functions_are_called_in_as_many_rounds_as_it_takes_so_nothing_limits_a_response(
    folder: Path,
) -> None:
    tool = "{type: function, function: {name: f, parameters: {type: object, properties: {}}}}"
    (folder / "suites" / "bot.yaml").write_text(f"{{name: Bot, model: gpt-5.4, tools: [{tool}]}}")
    assert foreseen(target="responses").counted.most_usd is None
    assert foreseen().counted.most_usd is not None  # the limits of a run hold for all its rounds


@pytest.mark.parametrize(
    ("budget", "told"), [("0.00001", "is not enough"), ("0.01", "may not be enough"), ("9", "is enough")]
)
def test_the_command_line_says_whether_a_budget_will_do(folder: Path, budget: str, told: str) -> None:
    done = CliRunner().invoke(cli, ["run", "--estimate", "--budget", budget])
    assert done.exit_code == 0, done.output
    assert "2 trials with 3 turns on the target embedded; nothing was sent" in done.output
    assert told in done.output.splitlines()[-1]
    assert not (folder / ".harness").exists()
