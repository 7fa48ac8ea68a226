"""All scorers: the built-in ones, and those that installed packages bring.

A package adds scorers by entry points of the group ``harness.scorers``; each names a scorer or a class or
function without arguments that makes one.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from harness.errors import ScorerError
from harness.scorers.interface import Scorer

GROUP = "harness.scorers"


@cache
def builtin_scorers() -> tuple[Scorer, ...]:
    """The scorers of this package; each key of ``Expect``, and ``forget``, has exactly one."""
    from harness.scorers.answers import AnswerScorer
    from harness.scorers.citations import CitationScorer
    from harness.scorers.deletion import DeletionScorer
    from harness.scorers.escalation import EscalationScorer
    from harness.scorers.grounding import GroundingScorer
    from harness.scorers.limits import LimitScorer
    from harness.scorers.scope import ScopeScorer
    from harness.scorers.tools import ToolScorer

    return (
        LimitScorer(),
        AnswerScorer(),
        GroundingScorer(),
        CitationScorer(),
        EscalationScorer(),
        ToolScorer(),
        ScopeScorer(),
        DeletionScorer(),
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
