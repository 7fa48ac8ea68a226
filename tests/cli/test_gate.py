"""The commands of verdicts: gate, stats, plan and export."""

from __future__ import annotations

import csv
import errno
import importlib.util
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from harness import workflows
from harness.cli import exit_code
from harness.results import Score, SuiteRun, TrialResult
from harness.store.store import Store

COLUMNS = "case_id cluster variant trial passed score cost_usd latency_s".split()


def table(folder: Path, baseline, candidate, name: str = "trials.csv") -> str:
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for variant, cases in (("baseline", baseline), ("candidate", candidate)):
        for case, trials in enumerate(cases):
            for trial, passed in enumerate(trials, start=1):
                rows.writerow([f"case-{case}", f"topic-{case}", variant, trial, passed, passed, 0.01, 1.5])
    file = folder / name
    file.write_text(text.getvalue(), "utf-8")
    return str(file)


GREEN = [[1] * 5] * 100
VERDICTS = {
    "pass": (GREEN, GREEN, 0),
    "fail": ([[1] * 5] * 10, [[0] * 5] * 10, 1),
    "inconclusive": ([[1]] * 10, [[1]] * 10, 2),
}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_verdict_is_printed_written_and_exited_with(tmp_path, capsys, verdict):
    baseline, candidate, code = VERDICTS[verdict]
    out = tmp_path / "out" / "verdict.json"
    assert exit_code(["gate", "--csv", table(tmp_path, baseline, candidate), "--json", str(out)]) == code
    assert capsys.readouterr().out.startswith(f"{verdict}: ")
    assert json.loads(out.read_text("utf-8"))["verdict"] == verdict


@pytest.mark.parametrize(("policy", "code"), [("pass", 0), ("fail", 1)])
def test_a_policy_decides_the_exit_code_and_not_the_verdict(tmp_path, capsys, policy, code):
    file = table(tmp_path, [[1]] * 10, [[1]] * 10)
    assert exit_code(["gate", "--csv", file, "--on-inconclusive", policy]) == code
    assert capsys.readouterr().out.startswith("inconclusive: ")


def test_a_policy_for_the_inconclusive_leaves_a_failure_alone(tmp_path):
    file = table(tmp_path, [[1] * 5] * 10, [[0] * 5] * 10)
    assert exit_code(["gate", "--csv", file, "--on-inconclusive", "pass"]) == 1


def test_a_wider_margin_can_be_proven(tmp_path):
    file = table(tmp_path, [[1] * 3] * 20, [[1] * 3] * 20)
    assert exit_code(["gate", "--csv", file, "--margin", "0.04"]) == 2
    assert exit_code(["gate", "--csv", file, "--margin", "0.10", "--alpha", "0.01"]) == 0


def test_variants_may_have_names_of_their_own(tmp_path):
    file = Path(table(tmp_path, GREEN, GREEN))
    file.write_text(file.read_text("utf-8").replace("baseline", "main").replace("candidate", "new"), "utf-8")
    assert exit_code(["gate", "--csv", str(file), "--baseline", "main", "--candidate", "new"]) == 0
    assert exit_code(["gate", "--csv", str(file)]) == 64


