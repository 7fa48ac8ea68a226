"""How numbers read in a report: the unknown is said to be unknown, and never shown as 0."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from harness.cost.prices import dollars
from harness.results import Quarantine, Score, Spending, SuiteRun
from harness.text import counted
from harness.text import one_line as one_line

if TYPE_CHECKING:
    from harness.reporters.summary import Group

UNKNOWN = "unknown"
NOTHING = "–"
_WORTH_TELLING_S = 0.1
_NO_USD = Decimal(0)


def cost(group: Group) -> str:
    """What a group cost, with how much of it is unknown and why."""
    if not group.results:
        return NOTHING
    reason = f" ({group.cost_reason})" if group.cost_reason else ""
    if group.cost_usd is None:
        return f"{UNKNOWN}{reason}" if group.cost_unknown else NOTHING
    if group.cost_unknown:
        return f"{dollars(group.cost_usd)} + {UNKNOWN} for {trials(group.cost_unknown)}{reason}"
    return dollars(group.cost_usd)


def judge_cost(group: Group) -> str:
    """What judges cost, apart from the assistant; empty when none was asked."""
    cost = group.judge_cost
    if cost is None:
        return ""
    return f"{UNKNOWN} ({cost.reason})" if cost.usd is None else dollars(cost.usd)


def short_cost(group: Group) -> str:
    """The cost as it fits into a table: ``≥ $1.20`` when a part is unknown."""
    if group.cost_usd is None:
        return UNKNOWN if group.cost_unknown else NOTHING
    return _at_least(group.cost_unknown) + dollars(group.cost_usd)


def tokens(group: Group) -> str:
    """Input and output tokens together, ``≥ 1,200`` when a part is unknown."""
    if group.usage is None:
        return UNKNOWN if group.usage_unknown else NOTHING
    return f"{_at_least(group.usage_unknown)}{group.usage.total_tokens:,}"


def _at_least(unknown: int) -> str:
    return "≥ " if unknown else ""


def waited(group: Group) -> str:
    """What was waited for apart from answers; nothing when that was next to nothing."""
    if group.waited_s < _WORTH_TELLING_S:
        return ""
    return f"{seconds(group.waited_s)} waited for limits and retries"


def seconds(duration_s: float | None) -> str:
    """A duration: 340 ms, 2.4 s, 75 s, 12 min 5 s, 3 h 2 min."""
    if duration_s is None:
        return NOTHING
    if duration_s < 0.9995:
        return f"{duration_s * 1000:.0f} ms" if duration_s >= 0.01 else f"{duration_s * 1000:.2g} ms"
    if duration_s < 9.95:
        return f"{duration_s:.1f} s"
    whole = round(duration_s)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def percent(share: float | None) -> str:
    """A share as percent; never rounded up to 100 % or down to 0 % unless it is exactly that."""
    if share is None:
        return NOTHING
    text = f"{share:.1%}"
    if text == "100.0%":
        return "100%" if share == 1 else "99.9%"
    if text == "0.0%":
        return "0%" if share == 0 else "0.1%"
    return text


def at(moment: datetime) -> str:
    """A time of day, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def status(run: SuiteRun) -> str:
    """How a suite run stands: ``budget exhausted``."""
    return run.status.replace("_", " ")


def budget(run: SuiteRun) -> str:
    """What became of a suite run's budget; empty when it had none."""
    limit, spending = run.settings.get("budget_usd"), run.spending or Spending(requests=0, spent_usd=_NO_USD)
    if limit is None and run.spending is None:
        return ""
    judges = f" ({dollars(spending.judge_usd)} of it for judges)" if spending.judge_usd else ""
    facts = [f"spent {dollars(spending.spent_usd)}{judges}"]
    if limit is not None:
        left = max(Decimal(str(limit)) - spending.spent_usd, _NO_USD)
        facts.append(f"{dollars(left)} left of {dollars(Decimal(str(limit)))}")
    if spending.unknown_usd:
        facts.append(f"{dollars(spending.unknown_usd)} of what is spent is a worst case, the cost unknown")
    if spending.overcharged:
        over = counted(spending.overcharged, "request")
        facts.append(f"{over} charged more than the limits sent with them allow")
    return "; ".join(facts)


def trials(count: int) -> str:
    """``1 trial``, ``3 trials``."""
    return counted(count, "trial")


def replayed(group: Group) -> str:
    """That trials were answered from what was kept, which proves nothing anew; empty when none was."""
    if not group.replayed:
        return ""
    which = "all" if group.replayed == len(group.results) else f"{group.replayed:,} of {len(group.results):,}"
    return f"{which} trials replayed: no new evidence, nothing paid"


def quarantine(said: Quarantine) -> str:
    """Until when a quarantine holds, or since when it is over, and why there was one."""
    when = f"until {said.until}" if said.in_force else f"over on {said.until}"
    return f"{when}: {said.reason}"


def turn(index: int | None) -> str:
    """Where a score belongs: ``turn 2``, or ``conversation`` as a whole."""
    return "conversation" if index is None else f"turn {index + 1}"


def verdict(score: Score) -> str:
    """What a score says of its expectation."""
    return {True: "passed", False: "failed", None: "not judged"}[score.passed]


def printable(text: str) -> str:
    """The text on one line without control characters: what an assistant says must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(_printable(character) for character in text)


def _printable(character: str) -> str:
    if character.isspace():
        return " "
    return character if character.isprintable() else "\ufffd"
