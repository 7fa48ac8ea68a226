"""pytest collects suites: each conversation is a test, judged by how many of its trials pass.

pytest loads this module in every project where harness is installed. So it imports nothing of the package
until a suite is really collected or a fixture used, and all its options have a prefix.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.results import TrialResult
    from harness.runner.talk import Talk
    from harness.suite.records import Conversation, Suite

_KEYS = (re.compile(rb"^suite\s*:", re.MULTILINE), re.compile(rb"^conversations\s*:", re.MULTILINE))
_SETTINGS = {"target": "target", "repeats": "repeats", "record": "record", "replay": "recording"}
_OF_PYTEST = {"skip", "skipif", "xfail", "usefixtures", "parametrize", "filterwarnings"}
_LEAST_RATE = 0.6
_ASKED = "harness_collects_suites"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of suites."""
    group = parser.getgroup("harness", "suites of conversations with an assistant")
    group.addoption(
        "--harness-assistant", metavar="FILE", help="run this assistant instead of the suites' own"
    )
    group.addoption("--harness-target", metavar="NAME", help="where the assistant lives, embedded by default")
    group.addoption("--harness-repeats", metavar="N", type=int, help="run every conversation N times")
    group.addoption("--harness-record", metavar="FILE", help="keep every answer in this file")
    group.addoption("--harness-replay", metavar="FILE", help="answer from such a file, without any request")
    rate_help = f"share of a conversation's trials that must pass, {_LEAST_RATE} by default"
    group.addoption("--harness-rate", metavar="SHARE", type=float, default=_LEAST_RATE, help=rate_help)
    parser.addini("harness_assistant", "assistant file of the fixture 'assistant'")


def pytest_configure(config: pytest.Config) -> None:
    """Refuses options that can't be meant, before anything is run."""
    rate = config.getoption("harness_rate")
    if not 0 < rate <= 1:
        raise pytest.UsageError(
            f"--harness-rate is {rate!r}; give a share above 0 and at most 1, such as 0.8"
        )
    if config.getoption("harness_record") and config.getoption("harness_replay"):
        raise pytest.UsageError("--harness-record and --harness-replay exclude each other; give one of them")
    if config.getoption("harness_record") and config.getoption("numprocesses", None):
        raise pytest.UsageError("--harness-record writes one file from one process; leave out -n")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker of pytest-xdist, whose paths are always given, whether a person gave them."""
    node.workerinput[_ASKED] = _collects(node.config)


def _collects(config: pytest.Config) -> bool:
    """Whether paths were named, on the command line or as ``testpaths``: a bare ``pytest`` runs no suite."""
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        return bool(worker.get(_ASKED))
    return config.args_source in (config.ArgsSource.ARGS, config.ArgsSource.TESTPATHS)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The suite of a YAML file that has both a ``suite:`` and a ``conversations:`` key."""
    if file_path.suffix not in (".yaml", ".yml") or not _collects(parent.config):
        return None
    content = file_path.read_bytes()
    if not all(key.search(content) for key in _KEYS):
        return None
    return SuiteYaml.from_parent(parent, path=file_path)


class SuiteYaml(pytest.File):
    """A suite file; its conversations are tests."""

    def collect(self) -> Iterable[pytest.Item]:
        """A test for each conversation, in the order of the file."""
        from harness.errors import HarnessError
        from harness.workflows import Job, load

        try:
            suites = load(Job((str(self.path),), _settings(self.config), _assistants(self.config)))
        except HarnessError as error:
            raise self.CollectError(_told(error)) from error
        for suite in suites:
            for conversation in suite.conversations:
                yield ConversationItem.of(self, suite, conversation)


class ConversationItem(pytest.Item):
    """A conversation, run as often as asked for."""

    suite_name = ""

    @classmethod
    def of(cls, parent: SuiteYaml, suite: Suite, conversation: Conversation) -> ConversationItem:
        """The test of this conversation, with its tags as marks."""
        item: ConversationItem = cls.from_parent(parent, name=conversation.id)
        item.suite_name = suite.name
        for tag in conversation.tags:
            if tag.startswith("_") or tag in _OF_PYTEST:
                continue  # as a mark it would mean something else
            parent.config.addinivalue_line("markers", f"{tag}: conversations with this tag")
            item.add_marker(tag)
        return item

    def runtest(self) -> None:
        """Runs all trials, and fails when too few of them pass."""
        from harness.workflows import evaluate

        assistants = _assistants(self.config)
        only = f"{self.suite_name}/{self.name}"
        run = evaluate(self.path, assistant=assistants or None, only=only, **_flags(self.config))
        results = list(run.results)
        self.user_properties += _properties(results)
        try:
            _judge(results, run.planned, self.config.getoption("harness_rate"))
        except TooFewPassed as failure:
            _expect_in_quarantine(results, failure)
            raise

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **named: Any) -> Any:
        """What was expected and what was said, without the harness's own code."""
        from harness.errors import HarnessError

        if isinstance(excinfo.value, HarnessError):
            return _told(excinfo.value)
        if isinstance(excinfo.value, TooFewPassed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **named)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where the conversation stands, and its name."""
        return self.path, None, f"{self.suite_name}/{self.name}"


class TooFewPassed(AssertionError):
    """Fewer of a conversation's trials passed than must."""


