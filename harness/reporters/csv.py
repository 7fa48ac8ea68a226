"""One row a trial as CSV: for spreadsheets, and as the table that statistics of bare trials are made from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from harness.reporters.brief import failed_scores, why_not_passed
from harness.results import SuiteRun, TrialResult

COLUMNS = (
    "case_id cluster variant trial passed score cost_usd latency_s run_id trial_id suite conversation tags "
    "outcome prompt_tokens completion_tokens failing_checks reason quarantined"
).split()


class CsvReporter:
    """The trials, one a row (RFC 4180, UTF-8).

    ``passed`` is 1 or 0, and empty for trials that were not judged; ``score`` is the share of judged
    expectations that were met. Unknown costs and tokens are empty.
    """

    suffix = ".csv"

    def render(self, run: SuiteRun) -> str:
        """The table as text, lines ended by CR LF."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(trial_rows(run))
        return text.getvalue()


def trial_rows(run: SuiteRun) -> Iterator[dict[str, Any]]:
    """The trials one by one, with the columns of the table; what is unknown is an empty text."""
    return (_row(run, result) for result in run.results)


def _row(run: SuiteRun, result: TrialResult) -> dict[str, Any]:
    judged = [score.passed for score in result.scores if score.passed is not None]
    usage = result.usage
    return {
        "case_id": f"{result.suite}/{result.conversation}",
        "cluster": result.cluster or result.conversation,
        "variant": result.variant,
        "trial": result.repeat,
        "passed": {"passed": 1, "failed": 0}.get(result.outcome, ""),
        "score": round(sum(judged) / len(judged), 6) if judged else "",
        "cost_usd": "" if result.cost_usd is None else f"{result.cost_usd:f}",
        "latency_s": result.latency_s,
        "run_id": run.id,
        "trial_id": result.trial_id,
        "suite": result.suite,
        "conversation": result.conversation,
        "tags": " ".join(result.tags),
        "outcome": result.outcome,
        "prompt_tokens": usage.prompt_tokens if usage else "",
        "completion_tokens": usage.completion_tokens if usage else "",
        "failing_checks": " ".join(dict.fromkeys(score.check for score in failed_scores(result))),
        "reason": why_not_passed(result),
        "quarantined": int(result.quarantined),
    }
