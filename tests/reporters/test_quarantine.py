"""However much is in quarantine, reports stay short, and say how much there is."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from harness.reporters.interface import reporter
from harness.results import Quarantine

HOSTILE = "<script>window.attacked = 3</script>|@everyone"


@pytest.fixture
def kept(run):
    """The suite run with 300 conversations in quarantine, each failed, and a hostile reason."""
    said = Quarantine(until=date(2026, 3, 20), reason=HOSTILE, in_force=True)
    failed = next(each for each in run.results if each.outcome == "failed")
    many = [
        replace(failed, conversation=f"kept-{number}", trial_id=f"kept-{number}", quarantine=said)
        for number in range(300)
    ]
    return replace(run, results=(*run.results, *many), planned=309)


def test_the_summary_lists_some_and_counts_all(kept):
    text = reporter("console").render(kept)
    assert "3 of 7 conversations passed" in text
    assert "300 in quarantine" in text
    assert text.count("failed   lending/kept-") == 20
    assert "… and 280 more: all of them are in the report" in text


def test_markdown_lists_some_and_counts_all(kept):
    text = reporter("markdown").render(kept)
    assert "In quarantine, deciding nothing: 300" in text
    assert "and 250 more." in text
    assert "<script>" not in text
    assert "@everyone" not in text


def test_the_page_lists_some_has_all_and_shows_a_reason_as_text(kept):
    text = reporter("html").render(kept)
    assert "100 more conversations, all of them in the list below." in text
    assert HOSTILE not in text
    assert "&lt;script&gt;window.attacked = 3" in text


def test_a_failing_conversation_in_quarantine_is_not_among_those_that_did_not_pass(kept):
    text = reporter("console").render(kept)
    listed = text.partition("Not passed: ")[2].partition("\n\n")[0]
    assert listed.startswith("4 of 7 conversations")
    assert "kept-" not in listed
