"""The sample suites pass on the sample assistants, and a damaged assistant fails exactly where it should.

Which conversations a damage must hit is not written down here: it is read from what the suites expect.
"""

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from harness import workflows
from harness.results import SuiteRun, TrialResult
from harness.settings import load_settings
from harness.suite.records import Conversation, EscalationExpectation, Expect

ROOT = Path(__file__).resolve().parents[2]
ACME = ROOT / "suites" / "acme"
LIBRARY = ROOT / "suites" / "harbor_library"
FIXTURES = ROOT / "fixtures"
ASSISTANT = FIXTURES / "assistants" / "acme_support.yaml"

GUIDE = "troubleshooting.pdf"
TRIAL, LONGER_TRIAL = "21 days", "35 days"


# --- the sample assistants as they are -----------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SuiteRun:
    """One run of all sample suites on their own assistants."""
    return _evaluate(tmp_path_factory.mktemp("whole"), ACME, LIBRARY)


def test_every_conversation_passes_on_the_sample_assistants(whole: SuiteRun) -> None:
    bad = [result for result in whole.results if result.outcome != "passed"]

    assert not bad, "\n\n".join(map(_told, bad))


def test_every_expectation_of_the_sample_suites_was_scored(whole: SuiteRun) -> None:
    unscored = [
        f"{result.trial_id} {score.check}: {score.reason}"
        for result in whole.results
        for score in result.scores
        if score.value is None
    ]

    assert unscored == []


def test_the_sample_suites_are_as_large_as_their_page_says() -> None:
    page = (ROOT / "suites" / "README.md").read_text("utf-8")
    job = workflows.Job((str(ROOT / "suites"),), load_settings({}))

    for suite in workflows.load(job):
        name = suite.source.resolve().relative_to(ROOT / "suites").as_posix()
        turns = sum(len(conversation.turns) for conversation in suite.conversations)
        assert f"| `{name}` | {len(suite.conversations)} | {turns} |" in page


# --- damaged assistants --------------------------------------------------------------------------------


def test_without_the_escalation_rule_exactly_the_hand_overs_are_missed(tmp_path: Path) -> None:
    def damage(assistant: dict[str, object]) -> None:
        assistant["instructions"] = _without_section(str(assistant["instructions"]), "Handing over to people")

    run = _evaluate(tmp_path / "run", ACME, assistant=_damaged(tmp_path, damage))

    expected = _ids(lambda conversation: any(map(_wants_a_person, _expects(conversation))))
    assert _failed(run) == expected
    assert all(_missed(result) for result in run.results if result.conversation in expected)


def test_without_the_troubleshooting_guide_exactly_the_conversations_that_need_it_fail(
    tmp_path: Path,
) -> None:
    assistant = _damaged(tmp_path)
    (tmp_path / "documents" / GUIDE).unlink()

    run = _evaluate(tmp_path / "run", ACME, assistant=assistant)

    assert _failed(run) == _ids(lambda conversation: any(map(_cites_the_guide, _expects(conversation))))


def test_with_a_wrong_length_of_the_trial_exactly_the_conversations_that_state_it_fail(
    tmp_path: Path,
) -> None:
    assistant = _damaged(tmp_path)
    _rewrite(tmp_path / "documents", "faq", TRIAL, LONGER_TRIAL)

    run = _evaluate(tmp_path / "run", ACME, assistant=assistant)

    assert _failed(run) == _ids(lambda conversation: any(map(_states_the_trial, _expects(conversation))))


def test_with_another_life_of_export_links_exactly_the_conversations_that_state_it_fail(
    tmp_path: Path,
) -> None:
    assistant = _damaged(tmp_path)
    for source in ("getting_started", "api_reference"):
        _rewrite(tmp_path / "documents", source, "24 hours", "48 hours")

    run = _evaluate(tmp_path / "run", ACME, assistant=assistant)

    assert _failed(run) == _ids(
        lambda conversation: any(_states(expect, "24 hours") for expect in _expects(conversation))
    )