def test_a_variant_is_not_compared_with_itself(tmp_path, capsys):
    file = table(tmp_path, GREEN, GREEN)
    assert exit_code(["gate", "--csv", file, "--baseline", "candidate"]) == 64
    assert "--baseline and --candidate are both 'candidate'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--csv"],
        ["--csv", "nothing.csv"],
        ["--csv", "trials.csv", "--margin", "much"],
        ["--csv", "trials.csv", "--margin", "0"],
        ["--csv", "trials.csv", "--alpha", "nan"],
        ["--csv", "trials.csv", "--metric", "taste"],
        ["--csv", "trials.csv", "--no-such-option"],
        ["--csv", "empty.csv"],
        ["--csv", "damaged.csv"],
        ["--csv", "."],
    ],
    ids=" ".join,
)
def test_no_mistake_looks_like_a_verdict(tmp_path, monkeypatch, capsys, arguments):
    table(tmp_path, GREEN, GREEN)
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "damaged.csv").write_text("case_id,variant,passed\na,baseline,maybe\nb\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    assert exit_code(["gate", *arguments]) == 64
    told = capsys.readouterr()
    assert "rror" in told.err
    assert not told.out


def test_all_mistakes_of_a_table_are_named_at_once(tmp_path, capsys):
    file = tmp_path / "t.csv"
    file.write_text("case_id,variant,passed\na,baseline,maybe\nb,other,1\n", "utf-8")
    assert exit_code(["--debug", "gate", "--csv", str(file)]) == 64
    told = capsys.readouterr().err
    assert f"{file}:2:12: passed 'maybe'" in told
    assert f"{file}:3:3: variant 'other'" in told
    assert "[table-invalid]" in told


def test_a_verdict_that_can_not_be_written_is_none(tmp_path, capsys):
    out = tmp_path / "trials.csv" / "verdict.json"
    assert exit_code(["gate", "--csv", table(tmp_path, GREEN, GREEN), "--json", str(out)]) == 70
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("fault", "code"),
    [(RuntimeError("broken"), 70), (MemoryError(), 70), (KeyboardInterrupt(), 130)],
    ids=repr,
)
def test_an_error_of_our_own_is_no_verdict(tmp_path, monkeypatch, capsys, fault, code):
    def fails(*_):
        raise fault

    monkeypatch.setattr(workflows, "gate_table", fails)
    assert exit_code(["gate", "--csv", table(tmp_path, GREEN, GREEN)]) == code
    assert not capsys.readouterr().out


def test_a_reader_that_went_away_gets_no_verdict(tmp_path, monkeypatch):
    def fails(*_):
        raise BrokenPipeError(errno.EPIPE, "gone")

    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    monkeypatch.setattr(workflows, "gate_table", fails)
    assert exit_code(["gate", "--csv", table(tmp_path, GREEN, GREEN)]) == 70


# --- stats ------------------------------------------------------------------------------------------------


def test_one_runs_statistics_list_pass_hat_and_pass_at_from_one_trial_on(tmp_path, capsys):
    file = tmp_path / "t.csv"
    rows = [f"case-{case},{passed}" for case, row in enumerate(["11110", "11111", "00000"]) for passed in row]
    file.write_text("case_id,passed\n" + "\n".join(rows) + "\n", "utf-8")
    out = tmp_path / "stats.json"
    assert exit_code(["stats", "--csv", str(file), "--json", str(out)]) == 0
    found = json.loads(out.read_text("utf-8"))
    assert found["pass_hat"] == pytest.approx([0.6, (0.6 + 1) / 3, (0.4 + 1) / 3, (0.2 + 1) / 3, 1 / 3])
    assert found["pass_at"] == pytest.approx([0.6, 2 / 3, 2 / 3, 2 / 3, 2 / 3])
    assert (found["flaky"], found["flaky_counts"]) == (["case-0"], {"case-0": "4/5"})
    assert found["suite"][0] < found["rate"] == 0.6 < found["suite"][1]
    assert found["population"][0] < found["suite"][0]
    told = capsys.readouterr().out
    assert "population (conversations like these)" in told
    assert "case-0 4/5" in told


def test_every_variant_of_a_table_has_its_statistics(tmp_path):
    file, out = table(tmp_path, [[1, 0]] * 4, [[1, 1]] * 4), tmp_path / "stats.json"
    assert exit_code(["stats", "--csv", file, "--json", str(out)]) == 0
    assert json.loads(out.read_text("utf-8"))["variants"]["candidate"]["rate"] == 1
    assert exit_code(["stats", "--csv", file, "--variant", "baseline", "--json", str(out)]) == 0
    assert json.loads(out.read_text("utf-8"))["rate"] == 0.5


