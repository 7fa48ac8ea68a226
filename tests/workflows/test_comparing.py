"""Two stored runs, or two variants of one, are laid side by side."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.cli import FAILED, INTERRUPTED, PASSED, USAGE, exit_code
from harness.results import Score, SuiteRun, TrialResult
from harness.settings import load_settings
from harness.store.store import Store

SUITE = """
suite: shop
assistant: now.yaml
conversations:
  - id: hours
    cluster: visit
    tags: [smoke]
    turns:
      - user: What are the opening hours of the shop?
        expect: {answer: {mentions: ["9:00"]}}
  - id: parking
    cluster: visit
    tags: [smoke]
    turns:
      - user: Where can I park my car?
        expect: {answer: {mentions: [river]}, cites: [parking.md]}
  - id: returns
    tags: [money]
    turns:
      - user: Within how many days can I return a purchase?
        expect: {answer: {mentions: ["30"]}}
"""
ASSISTANT = """
name: Shop
model: gpt-5.4
instructions: |
  You answer questions about the shop from the documents.
  Be friendly.
tools: [{type: file_search}]
knowledge: ["papers/*.md"]
"""
DAMAGED = ASSISTANT.replace("Be friendly.", "Be brief.").replace("papers/*", "papers/[hp]*")
PAPERS = {
    "hours.md": "# Opening hours\n\nThe opening hours of the shop are from 9:00 to 18:00 on every day.\n",
    "parking.md": "# Parking\n\nYou can park your car behind the shop at the river.\n",
    "returns.md": "# Returns\n\nYou can return a purchase within 30 days.\n",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with three runs on the embedded server: whole, damaged, and both variants in one."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "papers").mkdir()
    for name, text in PAPERS.items():
        (folder / "papers" / name).write_text(text)
    (folder / "now.yaml").write_text(ASSISTANT)
    (folder / "next.yaml").write_text(DAMAGED)
    (folder / "shop.yaml").write_text(SUITE)
    for assistants in (["now"], ["next"], ["now", "next"]):
        harness.evaluate(
            str(folder / "shop.yaml"),
            assistant=[str(folder / f"{name}.yaml") for name in assistants],
            store=str(folder / "s.sqlite"),
            repeats=5,
        )
    return folder


def run_ids(folder: Path) -> list[str]:
    with Store.open(folder / "s.sqlite") as store:
        return [run.id for run in reversed(store.runs())]


def compared(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    out = folder / "out.json"
    assert (
        exit_code(["compare", *arguments, "--json", str(out), "--store", str(folder / "s.sqlite")]) == PASSED
    )
    found: list[dict[str, Any]] = json.loads(out.read_text("utf-8"))["comparisons"]
    return found


def parts(found: dict[str, Any], kind: str) -> dict[str, str]:
    return {each["name"]: each["verdict"] for each in found[kind]}


def test_a_damaged_copy_is_worse_and_the_broken_conversation_is_shown_turn_by_turn(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, damaged, _ = run_ids(shop)
    [found] = compared(shop, whole, damaged)
    assert found["verdict"] == "worse"
    assert found["conversations"]["regressed"] == ["shop/returns"]
    assert found["conversations"]["passed"]["shop/returns"] == {"baseline": "5/5", "candidate": "0/5"}
    assert parts(found, "tags") == {"money": "worse", "smoke": "undecided"}
    assert parts(found, "clusters") == {"visit": "undecided"}
    [talk] = found["transcripts"]
    assert (talk["baseline"], talk["candidate"]) == ("shop/returns@now#1", "shop/returns@next#1")
    assert any(line.startswith("- ") and "30" in line for line in talk["turns"][0]["answers"])
    assert {"answer", "failed"} <= set(talk["turns"][0]["differs"])
    told = capsys.readouterr().out
    assert told.startswith(f"worse: next ({damaged}, embedded) against now ({whole}, embedded)")
    assert "regressed (1): shop/returns 5/5 -> 0/5" in told
    assert "failed: answer.mentions" in told


def test_what_changed_in_the_assistant_is_shown_line_by_line(shop: Path) -> None:
    [found] = compared(shop, *run_ids(shop)[:2])
    changes = {each["part"]: each["diff"] for each in found["changes"]}
    assert {"-Be friendly.", "+Be brief."} <= set(changes["instructions"])
    assert any(line.startswith("-returns.md") for line in changes["documents"])
    assert set(changes) == {"instructions", "documents"}


def test_the_other_way_round_the_conversation_is_fixed_and_nothing_is_worse(shop: Path) -> None:
    whole, damaged, _ = run_ids(shop)
    [found] = compared(shop, damaged, whole)
    assert found["conversations"]["fixed"] == ["shop/returns"]
    assert found["verdict"] in ("better", "undecided")
    assert found["transcripts"] == []


def test_two_variants_of_one_run_are_compared_like_two_runs(shop: Path) -> None:
    [found] = compared(shop, "latest", "--variants", "now,next")
    assert (found["verdict"], found["conversations"]["regressed"]) == ("worse", ["shop/returns"])


def test_the_same_assistant_twice_shows_no_difference(shop: Path) -> None:
    whole, _, both = run_ids(shop)
    [found] = compared(shop, whole, both, "--variants", "now,now")
    assert (found["changes"], found["verdict"]) == ([], "undecided")
    assert "both sides are the same version of the assistant" in found["notes"]
    metrics = {each["name"]: each for each in found["metrics"]}
    assert metrics["cost"]["delta"] == pytest.approx(0)
    assert found["bill"]["ratio"] == pytest.approx(1)


def test_several_candidates_share_the_level(shop: Path) -> None:
    whole, damaged, both = run_ids(shop)
    found = compared(shop, whole, damaged, both, "--variants", "now,next,next")
    assert [each["candidate"]["run"] for each in found] == [damaged, both]
    assert {each["metrics"][0]["alpha"] for each in found} == {0.025}


def test_the_markdown_has_every_part_and_no_markup_of_others(shop: Path) -> None:
    whole, damaged, _ = run_ids(shop)
    out = shop / "c.md"
    told = ["compare", whole, damaged, "--markdown", str(out), "--store", str(shop / "s.sqlite")]
    assert exit_code([*told, "--show", "0"]) == PASSED
    text = out.read_text("utf-8")
    assert text.startswith("<!-- harness: comparison -->\n\n### worse")
    assert "<summary>instructions</summary>" in text
    assert "turn by turn</summary>" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["latest"], "needs two sides"),
        (["latest", "latest"], "has several variants: 'now', 'next'"),
        (["latest", "latest", "--variants", "now"], "names 1 variants for 2 runs"),
        (["latest", "latest", "--variants", "now,now"], "compared with itself"),
        (["latest", "--variants", "now,nex"], "did you mean 'next'?"),
        (["latest", "--variants", "now,next", "--margin", "2"], "--margin 2"),
    ],
    ids=["one side", "several variants", "too few names", "itself", "unknown variant", "margin"],
)
def test_what_can_not_be_compared_is_refused_in_words(
    shop: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert exit_code(["compare", *arguments, "--store", str(shop / "s.sqlite")]) == USAGE
    assert told in capsys.readouterr().err


def test_a_file_is_run_as_the_stored_baseline_was(shop: Path, tmp_path: Path) -> None:
    out, store = tmp_path / "c.json", tmp_path / "s.sqlite"
    harness.evaluate(
        str(shop / "shop.yaml"), assistant=str(shop / "now.yaml"), store=str(store), repeats=5, tags="money"
    )
    asked = ["compare", "latest", str(shop / "next.yaml"), "--no-progress"]
    assert exit_code([*asked, "--json", str(out), "--store", str(store)]) == PASSED
    [found] = json.loads(out.read_text("utf-8"))["comparisons"]
    assert found["conversations"]["regressed"] == ["shop/returns"]
    assert (found["baseline"]["trials"], found["candidate"]["trials"]) == (5, 5)
    assert found["baseline"]["run"] != found["candidate"]["run"]


def test_a_file_is_compared_with_itself_at_a_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bot.yaml").write_text("{name: Bot, model: m, instructions: Be kind.}")
    Path("s.yaml").write_text(
        "{suite: s, assistant: bot.yaml, conversations: [{id: a, turns: [{user: hi}]}]}"
    )
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"]):
        who = ["-c", "user.name=tester", "-c", "user.email=tester@example.com"]
        subprocess.run(["git", *who, *command], check=True)
    Path("bot.yaml").write_text("{name: Bot, model: m, instructions: Be brief.}")
    asked = ["compare", "bot.yaml@main", "bot.yaml", "--suite", "s.yaml", "--no-progress", "--json", "c.json"]
    assert exit_code([*asked, "--store", "s.sqlite"]) == PASSED
    [found] = json.loads(Path("c.json").read_text("utf-8"))["comparisons"]
    [change] = found["changes"]
    assert change["diff"][1:] == ["-Be kind.", "+Be brief."]


def test_a_run_keeps_its_assistants_without_secrets(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "bot.yaml").write_text(
        "{name: Bot, model: m, instructions: 'The key is sk-proj-abcdefghijklmnopqrstuvwx1234.'}"
    )
    (tmp_path / "s.yaml").write_text(
        "{suite: s, assistant: bot.yaml, conversations: [{id: a, turns: [{user: hi}]}]}"
    )
    run = harness.evaluate(str(tmp_path / "s.yaml"), store=str(tmp_path / "s.sqlite"))
    [content] = run.settings["contents"].values()
    assert "abcdefghij" not in content["assistant"]["instructions"]
    assert "[redacted" in content["assistant"]["instructions"]


def test_assistant_files_are_run_side_by_side_and_then_compared(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(shop / f"{name}.yaml") for name in ("now", "next")]
    out, store = tmp_path / "c.json", tmp_path / "s.sqlite"
    asked = ["compare", *files, "--suite", str(shop / "shop.yaml"), "--repeats", "5", "--no-progress"]
    assert exit_code([*asked, "--json", str(out), "--store", str(store)]) == PASSED
    [found] = json.loads(out.read_text("utf-8"))["comparisons"]
    assert (found["verdict"], found["conversations"]["regressed"]) == ("worse", ["shop/returns"])
    assert found["baseline"]["run"] == found["candidate"]["run"]
    assert "30 of 30 trials ended" in capsys.readouterr().out


def test_until_decided_ends_with_the_look_that_decides_and_is_read_again_by_the_same_plan(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(shop / f"{name}.yaml") for name in ("now", "next")]
    out, store = tmp_path / "c.json", str(tmp_path / "s.sqlite")
    asked = ["compare", *files, "--suite", str(shop / "shop.yaml"), "--until-decided", "--no-progress"]
    assert exit_code([*asked, "--max-repeats", "10", "--json", str(out), "--store", store]) == PASSED
    [found] = json.loads(out.read_text("utf-8"))["comparisons"]
    *before, last = found["looks"]
    assert found["verdict"] == "worse" and last["verdict"] == "fail" and last["passes"] < 10
    assert {each["verdict"] for each in before} <= {"inconclusive"}
    assert [each["passes"] for each in found["looks"]] == list(range(2, last["passes"] + 1))
    told = capsys.readouterr().out
    assert f"after {last['passes']} of 10 passes, at level {last['alpha']:.4f}: worse" in told
    again = ["compare", "latest", "--variants", "now,next", "--alpha", "0.3", "--store", store]
    assert exit_code([*again, "--json", str(out)]) == PASSED
    [read] = json.loads(out.read_text("utf-8"))["comparisons"]
    assert read["looks"] == found["looks"] and read["metrics"] == found["metrics"]


def test_looks_may_go_on_by_evidence_that_holds_at_all_of_them_and_a_gate_reads_the_same_plan(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(shop / f"{name}.yaml") for name in ("now", "next")]
    out, store = tmp_path / "c.json", str(tmp_path / "s.sqlite")
    asked = ["compare", *files, "--suite", str(shop / "shop.yaml"), "--until-decided", "--no-progress"]
    lasting = [*asked, "--method", "always-valid", "--json", str(out), "--store", store]
    assert exit_code(lasting) == PASSED
    [found] = json.loads(out.read_text("utf-8"))["comparisons"]
    last = found["looks"][-1]
    assert [each["passes"] for each in found["looks"]] == list(range(1, last["passes"] + 1))
    assert (found["verdict"], last["verdict"], last["of"], last["alpha"]) == ("worse", "fail", 50, 0.05)
    costs = {each["name"]: each for each in found["metrics"]}["cost"]
    assert (costs["verdict"], costs["p"], costs["delta_low"]) == ("undecided", None, None)
    assert "by evidence that holds at all looks together" in capsys.readouterr().out
    assert exit_code(["gate", "latest", "--json", str(out), "--store", store]) == 1
    gate = json.loads(out.read_text("utf-8"))
    assert (gate["verdict"], gate["baseline"], gate["rules"][0]["p"]) == ("fail", "now", last["p"])
    assert "always-valid over at most 50 passes" in capsys.readouterr().out


def test_a_gate_without_rules_needs_a_run_with_a_plan_of_its_own(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "s.sqlite")
    asked = ["compare", *[str(shop / f"{name}.yaml") for name in ("now", "next")], "--no-progress"]
    asked += ["--suite", str(shop / "shop.yaml"), "--store", store]
    assert exit_code(asked) == PASSED
    assert exit_code(["gate", "--store", store]) == 64
    assert "nothing says what the run" in capsys.readouterr().err
    assert exit_code(["gate", "--margin", "0.1", "--store", store]) == 64
    assert "--margin goes with --against RUN or --csv FILE" in capsys.readouterr().err
    assert exit_code([*asked, "--until-decided", "--budget", "0.253"]) == INTERRUPTED
    assert exit_code(["gate", "--store", store]) == 2
    assert "no look was taken yet" in capsys.readouterr().out


def test_what_seems_worse_after_one_pass_is_judged_by_fresh_trials_of_both(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(shop / f"{name}.yaml") for name in ("now", "next")]
    out, store = tmp_path / "c.json", str(tmp_path / "s.sqlite")
    asked = ["compare", *files, "--suite", str(shop / "shop.yaml"), "--screen", "5", "--no-progress"]
    assert exit_code([*asked, "--json", str(out), "--store", store]) == PASSED
    [found] = json.loads(out.read_text("utf-8"))["comparisons"]
    assert (found["verdict"], found["conversations"]["regressed"]) == ("worse", ["shop/returns"])
    assert (found["baseline"]["trials"], found["candidate"]["trials"]) == (5, 5)
    told = capsys.readouterr().out
    assert "one pass: run again with both: shop/returns\n" in told
    assert "fresh trials of what got worse in the run" in told


def test_where_nothing_got_worse_nothing_is_run_again(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(shop / f"{name}.yaml") for name in ("next", "now")]
    asked = ["compare", *files, "--suite", str(shop / "shop.yaml"), "--screen", "5", "--no-progress"]
    assert exit_code([*asked, "--store", str(tmp_path / "s.sqlite")]) == PASSED
    assert "one pass: nothing that passed fails now; nothing to confirm" in capsys.readouterr().out


def test_a_comparison_that_a_budget_ends_is_undecided_and_goes_on_by_its_plan(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(shop / f"{name}.yaml") for name in ("now", "next")]
    store = str(tmp_path / "s.sqlite")
    asked = ["compare", *files, "--suite", str(shop / "shop.yaml"), "--until-decided", "--no-progress"]
    small = [*asked, "--max-repeats", "12", "--budget", "0.262", "--store", store]
    assert exit_code(small) == INTERRUPTED
    assert capsys.readouterr().out.count("budget: ") == 1
    with Store.open(store) as kept_runs:
        assert len(kept_runs.run().results) < 72
    assert (
        exit_code(["run", "--resume", "latest", "--budget", "50", "--no-progress", "--store", store])
        == FAILED
    )
    assert "ended with the look that decided" in capsys.readouterr().out
    with Store.open(store) as kept_runs:
        assert (kept_runs.run().status, len(kept_runs.run().results) < 72) == ("decided", True)
    assert exit_code(["compare", "latest", "--variants", "now,next", "--store", store]) == PASSED
    assert "decided after " in capsys.readouterr().out


def test_before_two_passes_are_complete_nothing_is_said(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(shop / f"{name}.yaml") for name in ("now", "next")]
    store = str(tmp_path / "s.sqlite")
    asked = ["compare", *files, "--suite", str(shop / "shop.yaml"), "--until-decided", "--no-progress"]
    assert exit_code([*asked, "--margin", "0.9", "--budget", "0.253", "--store", store]) == INTERRUPTED
    told = capsys.readouterr().out
    assert "undecided: next" in told and "no look was taken yet" in told


def test_a_confirmation_that_goes_on_runs_nothing_but_its_suspects(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness import workflows
    from harness.workflows import sequential

    begin = sequential.begin

    async def interrupted(job: Any, suites: Any, plan: Any, control: Any, **more: Any) -> Any:
        if "told" in more:
            control.stop.set()
        return await begin(job, suites, plan, control, **more)

    monkeypatch.setattr(sequential, "begin", interrupted)
    files = [str(shop / f"{name}.yaml") for name in ("now", "next")]
    store = str(tmp_path / "s.sqlite")
    asked = ["compare", *files, "--suite", str(shop / "shop.yaml"), "--screen", "5", "--no-progress"]
    assert exit_code([*asked, "--store", store]) in (INTERRUPTED, USAGE)
    assert exit_code(["run", "--resume", "latest", "--no-progress", "--store", store]) == FAILED
    record = workflows.stored_run(load_settings({"store": store}))
    assert {result.conversation for result in record.results} == {"returns"}
    assert len(record.results) == record.planned == 10


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["now.yaml"], "not clear against what"),
        (["latest", "now.yaml", "--until-decided"], "there is no store"),
        (["now.yaml", "next.yaml", "--max-repeats", "4"], "--max-repeats goes with --until-decided"),
        (["now.yaml", "next.yaml", "--method", "always-valid"], "--method goes with --until-decided"),
        (["now.yaml", "next.yaml", "--until-decided", "--repeats", "4"], "in place of --repeats"),
        (
            ["now.yaml", "next.yaml", "--screen", "5", "--repeats", "4"],
            "leave --repeats and --until-decided out",
        ),
        (["now.yaml", "next.yaml", "third.yaml", "--screen", "5"], "3 assistants are named"),
        (["--targets", "chat,responses", "s.yaml", "--screen", "5"], "--screen can't go with --targets"),
        (["a", "b", "--until-decided"], "--until-decided goes with assistants that are to be run"),
        (["now.yaml", "latest"], "not clear against what"),
        (["latest", "now.yaml", "--suite", "s.yaml"], "--suite is given, and a stored run"),
        (["now.yaml", "next.yaml", "--variants", "a,b"], "--variants goes with stored runs"),
        (["a", "b", "--suite", "s.yaml", "--budget", "1"], "--suite, --budget goes with assistants"),
    ],
    ids=[
        "one file",
        "no second look",
        "no plan",
        "no looks",
        "repeats",
        "screen",
        "three",
        "targets",
        "looks of stored runs",
        "baseline last",
        "suites of a run",
        "variants",
        "options of a run",
    ],
)
def test_files_and_runs_are_not_mixed_up(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert exit_code(["compare", *arguments]) == USAGE
    assert told in capsys.readouterr().err


# --- runs that lack something -----------------------------------------------------------------------------

START = datetime(2026, 3, 1, 8, tzinfo=UTC)


def trial(case: str, repeat: int, outcome: str = "passed", **more: Any) -> TrialResult:
    score = Score(
        check="answer", scorer="answers", turn=0, value=True, passed=outcome == "passed", reason="so"
    )
    return TrialResult(
        **{
            "trial_id": f"desk/{case}@main#{repeat}",
            "suite": "desk",
            "conversation": case,
            "variant": "main",
            "fingerprint": "f",
            "repeat": repeat,
            "outcome": outcome,
            "started_at": START,
            "ended_at": START,
            "scores": () if outcome == "errored" else (score,),
            "cost_usd": Decimal("0.002"),
            "latency_s": 1.0,
            **more,
        }
    )


def kept(folder: Path, *runs: list[TrialResult], prints: tuple[str, ...] = ()) -> None:
    with Store.open(folder / "s.sqlite") as store:
        for place, results in enumerate(runs):
            told = {"fingerprints": {"suite desk": prints[place]}} if prints else {}
            store.begin_run(
                SuiteRun(
                    id=f"run-{place}",
                    started_at=START + timedelta(days=place),
                    target="embedded",
                    status="finished",
                    planned=len(results),
                    settings=told,
                    results=tuple(results),
                )
            )


def passes(cases: int, repeats: int, outcome: str = "passed", **more: Any) -> list[TrialResult]:
    return [
        trial(f"c{case}", repeat, outcome, **more)
        for case in range(cases)
        for repeat in range(1, repeats + 1)
    ]


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        (passes(1, 1), passes(1, 1), "undecided"),
        (passes(100, 5), passes(100, 5), "not worse"),
        (passes(10, 5), passes(10, 5, "failed"), "worse"),
        (passes(10, 5, "failed"), passes(10, 5), "better"),
        (passes(10, 5), passes(10, 5, "errored"), "undecided"),
        (passes(10, 5, cluster="one"), passes(10, 3, cluster="one"), "undecided"),
        (passes(100, 5), passes(50, 5), "undecided"),
        (passes(5, 2), [trial("other", 1)], "undecided"),
    ],
    ids="one case|all pass|all fail|all fixed|all errored|one cluster|half missing|no pair".split("|"),
)
def test_whatever_lacks_there_is_a_word_and_never_a_traceback(
    tmp_path: Path, before: list[TrialResult], after: list[TrialResult], word: str
) -> None:
    kept(tmp_path, before, after)
    assert compared(tmp_path, "run-0", "run-1")[0]["verdict"] == word


def test_new_missing_and_turned_conversations_are_listed_by_id(tmp_path: Path) -> None:
    before = [
        trial("gone", 1),
        trial("down", 1),
        trial("up", 1, "failed"),
        trial("shaky", 1),
        trial("shaky", 2, "failed"),
    ]
    after = [
        trial("new", 1),
        trial("down", 1, "failed"),
        trial("up", 1),
        trial("shaky", 1),
        trial("shaky", 2, "failed"),
    ]
    kept(tmp_path, before, after)
    [found] = compared(tmp_path, "run-0", "latest")
    lists = found["conversations"]
    assert (lists["new"], lists["missing"]) == (["desk/new"], ["desk/gone"])
    assert (lists["worse_unconfirmed"], lists["better_unconfirmed"]) == (["desk/down"], ["desk/up"])
    assert (lists["flaky"], lists["regressed"], lists["fixed"]) == (["desk/shaky"], [], [])
    assert [each["case_id"] for each in found["transcripts"]] == ["desk/down"]


@pytest.mark.parametrize("cost", [None, Decimal(0)], ids=["unknown", "nothing"])
def test_costs_without_a_ratio_are_not_compared(tmp_path: Path, cost: Decimal | None) -> None:
    kept(tmp_path, passes(4, 2, cost_usd=cost), passes(4, 2))
    [found] = compared(tmp_path, "run-0", "run-1")
    assert (parts(found, "metrics")["cost"], found["bill"]) == ("undecided", None)


def test_a_suite_that_changed_proves_nothing_good(tmp_path: Path) -> None:
    kept(tmp_path, passes(100, 5), passes(100, 5), prints=("a", "b"))
    [found] = compared(tmp_path, "run-0", "run-1")
    assert found["verdict"] == "undecided"
    assert "suite desk has changed" in found["notes"][0]


def test_runs_that_did_not_keep_their_assistants_say_so(tmp_path: Path) -> None:
    kept(tmp_path, passes(2, 1), passes(2, 1, fingerprint="g"))
    [found] = compared(tmp_path, "run-0", "run-1")
    assert found["changes"] is None
    assert "is not known of both" in found["notes"][-1]


def test_the_newest_green_run_can_be_the_baseline(tmp_path: Path) -> None:
    kept(tmp_path, passes(10, 5), passes(10, 5, "failed"), passes(10, 5, "failed"))
    assert compared(tmp_path, "green", "latest")[0]["baseline"]["run"] == "run-0"


def test_the_parity_report_runs_the_suites_on_both_targets_and_says_what_is_done_differently(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, store = tmp_path / "p.json", tmp_path / "s.sqlite"
    asked = ["compare", "--targets", "assistants,responses", str(shop / "shop.yaml"), "--repeats", "5"]
    assert exit_code([*asked, "--json", str(out), "--store", str(store)]) == PASSED
    [found] = json.loads(out.read_text("utf-8"))["comparisons"]
    assert (found["baseline"]["target"], found["candidate"]["target"]) == ("embedded", "responses")
    assert found["baseline"]["trials"] == found["candidate"]["trials"] == 15
    assert {each["name"] for each in found["behaviour"]["means"]} >= {
        "searches",
        "citations",
        "prompt tokens",
    }
    assert found["population"]["clusters"] == 2 and found["population"]["indicative"]
    told = capsys.readouterr().out
    assert "what is done in a conversation" in told
    assert "only indicative, with 2 clusters" in told
    with Store.open(store) as kept:
        assert {run.target for run in kept.runs()} == {"embedded", "responses"}


@pytest.mark.parametrize(
    ("targets", "more", "told"),
    [
        ("assistants", [], "--targets names 1"),
        ("responses,responses", [], "'responses' twice"),
        ("assistants,respones", [], "did you mean 'responses'"),
        ("assistants,responses", ["--variants", "a,b"], "--variants can't go with --targets"),
        ("assistants,responses", ["--target", "chat"], "--target chat can't go with --targets"),
    ],
)
def test_targets_that_make_no_parity_report_are_refused_before_anything_is_run(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], targets: str, more: list[str], told: str
) -> None:
    store = tmp_path / "s.sqlite"
    asked = ["compare", "--targets", targets, str(shop / "shop.yaml"), *more, "--store", str(store)]
    assert exit_code(asked) == USAGE
    assert told in capsys.readouterr().err
    assert not store.exists()


def test_without_names_compare_says_what_to_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["compare"]) == USAGE
    assert "name a baseline and a candidate" in capsys.readouterr().err


@pytest.mark.parametrize("variants", ["", ",", " , "])
def test_variants_that_name_none_are_refused(variants: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["compare", "a", "b", "--variants", variants]) == USAGE
    assert "--variants names none" in capsys.readouterr().err
