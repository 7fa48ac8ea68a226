"""The sample suites pass on the sample assistants, and a damaged assistant fails exactly where it should.

Which conversations a damage must hit is not written down here: it is read from what the suites expect.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from harness import workflows
from harness.results import SuiteRun, TrialResult
from harness.settings import load_settings
from harness.suite.records import Conversation, EscalationExpectation, Expect

ROOT = Path(__file__).resolve().parents[2]
ACME = ROOT / "suites" / "acme"
WRITTEN_OUT = sorted(ACME.glob("*.yaml"))
"""The suites whose expectations can be read without playing them."""
LIBRARY = ROOT / "suites" / "harbor_library"
FIXTURES = ROOT / "fixtures"
GUIDE = "troubleshooting.pdf"
WRONG_FACTS = [  # document, what it says, what it says instead
    ("faq", "21 days", "35 days"),
    ("getting_started", "100,000", "60,000"),
    # Two documents state this one; if only one were wrong, an answer from the other would still be right.
    ("getting_started", "24 hours", "48 hours"),
    ("api_reference", "24 hours", "48 hours"),
]


# --- the sample assistants as they are -----------------------------------------------------------------


@pytest.fixture(scope="module", params=["embedded", "responses"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SuiteRun:
    """One run of all sample suites on their own assistants, over each of the two APIs."""
    return _evaluate(tmp_path_factory.mktemp("whole"), ACME, LIBRARY, target=request.param)


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
        told = turns or "as they come"  # of Python suites
        assert f"| `{name}` | {len(suite.conversations)} | {told} |" in page


# --- damaged assistants --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the fixtures that may be damaged."""

    folder: Path

    @property
    def assistant(self) -> Path:
        return self.folder / "assistants" / "acme_support.yaml"

    def drop_instructions(self, heading: str) -> None:
        """Take one section out of the assistant's instructions."""
        described = yaml.safe_load(self.assistant.read_text("utf-8"))
        sections = described["instructions"].split("\n\n")
        kept = [section for section in sections if not section.startswith(heading)]
        assert len(kept) == len(sections) - 1
        described["instructions"] = "\n\n".join(kept)
        self.assistant.write_text(yaml.safe_dump(described, allow_unicode=True), "utf-8")

    def remove_document(self, name: str) -> None:
        (self.folder / "documents" / name).unlink()

    def falsify(self, facts: list[tuple[str, str, str]]) -> None:
        """Put wrong facts into documents and make their PDFs again."""
        for source, fact, wrong in facts:
            path = self.folder / "documents" / "source" / f"{source}.md"
            text = path.read_text("utf-8")
            assert fact in text
            path.write_text(text.replace(fact, wrong), "utf-8")
        subprocess.run([sys.executable, str(self.folder / "make.py")], check=True, capture_output=True)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(shutil.copytree(FIXTURES, tmp_path / "fixtures"))


def test_without_the_escalation_rule_exactly_the_hand_overs_fail(copy: Copy) -> None:
    copy.drop_instructions("Handing over to people")

    assert _failed(copy) == _ids(lambda conversation: any(map(_wants_a_person, _expects(conversation))))


def test_without_the_troubleshooting_guide_exactly_the_conversations_that_need_it_fail(copy: Copy) -> None:
    copy.remove_document(GUIDE)

    assert _failed(copy) == _ids(lambda conversation: any(map(_cites_the_guide, _expects(conversation))))


def test_with_wrong_facts_in_documents_exactly_the_conversations_that_state_them_fail(copy: Copy) -> None:
    copy.falsify(WRONG_FACTS)

    assert _failed(copy) == set().union(*(_ids(_states(fact)) for _, fact, _ in WRONG_FACTS))


def test_the_tags_say_what_the_expectations_say() -> None:
    assert _ids(lambda c: "hand-over" in c.tags) == _ids(lambda c: any(map(_wants_a_person, _expects(c))))
    assert _ids(lambda c: "needs-troubleshooting" in c.tags) == _ids(
        lambda c: any(map(_cites_the_guide, _expects(c)))
    )


# --- what the suites expect ----------------------------------------------------------------------------


def _ids(chosen: Callable[[Conversation], bool]) -> set[str]:
    """Ids of the Acme conversations that are chosen; there is always at least one."""
    suites = workflows.load(workflows.Job(tuple(map(str, WRITTEN_OUT)), load_settings({})))
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


def _states(fact: str) -> Callable[[Conversation], bool]:
    """Whether an answer of a conversation must state a fact."""

    def states(conversation: Conversation) -> bool:
        answers = [expect.answer for expect in _expects(conversation) if expect.answer]
        return any(fact in text for answer in answers for text in (*answer.mentions, *answer.mentions_any))

    return states


# --- running, telling ---------------------------------------------------------------------------------


def _evaluate(
    folder: Path, *suites: Path, assistant: Path | None = None, target: str = "embedded"
) -> SuiteRun:
    folder.mkdir(exist_ok=True)
    chosen = str(assistant) if assistant else None
    return workflows.evaluate(*suites, assistant=chosen, target=target, store=str(folder / "store.sqlite"))


def _failed(copy: Copy) -> set[str]:
    """Ids of the conversations that fail with the assistant of this copy; none may error."""
    run = _evaluate(copy.folder.parent / "run", *WRITTEN_OUT, assistant=copy.assistant)
    assert {result.outcome for result in run.results} <= {"passed", "failed"}
    return {result.conversation for result in run.results if result.outcome == "failed"}


def _told(result: TrialResult) -> str:
    """A conversation that did not pass, as a reader of the test's output needs it."""
    lines = [f"{result.trial_id}: {result.outcome} {result.error or ''}"]
    for score in result.scores:
        if score.passed is False:
            lines.append(f"  {score.check} (turn {score.turn}): {score.reason}")
    for turn in result.trace.turns if result.trace else ():
        lines += [f"  user: {turn.user.text}", f"  assistant: {turn.answer}"]
    return "\n".join(lines)