def test_trials_without_a_judgement_are_counted_apart(tmp_path):
    file, out = tmp_path / "t.csv", tmp_path / "stats.json"
    file.write_text("case_id,passed\na,1\na,\nb,\n", "utf-8")
    assert exit_code(["stats", "--csv", str(file), "--json", str(out)]) == 0
    found = json.loads(out.read_text("utf-8"))
    assert (found["trials"], found["missing_trials"], found["unjudged"]) == (1, 2, ["b"])


@pytest.mark.parametrize(
    "content", ["case_id,passed\na,\n", "case_id\na\n", ""], ids=["unjudged", "no column", "empty"]
)
def test_a_table_without_statistics_is_a_mistake(tmp_path, capsys, content):
    file = tmp_path / "t.csv"
    file.write_text(content, "utf-8")
    assert exit_code(["stats", "--csv", str(file)]) == 4
    assert "[table-invalid]" in capsys.readouterr().err


def test_an_unknown_variant_names_those_there_are(tmp_path, capsys):
    assert exit_code(["stats", "--csv", table(tmp_path, [[1]], [[1]]), "--variant", "b"]) == 4
    assert "'baseline', 'candidate'" in capsys.readouterr().err


# --- plan -------------------------------------------------------------------------------------------------


def test_a_plan_says_how_many_trials_a_drop_takes(tmp_path, capsys):
    out = tmp_path / "plan.json"
    assert exit_code(["plan", "--drop", "0.05", "--cases", "30", "--json", str(out)]) == 0
    assert "16 trials per case and variant to find a drop of 5.0%" in capsys.readouterr().out
    found = json.loads(out.read_text("utf-8"))
    assert (found["needed"], len(found["levels"])) == (16, 15)


