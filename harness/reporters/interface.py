"""What a reporter is: it turns one stored suite run into one text. Writing that to disk happens here."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from harness.errors import ReportError
from harness.text import did_you_mean

if TYPE_CHECKING:
    from harness.results import SuiteRun


class Reporter(Protocol):
    """Makes a report of a suite run: nothing live, no printing, the same text for the same run."""

    @property
    def suffix(self) -> str:
        """The usual ending of its files, with the dot."""
        ...

    def render(self, run: SuiteRun) -> str:
        """The report."""
        ...


@runtime_checkable
class InPieces(Protocol):
    """A reporter whose reports are long."""

    def pieces(self, run: SuiteRun) -> Iterator[str]:
        """The report, piece by piece."""
        ...


# Loaded when first used: a command that needs one should not pay for the others.
_REPORTERS = {
    "html": "harness.reporters.html:HtmlReporter",
    "markdown": "harness.reporters.markdown:MarkdownReporter",
    "json": "harness.reporters.json:JsonReporter",
    "junit": "harness.reporters.junit:JunitReporter",
    "csv": "harness.reporters.csv:CsvReporter",
    "console": "harness.reporters.console:ConsoleReporter",
}


def reporter_names() -> tuple[str, ...]:
    """The names that ``reporter`` knows."""
    return tuple(_REPORTERS)


def reporter(name: str) -> Reporter:
    """A reporter by its name.

    Raises:
        ReportError: There is none of this name.
    """
    try:
        module, _, attribute = _REPORTERS[name].partition(":")
    except KeyError:
        hint = did_you_mean(name, reporter_names(), label="reporters")
        raise ReportError(f"there is no reporter {name!r}", code="report-unknown", hint=hint) from None
    make = cast("Callable[[], Reporter]", getattr(import_module(module), attribute))
    return make()


def report_pieces(made_by: Reporter, run: SuiteRun) -> Iterable[str]:
    """A report in pieces, as few as its reporter makes of it."""
    return made_by.pieces(run) if isinstance(made_by, InPieces) else [made_by.render(run)]


def write_report(text: str | Iterable[str], path: str | Path) -> Path:
    """Puts a report, or its pieces, on disk, whole or not at all: a reader never sees half of one.

    Raises:
        ReportError: The file can't be written; one that was there before is unchanged.
    """
    path = Path(path)
    pieces = [text] if isinstance(text, str) else text
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        (_pour if _is_stream(path) else _replace)(path, pieces)
    except OSError as error:
        raise ReportError(
            f"the report {str(path)!r} cannot be written: {error.strerror or error}",
            code="report-not-written",
            hint="Name a file in a folder that you may write to, on a disk with free space.",
        ) from error
    return path


def _is_stream(path: Path) -> bool:
    """Whether it is a device or a pipe, or stands for one, as /dev/stdout does: these are never replaced."""
    return path.exists() and (not path.is_file() or path.parts[:2] in (("/", "dev"), ("/", "proc")))


def _pour(path: Path, pieces: Iterable[str]) -> None:
    with path.open("a", encoding="utf-8", errors="replace", newline="") as file:
        file.writelines(pieces)


def _replace(path: Path, pieces: Iterable[str]) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", errors="replace", newline="") as file:
            file.writelines(pieces)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
