"""Tables for notebooks, in which the unknown is missing."""

from __future__ import annotations

import pytest

from harness.reporters.tables import scores_frame, trials_frame, turns_frame


def test_trials_are_rows_and_add_up(run):
    frame = trials_frame(run)
    assert list(frame["trial_id"]) == [result.trial_id for result in run.results]
    assert frame["cost_usd"].sum() == pytest.approx(8 * 0.000913)
    assert frame.loc[frame["conversation"] == "printer", ["cost_usd", "prompt_tokens"]].isna().all(axis=None)
    assert str(frame["started_at"].dt.tz) == "UTC"


def test_scores_are_rows_and_may_be_without_judgement(run):
    frame = scores_frame(run)
    assert len(frame) == sum(len(result.scores) for result in run.results)
    assert frame.loc[frame["check"] == "tone", "passed"].isna().all()
    assert frame.groupby("check")["passed"].mean()["grounded"] == 0.75
    assert frame.loc[frame["check"] == "latency_s", "turn"].isna().all()


def test_turns_are_rows_with_what_was_said_and_found(run):
    frame = turns_frame(run)
    assert len(frame) == 12
    first = frame.iloc[0]
    assert (first["search_results"], first["citations"], first["steps"]) == (2, 1, 2)
    assert frame.loc[frame["conversation"] == "printer", "answer"].tolist() == [""]


@pytest.mark.parametrize("make", [trials_frame, scores_frame, turns_frame])
def test_a_run_without_results_has_the_same_columns_and_types(run, empty, make):
    frame = make(empty)
    assert len(frame) == 0
    assert list(frame.columns) == list(make(run).columns)
    typed = [name for name in frame.columns if frame[name].dtype != object]
    assert {name: frame[name].dtype for name in typed} == {name: make(run)[name].dtype for name in typed}
