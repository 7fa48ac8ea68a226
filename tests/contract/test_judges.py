"""Judges behind a real server and the real client, calibrated, gating, paid for, recorded and asked again."""

from __future__ import annotations

import asyncio
import csv
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from judging import saying

from harness import Suite, Talk, workflows
from harness.cli import FAILED, PASSED, USAGE, exit_code
from harness.errors import BudgetError, BudgetExhausted, SettingsError, TargetError
from harness.results import Score, SuiteRun
from harness.server.app import App, ServerOptions
from harness.server.http import background
from harness.server.llms.interface import ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted
from harness.settings import load_settings
from harness.store.store import Store
from harness.suite.load import load_suite
from harness.targets import chat
from harness.trace.recording_file import load_recording

ASSISTANT = "name: Desk\nmodel: gpt-5.4-mini\n"
SUITE = """
suite: desk
assistant: assistant.yaml
rubrics:
  kind: {asks: Is the answer kind?, labels: [kind, rude], votes: 1}
conversations:
  - {id: good, turns: [{user: say please, expect: {judge: kind}}]}
  - {id: bad, turns: [{user: say go away, expect: {judge: kind}}]}
"""
APPLICATION = """
def answer(question):
    return question.text.removeprefix("say ")
"""
PRICES = {"prices": ["judge=10/20", "gpt-5.4-mini=1/2"]}


