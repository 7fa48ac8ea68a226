"""The summary fits its terminal."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from harness.reporters.console import ConsoleReporter


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(run, width):
    lines = ConsoleReporter(width).render(run).splitlines()[1:]
    assert max(map(len, lines)) <= width


def test_a_wide_terminal_shows_every_column(run):
    header = ConsoleReporter(140).render(run).splitlines()[2].split()
    assert header == "suite conversations trials passed failed errored pass rate tokens cost p50 p95".split()


def test_a_narrow_terminal_keeps_the_outcomes(run):
    header = ConsoleReporter(30).render(run).splitlines()[2].split()
    assert header == ["suite", "passed", "failed"]


def test_a_single_suite_has_no_total(run):
    single = replace(run, results=run.results[:2])
    assert "total" not in ConsoleReporter().render(single)


def test_long_lists_are_cut_and_say_so(run):
    many = tuple(replace(run.results[1], conversation=f"c-{n}") for n in range(25))
    text = ConsoleReporter().render(replace(run, results=many, planned=25))
    assert "lending/c-19@main" in text
    assert "lending/c-20@main" not in text
    assert "and 5 more" in text


def test_what_an_assistant_says_cannot_steer_the_terminal(run):
    evil = replace(run.results[4], error="\x1b[2Jcleared\x07")
    text = ConsoleReporter().render(replace(run, results=(evil,)))
    assert "\x1b" not in text
    assert "\x07" not in text


def test_an_interrupted_run_says_what_is_missing(empty):
    text = ConsoleReporter().render(empty)
    assert "interrupted" in text
    assert "5 planned trials without a result" in text


def test_variants_that_were_played_side_by_side_have_a_row_each(run):
    both = [*run.results, *(replace(each, variant="shorter") for each in run.results[:2])]
    text = ConsoleReporter(140).render(replace(run, results=tuple(both), planned=len(both)))
    header, _, main, shorter, hint = text[text.index("\nvariant ") :].split("\n\n")[0].strip().splitlines()
    assert (header.split()[0], main.split()[0]) == ("variant", "main")
    assert shorter.split()[:5] == ["shorter", "1", "2", "1", "1"]
    assert hint.endswith(f"harness compare {run.id} --variants main,shorter")


def test_suites_with_an_assistant_each_are_no_comparison_of_variants(run):
    apart = [replace(each, variant=each.suite) for each in run.results]
    assert "\nvariant " not in ConsoleReporter(140).render(replace(run, results=tuple(apart)))
