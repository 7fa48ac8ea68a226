"""The plugin's options, and what little it keeps in processes that play no suite."""

from __future__ import annotations

import re
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.pytest_plugin.playing import Playing
    from harness.settings import Settings

PREFIX = "--harness-"
SHARED = "harness_shared"
LEAST_RATE = 0.6
_SETTINGS = {
    "target": "target",
    "repeats": "repeats",
    "budget": "budget_usd",
    "record": "record",
    "replay": "recording",
}
_NAMES = (*_SETTINGS, "assistant", "rate", "gate", "baseline", "on-inconclusive")
_SHORT = {f"--{name}" for name in _NAMES}

PLAYING: pytest.StashKey[Playing] = pytest.StashKey()
SUMMARY = pytest.StashKey[list[str]]()
"""The title and the lines of the terminal's section."""
_SHARED = pytest.StashKey[dict[str, str]]()
RUN_PROPERTY = "suite_run"
"""The property of a test that names the stored run its trials are in."""
ENDED_PROPERTY = "suite_run_ended"
"""The property of a test that could not be played, for the run had ended: why."""
_NOTED: pytest.StashKey[Noted] = pytest.StashKey()


class Noted:
    """Listens for reports of tests that played trials; a worker hands its own to who started it.

    Attributes:
        was_played: Whether there was one.
        ended: Why the suite run ended before all was played; empty when it did not.
    """

    def __init__(self) -> None:
        self.was_played = False
        self.ended = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a report."""
        if report.user_properties:
            found = dict(report.user_properties)
            self.was_played = self.was_played or RUN_PROPERTY in found
            self.ended = str(found.get(ENDED_PROPERTY, self.ended))


def add(parser: pytest.Parser) -> None:
    """Register the options."""
    group = parser.getgroup(
        "harness",
        "suites of conversations with an assistant (--gate for --harness-gate, and so on, unless taken)",
    )

    def option(name: str, metavar: str, told: str, **how: Any) -> None:
        group.addoption(f"{PREFIX}{name}", metavar=metavar, help=told, **how)

    option("assistant", "FILE", "run this assistant instead of the suites' own")
    option("target", "NAME", "where the assistant lives, embedded by default")
    option("repeats", "N", "run every conversation N times", type=int)
    rate = f"share of a conversation's trials that must pass, {LEAST_RATE} by default"
    option("rate", "SHARE", rate, type=float, default=LEAST_RATE)
    option("budget", "USD", "the most that the session may cost, all workers together")
    option("record", "FILE", "keep every answer in this file")
    option("replay", "FILE", "answer from such a file, without any request")
    option("gate", "RULES", "judge the whole session by the rules of this TOML file")
    option(
        "baseline",
        "RUN",
        "compare the session with this stored run, the newest 'green' one, or the newest of 'branch:NAME'",
    )
    told = "whether a session that the gate can't decide fails, as by default, or passes"
    group.addoption(f"{PREFIX}on-inconclusive", choices=("fail", "pass"), default="fail", help=told)
    parser.addini("harness_assistant", "assistant file of the fixture 'assistant'")


def lengthen(parser: pytest.Parser, args: list[str]) -> None:
    """Give options their prefix that are written without it, unless somebody else has registered them."""
    if not any(each.partition("=")[0] in _SHORT for each in args):
        return
    unknown = parser.parse_known_and_unknown_args(args)[1]
    free = {each.partition("=")[0] for each in unknown} & _SHORT
    for place, each in enumerate(args):
        if each == "--":
            return
        name = each.partition("=")[0]
        if name in free:
            args[place] = f"{PREFIX}{each.removeprefix('--')}"


def refuse_unmeant(config: pytest.Config) -> None:
    """Refuse options that can't be meant.

    Raises:
        pytest.UsageError: They are named.
    """
    rate = config.getoption("harness_rate")
    if not 0 < rate <= 1:
        raise pytest.UsageError(
            f"--harness-rate is {rate!r}; give a share above 0 and at most 1, such as 0.8"
        )
    if config.getoption("harness_record") and config.getoption("harness_replay"):
        raise pytest.UsageError("--harness-record and --harness-replay exclude each other; give one of them")
    _refuse_unknown_target(config.getoption("harness_target"))


def _refuse_unknown_target(given: str | None) -> None:
    """Every conversation would fail for it, and none of them is to blame."""
    if given is None:
        return
    from harness.targets.making import names
    from harness.text import did_you_mean

    if given not in names():
        hint = did_you_mean(given, names(), label="targets")
        raise pytest.UsageError(f"--harness-target: there is no target {given!r}\nhint: {hint}")


# --- what was asked for ---------------------------------------------------------------------------------


def settings_of(config: pytest.Config) -> Settings:
    """The settings in force: options, environment, harness.toml."""
    from harness.settings import load_settings

    given = {name: config.getoption(f"harness_{option}") for option, name in _SETTINGS.items()}
    replayed = {"target": "recording"} if given["recording"] else {}
    return load_settings({name: value for name, value in given.items() if value is not None} | replayed)


def assistants_of(config: pytest.Config) -> tuple[str, ...]:
    """The assistant to run instead of the suites' own, if one is given."""
    given = config.getoption("harness_assistant")
    return (given,) if given else ()