class Kindness:
    """A judge that calls an answer rude in which somebody is sent away; it counts what it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.seen: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    def __call__(self, request: ModelRequest) -> str | ModelReply:
        with self.lock:
            self.asked += 1
            shown = json.loads(request.messages[-1].content.partition("Material:\n")[2])
            self.seen.append(shown)
        rude = "go away" in shown["answer"]
        return saying("rude" if rude else "kind", "it sends the customer away" if rude else "it is polite")


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """A server over HTTP whose models answer as the test says; its base URL."""
    with ExitStack() as servers:

        def start(model: Any, key: str | None = None) -> str:
            table = ModelTable([("judge*", Scripted(model))])
            return str(servers.enter_context(background(App(ServerOptions(models=table, api_key=key)))))

        yield start


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("assistant.yaml").write_text(ASSISTANT)
    Path("suite.yaml").write_text(SUITE)
    Path("app.py").write_text(APPLICATION)
    write_labels()
    return tmp_path


def write_labels(rows: int = 24) -> None:
    with Path("labels.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["id", "label", "user", "answer"])
        for number in range(rows):
            rude = number % 2
            lines.writerow(
                [
                    f"r{number}",
                    "rude" if rude else "kind",
                    "Help",
                    f"{'go away' if rude else 'Of course'} {number}",
                ]
            )


def settings(url: str | None, **more: Any) -> Any:
    return load_settings(
        {"judge_model": "judge", "judge_base_url": url, "store": "s.sqlite", **PRICES, **more}
    )


def run(url: str | None, **more: Any) -> SuiteRun:
    flags = {"target": "function", "target_function": "app.py:answer", "most_per_turn_usd": "0.01"}
    flags |= {"judge_model": "judge", "judge_base_url": url, "store": "s.sqlite", **PRICES, **more}
    return workflows.evaluate(
        "suite.yaml", **{key: value for key, value in flags.items() if value is not None}
    )


def calibrate(url: str | None, labels: str = "labels.csv", *, recording: Any = None, **more: Any) -> Any:
    wanted = {"record": Path(recording)} if recording else {}
    return asyncio.run(workflows.calibrate(Path(labels), Path("suite.yaml"), settings(url, **more), **wanted))


def verdicts(record: SuiteRun) -> dict[str, Score]:
    return {
        result.conversation: score
        for result in record.results
        for score in result.scores
        if score.scorer == "judge"
    }


def test_a_judge_informs_until_it_is_calibrated_and_then_decides(folder: Path, serve: Any) -> None:
    url = serve(judge := Kindness())
    before = run(url)
    assert {result.outcome for result in before.results} == {"passed"}  # by their status alone
    assert {score.value for score in verdicts(before).values()} == {"kind", "rude"}
    assert all("was not calibrated on this rubric" in score.reason for score in verdicts(before).values())

    done = calibrate(url)
    assert done.why_not is None and done.calibration.model == "judge"
    assert done.calibration.kappa.value == done.calibration.sensitivity.value == 1
    assert judge.asked == 2 + 24

    after = run(url)
    assert [result.outcome for result in after.results] == ["passed", "failed"]
    assert verdicts(after)["bad"].reason == "the judge says 'rude', not kind: it sends the customer away"

    Path("suite.yaml").write_text(SUITE.replace("Is the answer kind?", "Is the answer polite?"))
    changed = run(url)
    assert {score.passed for score in verdicts(changed).values()} == {None}


def test_rescoring_uses_what_was_decided_and_asks_only_when_told_to(folder: Path, serve: Any) -> None:
    url = serve(judge := Kindness())
    run(url)
    calibrate(url)
    asked = judge.asked
    again = asyncio.run(workflows.rescore("latest", settings(None)))
    assert judge.asked == asked
    assert {(change.check, change.after.passed) for change in again.changes} == {
        ("judge.kind", True),
        ("judge.kind", False),
    }

    Path("suite.yaml").write_text(SUITE.replace("Is the answer kind?", "Is the answer polite?"))
    unasked = asyncio.run(workflows.rescore("latest", settings(None)))
    assert judge.asked == asked
    assert all("harness rescore --judge" in each.reason for each in verdicts(unasked.run).values())
    judged = asyncio.run(workflows.rescore("latest", settings(None), asks_judge=True))
    assert judge.asked == asked + 2
    assert {score.value for score in verdicts(judged.run).values()} == {"kind", "rude"}


def test_what_judges_cost_stands_apart_and_counts_against_the_budget(folder: Path, serve: Any) -> None:
    record = run(serve(Kindness()), budget_usd="5")
    costs = [result.judge_cost_usd for result in record.results]
    assert all(cost is not None and cost > 0 for cost in costs)
    assert record.spending is not None
    assert record.spending.judge_usd == sum(costs, Decimal(0))  # type: ignore[arg-type]
    assert record.spending.spent_usd >= record.spending.judge_usd
    votes = [vote for result in record.results for each in result.trace.judgements for vote in each.votes]  # type: ignore[union-attr]
    tokens = [(vote.usage.prompt_tokens, vote.usage.completion_tokens) for vote in votes if vote.usage]
    paid = [(Decimal(prompt) * 10 + Decimal(wrote) * 20) / 1_000_000 for prompt, wrote in tokens]
    assert costs == paid


def test_a_vote_that_the_budget_can_not_pay_is_not_asked_for_and_the_trial_is_kept(
    folder: Path, serve: Any
) -> None:
    url = serve(judge := Kindness())
    record = run(url, budget_usd="0.03")
    assert judge.asked == 0
    assert len(record.results) == 2 and record.status == "finished"
    assert all("is left" in score.reason for score in verdicts(record).values())


def test_a_judging_model_without_a_price_is_refused_under_a_budget(folder: Path, serve: Any) -> None:
    with pytest.raises(BudgetError, match="no price is known for model 'judge'"):
        run(serve(Kindness()), budget_usd="5", prices=["gpt-5.4-mini=1/2"])


def test_without_a_model_that_judges_nothing_is_run(folder: Path) -> None:
    with pytest.raises(SettingsError, match="no model is set that judges by 'kind'") as caught:
        run(None, judge_model=None)
    assert caught.value.code == "judge-missing"
    assert not Path("s.sqlite").exists()


def test_a_calibration_that_was_cut_short_goes_on_where_it_was(folder: Path, serve: Any) -> None:
    url = serve(judge := Kindness())
    # The worst case of a vote is some $0.17, of which next to nothing is spent.
    with pytest.raises(BudgetExhausted, match="is left") as caught:
        calibrate(url, budget_usd="0.19", concurrency=1)
    assert "rows are judged and kept: the same command goes on" in str(caught.value.hint)
    first = judge.asked
    assert 0 < first < 24
    done = calibrate(url)
    assert judge.asked == 24
    assert done.kept == first and done.why_not is None
    assert calibrate(url).kept == 24 and judge.asked == 24


def test_rows_that_could_not_be_asked_are_asked_the_next_time(folder: Path, serve: Any) -> None:
    nobody = "http://127.0.0.1:9/v1"
    with pytest.raises(TargetError, match="answered nothing") as caught:
        calibrate(nobody, max_tries=1)
    assert caught.value.code == "judge-unanswered"
    done = calibrate(serve(Kindness()))
    assert done.kept == 0 and done.calibration.judged == 24


def test_a_judge_that_talks_nonsense_has_no_verdict_and_may_not_gate(folder: Path, serve: Any) -> None:
    done = calibrate(serve(lambda request: "It is fine, I think."))
    assert done.calibration.judged == 0
    assert "0 rows with a verdict" in str(done.why_not)
    [(why, count)] = done.calibration.unjudged.items()
    assert count == 24 and "no JSON object" in why


def test_an_answer_that_is_cut_off_has_no_vote(folder: Path, serve: Any) -> None:
    record = run(serve(lambda request: ModelReply('{"reason": "it', was_cut=True)))
    assert {score.value for score in verdicts(record).values()} == {None}
    assert all("cut off at its token limit" in score.reason for score in verdicts(record).values())


def test_a_wrong_key_ends_a_calibration_at_once(folder: Path, serve: Any) -> None:
    url = serve(judge := Kindness(), key="secret-key-1")
    with pytest.raises(TargetError) as caught:
        calibrate(url, judge_api_key="other", concurrency=1)
    assert caught.value.code == "wrong-api-key" and judge.asked == 0
    assert calibrate(url, judge_api_key="secret-key-1").calibration.judged == 24


def test_the_key_of_the_assistant_is_never_sent_to_another_address(folder: Path, serve: Any) -> None:
    url = serve(Kindness(), key="secret-key-1")
    with pytest.raises(TargetError):
        calibrate(url, api_key="secret-key-1")
    assert calibrate(None, api_key="secret-key-1", base_url=url).calibration.judged == 24


def test_rows_of_two_versions_make_no_calibration(folder: Path, serve: Any, monkeypatch: Any) -> None:
    calibrate(serve(Kindness()))
    with Store.open("s.sqlite") as store:
        [kept] = store.calibrations().values()
    assert kept.model == "judge"
    write_labels(26)
    url = serve(Kindness())
    original = chat.completed

    async def renamed(wire: Any, body: Any) -> Any:
        return {**await original(wire, body), "model": "judge-2"}

    monkeypatch.setattr(chat, "completed", renamed)
    with pytest.raises(TargetError, match="several versions of the model: judge, judge-2") as caught:
        calibrate(url)
    assert caught.value.code == "judge-changed"


def test_judgements_are_recorded_and_replayed_with_the_answers(folder: Path, serve: Any) -> None:
    url = serve(judge := Kindness())
    calibrate(url, recording="kept.yaml")
    live = run(url, record="kept.yaml")
    asked = judge.asked
    recording = load_recording(Path("kept.yaml"))
    assert len(recording.judgements) == 24 and len(recording.trials) == 2

    replay = ["--suite", "suite.yaml", "--replay", "kept.yaml", "--store", "ci.sqlite"]
    assert exit_code(["calibrate", "labels.csv", *replay]) == PASSED
    replayed = run(None, judge_model=None, target="recording", recording="kept.yaml", store="ci.sqlite")
    assert judge.asked == asked
    assert {name: score.passed for name, score in verdicts(replayed).items()} == {"good": True, "bad": False}
    assert verdicts(replayed)["bad"].evidence["votes"] == verdicts(live)["bad"].evidence["votes"]


def test_what_was_recorded_with_another_rubric_is_no_judgement_of_this_one(folder: Path, serve: Any) -> None:
    run(serve(Kindness()), record="kept.yaml")
    Path("suite.yaml").write_text(SUITE.replace("Is the answer kind?", "Is the answer polite?"))
    replayed = run(None, target="recording", recording="kept.yaml")
    assert all("the rubric has changed" in score.reason for score in verdicts(replayed).values())


def test_recording_the_same_again_leaves_the_file_as_it_is(folder: Path, serve: Any) -> None:
    url = serve(Kindness())
    calibrate(url, recording="kept.yaml")
    run(url, record="kept.yaml")
    before = Path("kept.yaml").read_bytes()
    run(url, record="kept.yaml")
    assert Path("kept.yaml").read_bytes() == before


def test_a_replayed_calibration_names_rows_that_the_recording_lacks(folder: Path, serve: Any) -> None:
    calibrate(serve(Kindness()), recording="kept.yaml")
    write_labels(25)
    with pytest.raises(TargetError, match="of 1 rows: r24") as caught:
        asyncio.run(
            workflows.calibrate(
                Path("labels.csv"), Path("suite.yaml"), settings(None), replay=Path("kept.yaml")
            )
        )
    assert caught.value.code == "recording-miss"


def test_a_judge_that_disagrees_with_people_may_not_gate_and_the_command_says_so(
    folder: Path, serve: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    url = serve(lambda request: saying("kind"))
    arguments = "calibrate labels.csv --suite suite.yaml --judge-model judge --no-progress".split()
    code = exit_code([*arguments, "--judge-base-url", url, "--price", "judge=1/1"])
    told = capsys.readouterr().out
    assert code == FAILED
    assert "may gate: no, its agreement with people is kappa 0.00" in told
    assert "sensitivity  0.000 (0.000 to 0.242)  of 12 rows that people found unmet" in told
    assert "specificity  1.000" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["labels.csv", "--suite", "suite.yaml"], "judge-missing"),
        (["labels.csv", "--suite", "suite.yaml", "--rubric", "kin"], "did you mean 'kind'?"),
        (["none.csv", "--suite", "suite.yaml", "--judge-model", "j"], "none.csv: there is no such file"),
        (["labels.csv", "--suite", "suite.yaml", "--replay", "x", "--afresh"], "--replay asks nobody"),
    ],
)
def test_what_can_not_be_calibrated_is_refused_with_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert exit_code(["calibrate", *arguments]) == USAGE
    assert told in capsys.readouterr().err


def test_judges_without_an_address_are_asked_on_the_embedded_server(folder: Path) -> None:
    line = saying("kind").replace("'", "''")
    Path("models.yaml").write_text(f"models:\n  - {{match: judge, scripted: ['{line}']}}\n")
    record = run(None, models="models.yaml")
    assert {score.value for score in verdicts(record).values()} == {"kind"}


def test_what_nobody_answered_is_asked_when_the_stored_answers_are_judged_again(
    folder: Path, serve: Any
) -> None:
    away = run("http://127.0.0.1:9/v1", max_tries=1)
    assert all("could not be asked" in score.reason for score in verdicts(away).values())
    unpaid = run(serve(Kindness()), budget_usd="0.03")
    for source in (away, unpaid):
        url = serve(judge := Kindness())
        work = workflows.rescore(source.id, settings(url), asks_judge=True, changed=["judge_base_url"])
        assert {score.value for score in verdicts(asyncio.run(work).run).values()} == {"kind", "rude"}
        assert judge.asked == 2


def test_a_judge_is_not_asked_where_a_check_that_it_requires_did_not_pass(folder: Path, serve: Any) -> None:
    wanted = "expect: {judge: kind, answer: {omits: [away]}, requires: [answer]}"
    Path("suite.yaml").write_text(SUITE.replace("expect: {judge: kind}", wanted))
    record = run(serve(judge := Kindness()))
    assert judge.asked == 1
    assert verdicts(record)["good"].value == "kind"
    assert verdicts(record)["bad"].reason.startswith("skipped: it requires 'answer'")


def test_two_answers_are_compared_over_http_and_a_judge_that_prefers_places_has_no_say(
    folder: Path, serve: Any
) -> None:
    compares = "rubrics: {clear: {asks: Which is clearer?, compares: true}}"
    head = SUITE[: SUITE.index("rubrics:")]
    talk = "conversations: [{id: c, turns: [{user: say please, expect: {judge: %s}}]}]"
    wanted = "{rubric: clear, against: What?}"
    Path("suite.yaml").write_text(f"{head}{compares}\n{talk % wanted}\n")

    def fair(request: ModelRequest) -> str:
        shown = json.loads(request.messages[-1].content.partition("Material:\n")[2])
        return saying("first" if shown["first"] == "please" else "second")

    assert verdicts(run(serve(fair)))["c"].value == "better"
    biased = verdicts(run(serve(lambda request: saying("first"))))["c"]
    assert biased.value is None
    assert biased.reason == (
        "0 of 3 votes gave a label: 3 x the judge's choice changes with the position of the answers"
    )


def test_a_suite_in_python_is_judged_as_it_was_played(folder: Path, serve: Any) -> None:
    rubrics = {"kind": {"asks": "Kind?", "votes": 1}}
    made = Suite("desk-coded", assistant=folder / "assistant.yaml", rubrics=rubrics)

    @made.conversation(expect={"judge": "kind"})
    async def goes_on(talk: Talk) -> None:
        answer = await talk.say("say please", expect={"judge": "kind"})
        await talk.say(f"say {answer.text} go")

    url = serve(lambda request: saying("pass"))
    flags = {"target": "function", "target_function": "app.py:answer", "store": "s.sqlite"}
    record = workflows.evaluate(made, **flags, judge_model="judge", judge_base_url=url)
    [result] = record.results
    assert result.error is None and result.trace is not None
    assert [each.turn for each in result.trace.judgements] == [0, None]
    assert {score.value for score in verdicts(record).values()} == {"pass"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rescore", "--judge-model", "other"], "--judge-model is for a judge: give --judge too"),
        (["run", "--resume", "latest", "--judge-model", "other"], "leave them out: --judge-model"),
    ],
)
def test_options_of_judges_that_would_change_nothing_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert exit_code(arguments) == USAGE
    assert told in capsys.readouterr().err


def test_regressions_of_varied_words_keep_the_rubrics_that_they_are_judged_by(
    folder: Path, serve: Any
) -> None:
    Path("app.py").write_text("def answer(question):\n    return 'A' if question.text.islower() else 'B'\n")
    wanted = "expect: {judge: kind, answer: {equals: A}}"
    talk = f"conversations: [{{id: c, turns: [{{user: say please, {wanted}}}]}}]\n"
    Path("suite.yaml").write_text(SUITE[: SUITE.index("conversations:")] + talk)
    url = serve(lambda request: saying("kind"))
    line = "perturb suite.yaml --target function --target-function app.py:answer --no-progress"
    judge = ["--judge-model", "judge", "--judge-base-url", url, "--kinds", "case", "--examples", "2"]
    assert exit_code([*line.split(), *judge, "--save", "kept.yaml", "--store", "s.sqlite"]) == FAILED
    kept, original = load_suite(Path("kept.yaml")), load_suite(Path("suite.yaml"))
    assert kept.rubrics == original.rubrics
    assert kept.conversations[0].turns[0].expect.judge == "kind"


def test_a_forecast_tells_what_judges_will_cost(folder: Path) -> None:
    job = workflows.Job(("suite.yaml",), settings(None, target="embedded"))
    told = workflows.forecast(job)
    assert told.judges.trials == 2
    assert told.judges.most_usd is not None and 0 < told.judges.least_usd < told.judges.most_usd
    assert told.total.least_usd == told.counted.least_usd + told.judges.least_usd
    assert told.total.trials == 2
