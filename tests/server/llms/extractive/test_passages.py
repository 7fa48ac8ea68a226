"""Chunks as quotable units: layouts of PDF pages, Markdown and tables."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from harness.server.llms.extractive.passages import units_of
from harness.text import fold

WRAPPED = """Opening a case
The desk is open on weekdays. A case is opened by telephone or in the app, and it is answered within
two working days.
1. Say what happened and when it happened, and name the number of the contract if you have it at
hand.
2. Wait for the answer.
Fees
A case is free."""


def test_headings_of_wrapped_text_are_context_and_not_quoted():
    units = units_of(WRAPPED)
    assert "Opening a case" not in [unit.text for unit in units]
    assert "open" in units[0].heading
    assert units[-1].text == "A case is free."
    assert units[-1].heading == {"fee"}


def test_wrapped_lines_are_joined_and_steps_keep_their_numbers():
    steps = [unit for unit in units_of(WRAPPED) if unit.kind == "step"]
    assert [unit.number for unit in steps] == [1, 2]
    assert steps[0].text.endswith("if you have it at hand.")


def test_table_rows_are_told_in_words_with_their_columns():
    rows = [
        u.text
        for u in units_of(
            "# Plans\n\n| Plan | Price | Seats |\n| --- | --- | --- |\n| Solo | 9 euros | 1 |\n"
        )
    ]
    assert rows == ["Solo: Price 9 euros, Seats 1"]


def test_marks_of_layout_are_removed():
    texts = [
        u.text
        for u in units_of(
            "* **Bold** and [a link](https://x.example) and `code`.\n\n## Title\n\n> text 【1:0†a】."
        )
    ]
    assert texts[0] == "Bold and a link and code."
    assert all("【" not in text for text in texts)


def test_a_sentence_cut_by_the_edge_of_the_chunk_is_marked():
    units = units_of("of the room. The desk is open. It closes when the")
    assert [unit.whole for unit in units] == [False, True, False]


@given(st.text(alphabet=st.sampled_from("ab A.1)#|*-\n\r\t>`?:"), max_size=200))
def test_units_only_hold_words_of_the_chunk(chunk):
    words = set(re.findall(r"\w+", fold(chunk)))
    for unit in units_of(chunk):
        assert set(re.findall(r"\w+", fold(unit.text))) <= words | set(
            re.findall(r"\w+", re.sub(r"[*`]", "", fold(chunk)))
        )