def test_the_tags_say_what_the_expectations_say() -> None:
    assert _ids(lambda c: "hand-over" in c.tags) == _ids(lambda c: any(map(_wants_a_person, _expects(c))))
    assert _ids(lambda c: "needs-troubleshooting" in c.tags) == _ids(
        lambda c: any(map(_cites_the_guide, _expects(c)))
    )


# --- what the suites expect ----------------------------------------------------------------------------


def _ids(chosen: Callable[[Conversation], bool]) -> set[str]:
    """Ids of the Acme conversations that are chosen; there is always at least one."""
    suites = workflows.load(workflows.Job((str(ACME),), load_settings({})))
    ids = {
        conversation.id for suite in suites for conversation in suite.conversations if chosen(conversation)
    }
    assert ids
    return ids


def _expects(conversation: Conversation) -> Iterator[Expect]:
    yield conversation.expect
    for turn in conversation.turns:
        yield turn.expect


def _wants_a_person(expect: Expect) -> bool:
    return expect.escalates is True or isinstance(expect.escalates, EscalationExpectation)


def _cites_the_guide(expect: Expect) -> bool:
    return isinstance(expect.cites, tuple) and GUIDE in expect.cites


def _states_the_trial(expect: Expect) -> bool:
    return _states(expect, TRIAL)


def _states(expect: Expect, fact: str) -> bool:
    answer = expect.answer
    return answer is not None and any(fact in text for text in (*answer.mentions, *answer.mentions_any))


# --- damaging, running, telling ------------------------------------------------------------------------


def _damaged(folder: Path, damage: Callable[[dict[str, object]], None] | None = None) -> Path:
    """A copy of the sample assistant with its own documents, changed."""
    shutil.copytree(FIXTURES / "documents", folder / "documents")
    assistant = yaml.safe_load(ASSISTANT.read_text("utf-8"))
    if damage:
        damage(assistant)
    path = folder / "assistants" / ASSISTANT.name
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(assistant, allow_unicode=True), "utf-8")
    return path


def _without_section(instructions: str, heading: str) -> str:
    sections = instructions.split("\n\n")
    kept = [section for section in sections if not section.startswith(heading)]
    assert len(kept) == len(sections) - 1
    return "\n\n".join(kept)


def _rewrite(documents: Path, source: str, fact: str, wrong: str) -> None:
    """Make one PDF again from its Markdown, with a wrong fact in it."""
    text = (documents / "source" / f"{source}.md").read_text("utf-8")
    assert fact in text
    (documents / f"{source}.pdf").write_bytes(_make().render_pdf(text.replace(fact, wrong)))


def _make():  # type: ignore[no-untyped-def]
    """The script that makes the sample documents."""
    spec = importlib.util.spec_from_file_location("fixtures_make", FIXTURES / "make.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _evaluate(folder: Path, *suites: Path, assistant: Path | None = None) -> SuiteRun:
    folder.mkdir(exist_ok=True)
    store = str(folder / "store.sqlite")
    return workflows.evaluate(*suites, assistant=str(assistant) if assistant else None, store=store)


def _failed(run: SuiteRun) -> set[str]:
    assert [result for result in run.results if result.outcome == "errored"] == []
    return {result.conversation for result in run.results if result.outcome == "failed"}


def _missed(result: TrialResult) -> bool:
    return any(score.check.startswith("escalates") and score.passed is False for score in result.scores)


def _told(result: TrialResult) -> str:
    """A conversation that did not pass, as a reader of the test's output needs it."""
    lines = [f"{result.trial_id}: {result.outcome} {result.error or ''}"]
    for score in result.scores:
        if score.passed is False:
            lines.append(f"  {score.check} (turn {score.turn}): {score.reason}")
    for turn in result.trace.turns if result.trace else ():
        lines += [f"  user: {turn.user.text}", f"  assistant: {turn.answer}"]
    return "\n".join(lines)