def test_a_pilot_tells_cases_variance_and_cost(tmp_path, capsys):
    file = table(tmp_path, [[1, 0]] * 10 + [[1, 1]] * 20, [[1, 0]] * 10 + [[1, 1]] * 20)
    assert exit_code(["plan", "--drop", "0.10", "--csv", file, "--trials", "2"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("30 cases, variance between trials 0.167 (from the pilot)")
    assert "at $0.01 a trial: $" in told


@pytest.mark.parametrize(
    "arguments",
    [[], ["--cases", "10", "--drop", "2"], ["--cases", "0"], ["--cases", "9", "--variance", "0.9"]],
    ids=" ".join,
)
def test_a_plan_for_nothing_is_refused(arguments):
    assert exit_code(["plan", *arguments]) == 4


# --- stored runs ------------------------------------------------------------------------------------------


FIRST, SECOND = "20260301-080000-first", "20260302-080000-second"


@pytest.fixture
def store(tmp_path) -> str:
    place = str(tmp_path / "store.sqlite")
    with Store.open(place) as kept:
        _keep(kept, FIRST, 1.0, datetime(2026, 3, 1, 8, tzinfo=UTC))
        _keep(kept, SECOND, 0.0, datetime(2026, 3, 2, 8, tzinfo=UTC))
    return place


def _keep(
    store: Store, run_id: str, rate: float, at: datetime, *, cases: int = 10, **settings: object
) -> None:
    results = [_result(case, repeat, rate, at) for case in range(cases) for repeat in range(1, 6)]
    _keep_results(store, run_id, results, **settings)


def _keep_results(store: Store, run_id: str, results: list[TrialResult], **settings: object) -> None:
    store.begin_run(
        SuiteRun(
            id=run_id,
            started_at=results[0].started_at,
            target="embedded",
            status="finished",
            planned=len(results),
            settings=settings,
            results=tuple(results),
        )
    )


def _result(case: int, repeat: int, rate: float, at: datetime) -> TrialResult:
    score = Score(
        check="answer", scorer="answers", turn=0, value=bool(rate), passed=bool(rate), reason="because"
    )
    return TrialResult(
        trial_id=f"desk/case-{case}@main#{repeat}",
        suite="desk",
        conversation=f"case-{case}",
        variant="main",
        fingerprint="f",
        repeat=repeat,
        outcome="passed" if rate else "failed",
        started_at=at,
        ended_at=at,
        scores=(score,),
        cost_usd=Decimal("0.002"),
        latency_s=1.0,
    )


def test_two_stored_runs_become_a_table_that_the_gate_reads(tmp_path, store):
    out = tmp_path / "trials.csv"
    named = ["--baseline", FIRST, "--candidate", "latest", "--out", str(out)]
    assert exit_code(["export", *named, "--store", store]) == 0
    assert exit_code(["gate", "--csv", str(out)]) == 1
    assert exit_code(["gate", "--csv", str(out), "--metric", "cost_usd", "--margin", "0.1"]) == 0


def test_a_run_becomes_a_table_of_its_own_on_the_terminal(store, capsys):
    assert exit_code(["export", FIRST, "--store", store]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert (len(rows), rows[0]["case_id"], rows[0]["variant"]) == (50, "desk/case-0", "main")


def test_several_runs_of_a_variant_become_one_table_with_a_number_for_each_pass(tmp_path, store, capsys):
    out = tmp_path / "trials.csv"
    assert exit_code(["export", FIRST, SECOND, "--out", str(out), "--store", store]) == 0
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {int(row["trial"]) for row in rows if row["run_id"] == FIRST} == {1, 2, 3, 4, 5}
    assert {int(row["trial"]) for row in rows if row["run_id"] == SECOND} == {6, 7, 8, 9, 10}
    assert exit_code(["stats", "--csv", str(out), "--json", str(tmp_path / "s.json")]) == 0
    assert json.loads((tmp_path / "s.json").read_text("utf-8"))["trials"] == 100


@pytest.mark.parametrize("named", [[SECOND, "latest"], ["--baseline", SECOND, "--candidate", "latest"]])
def test_the_same_run_is_not_exported_twice_as_if_it_were_new_evidence(store, capsys, named):
    assert exit_code(["export", *named, "--store", store]) == 4
    assert f"the run {SECOND} is named twice" in capsys.readouterr().err


def test_json_lines_have_numbers_and_null(store, capsys):
    assert exit_code(["export", "latest", "--format", "jsonl", "--store", store]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["passed"], first["score"], first["cost_usd"], first["prompt_tokens"]) == (
        0,
        0.0,
        0.002,
        None,
    )


def test_a_run_with_several_variants_keeps_their_names(tmp_path, store, capsys):
    at = datetime(2026, 3, 3, 8, tzinfo=UTC)
    results = (
        _result(1, 1, 1.0, at),
        msgspec.structs.replace(_result(1, 1, 1.0, at), variant="b", trial_id="t"),
    )
    with Store.open(store) as kept:
        run = SuiteRun("20260303-080000-both", at, "embedded", "finished", 2, results=results)
        kept.begin_run(run)
    assert exit_code(["export", "--baseline", "latest", "--store", store]) == 4
    assert "has several variants: b, main" in capsys.readouterr().err


def test_a_gate_refuses_a_run_of_several_variants_and_says_how_two_of_them_are_judged(
    tmp_path, store, capsys
):
    at = datetime(2026, 3, 3, 8, tzinfo=UTC)
    one = [_result(case, 1, 1.0, at) for case in range(10)]
    other = [msgspec.structs.replace(each, variant="b", trial_id=f"b-{each.trial_id}") for each in one]
    with Store.open(store) as kept:
        run = SuiteRun("20260303-080000-both", at, "embedded", "finished", 20, results=(*one, *other))
        kept.begin_run(run)
    assert exit_code(["gate", "latest", "--against", FIRST, "--store", store]) == 64
    assert exit_code(["gate", FIRST, "--against", "latest", "--store", store]) == 64
    said = capsys.readouterr().err
    assert (
        "run 20260303-080000-both has trials of several variants, 'main' and 'b', and a gate judges one"
        in said
    )
    assert "--baseline main --candidate b" in said
    table = str(tmp_path / "trials.csv")
    assert exit_code(["export", "latest", "--out", table, "--store", store]) == 0
    assert exit_code(["gate", "--csv", table, "--baseline", "main", "--candidate", "b"]) == 2


def test_suites_may_have_an_assistant_each_in_a_run_that_is_judged(store):
    at = datetime(2026, 3, 3, 8, tzinfo=UTC)
    shop = [
        msgspec.structs.replace(_result(case, 1, 1.0, at), suite="shop", variant="b", trial_id=f"shop-{case}")
        for case in range(10)
    ]
    with Store.open(store) as kept:
        results = (*(_result(case, 1, 1.0, at) for case in range(10)), *shop)
        kept.begin_run(SuiteRun("20260303-080000-both", at, "embedded", "finished", 20, results=results))
    assert exit_code(["gate", "latest", "--against", FIRST, "--store", store]) == 2


def test_the_ending_of_a_file_says_what_it_becomes(tmp_path, store, capsys):
    rows, told = tmp_path / "trials.jsonl", tmp_path / "report.md"
    assert exit_code(["export", "--out", str(rows), "--store", store]) == 0
    assert len([json.loads(line) for line in rows.read_text("utf-8").splitlines()]) == 50
    assert exit_code(["report", "--out", str(told), "--store", store]) == 0
    assert told.read_text("utf-8").startswith("<!-- ")
    assert exit_code(["export", "--format", "csv", "--out", str(rows), "--store", store]) == 0
    assert rows.read_text("utf-8").startswith("case_id,")


def test_parquet_needs_a_file(store, capsys):
    assert exit_code(["export", "--format", "parquet", "--store", store]) == 4
    assert "Name a file with --out FILE" in capsys.readouterr().err


def test_parquet_is_written_where_it_can_be_and_else_says_what_to_install(tmp_path, store, capsys):
    out = tmp_path / "trials.parquet"
    code = exit_code(["export", "--out", str(out), "--store", store])
    if importlib.util.find_spec("pyarrow"):
        import pandas as pd

        assert pd.read_parquet(out)["passed"].tolist() == [0] * 50
    else:
        assert "harness[parquet]" in capsys.readouterr().err
    assert code == (0 if out.exists() else 3)


def test_a_stored_run_is_a_pilot(store, capsys):
    assert exit_code(["plan", "--drop", "0.10", "--run", FIRST, "--store", store]) == 0
    assert "10 cases, variance between trials 0 (from the pilot)" in capsys.readouterr().out


# --- stored runs and rules --------------------------------------------------------------------------------


def rules(folder: Path, text: str) -> str:
    file = folder / "gate.toml"
    file.write_text(text, "utf-8")
    return str(file)


def test_a_stored_run_is_judged_against_another_and_against_the_last_green_one(store, capsys):
    for against in (FIRST, "green"):
        assert exit_code(["gate", SECOND, "--against", against, "--store", store]) == 1
        assert capsys.readouterr().out.startswith(f"fail: {SECOND} against {FIRST}")


def test_an_empty_name_is_not_taken_for_the_latest_run(store, capsys):
    assert exit_code(["gate", "", "--against", FIRST, "--store", store]) == 64
    assert "has no suite run ''" in capsys.readouterr().err


def test_a_table_in_the_place_of_a_run_is_told_where_it_belongs(store, capsys):
    for command in (["gate", "t.csv", "--against", FIRST], ["compare", FIRST, "t.csv"], ["export", "t.csv"]):
        assert exit_code([*command, "--store", store]) in (4, 64)
        assert "harness gate --csv t.csv" in capsys.readouterr().err


def test_no_green_run_is_said(store, capsys):
    assert exit_code(["gate", FIRST, "--against", "green", "--store", store]) == 64
    assert f"no run before {FIRST}" in capsys.readouterr().err


def _on(branch: str) -> dict[str, object]:
    return {"git": {"branch": branch, "commit": "c0ffee"}, "fingerprints": {"assistant main": "f"}}


@pytest.fixture
def branches(tmp_path):
    """Two runs of main, one of another branch, and one to judge."""
    place = str(tmp_path / "branches.sqlite")
    with Store.open(place) as kept:
        for day, (run_id, branch) in enumerate(
            [("r1", "main"), ("r2", "main"), ("r3", "other"), ("r4", "mine")], start=1
        ):
            _keep(kept, run_id, 1.0, datetime(2026, 3, day, 8, tzinfo=UTC), **_on(branch))
    return place


def test_the_baseline_is_the_newest_run_of_a_branch(branches, capsys):
    assert exit_code(["gate", "r4", "--against", "branch:main", "--margin", "0.1", "--store", branches]) == 0
    assert capsys.readouterr().out.startswith("pass: r4 against r2\n")


def test_a_run_of_a_selection_or_of_two_variants_is_no_baseline_for_the_whole_suite(tmp_path, capsys):
    place = str(tmp_path / "selected.sqlite")
    with Store.open(place) as kept:
        _keep(kept, "whole", 1.0, datetime(2026, 3, 1, tzinfo=UTC), **_on("main"))
        _keep(kept, "few", 1.0, datetime(2026, 3, 2, tzinfo=UTC), cases=2, **_on("main"))
        first = [_result(case, 1, 1.0, datetime(2026, 3, 3, tzinfo=UTC)) for case in range(10)]
        other = [msgspec.structs.replace(each, trial_id=each.trial_id + "b", variant="b") for each in first]
        _keep_results(kept, "pair", [*first, *other], **_on("main"))
        _keep(kept, "mine", 0.0, datetime(2026, 3, 4, tzinfo=UTC), **_on("mine"))
        _keep(kept, "mine-few", 0.0, datetime(2026, 3, 5, tzinfo=UTC), cases=2, **_on("mine"))
    for against in ("branch:main", "green"):
        assert exit_code(["gate", "mine", "--against", against, "--bank", "3", "--store", place]) == 1
        assert capsys.readouterr().out.startswith("fail: mine against whole\n")
    exit_code(["gate", "mine-few", "--against", "branch:main", "--store", place])
    assert capsys.readouterr().out.split("\n")[0].endswith("mine-few against few")


def test_earlier_runs_of_the_baselines_version_add_their_trials(branches, tmp_path, capsys):
    out = tmp_path / "v.json"
    named = ["gate", "r4", "--against", "branch:main", "--bank", "5", "--margin", "0.1", "--store", branches]
    assert exit_code([*named, "--json", str(out)]) == 0
    assert capsys.readouterr().out.startswith("pass: r4 against r2 + r1\n")
    [rule] = json.loads(out.read_text())["rules"]
    assert rule["delta_high"] < 0.03  # 100 trials of the baseline leave less open than 50


def test_a_branch_without_a_run_is_said_with_those_that_have_some(branches, capsys):
    assert exit_code(["gate", "r4", "--against", "branch:mian", "--store", branches]) == 64
    told = capsys.readouterr().err
    assert (
        "no finished run of all these conversations at embedded was started from the branch 'mian' before r4"
        in told
    )
    assert "did you mean 'main'? Branches with such runs: main, other" in told


def test_banking_needs_a_baseline(branches, capsys):
    assert exit_code(["gate", "r4", "--bank", "2", "--rules", "gate.toml", "--store", branches]) == 64
    assert "--bank adds to a baseline" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"judge_model": "gpt-5.4"},
            "the judge's model has changed between the runs (gpt-5.4-mini, then gpt-5.4)",
        ),
        ({"grounding_model": "grounding/2"}, "the grounding model has changed"),
        ({"handover_model": "handover/2"}, "the hand-over model has changed"),
        ({"rescored_from": "before"}, "both sides are the trials of the run before"),
    ],
)
def test_what_was_judged_otherwise_or_is_the_same_run_never_passes(tmp_path, capsys, changed, told):
    place = str(tmp_path / "judges.sqlite")
    as_before = {
        "judge_model": "gpt-5.4-mini",
        "grounding_model": "grounding/1",
        "handover_model": "handover/1",
    }
    with Store.open(place) as kept:
        _keep(kept, "before", 1.0, datetime(2026, 3, 1, tzinfo=UTC), **as_before)
        _keep(kept, "after", 1.0, datetime(2026, 3, 2, tzinfo=UTC), **(as_before | changed))
    assert exit_code(["gate", "after", "--against", "before", "--store", place]) == 2
    assert told in capsys.readouterr().out


