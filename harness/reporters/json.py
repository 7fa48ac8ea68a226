"""The totals of a suite run as one JSON object, for programs that decide something by them.

docs/cli.md says what each field is. Fields are only added within a version.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from harness.reporters.summary import ConversationResult, Group, Summary
from harness.results import SuiteRun

VERSION = 1


class JsonReporter:
    """Outcomes, cost, tokens and time in all and by suite, what was not met, hand-overs to people."""

    @property
    def suffix(self) -> str:
        """JSON."""
        return ".json"

    def render(self, run: SuiteRun) -> str:
        """The object, indented."""
        summary = Summary(run)
        told = {
            "version": VERSION,
            "run": run.id,
            "target": run.target,
            "status": run.status,
            "planned": run.planned,
            "total": _group(summary.total),
            "suites": [{"suite": each.name} | _group(each) for each in summary.suites],
            "variants": [{"variant": each.name} | _group(each) for each in summary.variants],
            "not_met": [
                {"check": each.check, "failed": each.failed, "judged": each.judged}
                for each in summary.failing_checks
            ],
            "quarantine": [_quarantine(row) for row in (*summary.quarantined, *summary.released)],
            "escalation": summary.escalation.as_json() if summary.escalation else None,
        }
        return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _quarantine(row: ConversationResult) -> dict[str, Any]:
    said = row.quarantine
    assert said is not None
    return {
        "suite": row.suite,
        "conversation": row.conversation,
        "variant": row.variant,
        "until": said.until.isoformat(),
        "reason": said.reason,
        "in_force": row.quarantined,
        "outcomes": dict(Counter(result.outcome for result in row.results)),
    }


def _group(group: Group) -> dict[str, Any]:
    usage = group.usage
    return {
        "trials": len(group.results),
        "outcomes": dict(group.outcomes),
        "quarantined": dict(group.quarantined),
        "cost_usd": None if group.cost_usd is None else str(group.cost_usd),
        "prompt_tokens": usage.prompt_tokens if usage else None,
        "completion_tokens": usage.completion_tokens if usage else None,
        "latency_p50_s": group.latency_p50_s,
        "latency_p95_s": group.latency_p95_s,
    }