def _judge(results: list[TrialResult], planned: int, least: float) -> None:
    """Fails below the rate; a trial that errored or never began is missing data, and can't help to pass."""
    if planned and all(result.outcome == "skipped" for result in results) and len(results) == planned:
        pytest.skip("no expectation of this conversation could be judged")
    passed = sum(result.outcome == "passed" for result in results)
    if planned and passed / planned >= least:
        return
    missing = planned - passed - sum(result.outcome == "failed" for result in results)
    lacking = f"; {missing} could not be judged" if missing else ""
    head = f"{passed} of {planned} trials passed, {least:.0%} must{lacking}"
    others = (_explained(result) for result in results if result.outcome != "passed")
    raise TooFewPassed("\n\n".join([head, *others]))


def _expect_in_quarantine(results: list[TrialResult], failure: TooFewPassed) -> None:
    """A failure in quarantine is an expected one: shown with why, and the session does not fail by it."""
    from harness.reporters.wording import quarantine

    said = results[-1].quarantine if results else None
    if said is not None and all(result.quarantined for result in results):
        first = str(failure).partition("\n")[0]
        pytest.xfail(f"in quarantine {quarantine(said)}; {first}")


def _explained(result: TrialResult) -> str:
    """A trial that did not pass: why, and its transcript."""
    from harness.reporters.brief import describe, failed_scores
    from harness.reporters.junit import transcript

    why = [result.error] if result.error else [describe(score) for score in failed_scores(result)]
    return "\n".join([f"{result.trial_id} {result.outcome}", *why, "", transcript(result)])


def _properties(results: list[TrialResult]) -> list[tuple[str, object]]:
    """What JUnit XML tells of a conversation beside its outcome; one unknown cost makes the sum unknown."""
    costs = [result.cost_usd for result in results if result.cost_usd is not None]
    passed = sum(result.outcome == "passed" for result in results)
    return [
        ("trials", str(len(results))),
        ("pass_rate", f"{passed / len(results):.4f}" if results else "unknown"),
        ("cost_usd", f"{sum(costs):f}" if len(costs) == len(results) else "unknown"),
    ]


def _flags(config: pytest.Config) -> dict[str, Any]:
    given = {name: config.getoption(f"harness_{option}") for option, name in _SETTINGS.items()}
    replayed = {"target": "recording"} if given["recording"] else {}
    return {name: value for name, value in given.items() if value is not None} | replayed


def _settings(config: pytest.Config) -> Any:
    from harness.settings import load_settings

    return load_settings(_flags(config))


def _assistants(config: pytest.Config) -> tuple[str, ...]:
    given = config.getoption("harness_assistant")
    return (given,) if given else ()


def _told(error: Exception) -> str:
    hint = getattr(error, "hint", None)
    return f"{error}\nhint: {hint}" if hint and hint not in str(error) else str(error)


@pytest.fixture
def assistant(pytestconfig: pytest.Config) -> str:
    """The assistant under test: ``--harness-assistant``, else ``harness_assistant`` of pytest's settings."""
    from harness.suite.assistants import is_assistant_id

    given = pytestconfig.getoption("harness_assistant")
    in_file = pytestconfig.getini("harness_assistant")
    if not given and not in_file:
        raise pytest.UsageError(
            "no assistant is named; give --harness-assistant FILE, or harness_assistant in pytest's settings"
        )
    named = str(given or in_file)
    base = pytestconfig.invocation_params.dir if given else pytestconfig.rootpath
    return named if is_assistant_id(named) else str(base / named)


@pytest.fixture
def conversation(assistant: str, pytestconfig: pytest.Config) -> Callable[..., TrialResult]:
    """Holds a conversation with the assistant: call it with what the user says, get the trial's result."""

    def hold(*said: str, expect: Mapping[str, Any] | None = None) -> TrialResult:
        from harness.suite.authoring import Suite
        from harness.workflows import evaluate

        suite = Suite("pytest", assistant=assistant, expect=dict(expect or {}), repeats=1)

        @suite.conversation(id="conversation", most_turns=max(len(said), 1))
        async def as_said(talk: Talk) -> None:
            for text in said:
                await talk.say(text)

        return evaluate(suite, **(_flags(pytestconfig) | {"repeats": 1})).results[0]

    return hold
