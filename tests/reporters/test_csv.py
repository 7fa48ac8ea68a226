"""A table that other programs read back."""

from __future__ import annotations

import csv
import io

from harness.reporters.csv import CsvReporter


def rows(run) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(CsvReporter().render(run), newline="")))


def test_each_trial_is_a_row_in_the_order_of_the_plan(run):
    assert [row["trial_id"] for row in rows(run)] == [result.trial_id for result in run.results]


def test_passed_is_a_number_and_empty_where_nothing_was_judged(run):
    by_id = {row["trial_id"]: row for row in rows(run)}
    assert by_id["lending/renew-a-loan@main#1"]["passed"] == "1"
    assert by_id["lending/renew-a-loan@main#2"]["passed"] == "0"
    printer = by_id["lending/printer@main#1"]
    assert (printer["passed"], printer["cost_usd"], printer["prompt_tokens"]) == ("", "", "")


def test_the_columns_that_statistics_need_come_first(run):
    header = CsvReporter().render(run).splitlines()[0]
    assert header.startswith("case_id,cluster,variant,trial,passed,score,cost_usd,latency_s,")


def test_the_score_is_the_share_of_judged_expectations_that_were_met(run):
    assert rows(run)[1]["score"] == "0.8"
