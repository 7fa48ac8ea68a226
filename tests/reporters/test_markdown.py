"""A summary that shows what others wrote and runs none of it."""

from __future__ import annotations

import html
import re

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.reporters.markdown import MARKER, MarkdownReporter


def test_a_bot_finds_the_summary_by_its_first_line(run):
    assert MarkdownReporter().render(run).startswith(MARKER + "\n")


def test_all_passed_reads_well(run):
    text = MarkdownReporter().render(replace(run, results=run.results[7:], planned=2))
    assert "✅ 2 of 2 conversations passed" in text
    assert "Not passed" not in text


def test_nothing_passed_is_not_well(empty):
    assert "❌ 0 of 0 conversations passed" in MarkdownReporter().render(empty)


def test_long_lists_are_cut_and_say_so(run):
    many = tuple(replace(run.results[1], conversation=f"c{n}") for n in range(60))
    text = MarkdownReporter().render(replace(run, results=many))
    assert "Not passed: 60" in text
    assert "and 10 more." in text


@given(st.text(min_size=1))
def test_any_reason_stays_one_table_cell_of_plain_text(run, reason):
    odd = replace(run.results[4], error=reason)
    lines = MarkdownReporter().render(replace(run, results=(odd,))).split("\n")
    (row,) = [line for line in lines if line.startswith("| lending/printer")]
    assert row.count("|") == 4
    cell = row.split("|")[3]
    assert not re.search(r"[<>`*_\[\]@]", cell)
    assert html.unescape(cell).count("|") == " ".join(reason.split())[:199].count("|") or len(reason) > 190
