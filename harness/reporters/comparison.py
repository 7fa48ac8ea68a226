"""A comparison as text: for a terminal, and as Markdown for a comment on a pull request."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from harness.compare.verdict import RATIOS, points
from harness.reporters import wording
from harness.reporters.markdown import pipe_table, plain
from harness.text import counted

if TYPE_CHECKING:
    from harness.compare.behaviour import Habit
    from harness.compare.comparison import Comparison
    from harness.compare.difference import Bill, Difference, Differences
    from harness.compare.transcripts import TranscriptPair, TurnPair
    from harness.compare.versions import Change
    from harness.stats.detection import Share
    from harness.stats.population import PopulationDifference

MARKER = "<!-- harness: comparison -->"
"""First line of every comparison in Markdown, by which a bot finds its own earlier comment."""

_IDS = 10
_HEADER = ["verdict", "baseline", "candidate", "difference", "95 % bounds", "found at 80 %"]


def terminal(comparison: Comparison, shown: int) -> str:
    """The comparison for a terminal: verdict, tables, conversations, what changed, what was said.

    Args:
        comparison: What was found.
        shown: How many conversations are shown turn by turn.
    """
    parts = [
        _headline(comparison),
        *(_grid(header, rows) for header, rows in _tables(comparison.found)),
        "\n".join(beyond(comparison.found)),
        "\n".join(_lists(comparison.found)),
        *_changes(comparison.changes),
        *map(_transcript, comparison.transcripts[:shown]),
        _left(len(comparison.transcripts) - shown),
    ]
    lines = "\n\n".join(part for part in parts if part).split("\n")
    return "\n".join(map(wording.printable, lines)) + "\n"


def _left(count: int) -> str:
    if count <= 0:
        return ""
    return f"{counted(count, 'more transcript')}: see them with --show, --json or --markdown"


def in_markdown(comparisons: Sequence[Comparison]) -> str:
    """All of every comparison in GitHub's Markdown; what others wrote is shown as plain text."""
    parts = [MARKER]
    for comparison in comparisons:
        headline, *notes = _headline(comparison).splitlines()
        parts += [f"### {plain(headline)}", "\n".join(f"- {plain(note.strip())}" for note in notes)]
        parts += [_markdown_table(header, rows) for header, rows in _tables(comparison.found)]
        told = (*beyond(comparison.found), *_lists(comparison.found, most=None))
        parts.append("\n".join(f"- {plain(line)}" for line in told))
        parts += [_folded(change.part, change.lines) for change in comparison.changes or ()]
        parts += [
            _folded(f"{each.case_id} turn by turn", _transcript(each).splitlines()[1:])
            for each in comparison.transcripts
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


# --- the parts that both have ---------------------------------------------------------------------------


def _headline(comparison: Comparison) -> str:
    overall = comparison.found.overall
    before, after = comparison.baseline, comparison.candidate
    lines = [
        f"{overall.opinion}: {after.variant} ({after.run.id}, {after.run.target}) against "
        f"{before.variant} ({before.run.id}, {before.run.target})"
    ]
    why = overall.found.reasons
    if overall.opinion == "better" and overall.found.delta is not None:
        gain = points(overall.found.delta)
        why = (f"the pass rate is higher by {gain}: p = {overall.better_p:.3g}", *why[1:])
    return "\n".join([*lines, *(f"  {reason}" for reason in (*why, *comparison.notes))])


def _tables(found: Differences) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Each table's header and rows."""
    overall = [_row(each) for each in found.metrics]
    header = [_heading(each, found) for each in _HEADER]
    yield ["all conversations", *header], [*overall, *([_bill(found.bill)] if found.bill else [])]
    for name in ("suites", "tags", "clusters", "checks"):
        some: tuple[Difference, ...] = getattr(found, name)
        if some:
            yield [name, *header], [row for each in some for row in _rows(each)]
    if found.behaviour.habits:
        yield ["what is done in a conversation", *_HEADER], [_habit(each) for each in found.behaviour.habits]


def _heading(heading: str, found: Differences) -> str:
    """The heading of bounds says how sure they are: at a look before the end more than usual."""
    confidence = found.overall.found.question.confidence
    return heading.replace("95 %", f"{100 * confidence:.3g} %")


def _habit(each: Habit) -> list[str]:
    bounds = f"{each.interval.low:+.3g} to {each.interval.high:+.3g}"
    change = f"{each.after - each.before:+.3g}"
    return [each.name, "", f"{each.before:.4g}", f"{each.after:.4g}", change, bounds, ""]


def _rows(each: Difference) -> Iterator[list[str]]:
    numbers = each.before is not None and each.after is not None
    if each.found.delta is not None or not numbers:
        yield _row(each)
    if each.before is not None and each.after is not None and not _says_the_same(each):
        bounds = f"{each.interval.low:+.3g} to {each.interval.high:+.3g}" if each.interval else ""
        change = f"{each.after - each.before:+.3g}"
        yield [f"{each.name} (value)", "", f"{each.before:.3g}", f"{each.after:.3g}", change, bounds, ""]


def _says_the_same(each: Difference) -> bool:
    """Whether the number is only the assertion once more: 1 where it was met, and 0 where not."""
    return (each.before, each.after) == (each.found.baseline, each.found.candidate)


def _row(each: Difference) -> list[str]:
    found = each.found
    if found.delta is None or found.delta_low is None or found.delta_high is None:
        return [each.name, each.opinion, "", "", "not compared", "", ""]
    ratio = found.question.metric in RATIOS
    means = [
        f"{mean:.4g}" if ratio else f"{mean:.1%}"
        for mean in (found.baseline, found.candidate)
        if mean is not None
    ]
    return [
        each.name,
        each.opinion,
        *means,
        f"x {1 + found.delta:.3f}" if ratio else f"{found.delta:+.1%}",
        _bounds(found.delta_low, found.delta_high, ratio=ratio),
        "" if found.mde80 is None or not math.isfinite(found.mde80) else f"{found.mde80:.1%}",
    ]


def _bounds(low: float, high: float, *, ratio: bool) -> str:
    if ratio:
        return f"x {1 + low:.3f} to " + (f"{1 + high:.3f}" if math.isfinite(high) else "any")
    return f"{low:+.1%} to {high:+.1%}"


def _bill(bill: Bill) -> list[str]:
    bounds = f"x {bill.interval.low:.3f} to {bill.interval.high:.3f}" if bill.interval else ""
    return ["the bill", "", "", "", f"x {bill.ratio:.3f}", bounds, ""]


def beyond(found: Differences) -> Iterator[str]:
    """What is known of conversations like these, and hand-overs as recognition."""
    if found.population:
        yield _population(found.population)
    for side, each in zip(("baseline", "candidate"), found.hand_overs or (), strict=False):
        shares = ", ".join(f"{name} {_share(getattr(each, name))}" for name in ("recall", "precision"))
        described = ", ".join(f"{name} {_share(getattr(each, name))}" for name in ("f1", "kappa"))
        yield f"hand-overs of the {side}: {shares}; as description {described}"


def _population(found: PopulationDifference) -> str:
    if not math.isfinite(found.low):
        return "conversations like these: all of them are of one cluster, so nothing is known beyond it"
    few = f"; only indicative, with {counted(found.clusters, 'cluster')}" if found.indicative else ""
    bounds = f"{max(-1.0, found.low):+.1%} to {min(1.0, found.high):+.1%}"
    return (
        f"conversations like these: {found.delta:+.1%} (95 % bounds {bounds}), sign flips p = {found.p:.3g} "
        f"of lower, over {counted(found.clusters, 'cluster')}{few}"
    )


def _share(share: Share) -> str:
    if share.value is None:
        return "not known"
    low, high = share.interval or (math.nan, math.nan)
    return f"{share.value:.2f}" + (f" ({low:.2f} to {high:.2f})" if share.interval else "")


def _lists(found: Differences, most: int | None = _IDS) -> Iterator[str]:
    trials = found.conversations.trials or {}
    for name, ids in (found.conversations.lists() | found.behaviour.lists()).items():
        if ids:
            told = [_with_trials(case, trials) for case in ids[:most]]
            left = f" and {len(ids) - len(told)} more" if len(ids) > len(told) else ""
            yield f"{name} ({len(ids)}): {', '.join(told)}{left}"


def _with_trials(case: str, trials: object) -> str:
    counted = trials.get(case) if isinstance(trials, dict) else None
    return f"{case} {counted[0]} -> {counted[1]}" if counted else case


def _changes(changes: tuple[Change, ...] | None) -> list[str]:
    return ["\n".join([f"{each.part}:", *(f"  {line}" for line in each.lines)]) for each in changes or ()]


def _transcript(pair: TranscriptPair) -> str:
    turns = [line for number, turn in enumerate(pair.turns, start=1) for line in _turn(number, turn)]
    whole = [f"  the whole conversation: {each}" for each in pair.failed]
    return "\n".join([f"{pair.case_id}: {pair.baseline} and {pair.candidate}", *turns, *whole])


def _turn(number: int, turn: TurnPair) -> Iterator[str]:
    what = f"differs in {', '.join(turn.differs)}" if turn.differs else "the same"
    yield f"  {number}. user: {' '.join(turn.user.split())}  ({what})"
    yield from (f"     {line}" for line in turn.answers)
    for name in turn.differs:
        if name in ("status", "calls", "found", "cites"):
            yield f"     {name}: {_told(turn.baseline, name)} -> {_told(turn.candidate, name)}"
    if turn.candidate:
        yield from (f"     failed: {each}" for each in turn.candidate.failed)


def _told(said: object, name: str) -> str:
    value = getattr(said, name, None)
    return value if isinstance(value, str) else ", ".join(value or ()) or "none"


# --- layout -----------------------------------------------------------------------------------------------


def _grid(header: list[str], rows: list[list[str]]) -> str:
    from tabulate import tabulate

    return tabulate(rows, headers=header, disable_numparse=True)


def _markdown_table(header: list[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [[plain(cell) for cell in row] for row in rows]
    return pipe_table(header, cells, numbers_from=2)


def _folded(title: str, lines: Iterable[str]) -> str:
    """A part that opens when somebody wants it, its lines as they are."""
    text = "\n".join(f"    {line}" for line in lines)
    return f"<details><summary>{plain(title)}</summary>\n\n{text}\n\n</details>"
