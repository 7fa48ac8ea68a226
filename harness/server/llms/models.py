"""Which model answers to which name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import cast

import msgspec

from harness.server.llms.interface import LanguageModel, ModelError

__all__ = ["ModelError", "ModelTable"]

_GLOB_SIGNS = frozenset("*?[")
_HOSTED_NAMES = re.compile(r"(?:ft:)?(?:gpt-(?:3\.5|[4-9])|o[1-9]|chatgpt-|text-embedding-)[\w.:-]*")


class ModelTable(msgspec.Struct, frozen=True):
    """Model names, as patterns with ``*`` and ``?``, and what answers for them.

    Attributes:
        entries: Patterns in order; the first that matches answers.
        default: Answers every other name; None stands for the offline ``extractive`` model.
        windows: Patterns in order, and how many tokens the models of these names can read,
            where that is known.
    """

    entries: Sequence[tuple[str, LanguageModel]] = ()
    default: LanguageModel | None = None
    windows: Sequence[tuple[str, int | None]] = ()

    def window(self, name: str) -> int | None:
        """How many tokens the model of a name can read; None where the table does not say."""
        return next((tokens for pattern, tokens in self.windows if fnmatchcase(name, pattern)), None)

    def find(self, name: str) -> LanguageModel:
        """The model for a name; every name has one."""
        for pattern, model in self.entries:
            if fnmatchcase(name, pattern):
                return model
        return self.default or extractive()

    def names(self) -> list[str]:
        """The names that are spelt out, for the list of models."""
        spelt = [pattern for pattern, _ in self.entries if not _GLOB_SIGNS & set(pattern)]
        return list(dict.fromkeys([*spelt, *([] if self.default else ["extractive"])]))

    def knows(self, name: str) -> bool:
        """Whether a name stands in the table, itself or by a pattern that is more than ``*``.

        Where no entry has to fit, the hosted API's own names are known too: programs look them up first.
        """
        if self.default is None and _HOSTED_NAMES.fullmatch(name):
            return True
        patterns = [pattern for pattern, _ in self.entries if pattern.strip("*")]
        return name in self.names() or any(fnmatchcase(name, pattern) for pattern in patterns)


@cache
def extractive() -> LanguageModel:
    """The reference model, loaded when a run first needs it."""
    from harness.server.llms.extractive import Extractive

    return cast(LanguageModel, Extractive())
