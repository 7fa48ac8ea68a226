"""harness run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import cli
from harness.cli import options, terminal

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.results import SuiteRun
    from harness.runner.executors.local import Stop
    from harness.settings import Settings
    from harness.workflows import Job


@click.command("run")
@options.job
@click.option(
    "--target",
    metavar="NAME",
    help="Where the assistant lives: embedded (default), assistants, responses, chat, function, recording.",
)
@click.option("--base-url", metavar="URL", help="Compatible API, e.g. http://127.0.0.1:8080/v1.")
@click.option("--azure-endpoint", metavar="URL", help="Resource of Azure, instead of --base-url.")
@click.option("--api-version", metavar="DATE", help="With --azure-endpoint: the version of its API.")
@click.option(
    "--target-function",
    metavar="NAME",
    help="With --target function: what is called, MODULE:FUNCTION or PATH.py:FUNCTION.",
)
@click.option("--record", metavar="FILE", help="Keep every answer in FILE, to answer from later.")
@click.option(
    "--replay",
    "recording",
    metavar="FILE",
    help="Answer from FILE instead of asking anyone: no request, no key.",
)
@click.option("--models", metavar="FILE", help="YAML: which model answers to which name (embedded target).")
@click.option("--faults", metavar="FILE", help="YAML: faults on demand, to try resilience (embedded target).")
@click.option(
    "--allow-unisolated-code",
    is_flag=True,
    default=None,
    help="Run code_interpreter's code without bubblewrap or user namespaces too: it then reaches your files.",
)
@click.option("--repeats", type=click.IntRange(1), help="Run every conversation this often.")
@click.option("--concurrency", type=click.IntRange(1), help="Trials at the same time. Default: 8.")
@click.option("--deadline", "deadline_s", type=float, metavar="SECONDS", help="Longest a turn may take.")
@click.option("--out", "reports", metavar="PATH", help="HTML report: a folder, or a file ending in .html.")
@click.option("--junit", type=click.Path(), help="Write a JUnit XML file too.")
@click.option("--markdown", type=click.Path(), help="Write a Markdown summary too.")
@click.option("--resume", metavar="RUN", help="Go on with an interrupted run: its id, or 'latest'.")
@click.option("--retry-errors", is_flag=True, help="With --resume: run trials that ended in an error again.")
@click.option("--no-progress", is_flag=True, help="No live display, only the summary.")
@options.store
def command(
    suites: tuple[str, ...],
    assistant: str | None,
    tags: tuple[str, ...],
    ids: tuple[str, ...],
    resume: str | None,
    retry_errors: bool,
    junit: str | None,
    markdown: str | None,
    no_progress: bool,
    **flags: Any,
) -> int:
    """Run SUITES (files or folders; default: suites/), score the answers, write an HTML report.

    \b
    Examples:
      harness run suites/acme
      harness run suites/acme/knowledge.yaml --repeats 3 --tag smoke
      harness run suites/acme --target assistants --base-url http://127.0.0.1:8080/v1
      harness run suites/acme --target responses
      harness run suites/acme --target function --target-function app/support.py:answer
      harness run suites/acme --record fixtures/recordings/acme.yaml
      harness run suites/acme --replay fixtures/recordings/acme.yaml
      harness run --resume latest

    Targets: "embedded" is an Assistants API inside this process; "assistants" is any by its address;
    "responses" (Responses and Conversations) and "chat" (chat completions, functions only) take an address
    too, and ask the embedded server without one; "function" is an application of yours; "recording" answers
    from a file that --record made, which is what --replay FILE asks for.

    The key is read from OPENAI_API_KEY, with --azure-endpoint from AZURE_OPENAI_API_KEY. Ctrl-C once lets
    the trials under way finish, twice stops at once; what is finished is kept either way. With --resume, the
    address, --concurrency and --deadline may be given anew; everything else is as the run began.

    Exit codes: 0 all passed, 1 something failed, 2 interrupted, 3 internal error, 4 usage, 5 nothing to run.
    """
    import asyncio

    from harness import workflows
    from harness.settings import load_settings

    if resume:
        given = {"SUITES": suites, "--assistant": assistant, "--tag": tags, "--only": ids}
        kept = ("target", "target_function", "recording", "repeats", "models", "faults")
        _refuse_with_resume(given | {_flag(name): flags[name] for name in kept})
    elif retry_errors:
        raise click.UsageError("--retry-errors goes with --resume: name the run, or 'latest'.")
    settings = load_settings(_replaying(flags))
    job = workflows.Job(suites, settings, assistant, tags, ids)
    changed = [name for name, value in flags.items() if value is not None]
    record = asyncio.run(_run(job, resume, changed, retry_errors=retry_errors, quiet=no_progress))
    return conclude(record, settings, junit, markdown)


def conclude(record: SuiteRun, settings: Settings, junit: str | None, markdown: str | None) -> int:
    """Print the summary of a run, write its reports, and say how it went as an exit code."""
    from harness import workflows

    _print_summary(record)
    click.echo(f"report: {workflows.write_html(record, settings.reports)}")
    _write_others(record, junit, markdown)
    return _verdict(record)


def _flag(name: str) -> str:
    """A setting as the command line spells it."""
    return "--replay" if name == "recording" else f"--{name.replace('_', '-')}"


def _replaying(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags, where a file to replay stands for the target that answers from it."""
    if flags["recording"] is None:
        return flags
    if flags["target"] not in (None, "recording"):
        raise click.UsageError(f"--replay asks nobody, so --target {flags['target']} can't go with it.")
    return flags | {"target": "recording"}


def _refuse_with_resume(given: dict[str, object]) -> None:
    """A run that goes on is the run that was begun: what decides its trials can't change half way."""
    named = ", ".join(name for name, value in given.items() if value)
    if named:
        raise click.UsageError(f"--resume takes these from the run, leave them out: {named}")


async def _run(
    job: Job, resume: str | None, changed: Collection[str], *, retry_errors: bool, quiet: bool
) -> SuiteRun:
    from harness import workflows
    from harness.cli.progress import progress
    from harness.runner.executors.local import Stop

    stop = Stop()
    with progress(quiet=quiet) as listener:
        _watch_for_signals(stop)
        control = workflows.Control([listener], stop)
        if resume:
            return await workflows.resume(
                resume, job.settings, control, retry_errors=retry_errors, changed=changed
            )
        return await workflows.start(job, control)


def _watch_for_signals(stop: Stop) -> None:
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


def _write_others(record: SuiteRun, junit: str | None, markdown: str | None) -> None:
    from harness import workflows

    if junit:
        workflows.write(record, "junit", Path(junit))
    if markdown:
        workflows.write(record, "markdown", Path(markdown))


def _print_summary(record: SuiteRun) -> None:
    """The tables come before any file is written: a folder that can't be written to hides no verdict."""
    from harness import workflows

    click.echo(workflows.summary(record, terminal.width()))
    if record.status != "finished":
        left = record.planned - len(record.results)
        click.echo(
            f"{left} of {record.planned} trials are left. Go on with: harness run --resume {record.id}"
        )


def _verdict(record: SuiteRun) -> int:
    if record.status != "finished":
        return cli.INTERRUPTED
    if not record.results:
        return cli.NOTHING_TO_RUN
    return cli.PASSED if record.outcomes.keys() <= {"passed", "skipped"} else cli.FAILED
