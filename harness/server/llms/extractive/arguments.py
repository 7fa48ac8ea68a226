"""Arguments of a function, filled from what the user said.

A value is taken only when the talk holds it: by its format, its pattern, its enum, or the words around it
that match the parameter's name and description. A required value that cannot be found stays missing; it
is never made up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from harness.server.llms.extractive.lexicon import alike, synonyms
from harness.server.llms.extractive.numbers import NUMBER, as_number, boolean_in, number_in
from harness.server.llms.extractive.parameters import Finder, Parameter, is_mail, spaced
from harness.server.llms.extractive.strings import (
    MAIL,
    codes_in,
    is_code,
    is_free_text,
    string_finder,
    summarised,
    summary_of,
)
from harness.text import content_stems, fold, late


class Filled(msgspec.Struct, frozen=True):
    """Arguments that were found, and names of required ones that were not."""

    arguments: dict[str, Any]
    missing: tuple[str, ...]


def fill(schema: dict[str, Any], texts: Sequence[str], *, recent: int | None = None) -> Filled:
    """Arguments for a JSON Schema of an object.

    Args:
        schema: The function's parameters.
        texts: What the user said, the most telling first.
        recent: How many of the texts belong to the matter at hand; free text is taken from those only.
    """
    properties = schema.get("properties")
    parameters = [
        Parameter(name, spec if isinstance(spec, dict) else {})
        for name, spec in (properties if isinstance(properties, dict) else {}).items()
    ]
    required = [name for name in schema.get("required") or [] if isinstance(name, str)]
    arguments: dict[str, Any] = {}
    missing: list[str] = []
    for parameter in parameters:
        value = value_of(parameter, texts[:recent] if is_free_text(parameter) else texts, parameters)
        if value is None and parameter.name in required:
            value = _stand_in(parameter, texts)
        if value is not None:
            arguments[parameter.name] = value
        elif parameter.name in required:
            _note_missing(parameter, arguments, missing)
    return Filled(
        arguments, (*missing, *(name for name in required if not any(p.name == name for p in parameters)))
    )


def _note_missing(parameter: Parameter, arguments: dict[str, Any], missing: list[str]) -> None:
    if parameter.nullable:
        arguments[parameter.name] = None
    else:
        missing.append(parameter.name)


def _stand_in(parameter: Parameter, texts: Sequence[str]) -> Any:
    """What the schema offers for a required value nobody named: its default, or the middle of a scale."""
    if "default" in parameter.schema:
        return parameter.schema["default"]
    choices = parameter.schema.get("enum")
    if isinstance(choices, list) and _is_scale(choices):
        return _severity(choices, " ".join(texts))
    return None


def value_of(parameter: Parameter, texts: Sequence[str], siblings: Sequence[Parameter] = ()) -> Any:
    """The value that the texts hold for a parameter, or None."""
    if "const" in parameter.schema:
        return parameter.schema["const"]
    if parameter.type == "array":
        return _array(parameter, texts, siblings)
    if parameter.type == "object":
        inner = fill(parameter.schema, texts)
        return inner.arguments if inner.arguments and not inner.missing else None
    choices = parameter.schema.get("enum")
    if isinstance(choices, list):
        return _choice(parameter, choices, texts)
    finder = _finder(parameter)
    if finder is summarised:
        return summary_of(texts)
    for text in texts:
        value = finder(parameter, text, siblings)
        if value is not None:
            return value
    return None


def _finder(parameter: Parameter) -> Finder:
    if parameter.type == "boolean":
        return boolean_in
    if parameter.type in ("integer", "number"):
        return number_in
    return string_finder(parameter)


def _array(parameter: Parameter, texts: Sequence[str], siblings: Sequence[Parameter]) -> list[Any] | None:
    items = parameter.schema.get("items")
    item = Parameter(parameter.name, items if isinstance(items, dict) else {})
    choices = item.schema.get("enum")
    for text in texts:
        if isinstance(choices, list):
            found: list[Any] = [choice for choice in choices if _mentioned(str(choice), text)]
        elif item.type == "string" and is_mail(item):
            found = list(dict.fromkeys(MAIL.findall(text)))
        elif is_code(item) or item.type in ("integer", "number"):
            found = _codes_or_numbers(item, text)
        else:
            value = value_of(item, [text], siblings)
            found = [] if value is None else [value]
        if found:
            return found
    return None


def _codes_or_numbers(item: Parameter, text: str) -> list[Any]:
    if item.type == "string":
        return list(codes_in(item, text))
    numbers = [as_number(item, match.group(1)) for match in NUMBER.finditer(text)]
    return [number for number in numbers if number is not None]


# --- choices --------------------------------------------------------------------------------------


_SCALE = late(
    r"^(?:very )?(?:low|lowest|minor|medium|normal|moderate|standard|average|high|highest|major|"
    r"urgent|critical|severe|blocker|emergency|p[0-5]|trivial)$"
)
_RANKS = {
    "top": r"\b(?:urgent\w*|asap|as soon as possible|immediately|emergency|critical|right now|right away|"
    r"blocking|"
    r"blocker|production|outage|(?:is|are|went|was|been) down|nobody|no one|everyone|everybody|"
    r"whole team|entire|"
    r"all (?:of )?(?:our|my|the) (?:\w+ )?(?:users|members|colleagues|staff|people|customers|data|"
    r"files|records|"
    r"computers|devices|work)|data loss|(?:data|everything) (?:is |are |was |were )?(?:lost|gone)|"
    r"lost (?:all|everything|our data|my data|data)|locked out|losing)\b",
    "high": r"\b(?:can ?not|can't|cannot|crash\w*|unusable|important|serious|severe|quickly|unable to|"
    r"tried|still|"
    r"(?:does|did)(?:n't| not) (?:start|open|work|help))\b",
    "low": r"\b(?:minor|whenever|no rush|no hurry|not urgent|cosmetic|small|tiny|when you have time|nice "
    r"to have|"
    r"just a question|typo|suggestion|feature request|not important)\b",
}
_ORDER = (
    "trivial",
    "lowest",
    "very low",
    "low",
    "minor",
    "medium",
    "normal",
    "moderate",
    "standard",
    "average",
    "major",
    "high",
    "severe",
    "highest",
    "critical",
    "blocker",
    "urgent",
    "emergency",
)


def _is_scale(choices: Sequence[Any]) -> bool:
    return len(choices) >= 2 and all(isinstance(c, str) and _SCALE.match(fold(c)) for c in choices)


def _choice(parameter: Parameter, choices: Sequence[Any], texts: Sequence[str]) -> Any:
    scale = _is_scale(choices)
    for text in texts:
        found = _said_choice(parameter, choices, text, scale)
        if found is not None:
            return found
    if scale and any(re.search(pattern, fold(text)) for text in texts for pattern in _RANKS.values()):
        return _severity(choices, " ".join(texts))
    return None


def _said_choice(parameter: Parameter, choices: Sequence[Any], text: str, scale: bool) -> Any:
    near = [choice for choice in choices if _mentioned(str(choice), text)]
    if scale:
        # "high" and "low" are common words: they count beside the parameter's name, or alone as an answer.
        words = "|".join(re.escape(word) for word in fold(spaced(parameter.name)).split())
        near = [
            c
            for c in near
            if (
                fold(str(c)) in ("urgent", "critical")
                and not re.search(r"\b(?:not|isn't|nothing) (?:\w+ )?urgent", fold(text))
            )
            or re.search(
                rf"\b{re.escape(fold(str(c)))}[ -](?:{words})|"
                rf"\b(?:{words})\b[^.?!]{{0,15}}\b{re.escape(fold(str(c)))}\b|"
                rf"^\W*{re.escape(fold(str(c)))}\W*$",
                fold(text),
            )
        ]
    if near:
        return max(near, key=lambda choice: len(str(choice)))
    if scale:
        return None
    said = set(content_stems(text))
    for choice in choices:
        stems = set(content_stems(spaced(str(choice))))
        if stems and all(
            s in said or synonyms(s) & said or any(alike(s, other) for other in said) for s in stems
        ):
            return choice
    return None


def _mentioned(choice: str, text: str) -> bool:
    words = re.escape(fold(choice)).replace("_", r"[ _-]").replace(r"\-", r"[ _-]")
    return bool(words) and bool(re.search(rf"(?<!\w){words}(?!\w)", fold(text)))


def _severity(choices: Sequence[Any], text: str) -> Any:
    """The place on a scale of severity that the words suggest; the middle when they suggest none."""
    order = sorted(choices, key=lambda choice: _rank(fold(str(choice))))
    folded = fold(text)
    if re.search(_RANKS["low"], folded):
        return order[0]
    if re.search(_RANKS["top"], folded):
        return order[-1]
    if re.search(_RANKS["high"], folded):
        return order[-2] if len(order) > 3 else order[-1]
    return order[(len(order) - 1) // 2]


def _rank(word: str) -> float:
    if re.fullmatch(r"p[0-5]", word):
        return 100 - int(word[1])
    return _ORDER.index(word) if word in _ORDER else len(_ORDER) / 2