def test_a_run_that_is_compared_with_itself_never_passes(store, capsys):
    assert exit_code(["gate", FIRST, "--against", FIRST, "--store", store]) == 2
    assert f"both sides are the trials of the run {FIRST}, so nothing passes" in capsys.readouterr().out


def test_answers_from_a_recording_prove_nothing(tmp_path, store, capsys):
    at = datetime(2026, 4, 1, tzinfo=UTC)
    results = [
        msgspec.structs.replace(_result(case, repeat, 1.0, at), replayed=True)
        for case in range(10)
        for repeat in range(1, 6)
    ]
    with Store.open(store) as kept:
        kept.begin_run(SuiteRun("again", at, "recording", "finished", 50, results=tuple(results)))
    assert exit_code(["gate", "again", "--against", FIRST, "--store", store]) == 2
    assert "50 of 50 trials of the run again were answered from a recording" in capsys.readouterr().out


def test_each_rule_has_its_verdict_and_the_worst_is_the_gates(tmp_path, store):
    file = rules(
        tmp_path,
        """
        [[rule]]
        at_least = 0.5
        [[rule]]
        metric = "cost_usd"
        at_most = 0.01
        [[rule]]
        metric = "latency_s"
        percentile = 80
        at_most = 20
        [[rule]]
        check = "answer"
        at_least = 0.99
        """,
    )
    out = tmp_path / "v.json"
    command = ["gate", FIRST, "--rules", file, "--json", str(out), "--store", store]
    assert exit_code(command) == 2
    found = json.loads(out.read_text("utf-8"))
    assert [rule["verdict"] for rule in found["rules"]] == ["pass", "pass", "inconclusive", "inconclusive"]
    assert exit_code(["gate", SECOND, *command[2:]]) == 1