def assistant_under_test(config: pytest.Config) -> str:
    """The assistant of tests in Python: a path or an id.

    Raises:
        pytest.UsageError: None is named.
    """
    from harness.suite.assistants import is_assistant_id

    given, in_file = config.getoption("harness_assistant"), config.getini("harness_assistant")
    if not given and not in_file:
        raise pytest.UsageError(
            "no assistant is named; give --harness-assistant FILE, or harness_assistant in pytest's settings"
        )
    named = str(given or in_file)
    base = config.invocation_params.dir if given else config.rootpath
    return named if is_assistant_id(named) else str(base / named)


def wants_gate(config: pytest.Config) -> bool:
    """Whether the whole session is judged."""
    asked = config.getoption("harness_gate") or config.getoption("harness_baseline")
    return bool(asked) and not config.getoption("collectonly")


_YAML = (re.compile(rb"^suite\s*:", re.MULTILINE), re.compile(rb"^conversations\s*:", re.MULTILINE))
_PYTHON = (
    re.compile(rb"^(?:from\s+harness\s+import\b|import\s+harness\b)", re.MULTILINE),
    re.compile(rb"\bSuite\s*\("),
)


def may_hold_suites(path: Path, config: pytest.Config) -> bool:
    """Whether a file looks as if it held suites; a Python file that is a test module of pytest is none."""
    if path.suffix == ".py":
        is_test = any(path.match(pattern) for pattern in config.getini("python_files"))
        if is_test or path.name in ("conftest.py", "__init__.py", "setup.py"):
            return False
    content = path.read_bytes()
    return all(key.search(content) for key in (_PYTHON if path.suffix == ".py" else _YAML))


# --- processes ------------------------------------------------------------------------------------------


def is_worker(config: pytest.Config) -> bool:
    """Whether this is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def has_run(config: pytest.Config) -> bool:
    """Whether trials were played in this process or in one of its workers."""
    if PLAYING in config.stash or noted(config).was_played:
        return True
    return _SHARED in config.stash and Path(config.stash[_SHARED]["limits"]).exists()


def noted(config: pytest.Config) -> Noted:
    """What reports of tests told; from now on, when nobody has listened yet."""
    if _NOTED not in config.stash:
        config.stash[_NOTED] = Noted()
        config.pluginmanager.register(config.stash[_NOTED])
    return config.stash[_NOTED]


def shared_by_workers(config: pytest.Config) -> dict[str, str]:
    """What all workers of a session are told: the id of its suite run, and where their limits are counted."""
    if _SHARED not in config.stash:
        from harness.clock import SYSTEM_CLOCK, new_id

        limits = Path(tempfile.gettempdir()) / f"harness-limits-{secrets.token_hex(16)}"
        config.stash[_SHARED] = {"run": new_id(SYSTEM_CLOCK), "limits": str(limits)}
    return config.stash[_SHARED]


def clear(config: pytest.Config) -> None:
    """Leave nothing behind that belonged to this session."""
    if _SHARED in config.stash:
        Path(config.stash[_SHARED]["limits"]).unlink(missing_ok=True)
