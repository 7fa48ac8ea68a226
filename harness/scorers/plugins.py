"""Scorers of installed packages at work: what they say becomes scores, what they raise findings."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from pydantic import BaseModel

from harness.errors import ScorerError
from harness.results import Score
from harness.scorers.interface import Assessment, Check, Scene, View, unscored
from harness.suite.plugins import Plugin, options_given

KEY = "scorers"
"""The key of ``Expect`` under which a suite names them."""
FINDINGS = "plugins"
"""What findings about packages are given under that can't be used at all."""
_MOST_OF_TRACEBACK = 8_000


class PluginScorer(msgspec.Struct, frozen=True):
    """An installed scorer, kept from doing harm: whatever it raises is a score without a value.

    Attributes:
        plugin: The scorer.
        name: As shown in reports.
        keys: What it answers.
    """

    plugin: Plugin
    name: str
    keys: frozenset[str]

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """What the scorer says, or what is wrong with it."""
        try:
            return self._scores(check, scene)
        except ScorerError:
            raise  # it says itself why it can't
        except (Exception, SystemExit) as failure:  # noqa: BLE001 - of somebody else's code: it becomes data
            return [self._finding(check, failure)]

    def _scores(self, check: Check, scene: Scene) -> list[Score]:
        if self.plugin.options is None:
            return [_plain(score) for score in self.plugin.made.score(check, scene)]
        view, options = View(check, scene), options_given(self.plugin, check.value)
        returned = _returned(self.plugin.made, options, view)
        said = returned if isinstance(returned, list | tuple) else [returned]
        return [_score(check, self.name, each) for each in said]

    def _finding(self, check: Check, failure: BaseException) -> Score:
        told = (
            f"the scorer {self.name!r} of {self.plugin.package} failed: {type(failure).__name__}: {failure}"
        )
        package, trace = self.plugin.package, _traceback(failure)
        return unscored(check, self.name, told, package=package, traceback=trace)


def scorer_of(plugin: Plugin) -> PluginScorer:
    """The scorer of a package that can be used."""
    if plugin.options is not None:
        return PluginScorer(plugin, plugin.name, frozenset({f"{KEY}.{plugin.name}"}))
    return PluginScorer(plugin, str(plugin.made.name), frozenset(plugin.made.keys))


def findings(plugins: Mapping[str, Plugin]) -> Iterator[Score]:
    """One for each package that can't be used. Evidence: ``package``, ``traceback``."""
    for plugin in plugins.values():
        if plugin.problem:
            evidence = {"package": plugin.package, "traceback": plugin.traceback[-_MOST_OF_TRACEBACK:]}
            reason = f"the scorer {plugin.name!r} of {plugin.package} cannot be used: {plugin.problem}"
            yield Score(
                check=f"{FINDINGS}.{plugin.name}",
                scorer=FINDINGS,
                turn=None,
                value=None,
                passed=None,
                reason=reason,
                evidence=evidence,
            )


def _returned(made: Any, options: BaseModel, view: View) -> Any:
    if isinstance(made, type):
        return options.score(view)  # type: ignore[attr-defined]  # the model has the method: it was looked at
    return made(view, **{name: getattr(options, name) for name in type(options).model_fields})


def _score(check: Check, scorer: str, said: Any) -> Score:
    """What a scorer said, as a score."""
    if isinstance(said, bool):
        said = Assessment(said)
    elif isinstance(said, int | float):
        said = Assessment(None, said)
    if not isinstance(said, Assessment):
        raise TypeError(
            f"it returned a {type(said).__name__}; allowed: true or false, a number, an Assessment"
        )
    value = said.passed if said.value is None else said.value
    reason = said.reason or _usual_reason(scorer, said.passed, value)
    return _plain(
        Score(
            check=f"{check.key}.{said.part}" if said.part else check.key,
            scorer=scorer,
            turn=check.turn,
            value=value,
            passed=said.passed,
            reason=reason,
            evidence=dict(said.evidence),
        )
    )


def _usual_reason(scorer: str, passed: bool | None, value: Any) -> str:
    if passed is True or (passed is None and value is not None):
        return ""
    return f"the scorer {scorer!r} gives no reason"


def _plain(score: Score) -> Score:
    """The score, of values that can be stored.

    Raises:
        TypeError: It is no score, or its value or evidence is no plain JSON.
    """
    if not isinstance(score, Score):
        raise TypeError(f"it gave a {type(score).__name__} instead of a Score")
    if isinstance(score.value, float) and not math.isfinite(score.value):
        raise TypeError(f"its value is {score.value}: a score that has none says so with None and a reason")
    return msgspec.json.decode(msgspec.json.encode(score), type=Score)


def _traceback(failure: BaseException) -> str:
    return "".join(traceback.format_exception(failure))[-_MOST_OF_TRACEBACK:]
