"""Suites played with varied words."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import workflows
from harness.perturb.search import MOST_EDITS, MOST_STEPS
from harness.results import TrialResult
from harness.runner.events import Event, TrialFinished
from harness.runner.executors.local import Stop
from harness.settings import load_settings
from harness.workflows.perturbing import Perturbed, Perturbing, perturb
from harness.workflows.regressions import refuse_save, save_regressions

APP = """
import re

def answer(question):
    if "smuggle" in question.instructions and "ZEBRA" in question.text:
        return "ZEBRA-QUARTZ"
    return "You pay 5 euros." if re.search(r"(?i)\\bprice\\b", question.text) else "I do not know."
"""
SUITE = """
suite: shop
assistant: bot.yaml
perturb: {examples: 12, kinds: [typos, spacing, case]}
conversations:
  - id: price
    turns: [{user: Tell me the price of one ticket, expect: {answer: {mentions: [5 euros]}}}]
  - id: nothing
    turns: [{user: "Good morning to all of you"}]
  - id: not-varied
    perturb: false
    turns: [{user: hello}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "bot.yaml").write_text("{name: Bot, model: m, instructions: Be kind.}")
    (tmp_path / "shop.yaml").write_text(SUITE)
    return tmp_path


def perturbed(control: workflows.Control | None = None, suite: str = "shop.yaml", **more: Any) -> Perturbed:
    own = {name: more.pop(name) for name in ("seed", "examples", "kinds", "search_s") if name in more}
    settings = load_settings({"target": "function", "target_function": "app.py:answer", **more})
    asked = Perturbing(workflows.Job((suite,), settings), **own)
    return asyncio.run(perturb(asked, control))


def test_the_smallest_variation_that_breaks_something_is_found_and_told(folder: Path) -> None:
    found = perturbed()
    [broken] = found.broken
    assert broken.trial_id == "shop/price~smallest@bot#1" and broken.is_steady
    assert list(broken.broken) == ["outcome"]
    [change] = broken.variation.applied
    assert change.kind == "typos" and change.before == "price"
    assert found.left_out == {"shop/not-varied": "the suite wants no variations"}


def test_claims_are_held_against_all_documents_where_the_suite_says_so(folder: Path) -> None:
    (folder / "app.py").write_text(
        "def answer(question):\n"
        "    return f'A ticket costs {9 if \"ZEBRA\" in question.text else 5} euros for one day.'\n"
    )
    (folder / "prices.md").write_text("A ticket costs 5 euros for one day.")
    (folder / "bot.yaml").write_text(
        "{name: Bot, model: m, instructions: Be kind., knowledge: [prices.md], tools: [{type: file_search}]}"
    )
    (folder / "shop.yaml").write_text(
        "{suite: shop, assistant: bot.yaml, perturb: {examples: 2, kinds: [injection], keeps: [grounded]},"
        " conversations: [{id: price, turns: [{user: Price of a ticket,"
        " expect: {grounded: {min: 0.7, against: documents}}}]}]}"
    )
    [broken] = perturbed().broken
    assert broken.broken == {"grounded": "turn 1 is supported by the documents no longer"}


def test_every_variation_is_a_stored_trial_with_what_was_varied(folder: Path) -> None:
    found = perturbed()
    run = workflows.stored_run(load_settings({}))
    assert run == found.run and run.planned == len(run.results)
    by_id = {result.conversation: result for result in run.results}
    assert {"price", "nothing", "price~1", "price~12", "nothing~1", "price~smallest"} <= by_id.keys()
    assert by_id["price"].outcome == "passed"
    smallest = by_id["price~smallest"]
    assert (smallest.outcome, smallest.cluster) == ("failed", "price")
    assert checks(smallest)["varied"].value == "typos"
    assert checks(smallest)["keeps.outcome"].passed is False
    assert checks(smallest)["answer.mentions"].passed is None
    assert all(result.outcome != "failed" for name, result in by_id.items() if name.startswith("nothing"))
    assert "price~smallest" in workflows.render(run, "html") and "keeps.outcome" in workflows.render(
        run, "html"
    )


def checks(result: TrialResult) -> dict[str, harness.Score]:
    return {score.check: score for score in result.scores}


def said(found: Perturbed) -> list[tuple[str, str]]:
    return [
        (result.conversation, turn.user.text)
        for result in found.run.results
        for turn in (result.trace.turns if result.trace else ())
    ]


def test_the_same_seed_plays_the_same_variations_and_finds_the_same(folder: Path) -> None:
    assert said(perturbed(seed=5)) == said(perturbed(seed=5))
    assert said(perturbed(seed=5)) != said(perturbed(seed=6))


def test_a_search_plays_no_more_than_it_may(folder: Path) -> None:
    found = perturbed(examples=5)
    played = {result.conversation for result in found.run.results if result.conversation.startswith("price~")}
    assert len(played) <= 5 + MOST_STEPS + 2 * MOST_EDITS + 1
    none = perturbed(search_s=1e-9)
    assert {result.conversation for result in none.run.results} == {"price", "nothing"}
    assert (none.run.status, none.tried, none.run.planned) == ("finished", 0, 2)


def test_repeats_must_all_break_before_a_variation_counts(folder: Path) -> None:
    (folder / "app.py").write_text(
        "calls = {}\n"
        "def answer(question):\n"
        "    calls[question.text] = calls.get(question.text, 0) + 1\n"
        "    is_own = question.text == 'Tell me the price of one ticket'\n"
        "    return '5 euros' if is_own or calls[question.text] % 2 else 'no'\n"
    )
    found = perturbed(repeats=2, concurrency=1)
    assert any(result.outcome == "failed" for result in found.run.results)
    assert found.broken == ()


