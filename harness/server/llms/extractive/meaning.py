"""Which functions a message means where it uses other words than they do: compared by their vectors."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.embedding import encoder
from harness.server.llms.extractive.arguments import fill
from harness.server.llms.extractive.functions import Call, Function, is_acting
from harness.server.llms.extractive.parameters import Parameter
from harness.server.llms.extractive.strings import is_free_text

_PIECES = re.compile(r"(?<=[.!?;])\s+|,\s+|\s+(?:and|or|then)\s+")
# Messages and functions of unlike subjects measure up to 0.2, those that mean the same mostly 0.33 to 0.65.
ALONE = 0.28
"""Least cosine of a message and what a function says of itself, where nothing but functions could answer."""
BESIDE_DOCUMENTS = 0.42
GIVEN = 0.15
"""The same where the message holds everything that a function needs to look something up."""
REPORTED = 0.25
"""Least cosine of a report and a function that takes it in."""
_NEARLY = 0.7
"""A function is meant beside the one that a piece of the message is most like, if it is so nearly as like."""


def meant_calls(
    functions: Sequence[Function],
    said: str,
    earlier: Sequence[str],
    least: float,
    known: frozenset[str] = frozenset(),
) -> list[Call]:
    """The calls that a message means, one for each function; none where texts cannot be compared.

    A general question, such as one about the weather, may mean several. A question that holds all that a
    function needs for looking something up means it already when it is a little like it.

    What is nearly as like a function that is ``known`` to be asked for asks for no other.

    Functions that change something are never called by meaning alone, nor those that bring people in.
    """
    free = [not (is_acting(function) or function.hands_over) for function in functions]
    pieces = [said, *(piece for piece in _PIECES.split(said) if len(piece.split()) > 2)]
    meant: set[int] = set()
    for piece, row in zip(pieces, _likeness(pieces, functions) if any(free) else [], strict=False):
        top = row.index(max(row))
        nearly = [place for place, like in enumerate(row) if like >= _NEARLY * row[top]]
        if known.intersection(functions[place].name for place in nearly):
            continue
        if free[top] and row[top] >= least:
            meant.update(place for place in nearly if free[place])
        elif row[top] >= GIVEN and functions[top].reads and gives(functions[top], piece):
            meant.add(top)
    return [_call(functions[place], [said, *reversed(earlier)]) for place in sorted(meant)]


def reporting_call(functions: Sequence[Function], said: str, least: float) -> Call | None:
    """The call of a function that takes in what a message reports, such as damage; None without one."""
    candidates = [function for function in functions if is_acting(function) and not function.hands_over]
    rows = _likeness([said], candidates)
    if not rows or max(rows[0]) < least:
        return None
    function = candidates[rows[0].index(max(rows[0]))]
    return Call(function, fill(function.schema, [said]))


def gives(function: Function, said: str) -> bool:
    """Whether words hold all that a function needs, and something of it that few words could be."""
    required = function.schema.get("required") or []
    specs = function.schema.get("properties") or {}
    telling = [name for name in required if not is_free_text(Parameter(name, specs.get(name) or {}))]
    return bool(telling) and not fill(function.schema, [said]).missing


def _likeness(texts: Sequence[str], functions: Sequence[Function]) -> list[list[float]]:
    """For each text its cosine with what each function says of itself; empty where nothing is compared."""
    model = encoder.default() if functions and texts[0].strip() else None
    if model is None:
        return []
    described = [f"{' '.join(function.name_words)}: {function.description}" for function in functions]
    return [[float(like) for like in row] for row in model.embed(texts) @ model.embed(described).T]


def _call(function: Function, texts: Sequence[str]) -> Call:
    """A call with what was said; what is to be chosen is chosen, what is to be written is stood in for."""
    call = Call(function, fill(function.schema, texts))
    return call.with_choices() if function.reads else call.completed(texts[0])
