"""What a gate says, in GitHub's Markdown: for a job summary or a comment on a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.reporters.markdown import pipe_table, plain

if TYPE_CHECKING:
    from harness.compare.gate import GateVerdict, RuleVerdict
    from harness.compare.verdict import Verdict

MARKER = "<!-- harness: gate -->"
"""First line of every verdict in Markdown, by which a bot finds its own earlier comment."""

_SIGNS = {"pass": "✅", "fail": "❌", "inconclusive": "❔"}
_NAMED = 20


def gate_in_markdown(gate: GateVerdict) -> str:
    """The verdict of every rule, why, and the conversations it names; what others wrote is plain text."""
    against = f" against {plain(gate.baseline)}" if gate.baseline else ""
    headline = f"### {_SIGNS[gate.verdict]} {gate.verdict}: {plain(gate.candidate)}{against}"
    notes = "\n".join(f"- {plain(each)}" for each in (*gate.unfit, *gate.quarantines.reasons()))
    table = pipe_table(["Rule", "Verdict", "Why"], map(_row, gate.rules))
    named = [_named(rule.compared) for rule in gate.rules if rule.compared is not None]
    return "\n\n".join(part for part in (MARKER, headline, notes, table, *named) if part) + "\n"


def verdict_in_markdown(verdict: Verdict) -> str:
    """The verdict on a bare table."""
    headline = f"### {_SIGNS[verdict.verdict]} {verdict.verdict}: {plain(verdict.question.metric)}"
    reasons = "\n".join(f"- {plain(each)}" for each in verdict.reasons)
    return "\n\n".join(part for part in (MARKER, headline, reasons, _named(verdict)) if part) + "\n"


def _row(rule: RuleVerdict) -> list[str]:
    return [plain(rule.rule), f"{_SIGNS[rule.verdict]} {rule.verdict}", plain("; ".join(rule.reasons))]


def _named(verdict: Verdict) -> str:
    """The conversations to look at, with their trials under both variants."""
    lists = {
        "regressed": verdict.regressions,
        "flaky": verdict.flaky,
        "changed, unconfirmed": verdict.changed,
    }
    rows = [
        [
            plain(each.case_id),
            ", ".join(word for word, ids in lists.items() if each.case_id in ids),
            each.baseline,
            each.candidate,
        ]
        for each in verdict.counts
    ]
    more = f"\n\nand {len(rows) - _NAMED} more." if len(rows) > _NAMED else ""
    return pipe_table(["Conversation", "", "Baseline", "Candidate"], rows[:_NAMED]) + more if rows else ""
