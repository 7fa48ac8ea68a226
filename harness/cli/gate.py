"""harness gate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from harness.cli import options, suggestions
from harness.text import counted

if TYPE_CHECKING:
    from harness.compare.gate import GateVerdict
    from harness.compare.rules import RuleFile
    from harness.compare.verdict import Question, Verdict

_SHOWN = 25
_METRICS = ["passed", "score", "cost_usd", "latency_s"]
# Verdicts have codes of their own; nothing else may end with one of them.
CODES = {"pass": 0, "fail": 1, "inconclusive": 2}


@click.command("gate")
@click.argument("run", required=False, shell_complete=suggestions.runs)
@click.option(
    "--csv",
    "table",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Instead of a stored run a table of trials: case_id, variant, trial, passed, and more if you like.",
)
@click.option(
    "--against",
    metavar="RUN",
    shell_complete=suggestions.runs,
    help="Compare with this stored run, the newest 'green' one, or the newest of a branch: 'branch:main'.",
)
@click.option(
    "--bank",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Add the trials of up to N earlier runs of the baseline's version to it.",
)
@click.option("--rules", metavar="FILE", type=click.Path(path_type=Path), help="TOML file of what must hold.")
@click.option("--metric", type=click.Choice(_METRICS), default="passed", show_default=True)
@click.option(
    "--margin",
    type=float,
    default=0.05,
    show_default=True,
    help="The drop that is not wanted; of costs and latencies the relative rise.",
)
@click.option(
    "--alpha", type=float, default=0.05, show_default=True, help="How often it may fail when nothing changed."
)
@click.option("--baseline", default="baseline", show_default=True, help="The variant that was.")
@click.option("--candidate", default="candidate", show_default=True, help="The variant that may come.")
@click.option(
    "--on-inconclusive", type=click.Choice(["pass", "fail"]), help="Exit then as if the verdict were this."
)
@click.option(
    "--json", "out", metavar="OUT", type=click.Path(path_type=Path), help="Write the verdict as JSON too."
)
@options.store
@click.pass_context
def command(
    ctx: click.Context,
    run: str | None,
    table: Path | None,
    against: str | None,
    bank: int,
    rules: Path | None,
    metric: str,
    margin: float,
    alpha: float,
    baseline: str,
    candidate: str,
    on_inconclusive: str | None,
    out: Path | None,
    store: str | None,
) -> int:
    """Say whether a candidate may replace a baseline: pass, fail, or inconclusive.

    \b
    Examples:
      harness gate --csv trials.csv
      harness gate --csv trials.csv --metric cost_usd --margin 0.20 --json verdict.json
      harness gate latest --against green
      harness gate latest --against 20260102-030405-ab12 --rules gate.toml
      harness gate latest --against branch:main --bank 3
      harness gate latest    (after harness compare --until-decided: by the plan of that run)

    Pass needs proof that nothing got worse by the margin, fail needs proof that something did. Exit codes:
    0 pass, 1 fail, 2 inconclusive; 64 usage or a table with mistakes, 70 an internal error: no verdict.
    """
    from harness import workflows
    from harness.compare.verdict import Question

    _refuse_mixtures(ctx)
    question = Question(metric, margin, alpha)
    if table:
        verdict = workflows.gate_table(table, question, baseline, candidate)
        _write(verdict, out)
        _print(verdict)
        _say(workflows.tell_of_verdict(verdict))
        return _code(verdict.verdict, on_inconclusive)
    gate = _of_runs(run, _Against(against, bank), rules, question, store)
    _write(gate, out)
    _print_rules(gate)
    _say(workflows.tell_of_verdict(gate))
    return _code(gate.verdict, on_inconclusive)


def _write(verdict: Verdict | GateVerdict, out: Path | None) -> None:
    from harness import workflows

    if out:
        workflows.write_json(verdict.as_json(), out)


def _say(text: str) -> None:
    if text:
        click.echo(text)


def _code(verdict: str, on_inconclusive: str | None) -> int:
    return CODES[on_inconclusive if on_inconclusive and verdict == "inconclusive" else verdict]


def _refuse_mixtures(ctx: click.Context) -> None:
    """Options that would be left aside without a word are refused."""
    given = {
        name
        for name in ctx.params
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    if "table" in given and (mixed := given & {"run", "against", "bank", "rules", "store"}):
        raise click.UsageError(f"--csv takes no stored run, but {_options(mixed)} was given")
    if "table" not in given and (mixed := given & {"baseline", "candidate"}):
        raise click.UsageError(
            f"{_options(mixed)} goes with --csv; stored runs are compared by --against RUN"
        )
    if "bank" in given and "against" not in given:
        raise click.UsageError("--bank adds to a baseline: name it with --against")
    if "rules" in given and (mixed := given & {"metric", "margin", "alpha"}):
        raise click.UsageError(f"{_options(mixed)} stands in the file of --rules")
    if not given & {"table", "rules", "against"} and (mixed := given & {"metric", "margin", "alpha"}):
        raise click.UsageError(f"{_options(mixed)} goes with --against RUN or --csv FILE")


def _options(names: set[str]) -> str:
    return ", ".join("RUN" if name == "run" else f"--{name}" for name in sorted(names))


class _Against(NamedTuple):
    """What a run is compared with: the baseline as it was named, and how many runs add to it."""

    run: str | None
    bank: int


def _of_runs(
    run: str | None, against: _Against, rules: Path | None, question: Question, store: str | None
) -> GateVerdict:
    from harness import workflows
    from harness.settings import load_settings

    settings = load_settings({"store": store})
    asked = _rules(rules, question, compared=against.run is not None)
    return workflows.gate_run(settings, asked, "latest" if run is None else run, against.run, against.bank)


def _rules(file: Path | None, question: Question, *, compared: bool) -> RuleFile | None:
    """What must hold; None where nothing but the run's own plan can say."""
    from harness.compare.rules import Rule, RuleFile, read_rules

    if file:
        return read_rules(file)
    metric: Any = question.metric
    asked = RuleFile(alpha=question.alpha, rule=(Rule(metric=metric, margin=question.margin),))
    return asked if compared else None


