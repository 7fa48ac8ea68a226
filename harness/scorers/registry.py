"""All scorers: the built-in ones, and those that installed packages bring.

A package adds scorers by entry points of the group ``harness.scorers``; ``harness.suite.plugins`` says in
which forms.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module

import msgspec

from harness.results import Score
from harness.scorers.interface import Check, Scene, Scorer
from harness.scorers.plugins import findings, scorer_of
from harness.suite.plugins import installed


class Builtin(msgspec.Struct, frozen=True):
    """A scorer of this package, loaded when it first judges: tables of words and expressions take a while.

    Attributes:
        name: As shown in reports.
        keys: The keys of ``Expect`` it answers.
        place: Its module and class.
    """

    name: str
    keys: frozenset[str]
    place: str

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """As ``Scorer`` has it."""
        return self.loaded().score(check, scene)

    def loaded(self) -> Scorer:
        """The scorer itself."""
        return _made(self.place)


@cache
def _made(place: str) -> Scorer:
    module, _, name = place.partition(":")
    scorer: Scorer = getattr(import_module(module), name)()
    return scorer


_LIMITS = (
    "status searches runs_code produces "
    "latency_s tokens prompt_tokens completion_tokens cost_usd steps tool_calls"
)
_BUILTIN = (
    ("limits", _LIMITS, "limits:LimitScorer"),
    ("answers", "answer", "answers:AnswerScorer"),
    ("grounding", "grounded", "grounding:GroundingScorer"),
    ("citations", "cites", "citations:CitationScorer"),
    ("escalation", "escalates", "escalation:EscalationScorer"),
    ("tools", "calls never_calls trajectory", "tools:ToolScorer"),
    ("scope", "redirects abstains", "scope:ScopeScorer"),
    ("judge", "judge", "judge:JudgeScorer"),
    ("tone", "tone", "tone:ToneScorer"),
    ("memory", "remembers", "memory:MemoryScorer"),
    ("deletion", "forget", "deletion:DeletionScorer"),
)


def builtin_scorers() -> tuple[Builtin, ...]:
    """The scorers of this package; each key of ``Expect``, and ``forget``, has exactly one."""
    return tuple(
        Builtin(name, frozenset(keys.split()), f"harness.scorers.{place}") for name, keys, place in _BUILTIN
    )


@cache
def all_scorers() -> tuple[Scorer, ...]:
    """The built-in scorers, then those of installed packages in the order of their names.

    Packages that can't be used are not among them: ``plugin_findings`` tells of those.
    """
    usable = (plugin for plugin in installed().values() if not plugin.problem)
    return (*builtin_scorers(), *(scorer_of(plugin) for plugin in usable))


def plugin_findings() -> tuple[Score, ...]:
    """What is wrong with installed packages that bring scorers."""
    return tuple(findings(installed()))
