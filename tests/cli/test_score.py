"""harness score: stored trials, explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import harness
from harness.cli import cli

SUITE = """
suite: shop
assistant: bot.yaml
conversations:
  - id: box
    turns:
      - user: How heavy is the box?
        expect: {grounded: {min: 0.9}, answer: {mentions: [5 kg]}, latency_s: {max: 1000}}
  - id: twice
    repeats: 2
    turns: [{user: hello}]
"""
APP = """
from harness.targets.function import Answer, Found

def answer(question):
    text = "The box weighs 5 kg. It is sold in Lund."
    found = Found(filename="box.txt", text=text, score=0.9)
    return Answer(text="Hello! The box weighs 5 kg. The box glows in the dark.", retrieved=(found,))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "box.txt").write_text("The box weighs 5 kg. It is sold in Lund.")
    (tmp_path / "bot.yaml").write_text(
        "{name: Bot, model: m, tools: [{type: file_search}], knowledge: [box.txt]}"
    )
    (tmp_path / "shop.yaml").write_text(SUITE)
    harness.evaluate("shop.yaml", target="function", target_function="app.py:answer")
    return tmp_path


def told(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["score", *arguments])


def explained(*arguments: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(told(*arguments, "--json").stdout)
    return read


def test_without_a_trial_those_that_there_are_are_named_and_first_those_that_did_not_pass(
    folder: Path,
) -> None:
    said = told().exception
    assert str(said).startswith("no trial is named, and run ")
    assert said.hint.startswith("name one: shop/box@bot#1 (failed), shop/twice@bot#1 (passed)")  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["box", "shop/box", "shop/box@bot", "shop/box@bot#1"])
def test_a_trial_is_named_by_its_id_or_as_much_of_it_as_is_clear(folder: Path, name: str) -> None:
    result = told(name)
    assert result.exit_code == 0, result.output
    first, *lines = result.output.splitlines()
    assert first.startswith("shop/box@bot#1 of run ") and first.endswith(": failed")
    assert any(line.startswith("turn 1, answer.mentions (answers): ") for line in lines)
    assert "formula" not in result.output


def test_an_explanation_goes_through_the_answer_sentence_by_sentence(folder: Path) -> None:
    text = told("box", "--explain", "--check", "grounded").output
    assert "measures: the answer's claims are supported" in text
    assert "formula: supported claims / claims" in text
    assert "looked at, passages: 1, of box.txt" in text
    assert "sentence, no claim (pleasantry): 'Hello!'" in text
    assert "sentence, supported" in text and "box.txt: 'The box weighs 5 kg.'" in text
    assert "sentence, not supported" in text and "The box glows in the dark." in text
    assert "blind spots: " in text and "answer.mentions" not in text


def test_what_the_documents_say_and_the_search_did_not_find_is_told_apart(folder: Path) -> None:
    (folder / "box.txt").write_text("The box weighs 5 kg. It is sold in Lund.\n\nThe lid is made of oak.")
    (folder / "app.py").write_text(APP.replace("The box glows in the dark.", "The lid is made of oak."))
    (folder / "shop.yaml").write_text(SUITE.replace("{min: 0.9}", "{min: 0.9, against: documents}"))
    harness.evaluate("shop.yaml", target="function", target_function="app.py:answer")
    text = told("box", "--explain", "--check", "grounded").stdout
    assert "sentence, supported (1.00): 'The box weighs 5 kg.'" in text
    assert "sentence, supported by the documents, but not retrieved (1.00): 'The lid is made of oak.'" in text


def test_of_many_sentences_the_worst_are_shown_first_and_the_rest_are_counted(folder: Path) -> None:
    said = " ".join(["The box weighs 5 kg."] * 60 + ["The box weighs 7 kg.", "Hello!"])
    (folder / "app.py").write_text(
        APP.replace("Hello! The box weighs 5 kg. The box glows in the dark.", said)
    )
    harness.evaluate("shop.yaml", target="function", target_function="app.py:answer")
    shown = [line for line in told("box", "--explain").stdout.splitlines() if "sentence, " in line]
    assert len(shown) == 20
    assert "7 kg" in shown[0]
    assert "and 42 more sentences (41 supported, 1 no claim): --all" in told("box", "--explain").stdout
    full = [line for line in told("box", "--explain", "--all").stdout.splitlines() if "sentence, " in line]
    assert len(full) == 62
    assert "7 kg" in full[60]


def test_the_same_is_told_as_json_with_nothing_shortened(folder: Path) -> None:
    found = explained("box")
    assert (found["trial"], found["outcome"]) == ("shop/box@bot#1", "failed")
    grounded = next(score for score in found["scores"] if score["check"] == "grounded")
    assert (grounded["turn"], grounded["value"], grounded["passed"]) == (1, 0.5, False)
    assert set(grounded["explained"]) == {
        "definition",
        "formula",
        "range",
        "evidence",
        "accuracy",
        "blind_spots",
    }
    assert grounded["inputs"]["user"] == ["How heavy is the box?"]
    assert grounded["inputs"]["passages"][0]["text"] == "The box weighs 5 kg. It is sold in Lund."
    assert [each["claim"] for each in grounded["evidence"]["sentences"]] == [False, True, True]


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("boxx", "has no trial 'boxx'", "shop/box@bot#1"),
        ("twice", "'twice' names 2 trials", "name one: shop/twice@bot#1, shop/twice@bot#2"),
    ],
)
def test_a_name_that_means_no_single_trial_is_refused_with_those_there_are(
    folder: Path, name: str, message: str, hint: str
) -> None:
    with pytest.raises(harness.HarnessError, match=message) as caught:
        CliRunner().invoke(cli, ["score", name], catch_exceptions=False)
    assert caught.value.code == "unknown-trial" and hint in str(caught.value.hint)


def test_a_check_that_the_trial_has_not_is_refused_with_the_nearest(folder: Path) -> None:
    result = told("box", "--check", "groundet")
    assert result.exit_code != 0
    assert "no score 'groundet'; did you mean 'grounded'?" in " ".join(result.output.split())


def test_what_an_assistant_says_can_not_drive_the_terminal(folder: Path) -> None:
    (folder / "app.py").write_text("def answer(question):\n    return 'red \\x1b[31m here'\n")
    harness.evaluate("shop.yaml", target="function", target_function="app.py:answer", only="box")
    assert "\x1b" not in told("box", "--explain").output
