"""All scorers: the built-in ones, and those that installed packages bring.

A package adds scorers by entry points of the group ``harness.scorers``; each names a scorer or a class or
function without arguments that makes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from harness.errors import ScorerError
from harness.results import Score
from harness.scorers.interface import Check, Scene, Scorer

GROUP = "harness.scorers"


@dataclass(frozen=True, slots=True)
class Builtin:
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

    Raises:
        ScorerError: An installed scorer can't be loaded (code ``scorer-plugin``).
    """
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return (*builtin_scorers(), *(load_scorer(entry) for entry in found))


def load_scorer(entry: EntryPoint) -> Scorer:
    """The scorer an entry point names.

    Raises:
        ScorerError: It can't be loaded or is no scorer (code ``scorer-plugin``).
    """
    try:
        loaded = entry.load()
        scorer = loaded() if callable(loaded) and not _is_scorer(loaded) else loaded
    except (ImportError, AttributeError, TypeError) as error:
        raise _unusable(entry, f"it cannot be loaded: {error}") from error
    if not _is_scorer(scorer):
        raise _unusable(entry, "it has no name, keys and score")
    made: Scorer = scorer
    return made


def _is_scorer(thing: Any) -> bool:
    is_class = isinstance(thing, type)
    return not is_class and all(hasattr(thing, name) for name in ("name", "keys", "score"))


def _unusable(entry: EntryPoint, why: str) -> ScorerError:
    return ScorerError(
        f"the installed scorer {entry.name!r} ({entry.value}) cannot be used: {why}",
        code="scorer-plugin",
        hint=f"update or uninstall the package that declares it in the entry-point group {GROUP!r}",
    )
