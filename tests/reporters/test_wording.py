"""Numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reporters import wording
from harness.reporters.brief import brief
from harness.reporters.summary import Group, Summary
from harness.results import Spending, SuiteRun


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("1234.5", "$1,234.50"),
        ("1", "$1.00"),
        ("0.5", "$0.50"),
        ("0.123456", "$0.123"),
        ("0.0123", "$0.0123"),
        ("0.0000375", "$0.0000375"),
        ("0.010", "$0.01"),
    ],
)
def test_dollars_show_the_digits_that_matter(amount, text):
    assert wording.dollars(Decimal(amount)) == text


@given(st.decimals("0.000000001", "0.9"))
def test_a_cost_is_never_shown_as_nothing(amount):
    assert Decimal(wording.dollars(amount).removeprefix("$")) > 0


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (None, "–"),
        (0.0004, "0.4 ms"),
        (0.34, "340 ms"),
        (0.9996, "1.0 s"),
        (2.44, "2.4 s"),
        (9.99, "10 s"),
        (75, "75 s"),
        (725, "12 min 5 s"),
        (10_920, "3 h 2 min"),
    ],
)
def test_durations_have_the_unit_that_fits(duration_s, text):
    assert wording.seconds(duration_s) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (1, "100%"), (0.9999, "99.9%"), (0, "0%"), (0.0001, "0.1%"), (0.625, "62.5%")],
)
def test_a_share_is_all_or_nothing_only_when_it_is(share, text):
    assert wording.percent(share) == text


def test_a_partly_unknown_cost_says_how_much_is_unknown_and_why(run):
    total = Summary(run).total
    assert wording.cost(total) == "$0.0073 + unknown for 1 trial (the target reported no usage)"
    assert wording.short_cost(total) == "≥ $0.0073"
    assert wording.tokens(total) == "≥ 13,662"


def test_a_wholly_unknown_cost_says_why(run):
    errored = Group("e", tuple(brief(result) for result in run.results if result.outcome == "errored"))
    assert wording.cost(errored) == "unknown (the target reported no usage)"
    assert wording.short_cost(errored) == wording.tokens(errored) == "unknown"


def test_nothing_costs_nothing_to_speak_of():
    assert wording.cost(Group("none", ())) == wording.tokens(Group("none", ())) == "–"


@given(st.text(), st.integers(1, 50))
def test_one_line_is_one_line_and_not_too_long(text, most):
    line = wording.one_line(text, most)
    assert len(line) <= most
    assert len(line.splitlines()) <= 1


@given(st.text())
def test_printable_text_holds_no_control_characters(text):
    assert wording.printable(text).isprintable()


def test_a_budget_says_what_is_left_and_what_is_only_a_worst_case() -> None:
    suite_run = SuiteRun(
        id="r",
        started_at=datetime(2026, 11, 1, tzinfo=UTC),
        target="chat",
        status="budget_exhausted",
        planned=1,
    )
    assert (wording.budget(suite_run), wording.status(suite_run)) == ("", "budget exhausted")
    spending = Spending(requests=9, spent_usd=Decimal("1.25"), unknown_usd=Decimal("0.0125"), overcharged=1)
    settings = {"budget_usd": "2.00"}
    told = wording.budget(msgspec.structs.replace(suite_run, settings=settings, spending=spending))
    assert told == (
        "spent $1.25; $0.75 left of $2.00; $0.0125 of what is spent is a worst case, the cost unknown; "
        "1 request charged more than the limits sent with them allow"
    )
