"""harness run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from harness import cli
from harness.cli import money, options, suggestions, terminal

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.errors import StoreError
    from harness.results import SuiteRun
    from harness.runner.executors.local import Stop
    from harness.settings import Settings
    from harness.workflows import Control, Job


_OF_THE_RUN = (
    "target",
    "target_function",
    "recording",
    "repeats",
    "models",
    "faults",
    "keep_assistants",
    "keep_users",
    "judge_model",
)
"""What a run that goes on takes from its beginning."""


@click.command("run")
@options.job
@options.where
@click.option("--repeats", type=click.IntRange(1), help="Run every conversation this often.")
@options.judge
@money.options
@options.reports
@click.option(
    "--resume",
    metavar="RUN",
    shell_complete=suggestions.runs,
    help="Go on with an interrupted run: its id, or 'latest'.",
)
@click.option("--retry-errors", is_flag=True, help="With --resume: run trials that ended in an error again.")
@click.option("--estimate", is_flag=True, help="Say what the run will cost, and send nothing.")
@click.option("--fail-fast", is_flag=True, help="End the run early after the first failed or errored trial.")
@click.option(
    "--max-failures",
    type=click.IntRange(1),
    metavar="N",
    help="End the run early after N failed or errored trials.",
)
@click.option(
    "--max-errors", type=click.IntRange(1), metavar="N", help="End the run early after N errored trials."
)
@click.option(
    "--progress",
    "mode",
    type=click.Choice(options.PROGRESS_MODES),
    default="auto",
    help="How to show the run on standard error. Default: a bar in a terminal, else lines.",
)
@click.option("--no-progress", is_flag=True, help="The same as --progress off: only the summary.")
@click.option("--quiet", "-q", is_flag=True, help="No display and no tables, one line at the end.")
@click.option("--events", type=click.Path(path_type=Path), help="Write the run's events as JSON Lines too.")
@options.store
def command(
    suites: tuple[str, ...],
    assistants: tuple[str, ...],
    tags: tuple[str, ...],
    ids: tuple[str, ...],
    resume: str | None,
    retry_errors: bool,
    junit: str | None,
    markdown: str | None,
    code_quality: str | None,
    estimate: bool,
    fail_fast: bool,
    mode: str,
    no_progress: bool,
    quiet: bool,
    events: Path | None,
    **flags: Any,
) -> int:
    """Run SUITES (files or folders; default: suites/), score the answers, write an HTML report.

    \b
    Examples:
      harness run suites/acme
      harness run suites/acme/knowledge.yaml --repeats 3 --tag smoke
      harness run suites/acme --target assistants --base-url http://127.0.0.1:8080/v1
      harness run suites/acme --assistant prompts.yaml@main --assistant prompts.yaml
      harness run suites/acme --target responses
      harness run suites/acme --target function --target-function app/support.py:answer
      harness run suites/acme --estimate
      harness run suites/acme --budget 2.00 --budget-per-trial 0.05
      harness run suites/acme --record fixtures/recordings/acme.yaml
      harness run suites/acme --replay fixtures/recordings/acme.yaml
      harness run --resume latest

    Targets: "embedded" is an Assistants API inside this process; "assistants" is any by its address;
    "responses" (Responses and Conversations) and "chat" (chat completions, functions only) take an address
    too, and ask the embedded server without one; "function" is an application of yours; "recording" answers
    from a file that --record made, which is what --replay FILE asks for.

    The key is read from OPENAI_API_KEY, with --azure-endpoint from AZURE_OPENAI_API_KEY. Ctrl-C once lets
    the trials under way finish, twice stops at once; what is finished is kept either way. With --resume, the
    address, --concurrency, --deadline, the limits of requests, when to end early, budgets and prices may be
    given anew; all else is as the run began. A run whose budget is exhausted ends with exit code 2.

    Exit codes: 0 all passed, 1 something failed (also when that ended the run early), 2 interrupted,
    3 internal error, 4 usage, 5 nothing to run. Conversations in quarantine decide none of them; when all
    are, it is 5.
    """
    import asyncio

    from harness import workflows
    from harness.settings import given, load_settings
    from harness.targets.heeding import refuse_unheeded

    if resume:
        if estimate:
            raise click.UsageError("--estimate is about a new run; leave --resume out.")
        chosen = {"SUITES": suites, "--assistant": assistants, "--tag": tags, "--only": ids}
        _refuse_with_resume(chosen | {_flag(name): flags[name] for name in _OF_THE_RUN})
    elif retry_errors:
        raise click.UsageError("--retry-errors goes with --resume: name the run, or 'latest'.")
    if fail_fast:
        flags["max_failures"] = _fail_fast(flags["max_failures"])
    settings = load_settings(options.replaying(flags))
    changed = given(flags)
    if not resume:
        refuse_unheeded(changed, settings.target_options())
    job = workflows.Job(suites, settings, assistants, tags, ids)
    if estimate:
        click.echo(money.told(workflows.forecast(job), settings.budget_usd))
        return cli.PASSED
    unpaid = money.Unpaid()
    shown = "off" if no_progress or (quiet and mode == "auto") else mode
    watched = _Watched(shown, events, unpaid)
    record = asyncio.run(_run(job, resume, changed, watched, retry_errors=retry_errors))
    print_summary(record, unpaid.reason, quiet=quiet)
    return conclude(record, settings, Files(junit, markdown, code_quality))


class Files(NamedTuple):
    """What is written of a run beside its HTML report, where a file is named for it."""

    junit: str | None
    markdown: str | None
    code_quality: str | None


def conclude(record: SuiteRun, settings: Settings, files: Files) -> int:
    """Write the reports of a run that was told about, and say how it went as an exit code."""
    from harness import workflows
    from harness.errors import ReportError

    try:
        click.echo(f"report: {workflows.write_html(record, settings.reports)}")
        _write_others(record, files)
    except ReportError as error:
        stored = (
            f"The run is stored, and its reports can be written later: harness report {record.id} --out FILE"
        )
        error.hint = " ".join(filter(None, [error.hint, stored]))
        raise
    _say(workflows.tell_of_run(record))
    _tell_leftovers(workflows.left_behind(settings, record.id))
    return _verdict(record)


def _flag(name: str) -> str:
    """A setting as the command line spells it."""
    return "--replay" if name == "recording" else f"--{name.replace('_', '-')}"


def _refuse_with_resume(given: dict[str, object]) -> None:
    """A run that goes on is the run that was begun: what decides its trials can't change half way."""
    named = ", ".join(name for name, value in given.items() if value)
    if named:
        raise click.UsageError(f"--resume takes these from the run, leave them out: {named}")