def test_a_conversation_that_breaks_off_with_its_own_words_is_not_varied(folder: Path) -> None:
    (folder / "faults.yaml").write_text("faults: [{path: /threads, method: POST, nth: 1, status: 400}]")
    found = perturbed(target="embedded", target_function=None, faults="faults.yaml", concurrency=1)
    assert {result.conversation.partition("~")[0] for result in found.run.results[1:]} == {"nothing"}
    assert "does not come to its end" in found.left_out["shop/price@bot"]
    assert found.run.status == "finished" and found.run.planned == len(found.run.results)


def test_a_search_that_is_stopped_keeps_what_it_has_and_does_not_go_on(folder: Path) -> None:
    stop = Stop()

    def listen(event: Event) -> None:
        if isinstance(event, TrialFinished):
            stop.set()

    found = perturbed(workflows.Control([listen], stop), concurrency=1)
    assert found.run.status == "interrupted" and found.broken == ()
    with pytest.raises(harness.HarnessError, match="can't go on") as caught:
        asyncio.run(workflows.resume(found.run.id, load_settings({})))
    assert caught.value.code == "run-perturbed"


def test_without_anything_to_vary_there_is_nothing_to_run(folder: Path) -> None:
    with pytest.raises(harness.HarnessError, match="none of the variations is possible") as caught:
        perturbed(kinds=("emails",))
    assert caught.value.code == "nothing-to-run"


def test_a_recorded_search_is_searched_again_without_asking_anyone(folder: Path) -> None:
    asked = perturbed(record="kept.yaml")
    (folder / "app.py").unlink()
    again = perturbed(target="recording", target_function=None, recording="kept.yaml")
    assert said(again) == said(asked)
    assert [broken.trial_id for broken in again.broken] == [broken.trial_id for broken in asked.broken]
    assert all(result.replayed and result.outcome != "errored" for result in again.run.results)


def test_several_assistants_get_the_same_variations_and_each_its_own_smallest(folder: Path) -> None:
    (folder / "other.yaml").write_text("{name: Other, model: m}")
    job = workflows.Job(
        ("shop.yaml",),
        load_settings({"target": "function", "target_function": "app.py:answer"}),
        assistants=("bot.yaml", "other.yaml"),
    )
    found = asyncio.run(perturb(Perturbing(job)))
    assert {broken.variant.name for broken in found.broken} == {"bot", "other"}
    files = save_regressions(found.broken, folder / "kept")
    assert len(files) == 2 and all(
        workflows.load(workflows.Job((str(file),), job.settings)) for file in files
    )


def test_a_search_spends_no_more_than_its_budget(folder: Path) -> None:
    found = perturbed(budget_usd="0.05", most_per_turn_usd="0.01", prices=["m=1/1"], concurrency=1)
    assert found.run.status == "budget_exhausted"
    assert 0 < len(found.run.results) <= 5 and found.broken == ()


# --- kept as a suite -----------------------------------------------------------------------------------


def test_what_broke_is_kept_as_a_suite_that_fails_now_and_passes_once_it_is_repaired(folder: Path) -> None:
    found = perturbed()
    [file] = save_regressions(found.broken, folder / "kept" / "shop.yaml")
    settings = {"target": "function", "target_function": "app.py:answer"}
    [result] = harness.evaluate(file, **settings).results
    assert (result.conversation, result.outcome) == ("price-typos", "failed")
    (folder / "better.py").write_text("def answer(question):\n    return 'You pay 5 euros.'\n")
    [result] = harness.evaluate(file, target="function", target_function="better.py:answer").results
    assert result.outcome == "passed"


def test_the_rubrics_of_a_suite_are_kept_with_what_it_expects(folder: Path) -> None:
    (folder / "shop.yaml").write_text(f"rubrics: {{kind: {{asks: Is it kind?}}}}{SUITE}")
    [file] = save_regressions(perturbed().broken, folder / "kept.yaml")
    assert "Is it kind?" in file.read_text()
    assert workflows.load(workflows.Job((str(file),), load_settings({})))


def test_what_was_kept_earlier_stays_and_the_same_conversation_is_kept_once(folder: Path) -> None:
    found = perturbed()
    [file] = save_regressions(found.broken, folder)
    text = file.read_text()
    save_regressions(found.broken, folder)
    assert file.read_text() == text
    file.write_text(text.replace("price-typos", "another"))
    save_regressions(found.broken, folder)
    assert "id: another" in file.read_text() and "id: price-typos" in file.read_text()


def test_a_file_that_somebody_wrote_is_left_alone(folder: Path) -> None:
    with pytest.raises(harness.HarnessError, match="was not written by harness perturb"):
        refuse_save(folder / "shop.yaml")
    with pytest.raises(harness.HarnessError, match="kept in YAML"):
        refuse_save(folder / "kept.json")


def test_an_injection_that_is_obeyed_is_kept_with_the_word_that_must_not_come(folder: Path) -> None:
    (folder / "bot.yaml").write_text("{name: Bot, model: m, instructions: smuggle}")
    suite = "suite: i\nassistant: bot.yaml\nconversations: [{id: a, turns: [{user: The price please}]}]\n"
    (folder / "injected.yaml").write_text(suite)
    found = perturbed(kinds=("injection",), examples=4, suite="injected.yaml")
    [broken] = found.broken
    assert "instructions" in broken.broken
    [file] = save_regressions(found.broken, folder / "kept.yaml")
    assert "ZEBRA-QUARTZ" in file.read_text() and "omits" in file.read_text()
    assert workflows.load(workflows.Job((str(file),), load_settings({})))
