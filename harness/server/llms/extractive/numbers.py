"""Arguments that are numbers or truth values, by the words around them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from harness.server.llms.extractive.lexicon import alike, synonyms
from harness.server.llms.extractive.parameters import Parameter
from harness.server.llms.extractive.strings import DATE, MAIL, TIME, codes_in, is_code
from harness.text import content_stems, fold, late

_SPELT = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()
    )
}
NUMBER = late(
    rf"(?<![\w.,#-])(?:[$€£]\s?)?(\d[\d,]*(?:\.\d+)?|\b(?:{'|'.join(_SPELT)})\b)(?![\d-]*[A-Za-z]*\d)",
    re.IGNORECASE,
)


def number_in(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> int | float | None:
    """The number nearest to words of the parameter; the only number when no other parameter wants one."""
    plain = TIME.sub(" ", DATE.sub(" ", MAIL.sub(" ", text)))
    for code in (code for other in siblings if _takes_code(other) for code in codes_in(other, text)):
        plain = plain.replace(code, " ", 1)
    wanted = parameter.words | set(content_stems(str(parameter.schema.get("description") or "")))
    scored: list[tuple[int, int, int | float]] = []
    for match in NUMBER.finditer(plain):
        value = as_number(parameter, match.group(1))
        if value is not None:
            hit = _nearness(plain, match.start(), match.end(), wanted)
            scored.append((hit, -match.start(), value))
    if not scored:
        return None
    if len(scored) > 1 and not any(hit for hit, _, _ in scored):
        return _number_in_turn(parameter, scored, siblings)
    best = max(scored)
    rivals = [
        other for other in siblings if other.type in ("integer", "number") and other.name != parameter.name
    ]
    return best[2] if best[0] > 0 or (len(scored) == 1 and not rivals) else None


def _number_in_turn(
    parameter: Parameter, scored: list[tuple[int, int, int | float]], siblings: Sequence[Parameter]
) -> int | float | None:
    """The n-th number for the n-th parameter where all are numbers and there is one for each: "3 by 4"."""
    names = [other.name for other in siblings if other.type in ("integer", "number")]
    if len(names) != len(siblings) or len(names) != len(scored) or parameter.name not in names:
        return None
    return sorted(scored, key=lambda one: -one[1])[names.index(parameter.name)][2]


def _nearness(text: str, start: int, end: int, wanted: set[str]) -> int:
    """How near a parameter's words stand to a number, no other number between; behind it counts most."""
    before = content_stems(re.split(r"\d", text[max(0, start - 25) : start])[-1])[-2:]
    after = content_stems(re.split(r"\d", text[end : end + 25])[0])[:2]
    behind = next((3 - place for place, word in enumerate(after) if _same(word, wanted)), 0)
    return 2 * behind + sum(_same(word, wanted) for word in before)


def _takes_code(parameter: Parameter) -> bool:
    return parameter.type == "string" and is_code(parameter)


def _same(word: str, wanted: set[str]) -> bool:
    return word in wanted or bool(synonyms(word) & wanted) or any(alike(word, other) for other in wanted)


def as_number(parameter: Parameter, text: str) -> int | float | None:
    """What a text says as a number that the schema allows; None else."""
    folded = fold(text)
    if len(folded) > 18:
        return None
    value = float(_SPELT[folded]) if folded in _SPELT else _float(folded)
    if value is None or not _in_bounds(parameter.schema, value):
        return None
    if parameter.type == "integer":
        return int(value) if value.is_integer() else None
    return int(value) if value.is_integer() else value


def _float(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def _in_bounds(schema: dict[str, Any], value: float) -> bool:
    low, high = schema.get("minimum"), schema.get("maximum")
    return not (isinstance(low, (int, float)) and value < low) and not (
        isinstance(high, (int, float)) and value > high
    )


def boolean_in(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> bool | None:
    """Whether the text says yes or no to what the parameter is called; None where it does not name it."""
    words = [
        word for word in parameter.words if word not in content_stems("is has include wants want needs need")
    ]
    folded = fold(text)
    for word in words:
        match = re.search(rf"\b{re.escape(word)}\w*", folded)
        if match:
            before = folded[max(0, match.start() - 20) : match.start()]
            return not re.search(r"\b(?:no|not|without|don't|doesn't|never|skip)\b", before)
    return None