def _fail_fast(max_failures: int | None) -> int:
    if max_failures not in (None, 1):
        raise click.UsageError("--fail-fast is --max-failures 1: leave one of them out.")
    return 1


@dataclass(frozen=True, slots=True)
class _Watched:
    """How the run is shown, and where its events go."""

    mode: str
    events: Path | None
    unpaid: money.Unpaid


async def _run(
    job: Job, resume: str | None, changed: Collection[str], watched: _Watched, *, retry_errors: bool
) -> SuiteRun:
    from harness import workflows
    from harness.cli.progress import kept_alive, progress
    from harness.runner.executors.local import Stop

    stop = Stop()
    with progress(watched.mode, watched.events, appends=resume is not None) as listeners:
        watch_for_signals(stop)
        control = workflows.Control([*listeners, watched.unpaid], stop)
        async with kept_alive(listeners):
            return await _carried_out(job, resume, changed, control, retry_errors=retry_errors)


async def _carried_out(
    job: Job, resume: str | None, changed: Collection[str], control: Control, *, retry_errors: bool
) -> SuiteRun:
    from harness import workflows

    if resume:
        return await workflows.resume(
            resume, job.settings, control, retry_errors=retry_errors, changed=changed
        )
    return await workflows.start(job, control)


def watch_for_signals(stop: Stop) -> None:
    """Ctrl-C once: finish what is under way; twice, or SIGTERM: stop at once, in order; a third time: now."""
    import asyncio
    import signal

    loop = asyncio.get_running_loop()

    def on_interrupt() -> None:
        if stop.requested.is_set():
            on_terminate()
            return
        stop.set()
        click.echo("\nstopping: trials under way are finishing; Ctrl-C again stops at once", err=True)

    def on_terminate() -> None:
        stop.at_once()
        loop.remove_signal_handler(signal.SIGINT)  # whatever hangs now, the next Ctrl-C ends the process
        click.echo("\nstopping at once", err=True)

    loop.add_signal_handler(signal.SIGINT, on_interrupt)
    loop.add_signal_handler(signal.SIGTERM, on_terminate)


