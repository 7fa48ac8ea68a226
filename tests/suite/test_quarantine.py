"""A conversation may be put in quarantine, until a day and for a reason, and not for long."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Suite
from harness.errors import SuiteError
from harness.suite.load import load_suites
from harness.suite.quarantine import MOST_DAYS

TODAY = date(2026, 6, 1)
TALKS = """\
conversations:
  - id: plain
    tags: [money]
    turns: [{user: Hi}]
  - id: own
    quarantine: {until: 2026-06-20, reason: the model guesses}
    turns: [{user: Hi}]
"""
ONE = "conversations: [{id: a, turns: [{user: Hi}]}]\n"


@pytest.fixture
def loaded(place):
    """The suite of a text, loaded on a day."""

    def load(text, today=TODAY):
        [suite] = load_suites([place("s.yaml", text)], today=today)
        return suite

    return load


@pytest.fixture
def refused(loaded):
    """Every mistake in the text of a suite, rendered."""

    def load(text, today=TODAY):
        with pytest.raises(SuiteError) as caught:
            loaded(text, today)
        return [str(problem) for problem in caught.value.problems]

    return load


def kept(suite):
    return {
        each.id: each.quarantine and (str(each.quarantine.until), each.quarantine.reason)
        for each in suite.conversations
    }


def test_a_conversation_says_until_when_and_why(loaded):
    suite = loaded(f"suite: s\nassistant: bot.yaml\n{TALKS}")
    assert kept(suite) == {"plain": None, "own": ("2026-06-20", "the model guesses")}


def test_the_quarantine_of_a_suite_covers_what_has_none_of_its_own(loaded):
    text = f"suite: s\nquarantine: {{until: 2026-06-10, reason: a new model}}\n{TALKS}"
    assert kept(loaded(text)) == {
        "plain": ("2026-06-10", "a new model"),
        "own": ("2026-06-20", "the model guesses"),
    }


def test_the_quarantine_of_a_suite_may_cover_a_tag_alone(loaded):
    text = f"suite: s\nquarantine: {{until: 2026-06-10, reason: prices change, tags: [money]}}\n{TALKS}"
    assert kept(loaded(text)) == {
        "plain": ("2026-06-10", "prices change"),
        "own": ("2026-06-20", "the model guesses"),
    }
    elsewhere = text.replace("tags: [money]\n", "tags: [news]\n")
    with pytest.raises(SuiteError, match="no conversation has the tag 'money'"):
        loaded(elsewhere)


def test_a_tag_that_nothing_has_is_a_mistake_with_its_place(refused):
    text = f"suite: s\nquarantine: {{until: 2026-06-10, reason: r, tags: [monney]}}\n{TALKS}"
    [problem] = refused(text)
    assert problem.startswith("s.yaml:2:51: no conversation has the tag 'monney'")
    assert "did you mean 'money'?" in problem


def test_a_row_of_a_table_may_say_it(loaded, place):
    place("rows.csv", "id,until\n1,2026-06-20\n2,2026-06-21\n")
    suite = loaded(
        """\
        suite: s
        conversations:
          - foreach: rows.csv
            id: "row-{{ id }}"
            quarantine: {until: "{{ until }}", reason: looked at}
            turns: [{user: Hi}]
        """
    )
    assert [str(each.quarantine.until) for each in suite.conversations] == ["2026-06-20", "2026-06-21"]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{reason: r}", "quarantine has no 'until'"),
        ("{until: 2026-06-20}", "quarantine has no 'reason'"),
        ("{until: soon, reason: r}", "quarantine.until must be a day such as 2026-12-31, not 'soon'"),
        (
            "{until: 2026-02-30, reason: r}",
            "quarantine.until must be a day such as 2026-12-31, not '2026-02-30'",
        ),
        ('{until: 2026-06-20, reason: ""}', "quarantine.reason must not be empty"),
        ('{until: 2026-06-20, reason: " "}', "the reason is empty"),
        ("{until: 2026-08-31, reason: r}", "a quarantine until 2026-08-31 is longer than 90 days"),
        ("{until: 2026-06-20, reason: r, tags: [a]}", "unknown key 'tags' in quarantine"),
        ("true", "quarantine must be a block with until, reason, not true"),
    ],
)
def test_what_is_no_quarantine_is_refused_in_its_place(refused, written, told):
    text = f"suite: s\nconversations:\n  - id: a\n    quarantine: {written}\n    turns: [{{user: Hi}}]\n"
    [problem] = refused(text)
    assert problem.startswith("s.yaml:4:")
    assert told in problem


def test_how_long_it_may_still_be_is_said(refused):
    text = f"suite: s\nquarantine: {{until: 2027-01-01, reason: r}}\n{TALKS}"
    assert "name a day up to 2026-08-30" in refused(text)[0]


@given(ahead=st.integers(-1000, MOST_DAYS))
def test_every_day_up_to_the_longest_is_taken_and_only_past_ones_are_over(tmp_path_factory, ahead):
    path = tmp_path_factory.mktemp("suite") / "s.yaml"
    until = TODAY + timedelta(days=ahead)
    path.write_text(f"suite: s\nquarantine: {{until: {until}, reason: r}}\n{ONE}")
    [suite] = load_suites([path], today=TODAY)
    assert bool(suite.expired) == (ahead < 0)


def test_one_that_is_over_is_no_mistake_but_has_its_place(loaded):
    suite = loaded(f"suite: s\n{TALKS}", today=date(2026, 6, 21))
    [problem] = suite.expired
    assert str(problem).startswith("s.yaml:7:25: the quarantine was over on 2026-06-20")


def test_quarantine_changes_nothing_of_what_is_asked(loaded):
    text = "suite: s\nconversations:\n  - id: a\n    turns: [{user: Hi}]\n"
    kept = text.replace("    turns", "    quarantine: {until: 2026-06-20, reason: r}\n    turns")
    assert loaded(text).fingerprint == loaded(kept).fingerprint


def test_a_suite_in_python_says_it_with_a_day_or_its_text(place):
    made = Suite("made", quarantine={"until": date(2026, 6, 10), "reason": "all of it", "tags": ["new"]})

    @made.conversation(tags=["new"])
    async def first(talk): ...

    @made.conversation(quarantine={"until": "2026-06-20", "reason": "its own"})
    async def second(talk): ...

    [suite] = load_suites(made=[made], today=TODAY)
    assert kept(suite) == {"first": ("2026-06-10", "all of it"), "second": ("2026-06-20", "its own")}
    assert not suite.expired
    [later] = load_suites(made=[made], today=date(2026, 6, 15))
    [problem] = later.expired
    assert problem.where.file == __file__


def test_a_suite_in_python_has_its_mistakes_told_in_their_lines(place):
    made = Suite("made")

    @made.conversation(quarantine={"until": "2027-06-20", "reason": "r"})
    async def first(talk): ...

    with pytest.raises(SuiteError, match="longer than 90 days") as caught:
        load_suites(made=[made], today=TODAY)
    assert caught.value.problems[0].where.line


def test_the_example_in_the_documentation_can_be_used(loaded):
    page = (Path(__file__).parents[2] / "docs" / "flakiness.md").read_text("utf-8")
    [example] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    prices = "  - {id: discount, tags: [prices], turns: [{user: What does it cost?}]}\n"
    suite = loaded(example + prices, today=date(2026, 11, 20))
    assert kept(suite)["discount"] == ("2026-12-15", "new price list, #412")
    assert kept(suite)["crash-needs-a-human"][0] == "2026-12-01"
