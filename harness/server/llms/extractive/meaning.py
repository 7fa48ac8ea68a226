"""Which functions a message means where it uses other words than they do: compared by their vectors."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.embedding import encoder
from harness.server.llms.extractive.arguments import fill
from harness.server.llms.extractive.functions import Call, Function, is_acting

_PIECES = re.compile(r"(?<=[.!?;])\s+|,\s+|\s+(?:and|or|then)\s+")
# Messages and functions of unlike subjects measure up to 0.2, those that mean the same mostly 0.33 to 0.65.
ALONE = 0.28
"""Least cosine of a message and what a function says of itself, where nothing but functions could answer."""
BESIDE_DOCUMENTS = 0.42
_NEARLY = 0.7
"""A function is meant beside the one that a piece of the message is most like, if it is so nearly as like."""


def meant_calls(functions: Sequence[Function], said: str, earlier: Sequence[str], least: float) -> list[Call]:
    """The calls that a message means, one for each function; none where texts cannot be compared.

    A general question, such as one about the weather, may mean several.

    Functions that change something are never called by meaning alone, nor those that bring people in.
    """
    candidates = [function for function in functions if not (is_acting(function) or function.hands_over)]
    model = encoder.default() if candidates and said.strip() else None
    if model is None:
        return []
    pieces = [said, *(piece for piece in _PIECES.split(said) if len(piece.split()) > 2)]
    described = [f"{' '.join(function.name_words)}: {function.description}" for function in candidates]
    likeness = model.embed(pieces) @ model.embed(described).T
    meant = {
        place
        for row in likeness
        if row.max() >= least
        for place, like in enumerate(row)
        if like >= _NEARLY * row.max()
    }
    return [_call(candidates[place], [said, *reversed(earlier)]) for place in sorted(meant)]


def _call(function: Function, texts: Sequence[str]) -> Call:
    """A call with what was said; what is to be chosen is chosen, what is to be written is stood in for."""
    call = Call(function, fill(function.schema, texts))
    return call.with_choices() if function.reads else call.completed(texts[0])
