"""The tables that end a suite run in a terminal. They are returned as text: printing is the caller's."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

import msgspec

from harness.reporters import handovers, wording
from harness.reporters.brief import UnjudgedCheck
from harness.reporters.summary import ConversationResult, Group, Summary
from harness.results import SuiteRun
from harness.text import counted

_FAILING_SHOWN = 20
_NARROWEST = 40

_COLUMNS: dict[str, Callable[[Group], str]] = {
    "name": lambda group: wording.printable(group.name),
    "conversations": lambda group: f"{group.conversations:,}",
    "trials": lambda group: f"{len(group.results):,}",
    "passed": lambda group: f"{group.passed:,}",
    "failed": lambda group: f"{group.failed:,}",
    "errored": lambda group: f"{group.errored:,}",
    "skipped": lambda group: f"{group.skipped:,}",
    "pass rate": lambda group: wording.percent(group.pass_rate),
    "tokens": wording.tokens,
    "cost": wording.short_cost,
    "p50": lambda group: wording.seconds(group.latency_p50_s),
    "p95": lambda group: wording.seconds(group.latency_p95_s),
}
# Given up in this order where the terminal is too narrow.
_DISPENSABLE = ("p50", "trials", "tokens", "p95", "pass rate", "errored", "cost", "conversations")


class ConsoleReporter(msgspec.Struct, frozen=True):
    """The final summary as plain text, no line longer than ``width`` as far as names allow."""

    width: int = 100

    @property
    def suffix(self) -> str:
        """Plain text."""
        return ".txt"

    def render(self, run: SuiteRun) -> str:
        """The tables: suites, what did not pass with its first reason, escalation."""
        summary = Summary(run)
        parts = (
            _headline(summary),
            self._suites(summary),
            self._variants(summary),
            self._unknown_cost(summary),
            self._judge_cost(summary),
            self._waits(summary),
            self._budget(run),
            self._not_passed(summary),
            self._quarantine("In quarantine, so they decide nothing:", summary.quarantined),
            self._quarantine("Quarantine over, so they count again:", summary.released),
            self._unjudged("Never judged, so neither passed nor failed:", summary.never_judged),
            self._unjudged("Judged for information only:", summary.informational),
            self._escalation(summary),
            _deletions(summary),
        )
        return "\n\n".join(part for part in parts if part) + "\n"

    def _suites(self, summary: Summary) -> str:
        if not summary.suites:
            return ""
        groups = [*summary.suites] if len(summary.suites) == 1 else [*summary.suites, summary.total]
        left = self._columns("suite", summary, groups)
        return "\n".join([_groups_table("suite", groups, left), *_note(left)])

    def _variants(self, summary: Summary) -> str:
        """What was run side by side is told side by side."""
        groups = summary.side_by_side
        if not groups:
            return ""
        table = _groups_table("variant", groups, self._columns("variant", summary, groups))
        names = wording.printable(",".join(group.name for group in groups))
        return f"{table}\nbetter or only different: harness compare {summary.run.id} --variants {names}"

    def _columns(self, title: str, summary: Summary, groups: Sequence[Group]) -> list[str]:
        """What the terminal has room for and the run has something to tell of."""
        left = list(_COLUMNS)
        if not summary.total.skipped:
            left.remove("skipped")
        if all(len(group.results) == group.conversations for group in groups):
            left.remove("trials")
        for column in _DISPENSABLE:
            if _width(_groups_table(title, groups, left)) <= self.width:
                break
            left = [name for name in left if name != column]
        return left

    def _unknown_cost(self, summary: Summary) -> str:
        total = summary.total
        return self._wrapped(f"cost: {wording.cost(total)}") if total.cost_unknown else ""

    def _judge_cost(self, summary: Summary) -> str:
        cost = wording.judge_cost(summary.total)
        return self._wrapped(f"judges: {cost}, apart from what the assistant cost") if cost else ""

    def _escalation(self, summary: Summary) -> str:
        matrix = summary.escalation
        if matrix is None:
            return ""
        rows = [
            ["should", f"{matrix.tp} right", f"{matrix.fn} missed"],
            ["should not", f"{matrix.fp} false", f"{matrix.tn} right"],
        ]
        table = _table(["hand-over to people", "happened", "did not"], rows)
        return "\n".join(
            [table, *(textwrap.fill(line, max(self.width, _NARROWEST)) for line in handovers.lines(matrix))]
        )

    def _waits(self, summary: Summary) -> str:
        waited = wording.waited(summary.total)
        return self._wrapped(f"{waited}, added up over trials; no latency holds any of it") if waited else ""

    def _budget(self, run: SuiteRun) -> str:
        spent = wording.budget(run)
        return self._wrapped(f"budget: {spent}") if spent else ""

    def _not_passed(self, summary: Summary) -> str:
        rows = summary.not_passed
        if not rows:
            return ""
        title = f"Not passed: {len(rows):,} of {counted(len(summary.deciding), 'conversation')}"
        lines = [title, *(line for row in rows[:_FAILING_SHOWN] for line in self._failing(row))]
        if len(rows) > _FAILING_SHOWN:
            lines.append(f"  … and {len(rows) - _FAILING_SHOWN:,} more: all of them are in the report")
        return "\n".join(lines)

    def _quarantine(self, title: str, rows: Sequence[ConversationResult]) -> str:
        if not rows:
            return ""
        lines = [title, *(line for row in rows[:_FAILING_SHOWN] for line in self._kept(row))]
        if len(rows) > _FAILING_SHOWN:
            lines.append(f"  … and {len(rows) - _FAILING_SHOWN:,} more: all of them are in the report")
        return "\n".join(lines)

    def _kept(self, row: ConversationResult) -> list[str]:
        """A conversation with its quarantine; why it failed is told among those that count."""
        assert row.quarantine is not None
        told = self._wrapped(wording.printable(wording.quarantine(row.quarantine)), indent=11)
        first, *why = self._failing(row)
        return [first, told, *(why if row.quarantined else [])]

    def _unjudged(self, title: str, checks: Sequence[UnjudgedCheck]) -> str:
        if not checks:
            return ""
        lines = [title]
        for check in checks:
            name = wording.printable(check.check)
            text = f"{name} in {counted(check.trials, 'trial')}: {wording.printable(check.example)}"
            lines.append(self._wrapped(text, indent=2))
        return "\n".join(lines)

    def _failing(self, row: ConversationResult) -> list[str]:
        variant = f"@{row.variant}" if row.variant else ""
        repeats = f"  {row.passed}/{len(row.results)} passed" if len(row.results) > 1 else ""
        flaky = ", flaky" if row.flaky else ""
        name = wording.printable(f"  {row.outcome:<7}  {row.suite}/{row.conversation}{variant}")
        reason = wording.one_line(wording.printable(row.reason), 3 * max(self.width, _NARROWEST))
        return [f"{name}{repeats}{flaky}", *([self._wrapped(reason, indent=11)] if reason else [])]

    def _wrapped(self, text: str, indent: int = 0) -> str:
        width = max(self.width, _NARROWEST)
        lines = textwrap.wrap(text, width - indent, max_lines=2, placeholder=" …")
        return textwrap.indent("\n".join(lines), " " * indent)


def _headline(summary: Summary) -> str:
    run = summary.run
    rows = summary.deciding
    passed = sum(row.outcome == "passed" for row in rows)
    facts = [
        f"{passed:,} of {counted(len(rows), 'conversation')} passed",
        f"target {wording.printable(run.target)}",
        wording.status(run)
        if summary.duration_s is None
        else f"{wording.status(run)} after {wording.seconds(summary.duration_s)}",
        f"{counted(summary.missing, 'planned trial')} without a result" if summary.missing else "",
        f"{len(summary.quarantined):,} in quarantine" if summary.quarantined else "",
        wording.replayed(summary.total),
    ]
    return f"{wording.printable(run.id)}: " + ", ".join(fact for fact in facts if fact)


def _groups_table(title: str, groups: Sequence[Group], columns: Sequence[str]) -> str:
    """The groups one below the other; the title stands over their names, which come first."""
    rows = [[_COLUMNS[name](group) for name in columns] for group in groups]
    return _table([title, *columns[1:]], rows)


def _note(columns: Sequence[str]) -> list[str]:
    latencies = [name for name in ("p50", "p95") if name in columns]
    return [f"{', '.join(latencies)}: time to answer one turn"] if latencies else []


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows under their header; as a row of its own that needs less space than tabulate's headers."""
    from tabulate import tabulate

    align = ["left", *["right"] * (len(header) - 1)]
    table = tabulate([header, *rows], tablefmt="plain", disable_numparse=True, colalign=align)
    head, *body = table.splitlines()
    return "\n".join([head, "─" * _width(table), *body])


def _deletions(summary: Summary) -> str:
    asked = summary.forgotten.total()
    if not asked:
        return ""
    return f"users forgotten on request: {summary.forgotten[True]:,} of {asked:,} confirmed by the target"


def _width(table: str) -> int:
    return max(map(len, table.splitlines()))
