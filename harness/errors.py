"""Every exception the harness raises.

An exception is about the harness, its files or its use. What an assistant does wrong is data in a
trial's result, never an exception::

    HarnessError
    ├── SuiteError        a suite or assistant file has mistakes (all of them, in ``problems``)
    ├── SettingsError     a setting, option or environment variable has a bad value
    ├── TargetError       where the assistant lives
    │   ├── TargetUnavailable   nothing answers there
    │   │   └── TargetUnreadable    something came back, and it is no answer of such an API
    │   ├── TargetTimeout       it did not answer in time
    │   ├── TargetRateLimited   it refused for now, more than we were ready to wait
    │   └── TargetRefused       it answered that it will not do this (wrong key, bad field)
    │       └── TargetMissing   what was asked for is not there, or no longer
    ├── BudgetError       something costs more than it may, or nobody knows what it can cost
    │   ├── BudgetExhausted       the suite run's budget can't pay the next request
    │   ├── BudgetHeld            it can't for now: requests under way hold what it would cost
    │   └── TrialBudgetExhausted  the trial's own can't
    ├── ScriptError       the Python function of a conversation failed
    ├── ScorerError       a scorer was asked for something it cannot do
    ├── RecordingError    a recording is not there, has mistakes (all of them), or can't be written
    ├── TableError        a table of trials has mistakes (all of them, in ``problems``)
    ├── StoreError        the store cannot be read or written
    │   └── RunError            the run or store that was named is not there, or can't do what was asked
    └── ReportError       a report cannot be made
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file: ``suites/acme/faq.yaml:12:5``. Lines and columns count from 1."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file: what is wrong, where, and what to do about it."""

    message: str
    where: Where | None = None
    hint: str | None = None

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n    hint: {self.hint}" if self.hint else text


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Each mistake of a file once, in the order of the file."""
    return sorted(dict.fromkeys(problems), key=_position)


def _position(problem: Problem) -> tuple[int, int]:
    where = problem.where or Where("")
    return where.line or 0, where.column or 0


def mistakes_told(problems: Sequence[Problem], *, most: int | None = None) -> str:
    """All mistakes of a file in one message; after so many only how many more there are."""
    lines = [str(problem) for problem in problems[:most]]
    if more := len(problems) - len(lines):
        lines.append(f"and {more} more mistakes")
    return "\n".join([f"{len(problems)} mistake{'' if len(problems) == 1 else 's'} found", *lines])


class HarnessError(Exception):
    """Base of all; ``code`` is a stable slug with a heading in docs/errors.md.

    Attributes:
        message: What is wrong, with the offending value.
        code: Stable slug, for example ``suite-invalid``.
        hint: What to do about it, or None.
        where: The file position or trial id it is about, or None.
    """

    default_code = "harness-error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        where: Where | str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class SuiteError(HarnessError):
    """Suite or assistant files have mistakes; ``problems`` lists every one that was found."""

    default_code = "suite-invalid"

    def __init__(self, problems: Sequence[Problem], *, code: str | None = None) -> None:
        self.problems = tuple(problems)
        super().__init__(mistakes_told(self.problems), code=code)


class SettingsError(HarnessError):
    """A setting, option or environment variable has a value that cannot be used."""

    default_code = "settings-invalid"


class TargetError(HarnessError):
    """Something about the place where the assistant lives."""

    default_code = "target-error"


class TargetUnavailable(TargetError):
    """Nothing answers at the target's address."""

    default_code = "target-unavailable"


class TargetUnreadable(TargetUnavailable):
    """Something came back that is no answer of such an API; nobody knows what it cost."""


class TargetTimeout(TargetError):
    """The target did not answer within the deadline."""

    default_code = "target-timeout"


class TargetRateLimited(TargetError):
    """The target refused for now, for longer than we were ready to wait."""

    default_code = "target-rate-limited"


class TargetRefused(TargetError):
    """The target answered that it will not do this: wrong key, unknown id, invalid request."""

    default_code = "target-refused"


class TargetMissing(TargetRefused):
    """What was asked for is not at the target, or no longer."""


class BudgetError(HarnessError):
    """Something costs more than it may, or nobody knows what it can cost at most."""

    default_code = "budget-error"


class BudgetExhausted(BudgetError):
    """What is left of the suite run's budget can't pay the next request, so it was not sent."""

    default_code = "budget-exhausted"


class BudgetHeld(BudgetError):
    """Requests under way hold back what a request could cost; some of it may come back."""

    default_code = "budget-held"


class TrialBudgetExhausted(BudgetError):
    """What is left of the trial's own budget can't pay its next request, so it was not sent."""

    default_code = "trial-budget-exhausted"


class ScriptError(HarnessError):
    """The Python function that plays a conversation failed, so its trial says nothing of the assistant."""

    default_code = "script-failed"


class ScorerError(HarnessError):
    """A scorer was asked for something it cannot do."""

    default_code = "scorer-error"


class RecordingError(HarnessError):
    """A recording is not there, has mistakes, or can't be written; ``problems`` lists what was found."""

    default_code = "recording-invalid"

    def __init__(self, problems: Sequence[Problem], *, code: str | None = None) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems), code=code)


class TableError(HarnessError):
    """A table of trials can't be used; ``problems`` lists every mistake that was found."""

    default_code = "table-invalid"

    def __init__(self, problems: Sequence[Problem], *, code: str | None = None) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems), code=code)


class StoreError(HarnessError):
    """The store cannot be read or written."""

    default_code = "store-error"


class RunError(StoreError):
    """The stored run, or the store, that was named can't be what was meant: nothing is broken."""

    default_code = "store-run-unknown"


class ReportError(HarnessError):
    """A report cannot be made."""

    default_code = "report-error"
