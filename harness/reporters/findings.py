"""What did not pass, as CI systems show it beside the source: annotations and code quality findings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Literal

import msgspec

from harness.errors import Where
from harness.reporters import wording
from harness.reporters.summary import ConversationResult, Summary
from harness.results import SuiteRun
from harness.text import counted

Level = Literal["error", "warning", "notice"]
Places = Mapping[tuple[str, str], Where]

_SHOWN = 10  # GitHub shows so many errors of a step
_LONGEST = 500


class Finding(msgspec.Struct, frozen=True):
    """One conversation that did not pass.

    Attributes:
        level: ``error`` if it decides the run, ``warning`` if it passed in some trials, ``notice`` if it is
            in quarantine.
        name: The conversation with its suite and variant.
        message: How many trials passed, and why not all.
        where: The conversation in its suite file; None where that is not known.
    """

    level: Level
    name: str
    message: str
    where: Where | None


def findings(run: SuiteRun, places: Places) -> list[Finding]:
    """What did not pass in a run, what decides it first."""
    found = [_finding(row, places.get((row.suite, row.conversation))) for row in Summary(run).not_passed]
    return sorted(found, key=lambda each: ("error", "warning", "notice").index(each.level))


def _finding(row: ConversationResult, where: Where | None) -> Finding:
    trials = f"{row.passed} of {counted(len(row.results), 'trial')} passed"
    told = wording.one_line(wording.printable(row.reason), _LONGEST)
    name = f"{row.suite}/{row.conversation}@{row.variant}"
    return Finding(_level(row), name, f"{trials}: {told}" if told else trials, where)


def _level(row: ConversationResult) -> Level:
    if row.quarantined:
        return "notice"
    return "warning" if row.flaky else "error"


# --- GitHub -------------------------------------------------------------------------------------------------


def github(found: Iterable[Finding], root: Path) -> str:
    """Workflow commands that show findings at the lines of their files.

    A percent sign, line ends, and in properties colons and commas are escaped, as the runner reads them.

    Args:
        found: What to show; after the first ten the rest is counted, for no more are shown of a step.
        root: The checkout, from which paths are named.
    """
    every = list(found)
    lines = [_command(each.level, each.message, _github_place(each, root)) for each in every[:_SHOWN]]
    if len(every) > _SHOWN:
        more = counted(len(every) - _SHOWN, "more conversation")
        lines.append(_command("notice", f"{more} did not pass; the report has all", {"title": "harness"}))
    return "\n".join(lines)


def remark(level: Level, title: str, message: str) -> str:
    """A workflow command that belongs to no file."""
    return _command(level, wording.one_line(wording.printable(message), _LONGEST), {"title": title})


def _github_place(finding: Finding, root: Path) -> dict[str, str]:
    where = finding.where
    place = {} if where is None else {"file": _from(root, where.file), "line": str(where.line or 1)}
    return place | {"title": finding.name}


def _command(level: Level, message: str, properties: Mapping[str, str]) -> str:
    told = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    return f"::{level} {told}::{_escaped(message)}"


def _escaped(text: str, further: str = "") -> str:
    for character in "%\r\n" + further:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _from(root: Path, file: str) -> str:
    path = Path(file).resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else PurePath(file).as_posix()


# --- GitLab -------------------------------------------------------------------------------------------------

_SEVERITIES: Mapping[Level, str] = {"error": "major", "warning": "minor", "notice": "info"}


def code_quality(found: Iterable[Finding], root: Path) -> str:
    """Findings as GitLab's code quality report: a JSON list; what has no file has the path ``suites``."""
    return json.dumps([_issue(each, root) for each in found], indent=2, ensure_ascii=False) + "\n"


def _issue(finding: Finding, root: Path) -> dict[str, object]:
    where = finding.where
    path, line = ("suites", 1) if where is None else (_from(root, where.file), where.line or 1)
    return {
        "description": f"{finding.name}: {finding.message}",
        "check_name": "harness",
        "fingerprint": hashlib.sha256(finding.name.encode()).hexdigest()[:32],
        "severity": _SEVERITIES[finding.level],
        "location": {"path": path, "lines": {"begin": line}},
    }