def _write_others(record: SuiteRun, files: Files) -> None:
    from harness import workflows

    if files.junit:
        workflows.write(record, "junit", Path(files.junit))
    if files.markdown:
        workflows.write(record, "markdown", Path(files.markdown))
    if files.code_quality:
        workflows.write_code_quality(record, Path(files.code_quality))


def _say(text: str) -> None:
    if text:
        click.echo(text)


_CHEAPER = (
    "what a request can cost at most is decided by max_prompt_tokens and max_completion_tokens of the "
    "assistant, or cap_prompt_tokens and cap_completion_tokens in harness.toml: lower them, or raise the "
    "budget"
)

# Why a run has ended that is not finished.
_ENDED_EARLY = {
    "interrupted": "interrupted",
    "failures_reached": "ended early: it has as many failures as it may have",
    "budget_exhausted": "ended early: its budget is used up",
}


def print_summary(record: SuiteRun, unpaid: str | None = None, *, quiet: bool = False) -> None:
    """The tables come before any file is written: a folder that can't be written to hides no verdict."""
    from harness import workflows

    click.echo(_verdict_line(record) if quiet else workflows.summary(record, terminal.width()))
    if unpaid:
        click.echo(f"budget: {unpaid}")
        if not record.results:
            click.echo(f"hint: {_CHEAPER}")
    if record.status == "decided":
        pair = ",".join(dict.fromkeys(result.variant for result in record.results))
        click.echo(f"ended with the look that decided. See: harness compare {record.id} --variants {pair}")
    elif record.status != "finished":
        left = record.planned - len(record.results)
        more = " --budget USD (more than before)" if record.status == "budget_exhausted" else ""
        on = f"Go on with: harness run --resume {record.id}{more}"
        if asked := record.settings.get("perturbed"):
            on = f"Look again with: harness perturb --seed {asked['seed']}{more}"
        ended = _ENDED_EARLY.get(record.status, record.status)
        click.echo(f"{ended}; {left} of {record.planned} trials are left. {on}")


def _tell_leftovers(count: int) -> None:
    """What a server did not confirm to be gone costs money and holds what users said."""
    if count:
        from harness.text import counted

        click.echo(f"{counted(count, 'object')} may still be at the target. Delete with: harness clean --yes")


def _verdict_line(record: SuiteRun) -> str:
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(record.outcomes.items()))
    kept = ", ".join(f"{count} {outcome}" for outcome, count in sorted(record.quarantined.items()))
    return f"run {record.id}: {told or 'no trial ended'}" + (f" (in quarantine: {kept})" if kept else "")


def _verdict(record: SuiteRun) -> int:
    if record.status == "failures_reached":
        return cli.FAILED
    if record.status not in ("finished", "decided"):
        return cli.INTERRUPTED
    if not record.results:
        return cli.NOTHING_TO_RUN
    if record.status == "finished" and len(record.results) != record.planned:
        raise _lost(record)
    if not record.deciding:
        return _nothing_decides()
    return cli.PASSED if record.deciding.keys() <= {"passed", "skipped"} else cli.FAILED


def _nothing_decides() -> int:
    """A run that is in quarantine as a whole has proven nothing, and is not green."""
    click.echo("every conversation is in quarantine, so nothing was decided")
    return cli.NOTHING_TO_RUN


def _lost(record: SuiteRun) -> StoreError:
    """A run that is finished has a result for every trial; whatever took one away, this is no verdict."""
    from harness.errors import StoreError

    return StoreError(
        f"run {record.id} is finished, but the store has {len(record.results)} results "
        f"of its {record.planned} trials",
        code="results-lost",
        hint=f"run what is missing with: harness run --resume {record.id}",
    )
