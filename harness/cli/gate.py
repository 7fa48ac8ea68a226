"""harness gate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.compare.verdict import Verdict

_METRICS = ["passed", "score", "cost_usd", "latency_s"]
# Verdicts have codes of their own; nothing else may end with one of them.
CODES = {"pass": 0, "fail": 1, "inconclusive": 2}


@click.command("gate")
@click.option(
    "--csv",
    "table",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Table of trials, one row each: case_id, variant, trial, passed, and more if you like.",
)
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
    "--on-inconclusive", type=click.Choice(["pass", "fail"]), help="Exit as if the verdict were this."
)
@click.option(
    "--json", "out", metavar="OUT", type=click.Path(path_type=Path), help="Write the verdict as JSON too."
)
def command(
    table: Path,
    metric: str,
    margin: float,
    alpha: float,
    baseline: str,
    candidate: str,
    on_inconclusive: str | None,
    out: Path | None,
) -> int:
    """Say whether a candidate may replace a baseline: pass, fail, or inconclusive.

    \b
    Examples:
      harness gate --csv trials.csv
      harness gate --csv trials.csv --margin 0.10 --json verdict.json
      harness gate --csv trials.csv --metric cost_usd --margin 0.20

    Pass needs proof that nothing got worse by the margin, fail needs proof that something did. Exit codes:
    0 pass, 1 fail, 2 inconclusive; 64 usage or a table with mistakes, 70 an internal error: no verdict.
    """
    from harness import workflows
    from harness.compare.verdict import Question

    verdict = workflows.gate_table(table, Question(metric, margin, alpha), baseline, candidate)
    if out:
        workflows.write_json(verdict.as_json(), out)
    _print(verdict)
    return CODES[
        on_inconclusive if on_inconclusive and verdict.verdict == "inconclusive" else verdict.verdict
    ]


def _print(verdict: Verdict) -> None:
    click.echo(f"{verdict.verdict}: {verdict.reasons[0]}")
    for line in (*verdict.reasons[1:], *_measured(verdict)):
        click.echo(f"  {line}")
    if verdict.counts:
        from tabulate import tabulate

        click.echo()
        click.echo(tabulate(_rows(verdict), headers="keys", disable_numparse=True))


def _measured(verdict: Verdict) -> list[str]:
    if verdict.delta is None or verdict.delta_low is None or verdict.delta_high is None:
        return []
    clusters = f" in {verdict.clusters} clusters" if verdict.unit == "cluster" else ""
    return [
        f"difference {verdict.delta:+.1%}, p = {verdict.p:.3g}, "
        f"bounds {verdict.delta_low:+.1%} and {verdict.delta_high:+.1%} (95 % each)",
        f"{verdict.cases} cases{clusters}; {verdict.baseline:.4g} before, {verdict.candidate:.4g} after",
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
        for each in verdict.counts
    ]