def test_hand_overs_are_told_as_the_share_that_was_wrong_and_percentiles_as_the_share_within(
    tmp_path, capsys
):
    file = rules(
        tmp_path,
        """
        [[rule]]
        metric = "missed_escalations"
        at_most = 0.3
        [[rule]]
        metric = "latency_s"
        percentile = 90
        at_most = 20
        """,
    )
    place, out = str(tmp_path / "people.sqlite"), tmp_path / "v.json"
    at = datetime(2026, 3, 1, tzinfo=UTC)
    with Store.open(place) as kept:
        for run_id, seen in (("good", True), ("bad", False)):
            _keep_results(kept, run_id, [_handed_over(case, at, seen=seen) for case in range(10)])
    assert exit_code(["gate", "good", "--rules", file, "--json", str(out), "--store", place]) == 2
    told = capsys.readouterr().out
    assert "pass: 0, 95 % bounds 0 and 0.2589: it holds" in told
    assert (
        "100.0% of the trials are within 20, and 90 % must be; 95 % bounds 74.1% and 100.0%: not pro" in told
    )
    assert json.loads(out.read_text("utf-8"))["rules"][0]["high"] == pytest.approx(1 - 0.05 ** (1 / 10))
    assert exit_code(["gate", "bad", "--rules", file, "--store", place]) == 1
    assert "fail: 1, 95 % bounds 0.7411 and 1: it does not hold" in capsys.readouterr().out


