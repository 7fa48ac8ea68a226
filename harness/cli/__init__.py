"""The command line: translates arguments, calls one workflow, prints.

Commands load when they are named, so that ``harness --version`` and every ``--help`` start at once.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import Any

import click

import harness
from harness.cli import terminal

# Name -> the line that `harness --help` shows; the command itself is `command` in harness/cli/<name>.py, with
# underscores for hyphens.
_COMMANDS = {
    "init": "Make a first suite, assistant and document to start from.",
    "run": "Run suites against an assistant, score the answers, write a report.",
    "perturb": "Vary what users say, and find the smallest variation that breaks something.",
    "check": "Check suite files and name every mistake with file:line:column.",
    "schema": "Write the JSON Schemas of suite and assistant files for editors.",
    "report": "Write the report of a stored run again, in any format.",
    "rescore": "Score a stored run anew with changed expectations, without a request.",
    "score": "Show the scores of a stored trial, and explain them.",
    "calibrate": "Measure how far a judge agrees with people, so that it may gate.",
    "runs": "List the stored runs.",
    "compare": "Show what is better and worse between stored runs or variants, and what changed.",
    "gate": "Say whether a candidate may replace a baseline: pass, fail or inconclusive.",
    "flaky": "List conversations that both pass and fail although nothing changed.",
    "drift": "Say whether a suite gets slowly worse from run to run.",
    "plan": "Say how many trials it takes to find a drop.",
    "export": "Write the trials of stored runs as one table.",
    "stats": "Print what a table of trials says of one run.",
    "clean": "List and delete what runs left behind at the servers of others.",
    "serve": "Start the embedded Assistants API for any client.",
    "server-info": "Say what this version's embedded server is and can do.",
    "completion": "Print the shell completion script.",
}

# Exit codes are pytest's.
PASSED, FAILED, INTERRUPTED, INTERNAL, USAGE, NOTHING_TO_RUN = range(6)

# Commands that end with a verdict (0 good, 1 bad, 2 undecided), and how they end without one.
_GIVE_VERDICTS = {"gate", "drift"}
_NO_VERDICT = {FAILED: 70, INTERRUPTED: 130, INTERNAL: 70, USAGE: 64}


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"harness.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from harness.text import nearest

            known = nearest(args[0], _COMMANDS)
            if known is None:
                raise
            raise click.UsageError(f"{error.message} Did you mean {known!r}?", ctx) from error


@click.group(
    cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(harness.__version__, "-V", "--version", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of errors.")
def cli(debug: bool) -> None:
    """Evaluate and regression-test AI assistants with scripted conversations.

    \b
    Start here:
      harness init my-assistant              a first suite, assistant and document
      harness run my-assistant/suite.yaml    run it: no key and no network needed
      harness check suites/                  find mistakes in suite files
      harness serve                          an Assistants API on this machine for any client
    """


def main() -> None:
    """The console script: runs a command and turns every outcome into an exit code."""
    terminal.show_what_it_can()
    # The threads of numpy's linear algebra sleep at once when they have nothing to do. As they come they burn
    # processors while they wait for their first work: a twentieth of a run that searches one document.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    # A command makes few cycles and many objects that stay: looking through them all the time costs a
    # tenth. A short run ends before it has so many.
    gc.set_threshold(400_000, 20, 20)
    code = exit_code(sys.argv[1:])
    # The system takes all memory back at once; looking through it for cycles first costs a short run a tenth.
    gc.freeze()
    sys.exit(code)


def exit_code(arguments: list[str]) -> int:
    """Run a command line and get its exit code; errors are printed, never raised."""
    code, ended = _run(arguments)
    named = next((word for word in arguments if not word.startswith("-")), "")
    return _NO_VERDICT.get(code, code) if named in _GIVE_VERDICTS and not ended else code


def _run(arguments: list[str]) -> tuple[int, bool]:
    """The exit code, and whether the command came to its own end."""
    try:
        code: Any = cli.main(arguments, prog_name="harness", standalone_mode=False)
    except click.exceptions.Abort:  # what click makes of Ctrl-C
        click.echo("interrupted", err=True)
        return INTERRUPTED, False
    except click.ClickException as error:
        error.show()
        return USAGE, False
    except SystemExit:  # what click makes of a reader of our output that went away
        return FAILED, False
    except Exception as error:  # noqa: BLE001 - the program's edge: nothing may exit as if it were a verdict
        return _explain(error, debug="--debug" in arguments), False
    return (code if isinstance(code, int) else PASSED), True


def _explain(error: Exception, *, debug: bool) -> int:
    from harness.errors import (
        BudgetError,
        HarnessError,
        RecordingError,
        RunError,
        SettingsError,
        SuiteError,
        TableError,
        TargetError,
    )

    if debug:
        import traceback

        traceback.print_exception(error)
    if not isinstance(error, HarnessError):
        click.echo(f"error: internal error: {type(error).__name__}: {error}", err=True)
        click.echo("hint: run it again with 'harness --debug ...' and report the traceback", err=True)
        return INTERNAL
    headline, line_break, mistakes = str(error).partition("\n")
    click.echo(f"error: {headline} [{error.code}]{line_break}{mistakes}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)
    if error.code == "nothing-to-run":
        return NOTHING_TO_RUN
    misused = SuiteError | SettingsError | TargetError | BudgetError | RecordingError | TableError | RunError
    return USAGE if isinstance(error, misused) else INTERNAL
