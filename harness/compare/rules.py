"""Rules of a gate over stored runs: which metric, over which conversations, against what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.compare.verdict import RATIOS
from harness.errors import Problem, SettingsError, Where
from harness.tomlfile import read_toml
from harness.yamlfile.mistakes import mistakes_in

Metric = Literal["passed", "score", "cost_usd", "latency_s", "missed_escalations", "needless_escalations"]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""What TOML writes without quotes; text and truth values are none."""
_SHARES_OF_ERRORS = ("missed_escalations", "needless_escalations")


class Rule(BaseModel):
    """One thing that must hold: exactly one of ``margin``, ``at_least`` and ``at_most``."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    metric: Metric = "passed"
    """What is looked at. Of escalations: the share that was missed, or needless."""
    check: str | None = Field(default=None, min_length=1)
    """Only this expectation, as the suite spells it: a trial passes that met it."""
    suite: str | None = Field(default=None, min_length=1)
    """Only this suite."""
    tags: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Only conversations with one of these tags."""
    margin: Number | None = Field(default=None, gt=0, lt=1)
    """Not worse than the baseline run by this much."""
    alpha: Number | None = Field(default=None, gt=0, lt=0.5)
    """Of a rule with a margin; by default the rules with one share the gate's alpha."""
    at_least: Number | None = Field(default=None, ge=0)
    """The mean is proven not to be lower."""
    at_most: Number | None = Field(default=None, ge=0)
    """The mean, or the percentile, is proven not to be higher."""
    percentile: Number | None = Field(default=None, ge=1, lt=100)
    """Of costs and latencies, with at_most: 95 where 95 of 100 trials are to be within it."""

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
        yield from self._limits_nothing()

    def _limits_nothing(self) -> Iterator[str]:
        """A limit that always holds, or never can."""
        rate = self.metric not in RATIOS
        for name in ("at_least", "at_most"):
            value = getattr(self, name)
            if value is not None and value > 1 and rate:
                yield f"{name} {value:g} of {self.metric}, which is from 0 to 1, says nothing"
        if self.at_least == 0 or (self.at_most == 1 and rate):
            limit = "at_least 0" if self.at_least == 0 else "at_most 1"
            yield f"{limit} of {self.metric} always holds, so it says nothing"

    @property
    def subject(self) -> tuple[Any, ...]:
        """What it is about, however that is spelled."""
        return self.metric, self.check, self.suite, frozenset(self.tags), self.percentile

    def excludes(self, other: Rule) -> bool:
        """Whether this rule wants more of the same thing than the other allows."""
        if self.at_least is None or other.at_most is None:
            return False
        return self.subject == other.subject and self.at_least > other.at_most

    def repeats(self, other: Rule) -> str | None:
        """The kind of limit that both set to the same thing, so that one of them is needless; else None."""
        if self.subject != other.subject:
            return None
        kinds = ("margin", "at_least", "at_most")
        return next((kind for kind in kinds if None not in (getattr(self, kind), getattr(other, kind))), None)

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

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    alpha: Number = Field(default=0.05, gt=0, lt=0.5)
    """What all rules with a margin share."""
    rule: tuple[Rule, ...] = Field(min_length=1)
    """Each begins with a line [[rule]]."""

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
    data = _parsed(path)
    try:
        rules = RuleFile.model_validate(data)
    except ValidationError as error:
        raise _refused(path, [_problem(path, mistake) for mistake in _mistakes(error, data)]) from error
    _refuse_contradictions(path, rules)
    return rules


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path, code=_CODE, hint=_HINT)
    except FileNotFoundError as error:
        raise _refused(path, [Problem("there is no such file", Where(str(path)))]) from error


def _refuse_contradictions(path: Path, rules: RuleFile) -> None:
    problems = [
        Problem(f"rule {number}: {told}", Where(str(path)))
        for number, rule in enumerate(rules.rule, start=1)
        for told in (
            *rule.contradictions(),
            *_excluded(number, rule, rules),
            *_repeated(rule, rules.rule[: number - 1]),
        )
    ]
    if problems:
        raise _refused(path, problems)


def _excluded(number: int, rule: Rule, rules: RuleFile) -> Iterator[str]:
    for place, other in enumerate(rules.rule, start=1):
        if place != number and rule.excludes(other):
            least, most = f"at_least {rule.at_least:g}", f"at_most {other.at_most:g}"
            yield f"{least} and the {most} of rule {place} can't both hold"


def _repeated(rule: Rule, earlier: Sequence[Rule]) -> Iterator[str]:
    for place, other in enumerate(earlier, start=1):
        if kind := rule.repeats(other):
            yield f"rule {place} has {kind} {getattr(other, kind):g} for the same already: keep one of them"


def _mistakes(error: ValidationError, data: object) -> list[tuple[tuple[str | int, ...], str, str | None]]:
    return [(tuple(each.place), each.message, each.hint) for each in mistakes_in(error, RuleFile, data)]


def _problem(path: Path, mistake: tuple[tuple[str | int, ...], str, str | None]) -> Problem:
    """A mistake with its rule's number: TOML is read without lines."""
    place, message, hint = mistake
    if place == ("rule",):
        hint = "Begin each rule with a line [[rule]]."
    spot = f"rule {int(place[1]) + 1}: " if len(place) > 1 and place[0] == "rule" else ""
    return Problem(f"{spot}{message}", Where(str(path)), hint)


def _refused(path: Path, problems: list[Problem]) -> SettingsError:
    return SettingsError("\n".join(map(str, problems)), code=_CODE, hint=_HINT)


_CODE = "rules-invalid"
_HINT = "docs/statistics.md says what may stand in a file of rules."
