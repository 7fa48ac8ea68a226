"""Rules of a gate over stored runs: which metric, over which conversations, against what."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.compare.verdict import RATIOS
from harness.errors import Problem, SettingsError, Where
from harness.yamlfile.mistakes import mistakes_in

Metric = Literal["passed", "score", "cost_usd", "latency_s", "missed_escalations", "needless_escalations"]
_SHARES_OF_ERRORS = ("missed_escalations", "needless_escalations")


class Rule(BaseModel):
    """One thing that must hold: exactly one of ``margin``, ``at_least`` and ``at_most``."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    metric: Metric = "passed"
    """What is looked at. Of escalations: the share that was missed, or needless."""
    check: str | None = None
    """Only this expectation, as the suite spells it: a trial passes that met it."""
    suite: str | None = None
    """Only this suite."""
    tags: tuple[str, ...] = ()
    """Only conversations with one of these tags."""
    margin: float | None = Field(default=None, gt=0, lt=1)
    """Not worse than the baseline run by this much."""
    alpha: float | None = Field(default=None, gt=0, lt=0.5)
    """Of a rule with a margin; by default the rules with one share the gate's alpha."""
    at_least: float | None = Field(default=None, ge=0)
    """The mean is proven not to be lower."""
    at_most: float | None = Field(default=None, ge=0)
    """The mean, or the percentile, is proven not to be higher."""
    percentile: float | None = Field(default=None, gt=0, lt=100)
    """Of costs and latencies, with ``at_most``."""

    def contradictions(self) -> Iterator[str]:
        """What in this rule does not go together."""
        asked = [name for name in ("margin", "at_least", "at_most") if getattr(self, name) is not None]
        if len(asked) != 1:
            yield "a rule needs exactly one of margin, at_least and at_most"
        if self.percentile is not None and (self.metric not in RATIOS or self.at_most is None):
            yield "percentile goes with at_most, and with the metric cost_usd or latency_s"
        if self.check is not None and self.metric != "passed":
            yield "check goes with the metric passed"
        if self.metric in _SHARES_OF_ERRORS and self.at_least is not None:
            yield f"{self.metric} is a share of errors: say at_most"
        if self.alpha is not None and self.margin is None:
            yield "alpha goes with margin"
        for name in ("at_least", "at_most"):
            value = getattr(self, name)
            if value is not None and value > 1 and self.metric not in RATIOS:
                yield f"{name} {value:g} of {self.metric}, which is from 0 to 1, says nothing"

    def excludes(self, other: Rule) -> bool:
        """Whether this rule wants more of the same thing than the other allows."""
        same = {"metric", "check", "suite", "tags", "percentile"}
        if self.at_least is None or other.at_most is None:
            return False
        return (
            self.model_dump(include=same) == other.model_dump(include=same) and self.at_least > other.at_most
        )

    @property
    def name(self) -> str:
        """The rule in a line."""
        what = f"check {self.check}" if self.check else self.metric
        what += f" at the {self.percentile:g}th percentile" if self.percentile else ""
        where = [*([f"suite {self.suite}"] if self.suite else []), *(f"tag {tag}" for tag in self.tags)]
        limits = {"margin": self.margin, "at least": self.at_least, "at most": self.at_most}
        limit = next(f"{word} {value:g}" for word, value in limits.items() if value is not None)
        return f"{what}{' in ' + ', '.join(where) if where else ''}: {limit}"


class RuleFile(BaseModel):
    """A gate's rules, as they stand in a TOML file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    rule: tuple[Rule, ...] = Field(min_length=1)

    @property
    def shared_alpha(self) -> float:
        """What each rule with a margin gets: together they fail no more often than the gate may."""
        relative = sum(rule.margin is not None for rule in self.rule)
        return self.alpha / max(1, relative)


def read_rules(path: Path) -> RuleFile:
    """The rules of a TOML file.

    Raises:
        SettingsError: It can't be read or has mistakes; all of them are named.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8-sig"))
        rules = RuleFile.model_validate(data)
    except ValidationError as error:
        raise _refused(path, [_problem(path, mistake) for mistake in _mistakes(error, data)]) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refused(path, [Problem(f"this is not TOML: {error}", Where(str(path)))]) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise _refused(path, [Problem(f"it can't be read: {why}", Where(str(path)))]) from error
    _refuse_contradictions(path, rules)
    return rules


def _refuse_contradictions(path: Path, rules: RuleFile) -> None:
    problems = [
        Problem(f"rule {number}: {told}", Where(str(path)))
        for number, rule in enumerate(rules.rule, start=1)
        for told in (*rule.contradictions(), *_excluded(number, rule, rules))
    ]
    if problems:
        raise _refused(path, problems)


def _excluded(number: int, rule: Rule, rules: RuleFile) -> Iterator[str]:
    for place, other in enumerate(rules.rule, start=1):
        if place != number and rule.excludes(other):
            least, most = f"at_least {rule.at_least:g}", f"at_most {other.at_most:g}"
            yield f"{least} and the {most} of rule {place} can't both hold"


def _mistakes(error: ValidationError, data: object) -> list[tuple[tuple[str | int, ...], str, str | None]]:
    return [(tuple(each.place), each.message, each.hint) for each in mistakes_in(error, RuleFile, data)]


def _problem(path: Path, mistake: tuple[tuple[str | int, ...], str, str | None]) -> Problem:
    """A mistake with its rule's number: TOML is read without lines."""
    place, message, hint = mistake
    spot = f"rule {int(place[1]) + 1}: " if len(place) > 1 and place[0] == "rule" else ""
    return Problem(f"{spot}{message}", Where(str(path)), hint)


def _refused(path: Path, problems: list[Problem]) -> SettingsError:
    return SettingsError("\n".join(map(str, problems)), code="rules-invalid", hint=_HINT)


_HINT = "docs/statistics.md says what may stand in a file of rules."
