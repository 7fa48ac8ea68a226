"""Rubrics that nobody could judge by, and expectations without a rubric, are named with their places."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import Suite, Talk
from harness.errors import SuiteError
from harness.suite.load import load_suite, load_suites
from harness.suite.records import Rubric, judged_of

HEAD = "suite: s\nassistant: a.yaml\n"
TALK = "conversations: [{id: c, turns: [{user: hi, expect: {judge: %s}}]}]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text("name: A\nmodel: m\n")
    return tmp_path


def problems(folder: Path, rubrics: str, judge: str = "r") -> list[str]:
    (folder / "s.yaml").write_text(f"{HEAD}rubrics:\n  r: {rubrics}\n{TALK % judge}")
    with pytest.raises(SuiteError) as caught:
        load_suite(folder / "s.yaml")
    return [str(each).replace(f"{folder}/", "") for each in caught.value.problems]


@pytest.mark.parametrize(
    ("rubrics", "told"),
    [
        ("{asks: '  '}", "s.yaml:4:13: the rubric asks nothing"),
        ("{asks: x, scale: 5, labels: [a, b]}", "one of labels, scale and compares, not labels and scale"),
        ("{asks: x, labels: [a]}", "a judge needs two labels at least, not 1"),
        ("{asks: x, labels: [a, a]}", "s.yaml:4:28: the label 'a' stands twice"),
        ("{asks: x, labels: [a, Abstain]}", "the label 'Abstain' is taken"),
        ("{asks: x, labels: {good: fine, bad: not}, pass: [god]}", "pass names 'god', which is no label"),
        ("{asks: x, labels: [a, b], pass: [a, b]}", "every label passes, so nothing could ever fail"),
        ("{asks: x, scale: 5, pass: 6}", "pass is the least number that is enough: 2 to 5, not 6"),
        ("{asks: x, scale: 5, pass: good}", "2 to 5, not 'good'"),
        ("{asks: x, votes: 0}", "votes must be at least 1"),
        ("{ask: x}", "unknown key 'ask'"),
    ],
)
def test_a_rubric_that_can_not_be_judged_by_is_refused(folder: Path, rubrics: str, told: str) -> None:
    assert any(told in each for each in problems(folder, rubrics))


@pytest.mark.parametrize(
    ("judge", "told"),
    [
        ("q", "s.yaml:5:60: there is no rubric 'q'"),
        ("[r, r]", "the rubric 'r' is named twice"),
        ("{rubric: r, against: x}", "compares nothing, so against has no meaning"),
    ],
)
def test_an_expectation_must_name_what_is_there(folder: Path, judge: str, told: str) -> None:
    assert told in problems(folder, "{asks: x}", judge)[0]


def test_a_rubric_that_compares_needs_the_other_answer(folder: Path) -> None:
    assert "nothing says with what" in problems(folder, "{asks: x, compares: true}")[0]


def test_an_expectation_of_the_suite_is_checked_for_every_turn(folder: Path) -> None:
    text = f"{HEAD}expect: {{judge: typo}}\nrubrics: {{tone: {{asks: x}}}}\n"
    (folder / "s.yaml").write_text(text + "conversations: [{id: c, turns: [{user: hi}]}]\n")
    with pytest.raises(SuiteError, match="there is no rubric 'typo'"):
        load_suite(folder / "s.yaml")


def test_changing_a_rubric_makes_another_suite(folder: Path) -> None:
    prints = set()
    for asks in ("x", "y"):
        (folder / "s.yaml").write_text(f"{HEAD}rubrics: {{r: {{asks: {asks}}}}}\n{TALK % 'r'}")
        prints.add(load_suite(folder / "s.yaml").fingerprint)
    assert len(prints) == 2


def test_what_passes_follows_from_the_kind_of_rubric() -> None:
    def passing(**given: object) -> tuple[str, ...]:
        return Rubric.model_validate({"asks": "x", **given}, by_alias=True).passing

    assert passing() == ("pass",)
    assert passing(labels=["good", "bad"]) == ("good",)
    assert passing(labels=["good", "fair", "bad"], **{"pass": ["good", "fair"]}) == ("good", "fair")
    assert passing(scale=5) == ("3", "4", "5")
    assert passing(scale=4, **{"pass": 4}) == ("4",)
    assert passing(compares=True) == ("better", "same")


def test_a_judge_is_named_by_a_word_a_block_or_a_list() -> None:
    assert [each.rubric for each in judged_of("a")] == ["a"]
    assert judged_of(None) == ()


def test_suites_in_python_have_rubrics_too(folder: Path) -> None:
    good = Suite("p", assistant=folder / "a.yaml", rubrics={"kind": {"asks": "Is it kind?", "votes": 1}})

    @good.conversation
    async def hello(talk: Talk) -> None:
        await talk.say("Hello", expect={"judge": "kind"})

    [suite] = load_suites(made=[good])
    assert suite.rubrics["kind"].votes == 1

    bad = Suite("q", assistant=folder / "a.yaml", rubrics={"kind": {"asks": "Is it kind?"}})

    @bad.conversation
    async def hello_again(talk: Talk) -> None:
        await talk.say("Hello", expect={"judge": "kin"})

    with pytest.raises(SuiteError, match="there is no rubric 'kin'") as caught:
        load_suites(made=[bad])
    assert "did you mean 'kind'" in str(caught.value)
