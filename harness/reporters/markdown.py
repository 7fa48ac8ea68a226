"""A summary in GitHub's Markdown, fit for a job summary or a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from harness.reporters import handovers, wording
from harness.reporters.summary import ConversationResult, Group, Summary
from harness.results import SuiteRun
from harness.text import counted

MARKER = "<!-- harness: summary -->"
"""First line of every summary, by which a bot finds its own earlier comment."""

_ROWS = 50  # job summaries and comments have a size limit
_REASON = 200
# Whatever could start markup, a mention or an issue link in text that others wrote.
_SPECIAL = re.compile(r"[\\`*_{}\[\]()#+!|<>&~@$:-]")


class MarkdownReporter:
    """The summary; everything that others wrote is shown as plain text."""

    suffix = ".md"

    def render(self, run: SuiteRun) -> str:
        """The summary as Markdown."""
        summary = Summary(run)
        parts = [MARKER, _headline(summary), _facts(summary), _suites(summary), _variants(summary)]
        parts += [_not_passed(summary), _quarantine(summary), _escalation(summary)]
        return "\n\n".join(part for part in parts if part) + "\n"


def _headline(summary: Summary) -> str:
    rows = summary.deciding
    passed = sum(row.outcome == "passed" for row in rows)
    all_well = passed == len(rows) and rows and not summary.missing
    return f"### {'✅' if all_well else '❌'} {passed} of {counted(len(rows), 'conversation')} passed"


def _facts(summary: Summary) -> str:
    run, total = summary.run, summary.total
    median, most = wording.seconds(total.latency_p50_s), wording.seconds(total.latency_p95_s)
    facts = [
        f"suite run {plain(run.id)}",
        f"target {plain(run.target)}",
        "" if run.status == "finished" else wording.status(run),
        f"{counted(summary.missing, 'planned trial')} without a result" if summary.missing else "",
        f"{len(summary.quarantined):,} in quarantine" if summary.quarantined else "",
        wording.replayed(total),
        f"cost {plain(wording.cost(total))}",
        f"judges {plain(judges)}" if (judges := wording.judge_cost(total)) else "",
        f"budget: {plain(spent)}" if (spent := wording.budget(run)) else "",
        f"{wording.tokens(total)} tokens",
        f"median turn {median}, 95 % within {most}",
        wording.waited(total),
    ]
    return " · ".join(fact for fact in facts if fact)


def _suites(summary: Summary) -> str:
    groups = summary.suites if len(summary.suites) == 1 else (*summary.suites, summary.total)
    return _groups_table("Suite", groups) if summary.suites else ""


def _variants(summary: Summary) -> str:
    """What was run side by side is told side by side."""
    return _groups_table("Variant", summary.side_by_side) if summary.side_by_side else ""


def _groups_table(title: str, groups: Sequence[Group]) -> str:
    header = [
        title,
        *"Conversations|Trials|Passed|Failed|Errored|Pass rate|Tokens|Cost|Turn p50|p95".split("|"),
    ]
    return pipe_table(header, map(_group_row, groups), numbers_from=1)


def _group_row(group: Group) -> list[str]:
    return [
        plain(group.name),
        f"{group.conversations:,}",
        f"{len(group.results):,}",
        f"{group.passed:,}",
        f"{group.failed:,}",
        f"{group.errored:,}",
        wording.percent(group.pass_rate),
        wording.tokens(group),
        wording.short_cost(group),
        wording.seconds(group.latency_p50_s),
        wording.seconds(group.latency_p95_s),
    ]


def _not_passed(summary: Summary) -> str:
    rows = summary.not_passed
    if not rows:
        return ""
    table = pipe_table(["Conversation", "Passed", "Reason"], map(_conversation_row, rows[:_ROWS]))
    more = f"\n\nand {len(rows) - _ROWS:,} more." if len(rows) > _ROWS else ""
    return f"<details open><summary>Not passed: {len(rows):,}</summary>\n\n{table}{more}\n\n</details>"


def _conversation_row(row: ConversationResult) -> list[str]:
    name = f"{row.suite}/{row.conversation}@{row.variant}"
    flaky = " (flaky)" if row.flaky else ""
    reason = wording.one_line(row.reason, _REASON)
    return [plain(name), f"{row.passed}/{len(row.results)}{flaky}", plain(reason)]


def _quarantine(summary: Summary) -> str:
    """What is in quarantine, whether it passed or not, and what counts again."""
    kept = (("In quarantine, deciding nothing", summary.quarantined), ("Counting again", summary.released))
    return "\n\n".join(_quarantine_table(title, rows) for title, rows in kept if rows)


def _quarantine_table(title: str, rows: Sequence[ConversationResult]) -> str:
    header = ["Conversation", "Outcome", "Passed", "Quarantine", "Reason"]
    table = pipe_table(header, map(_quarantine_row, rows[:_ROWS]))
    more = f"\n\nand {len(rows) - _ROWS:,} more." if len(rows) > _ROWS else ""
    return f"<details open><summary>{title}: {len(rows):,}</summary>\n\n{table}{more}\n\n</details>"


def _quarantine_row(row: ConversationResult) -> list[str]:
    assert row.quarantine is not None
    name, passed, reason = _conversation_row(row)
    return [name, row.outcome, passed, plain(wording.quarantine(row.quarantine)), reason]


def _escalation(summary: Summary) -> str:
    matrix = summary.escalation
    if matrix is None:
        return ""
    table = pipe_table(
        ["Hand-over to people", "happened", "did not"],
        [
            ["should", f"{matrix.tp} right", f"{matrix.fn} missed"],
            ["should not", f"{matrix.fp} false", f"{matrix.tn} right"],
        ],
    )
    return "\n\n".join([table, *handovers.lines(matrix)])


def pipe_table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int = 99) -> str:
    """A table; columns from ``numbers_from`` on are aligned to the right."""
    line = ["---:" if place >= numbers_from else "---" for place in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, line, *rows))


def plain(text: str) -> str:
    """The text, with every character that Markdown or HTML could take for markup spelt as an entity."""
    return _SPECIAL.sub(lambda match: f"&#{ord(match.group())};", " ".join(wording.printable(text).split()))