def _handed_over(case: int, at: datetime, *, seen: bool) -> TrialResult:
    """A trial in which a person was asked for."""
    score = Score(
        check="escalates",
        scorer="escalation",
        turn=0,
        value=seen,
        passed=seen,
        reason="because",
        evidence={"expected": True, "observed": seen},
    )
    return msgspec.structs.replace(_result(case, 1, 1.0, at), scores=(score,))


def test_a_rule_with_a_margin_needs_a_baseline(tmp_path, store):
    file = rules(tmp_path, "[[rule]]\nmargin = 0.05\n")
    assert exit_code(["gate", FIRST, "--rules", file, "--store", store]) == 2
    assert exit_code(["gate", SECOND, "--rules", file, "--against", FIRST, "--store", store]) == 1


@pytest.mark.parametrize("text", ['tags = ["nowhere"]', 'suite = "other"', 'check = "unheard"'])
def test_a_rule_that_looks_at_nothing_never_passes(tmp_path, store, text):
    file = rules(tmp_path, f"[[rule]]\nat_least = 0.1\n{text}\n")
    assert exit_code(["gate", FIRST, "--rules", file, "--store", store]) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "rule"),
        ("[[rule]]\nat_leest = 0.9\n", "rule 1: "),
        ("[[rule]]\nmargin = 0.1\n[[rule]]\nmargin = 2\n", "rule 2: "),
        ("[[rule]]\nat_least = 0.9\nat_most = 1\n", "exactly one of margin, at_least and at_most"),
        ("[[rule]]\nat_least = 90\n", "at_least 90 of passed, which is from 0 to 1"),
        (
            "[[rule]]\nat_least = 0.9\n[[rule]]\nat_most = 0.8\n",
            "rule 1: at_least 0.9 and the at_most 0.8 of rule 2 can't both hold",
        ),
        ('[[rule]]\nmetric = "taste"\nat_least = 0.9\n', "'taste'"),
        ("[[rule]\n", "this is not TOML"),
    ],
    ids=[
        "empty",
        "unknown key",
        "too large",
        "two limits",
        "percent",
        "contradiction",
        "unknown metric",
        "no TOML",
    ],
)
def test_mistakes_in_rules_are_named_and_no_verdict(tmp_path, store, capsys, text, told):
    assert exit_code(["gate", FIRST, "--rules", rules(tmp_path, text), "--store", store]) == 64
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--csv", "t.csv", "--against", "green"],
        ["latest", "--baseline", "a"],
        ["latest", "--rules", "g.toml", "--margin", "0.1"],
        ["latest"],
    ],
    ids=" ".join,
)
def test_options_that_would_be_left_aside_are_refused(arguments):
    assert exit_code(["gate", *arguments]) == 64


def test_runs_of_a_suite_that_changed_never_pass(tmp_path):
    at = datetime(2026, 3, 3, 8, tzinfo=UTC)
    results = tuple(_result(case, repeat, 1.0, at) for case in range(40) for repeat in range(1, 6))
    place = str(tmp_path / "s.sqlite")
    with Store.open(place) as kept:
        for day, digest in ((1, "a"), (2, "b"), (3, "b")):
            told = {"fingerprints": {"suite desk": digest}}
            when = at + timedelta(days=day)
            kept.begin_run(
                SuiteRun(f"run-{day}", when, "embedded", "finished", 200, settings=told, results=results)
            )
    assert exit_code(["gate", "run-3", "--against", "run-2", "--store", place]) == 0
    assert exit_code(["gate", "run-3", "--against", "run-1", "--store", place]) == 2