def _print_rules(gate: GateVerdict) -> None:
    against = f" against {gate.baseline}" if gate.baseline else ""
    click.echo(f"{gate.verdict}: {gate.candidate}{against}")
    for reason in (*gate.unfit, *gate.quarantines.reasons()):
        click.echo(f"  {reason}")
    for rule in gate.rules:
        click.echo(f"\n{rule.rule}")
        if rule.compared is not None:
            _print(rule.compared)
        else:
            click.echo(f"{rule.verdict}: {rule.reasons[0]}")


def _print(verdict: Verdict) -> None:
    click.echo(f"{verdict.verdict}: {verdict.reasons[0]}")
    for line in (*verdict.reasons[1:], *_measured(verdict)):
        click.echo(f"  {line}")
    if verdict.counts:
        from tabulate import tabulate

        click.echo()
        rows = _rows(verdict)
        click.echo(tabulate(rows[:_SHOWN], headers="keys", disable_numparse=True))
        if len(rows) > _SHOWN:
            click.echo(f"and {len(rows) - _SHOWN} more, with --json")


def _measured(verdict: Verdict) -> list[str]:
    if verdict.delta is None or verdict.delta_low is None or verdict.delta_high is None:
        return []
    clusters = f" in {counted(verdict.clusters, 'cluster')}" if verdict.unit == "cluster" else ""
    compared = f"{counted(verdict.cases, 'case')}{clusters}"
    return [
        f"difference {verdict.delta:+.1%}, p = {verdict.p:.3g}, "
        f"bounds {verdict.delta_low:+.1%} and {verdict.delta_high:+.1%} "
        f"({100 * verdict.question.confidence:.3g} % each)",
        f"{compared}; {verdict.baseline:.4g} before, {verdict.candidate:.4g} after",
        *([f"found with 80 % power: {verdict.mde80:.1%}"] if verdict.mde80 is not None else []),
        *([f"without a baseline, not compared: {', '.join(verdict.new)}"] if verdict.new else []),
    ]


def _rows(verdict: Verdict) -> list[dict[str, str]]:
    words = {
        "regressed": verdict.regressions,
        "flaky": verdict.flaky,
        "changed, unconfirmed": verdict.changed,
    }
    return [
        {
            "case": each.case_id,
            "": ", ".join(word for word, ids in words.items() if each.case_id in ids),
            "baseline": each.baseline,
            "candidate": each.candidate,
            "p": f"{each.p:.2g}",
        }
        for each in sorted(verdict.counts, key=lambda each: each.p)
    ]
