"""pytest collects suites: each conversation is a test, judged by how many of its trials pass.

pytest loads this package in every project where harness is installed. So it imports nothing else of harness
until a suite is really collected or a fixture used, and all options it registers have a prefix. Its rooms:
``options``, ``collecting`` (files become tests), ``playing`` (one suite run a session), ``told`` (what a test
says of its trials), ``gating`` (the verdict on the whole session).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.pytest_plugin import options

if TYPE_CHECKING:
    from harness.results import TrialResult

_ASKED = "harness_collects_suites"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of suites."""
    options.add(parser)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, None, None]:
    """Understands options without their prefix, once it is known which of them nobody else has."""
    yield
    options.lengthen(parser, args)


def pytest_configure(config: pytest.Config) -> None:
    """Refuses options that can't be meant, before anything is run."""
    options.refuse_unmeant(config)
    options.noted(config)
    if options.wants_gate(config) and not options.is_worker(config):
        from harness.pytest_plugin.gating import prepare

        prepare(config)


# --- collecting -----------------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The suites of a YAML file with ``suite:`` and ``conversations:``, or of Python that makes some."""
    if file_path.suffix not in (".yaml", ".yml", ".py") or not _collects(parent.config):
        return None
    if not options.may_hold_suites(file_path, parent.config):
        return None
    from harness.pytest_plugin.collecting import SuiteFile

    return SuiteFile.from_parent(parent, path=file_path)


def _collects(config: pytest.Config) -> bool:
    """Whether paths were named, on the command line or as ``testpaths``: a bare ``pytest`` runs no suite."""
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        return bool(worker.get(_ASKED))
    return config.args_source in (config.ArgsSource.ARGS, config.ArgsSource.TESTPATHS)


# --- the session ----------------------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker of pytest-xdist what only the process knows that started it."""
    node.workerinput[_ASKED] = _collects(node.config)
    node.workerinput[options.SHARED] = options.shared_by_workers(node.config)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Ends the suite run after all workers have ended, and judges it before the summary is written."""
    yield
    if options.has_run(session.config) or options.wants_gate(session.config):
        from harness.pytest_plugin.gating import conclude

        conclude(session)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Says which stored run the session was, and what the gate says of it."""
    if (told := config.stash.get(options.SUMMARY, None)) is not None:
        terminalreporter.section(told[0])
        for line in told[1:]:
            terminalreporter.write_line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Lets go of the target, whatever ended the session; removes what workers shared."""
    options.clear(config)


# --- fixtures -------------------------------------------------------------------------------------------


@pytest.fixture
def assistant(pytestconfig: pytest.Config) -> str:
    """The assistant under test: ``--harness-assistant``, else ``harness_assistant`` of pytest's settings."""
    return options.assistant_under_test(pytestconfig)


@pytest.fixture
def conversation(assistant: str, request: pytest.FixtureRequest) -> Callable[..., TrialResult]:
    """Holds a conversation with the assistant: call it with what the user says, get the trial's result."""
    from harness.pytest_plugin.playing import held_in

    return held_in(request, assistant)
