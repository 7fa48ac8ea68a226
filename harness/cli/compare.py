"""harness compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from harness import cli
from harness.cli import money, options, suggestions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from harness.compare.comparison import Comparison
    from harness.compare.sequential import Looks, Method
    from harness.compare.verdict import Question
    from harness.results import SuiteRun
    from harness.workflows import Control, Job
    from harness.workflows.comparing import ToRun
    from harness.workflows.looking import Cases

    Play = Callable[[Job, Control], Awaitable[SuiteRun]]

_PASSES = {"group-sequential": 8, "always-valid": 50}


@click.command("compare")
@click.argument(
    "runs",
    metavar="BASELINE [CANDIDATE]...",
    nargs=-1,
    shell_complete=suggestions.runs_and_files,
)
@click.option(
    "--variants",
    metavar="A,B",
    help="Of a single run: its variants to compare, the baseline first. Of several: one for each.",
)
@click.option(
    "--margin", type=float, default=0.05, show_default=True, help="The drop from which on it is not wanted."
)
@click.option(
    "--alpha", type=float, default=0.05, show_default=True, help="How often 'worse' may be said for nothing."
)
@click.option(
    "--show",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    metavar="N",
    help="How many conversations that got worse are shown turn by turn.",
)
@click.option(
    "--json", "json_file", metavar="FILE", type=click.Path(path_type=Path), help="All of it as JSON."
)
@click.option(
    "--markdown",
    "markdown_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="All of it as Markdown.",
)
@click.option(
    "--suite",
    "suites",
    multiple=True,
    type=click.Path(),
    help="Where assistants are named instead of runs: the suite file or folder to run. Repeatable.",
)
@click.option(
    "--targets",
    metavar="A,B",
    help="Run the suites that are named on these targets, and compare each with the first.",
)
@click.option("--repeats", type=click.IntRange(1), help="Then run every conversation this often with each.")
@click.option(
    "--until-decided",
    is_flag=True,
    help="Run a baseline and a candidate side by side, pass after pass, and look after each: it ends when "
    "the candidate is worse or not worse, and at --max-repeats. The looks together keep to --alpha.",
)
@click.option(
    "--method",
    type=click.Choice(["group-sequential", "always-valid"]),
    help="With --until-decided: levels for a fixed number of looks (the default, decides sooner), or "
    "evidence that holds however many looks there are.",
)
@click.option(
    "--max-repeats",
    type=click.IntRange(2, 1000),
    metavar="K",
    help="With --until-decided: the most passes, fixed before the first. Default: 8, always-valid: 50.",
)
@click.option(
    "--screen",
    type=click.IntRange(2),
    metavar="R",
    help="Run a baseline and a candidate once, then each conversation that got worse R times more with both: "
    "only these fresh trials are judged. 5 to 8 are usual. Best for changes that break a few conversations.",
)
@click.option("--target", metavar="NAME", help="Then where they live, as for harness run.")
@click.option("--base-url", metavar="URL", help="Then its address.")
@money.budget
@click.option("--no-progress", is_flag=True, help="Then no live display.")
@options.store
@click.pass_context
def command(
    ctx: click.Context,
    /,
    runs: tuple[str, ...],
    variants: str | None,
    margin: float,
    alpha: float,
    show: int,
    json_file: Path | None,
    markdown_file: Path | None,
    suites: tuple[str, ...],
    targets: str | None,
    until_decided: bool,
    method: Method | None,
    max_repeats: int | None,
    screen: int | None,
    no_progress: bool,
    **flags: Any,
) -> int:
    """Show what differs between stored runs, or between variants of one run (ids, 'latest', 'green').

    Assistants (FILE.yaml, FILE.yaml@REVISION, asst_... ids) are run first: side by side in one run, or, after
    a stored run as the baseline, as that run was.

    \b
    Examples:
      harness compare 20260102-030405-ab12 latest
      harness compare green latest --markdown comparison.md
      harness compare latest --variants short,long
      harness compare latest prompt.yaml
      harness compare prompt.yaml@main prompt.yaml --suite suites/acme --repeats 5
      harness compare prompt.yaml@main prompt.yaml --until-decided --max-repeats 8 --budget 2.00
      harness compare prompt.yaml@main prompt.yaml --until-decided --method always-valid
      harness compare --targets assistants,responses suites/acme --repeats 5

    Conversations are paired by their ids. It ends with 0 whatever it finds; harness gate decides.
    """
    from harness import workflows
    from harness.compare.verdict import Question
    from harness.settings import given, load_settings
    from harness.targets.heeding import refuse_unheeded

    more = _More(until_decided, method, max_repeats, screen)
    _refuse_repeats(flags["repeats"], more)
    question = Question(margin=margin, alpha=alpha)
    shown = _Shown(show, json_file, markdown_file)
    names = _listed(variants) if variants is not None else []
    if variants is not None and not names:
        raise click.UsageError("--variants names none: give them separated by commas, the baseline first")
    settings = load_settings(flags)
    if targets is not None:
        _refuse_beside_targets(names, flags["target"], more)
        return _parity(workflows.parity_jobs(settings, _listed(targets), (*runs, *suites)), question, shown)
    if not runs:
        raise click.UsageError("name a baseline and a candidate, or --targets and the suites to run on them")
    changed = given(flags)
    asked = workflows.to_be_run(settings, runs, suites, changed, names)
    if asked is None:
        _refuse_run_options(ctx)
        _tell(workflows.compare_runs(settings, runs, question, names), shown)
        return cli.PASSED
    refuse_unheeded(changed, asked.job.settings.target_options())
    return _side_by_side(asked, more, question, shown, quiet=no_progress)


class _Shown(NamedTuple):
    """How many conversations are shown turn by turn, and the files that get all of it."""

    transcripts: int
    json: Path | None
    markdown: Path | None


class _More(NamedTuple):
    """How it is decided how many trials are run."""

    until_decided: bool
    method: Method | None
    max_repeats: int | None
    screen: int | None

    @property
    def flag(self) -> str | None:
        """The option that says so; None where every conversation is run as often as any other."""
        return "--until-decided" if self.until_decided else "--screen" if self.screen else None

    def play(self, question: Question) -> Play:
        """What runs a job in this way."""
        from harness import workflows
        from harness.compare.sequential import Looks

        if self.until_decided:
            method = self.method or "group-sequential"
            passes = self.max_repeats or _PASSES[method]
            return _deciding(Looks(passes, question.margin, question.alpha, method))
        return _confirming(self.screen, question) if self.screen else workflows.start


def _parity(jobs: Sequence[Job], question: Question, shown: _Shown) -> int:
    from harness import workflows

    together = _run_all(jobs)
    settings = jobs[0].settings
    _tell(workflows.compare_runs(settings, workflows.parity_sides(jobs, together), question), shown)
    return cli.PASSED if all(each.status == "finished" for each in together) else cli.INTERRUPTED


def _side_by_side(asked: ToRun, more: _More, question: Question, shown: _Shown, *, quiet: bool) -> int:
    from harness import workflows

    if asked.baseline is not None and more.flag:
        raise click.UsageError(f"{more.flag} runs both sides: name two assistants, no stored run")
    record, unpaid = _run(asked.job, more.play(question), quiet=quiet)
    click.echo(f"run {record.id}: {len(record.results)} of {record.planned} trials ended")
    if unpaid.reason:
        click.echo(f"budget: {unpaid.reason}")
    runs, variants = asked.sides(record)
    _tell(workflows.compare_runs(asked.job.settings, runs, question, variants), shown)
    return cli.PASSED if record.status in ("finished", "decided") else cli.INTERRUPTED


def _deciding(looks: Looks) -> Play:
    """What runs a job until a look decides; each look is printed as it is taken."""
    from harness import workflows

    return lambda job, control: workflows.decide(job, looks, control, lambda look: click.echo(str(look)))


def _confirming(fresh: int, question: Question) -> Play:
    """What runs a job once, and then what got worse so many times more."""
    from harness import workflows

    return lambda job, control: workflows.confirm(job, fresh, control, _tell_suspects, question)


def _tell_suspects(first: SuiteRun, suspects: Cases) -> None:
    named = ", ".join(sorted("/".join(each) for each in suspects))
    told = (
        f"run again with both: {named}" if suspects else "nothing that passed fails now; nothing to confirm"
    )
    click.echo(f"run {first.id}, one pass: {told}")


def _refuse_repeats(repeats: int | None, more: _More) -> None:
    if more.screen and (more.until_decided or repeats):
        raise click.UsageError("--screen R says how often; leave --repeats and --until-decided out")
    if more.until_decided and repeats:
        raise click.UsageError("--until-decided takes --max-repeats K in place of --repeats")
    if not more.until_decided and (more.max_repeats or more.method):
        raise click.UsageError(f"{'--method' if more.method else '--max-repeats'} goes with --until-decided")


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _refuse_beside_targets(variants: Sequence[str], target: str | None, more: _More) -> None:
    given = "--variants" if variants else f"--target {target}" if target else more.flag
    if given:
        raise click.UsageError(f"{given} can't go with --targets, which says what the sides are")


def _run_all(jobs: Sequence[Job]) -> list[SuiteRun]:
    """All jobs at the same time, without a live display, which knows one run only."""
    import asyncio

    unpaid = [money.Unpaid() for _ in jobs]
    records = asyncio.run(_played_together(jobs, unpaid))
    for record, missed in zip(records, unpaid, strict=True):
        click.echo(
            f"run {record.id} ({record.target}): {len(record.results)} of {record.planned} trials ended"
        )
        if missed.reason:
            click.echo(f"budget: {missed.reason}")
    return records


async def _played_together(jobs: Sequence[Job], unpaid: Sequence[money.Unpaid]) -> list[SuiteRun]:
    from harness import workflows
    from harness.cli.run import watch_for_signals
    from harness.runner.executors.local import Stop

    stop = Stop()
    watch_for_signals(stop)
    return await workflows.run_side_by_side(jobs, [workflows.Control([each], stop) for each in unpaid])


def _refuse_run_options(ctx: click.Context) -> None:
    """Nothing is run when stored runs are named, so options of a run would be left aside without a word."""
    names = (
        "suites",
        "repeats",
        "target",
        "base_url",
        "budget_usd",
        "until_decided",
        "method",
        "screen",
        "no_progress",
    )
    given = [name for name in names if ctx.params[name]]
    if given:
        told = {"suites": "suite", "budget_usd": "budget"}
        named = ", ".join(f"--{told.get(name, name).replace('_', '-')}" for name in given)
        raise click.UsageError(f"{named} goes with assistants that are to be run; stored runs are only read")


def _run(job: Job, play: Play, *, quiet: bool) -> tuple[SuiteRun, money.Unpaid]:
    """All assistants over the suites, side by side."""
    import asyncio

    unpaid = money.Unpaid()
    return asyncio.run(_played(job, play, unpaid, quiet=quiet)), unpaid


async def _played(job: Job, play: Play, unpaid: money.Unpaid, *, quiet: bool) -> SuiteRun:
    from harness import workflows
    from harness.cli.progress import kept_alive, progress
    from harness.cli.run import watch_for_signals
    from harness.runner.executors.local import Stop

    stop = Stop()
    with progress("off" if quiet else "auto") as listeners:
        watch_for_signals(stop)
        async with kept_alive(listeners):
            return await play(job, workflows.Control([*listeners, unpaid], stop))


def _tell(found: Sequence[Comparison], shown: _Shown) -> None:
    from harness import workflows

    workflows.write_comparisons(found, json=shown.json, markdown=shown.markdown)
    workflows.tell_of_comparisons(found)
    click.echo("\n".join(workflows.comparison_text(each, shown.transcripts) for each in found), nl=False)
