"""harness perturb."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from harness.cli import money, options, suggestions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.workflows.perturbing import Broken, Perturbed, Perturbing


def _kinds(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Names of kinds, each known."""
    from harness.suite.records import PerturbationKind
    from harness.text import did_you_mean

    known = list(get_args(PerturbationKind))
    named = tuple(name.strip() for name in (value or "").split(",") if name.strip())
    for name in named:
        if name not in known:
            told = f"{name!r} is no kind of variation; {did_you_mean(name, known)}"
            raise click.BadParameter(told, context, parameter)
    return named


@click.command("perturb")
@options.job
@click.option(
    "--examples", type=click.IntRange(1, 10_000), metavar="N", help="Variations of each conversation."
)
@click.option(
    "--kinds",
    callback=_kinds,
    metavar="LIST",
    shell_complete=suggestions.kinds,
    help="Only these, e.g. typos,case,injection.",
)
@click.option("--seed", type=click.IntRange(0), default=0, metavar="N", help="Which variations are tried.")
@click.option(
    "--search-seconds",
    "search_s",
    type=click.FloatRange(0, min_open=True),
    default=600.0,
    metavar="SECONDS",
    help="Begin no further variation after so long. Default: 600.",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Keep what broke as a suite: a .yaml file.",
)
@options.where
@options.judge
@click.option("--repeats", type=click.IntRange(1), help="Play every variation this often; all must break.")
@money.options
@options.reports
@options.no_progress
@options.store
def command(
    suites: tuple[str, ...],
    assistants: tuple[str, ...],
    tags: tuple[str, ...],
    ids: tuple[str, ...],
    junit: str | None,
    markdown: str | None,
    code_quality: str | None,
    no_progress: bool,
    save: Path | None,
    **flags: Any,
) -> int:
    """Vary what the users of SUITES say, and find the smallest variation under which something changes.

    \b
    Examples:
      harness perturb suites/acme/escalation.yaml
      harness perturb suites/acme --tag smoke --kinds typos,case --examples 50
      harness perturb suites/acme --kinds injection,document --seed 7
      harness perturb suites/acme --target assistants --base-url URL --budget 2.00
      harness perturb suites/acme/escalation.yaml --save suites/acme/regressions.yaml

    Each conversation is played as it stands, then with typos, other case, spacing and punctuation, synonyms,
    sentences in another order, sentences beside the point, other e-mail addresses, letters that look alike,
    and injections in its words and in a document. What must stay, the suite says under "perturb". All are
    trials of one run; the same seed tries the same variations.

    Exit codes: 0 all has stayed, 1 something has not, 2 interrupted, 3 internal error, 4 usage,
    5 nothing to vary.
    """
    import asyncio

    from harness import workflows
    from harness.cli.run import Files, conclude, print_summary
    from harness.settings import given, load_settings
    from harness.targets.heeding import refuse_unheeded
    from harness.workflows.perturbing import Perturbing
    from harness.workflows.regressions import refuse_save

    own = {name: flags.pop(name) for name in ("kinds", "examples", "seed", "search_s")}
    settings = load_settings(options.replaying(flags))
    refuse_unheeded(given(flags), settings.target_options())
    asked = Perturbing(workflows.Job(suites, settings, assistants, tags, ids), **own)
    if save is not None:
        refuse_save(save)
    unpaid = money.Unpaid()
    perturbed = asyncio.run(_perturbed(asked, unpaid, quiet=no_progress))
    print_summary(perturbed.run, unpaid.reason)
    _tell(perturbed)
    if save is not None:
        _save(perturbed, save)
    return conclude(perturbed.run, settings, Files(junit, markdown, code_quality))


async def _perturbed(asked: Perturbing, unpaid: money.Unpaid, *, quiet: bool) -> Perturbed:
    from harness import workflows
    from harness.cli.progress import kept_alive, progress
    from harness.cli.run import watch_for_signals
    from harness.runner.executors.local import Stop
    from harness.workflows.perturbing import perturb

    stop = Stop()
    with progress("off" if quiet else "auto") as listeners:
        watch_for_signals(stop)
        async with kept_alive(listeners):
            return await perturb(asked, workflows.Control([*listeners, unpaid], stop))


def _tell(perturbed: Perturbed) -> None:
    """What was found, each with the words that broke it."""
    from harness.reporters.wording import one_line, printable
    from harness.text import counted

    for name, why in perturbed.left_out.items():
        click.echo(printable(f"not varied: {name}: {why}"))
    told = counted(perturbed.tried, "variation")
    if not perturbed.broken:
        click.echo(
            f"{told} played; all that must stay has stayed" if perturbed.tried else "no variation played"
        )
        return
    click.echo(f"{told} played; the smallest that break something:")
    for broken in perturbed.broken:
        click.echo(f"\n  {printable(broken.trial_id)}")
        for line in _lines(broken):
            click.echo("    " + one_line(printable(line), 400))


def _lines(broken: Broken) -> Iterator[str]:
    """What did not stay, what was changed, and the message as it is now."""
    for kept, why in broken.broken.items():
        yield f"{kept}: {why}"
    for each in broken.variation.applied:
        yield f"{each.kind} in turn {each.turn + 1}: {each.before!r} -> {each.after!r}"
    turns = broken.variation.script.turns
    for place in sorted({each.turn for each in broken.variation.applied}):
        yield f"turn {place + 1} says now: {turns[place].user!r}"
    if not broken.is_steady:
        yield "it broke nothing when it was played once more: the assistant does not answer alike each time"


def _save(perturbed: Perturbed, save: Path) -> None:
    from harness.workflows.regressions import save_regressions

    for path in save_regressions(perturbed.broken, save):
        click.echo(f"saved: {path}")
    if not perturbed.broken:
        click.echo("saved: nothing, for nothing broke")
