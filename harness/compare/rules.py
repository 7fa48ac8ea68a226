"""Rules of a gate over stored runs: which metric, over which conversations, against what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.compare.verdict import RATIOS
from harness.errors import Problem, SettingsError, Where, in_order, mistakes_told
from harness.tomlfile import TomlFile, read_toml
from harness.yamlfile.mistakes import Mistake, mistakes_in

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
    file = _parsed(path)
    try:
        rules = RuleFile.model_validate(file.data)
    except ValidationError as error:
        found = [*mistakes_in(error, RuleFile, file.data), *_contradictions(_usable(file.data))]
        raise _refused(file, found) from error
    if found := list(_contradictions(dict(enumerate(rules.rule)))):
        raise _refused(file, found)
    return rules


def _parsed(path: Path) -> TomlFile:
    try:
        return read_toml(path, code=_CODE, hint=_HINT)
    except FileNotFoundError as error:
        problem = Problem("there is no such file", Where(str(path)))
        raise SettingsError(str(problem), code=_CODE, hint=_HINT) from error


def _usable(data: Mapping[str, Any]) -> dict[int, Rule]:
    """The rules that can be read by themselves, so that what contradicts itself is told with the rest."""
    written = data.get("rule")
    usable: dict[int, Rule] = {}
    for index, table in enumerate(written if isinstance(written, list) else []):
        with suppress(ValidationError):
            usable[index] = Rule.model_validate(table)
    return usable


def _contradictions(rules: Mapping[int, Rule]) -> Iterator[Mistake]:
    for index, rule in rules.items():
        earlier = {at: other for at, other in rules.items() if at < index}
        for told in (*rule.contradictions(), *_excluded(index, rule, rules), *_repeated(rule, earlier)):
            yield Mistake(("rule", index), told)


def _excluded(index: int, rule: Rule, rules: Mapping[int, Rule]) -> Iterator[str]:
    for at, other in rules.items():
        if at != index and rule.excludes(other):
            least, most = f"at_least {rule.at_least:g}", f"at_most {other.at_most:g}"
            yield f"{least} and the {most} of rule {at + 1} can't both hold"


def _repeated(rule: Rule, earlier: Mapping[int, Rule]) -> Iterator[str]:
    for at, other in earlier.items():
        if kind := rule.repeats(other):
            yield f"rule {at + 1} has {kind} {getattr(other, kind):g} for the same already: keep one of them"


def _refused(file: TomlFile, mistakes: Sequence[Mistake]) -> SettingsError:
    problems = in_order(_problem(file, each) for each in mistakes)
    return SettingsError(mistakes_told(problems), code=_CODE, hint=_HINT)


def _problem(file: TomlFile, mistake: Mistake) -> Problem:
    place, hint = mistake.place, mistake.hint
    if place == ("rule",):
        hint = "Begin each rule with a line [[rule]]."
    if place[-1:] == ("metric",):
        hint = 'One expectation of a suite is a check instead of a metric: check = "grounded".'
    spot = f"rule {int(place[1]) + 1}: " if len(place) > 1 and place[0] == "rule" else ""
    return Problem(f"{spot}{mistake.message}", file.where(place, key=mistake.at_key), hint)


_CODE = "rules-invalid"
_HINT = "docs/statistics.md says what may stand in a file of rules."
