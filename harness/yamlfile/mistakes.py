"""What validation found wrong, in the words of the person who wrote the file.

Pydantic names the branches of a union it tried and speaks of inputs and types; an author wants to hear about
the one value that stands in the file, and what may stand there instead.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from harness.text import did_you_mean as did_you_mean
from harness.text import nearest
from harness.yamlfile.described import descriptions
from harness.yamlfile.source import Place

Spelling = Callable[[Place], str | None]
"""How the file spells the plain value at a place (``5.10`` for the number 5.1); None when it has none."""

_Field = tuple[type[BaseModel], str]
"""A record, and the key of one of its fields."""

MoreKeys = Mapping[type[BaseModel], tuple[str, ...]]
"""Keys a block may have in a file beside its record's own, because the loader resolves them."""


class Mistake(msgspec.Struct, frozen=True):
    """One thing that is wrong in the data of a file.

    Attributes:
        place: The value it is about; for an unknown key the key itself.
        message: What is wrong, with the value.
        hint: What to do about it.
        at_key: The mistake is the key, not its value.
        missing: The key that should be in the block at ``place`` and is not.
    """

    place: Place
    message: str
    hint: str | None = None
    at_key: bool = False
    missing: str | None = None


def mistakes_in(
    error: ValidationError,
    model: type[BaseModel],
    data: Any,
    *,
    spelling: Spelling = lambda _: None,
    more_keys: MoreKeys = MappingProxyType({}),
) -> Iterator[Mistake]:
    """Every mistake that validation found, once, in the order of the fields."""
    seen: set[tuple[Place, str]] = set()
    for details in error.errors(include_url=False, include_context=True, include_input=False):
        spot = _follow(model, details["loc"], data)
        if spot is None or _only_follows(details, spot):
            continue
        mistake = _explain(details, spot, spelling, more_keys)
        if (mistake.place, mistake.message) not in seen:
            seen.add((mistake.place, mistake.message))
            yield mistake


def _only_follows(details: ErrorDetails, spot: _Spot) -> bool:
    """A list counts as too short for pydantic when its entries are wrong; the author hears of those."""
    least = details.get("ctx", {}).get("min_length", 0)
    return details["type"] == "too_short" and isinstance(spot.value, list) and len(spot.value) >= least


_LONG_NUMBER = 256
"""Bits of a whole number from which on its digits are counted, and not shown."""


def shown(value: Any) -> str:
    """A value as an author would write it, shortened."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a block with " + ", ".join(list(value)[:6]) if value else "an empty block"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, int) and value.bit_length() > _LONG_NUMBER:
        return f"a number of some {value.bit_length() * 3 // 10:,} digits"
    text = str(value) if isinstance(value, date) else repr(value)
    return text if len(text) <= 80 else text[:76] + "...'"


def name_of(place: Place) -> str:
    """What to call the value at a place: its keys since the last list, as in ``expect.grounded.min``."""
    if not place:
        return "the file"
    if isinstance(place[-1], int):
        return f"an entry of {name_of(place[:-1])}"
    start = max((i + 1 for i, step in enumerate(place) if isinstance(step, int)), default=0)
    return ".".join(str(step) for step in place[start:])


# --- following an error to the value it means -------------------------------------------------------------


class _Spot(msgspec.Struct, frozen=True):
    """Where an error points: the value, what the record says may be there, and the field it belongs to."""

    place: Place
    annotation: Any
    value: Any
    field: _Field | None
    block: type[BaseModel] | None
    unfit: bool = False

    @property
    def meaning(self) -> str | None:
        """What the record says about the field."""
        if self.field is None:
            return None
        record, key = self.field
        return descriptions(record).get(key)


_MISSING = object()


def _follow(model: type[BaseModel], loc: tuple[str | int, ...], data: Any) -> _Spot | None:
    """The spot of an error; None when it belongs to a branch of a union that the author did not mean."""
    annotation: Any = model
    field: _Field | None = None
    block: type[BaseModel] | None = None
    place: Place = ()
    rest = list(loc)
    while rest:
        members = _members(annotation)
        if len(members) > 1:
            chosen = _chosen(members, data)
            if chosen is None:
                return _Spot(place, annotation, data, field, block, unfit=True)
            if not _is_label_of(rest.pop(0), chosen):
                return None
            annotation = chosen
            continue
        step = rest.pop(0)
        block = members[0] if _is_record(members[0]) else None
        annotation, field = _step(members[0], step, field)
        place = (*place, step)
        data = _value(data, step)
    return _Spot(place, annotation, data, field, block)


def _members(annotation: Any) -> list[Any]:
    """The alternatives of a union without None; the annotation itself when it is none."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        plain = [member for member in get_args(annotation) if member is not type(None)]
        return [part for member in plain for part in _members(member)]
    return [annotation]


def _chosen(members: list[Any], data: Any) -> Any:
    """The alternative whose shape the data has: the block for a block, the list for a list."""
    if isinstance(data, dict):
        blocks = [member for member in members if _shape(member) is dict]
        return _tagged(blocks, data) if len(blocks) > 1 else next(iter(blocks), None)
    if isinstance(data, list):
        return next((member for member in members if _shape(member) is list), None)
    return None


def _tagged(blocks: list[Any], data: dict[str, Any]) -> Any:
    """Of several kinds of block the one whose ``type`` is written."""
    return next((block for block in blocks if _tag(block) == data.get("type", _MISSING)), None)


def _tag(block: Any) -> Any:
    if not _is_record(block) or "type" not in block.model_fields:
        return None
    return next(iter(get_args(block.model_fields["type"].annotation)), None)


def _tags(members: list[Any]) -> list[str]:
    """What ``type`` says in each kind of block that has one."""
    return [str(tag) for tag in map(_tag, members) if tag]


def _shape(annotation: Any) -> type:
    origin = get_origin(annotation) or annotation
    if origin is dict or _is_record(origin):
        return dict
    return list if origin is tuple else object


def _is_record(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_label_of(label: str | int, member: Any) -> bool:
    """Whether pydantic means this alternative when it puts ``label`` into an error's location."""
    if get_origin(member) in (tuple, dict):
        return str(label).startswith(get_origin(member).__name__)
    return label in (member.__name__, _tag(member))


def _step(annotation: Any, step: str | int, field: _Field | None) -> tuple[Any, _Field | None]:
    """What the record says about the value one step down."""
    if _is_record(annotation):
        found = _fields(annotation).get(str(step))
        return (found.annotation, (annotation, str(step))) if found else (Any, None)
    if get_origin(annotation) is tuple:
        return get_args(annotation)[0], field
    if get_origin(annotation) is dict:
        return get_args(annotation)[1], field
    return Any, field


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a record by the key an author writes."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _value(data: Any, step: str | int) -> Any:
    if isinstance(data, dict):
        return data.get(str(step), _MISSING)
    if isinstance(data, list) and isinstance(step, int) and step < len(data):
        return data[step]
    return _MISSING


def annotation_at(model: type[BaseModel], place: Place) -> Any:
    """What a record says about the value at a place, without the None of optional values."""
    annotation: Any = model
    for step in place:
        annotation = _step_into(_members(annotation), step)
    members = _members(annotation)
    return members[0] if len(members) == 1 else annotation


def _step_into(members: list[Any], step: str | int) -> Any:
    wanted = list if isinstance(step, int) else dict
    inner = [member for member in members if _shape(member) is wanted]
    return _step(inner[0], step, None)[0] if inner else Any


# --- saying it --------------------------------------------------------------------------------------------


def _explain(details: ErrorDetails, spot: _Spot, spelling: Spelling, more: MoreKeys) -> Mistake:
    kind = details["type"]
    if kind == "json_invalid":  # too deep, or half of a character: nothing that has a place of its own
        reason, _, _ = str(details.get("ctx", {}).get("error")).partition(" at line")
        return Mistake((), f"a value of this file cannot be used: {reason}")
    if kind == "extra_forbidden" and not spot.unfit:
        return _unknown_key(spot, more)
    if kind == "missing" and not spot.unfit:
        return _missing_key(spot)
    if kind in _LIMITS and not spot.unfit:
        return _out_of_limits(details, spot)
    if kind.startswith("union_tag"):
        return _wrong_type_of_block(spot)
    if kind == "value_error" and len(told := details["ctx"]["error"].args) == 2:
        return Mistake(spot.place, *told)  # a validator of ours: what must hold, and what to do
    return _wrong_value(spot, spelling)


def _unknown_key(spot: _Spot, more: MoreKeys) -> Mistake:
    *_, key = spot.place
    allowed = [*_fields(spot.block), *more.get(spot.block, ())] if spot.block else []
    message = f"unknown key {key!r} in {name_of(spot.place[:-1])}"
    return Mistake(spot.place, message, did_you_mean(str(key), allowed), at_key=True)


def _missing_key(spot: _Spot) -> Mistake:
    *parent, key = spot.place
    message = f"{name_of(tuple(parent))} has no {key!r}"
    return Mistake(
        tuple(parent), message, f"add {key}: {_lower(spot.meaning) or 'it is needed'}", missing=str(key)
    )


_LIMITS: dict[str, str] = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be more than {gt}",
    "less_than": "must be less than {lt}",
    "finite_number": "must be a finite number",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entry",
    "too_long": "must have at most {max_length} entries",
    "string_pattern_mismatch": "has characters that are not allowed",
}


def _out_of_limits(details: ErrorDetails, spot: _Spot) -> Mistake:
    limit = _LIMITS[details["type"]].format(**_plain_numbers(details.get("ctx", {})))
    return Mistake(spot.place, f"{name_of(spot.place)} {limit}, not {shown(spot.value)}", spot.meaning)


def _plain_numbers(context: dict[str, Any]) -> dict[str, Any]:
    return {
        key: int(value) if isinstance(value, float) and value.is_integer() else value
        for key, value in context.items()
    }


def _wrong_type_of_block(spot: _Spot) -> Mistake:
    tags = _tags(_members(spot.annotation))
    if not isinstance(spot.value, dict) or "type" not in spot.value:
        message = f"{name_of(spot.place)} has no 'type'"
        return Mistake(spot.place, message, "add type: " + _alternatives(tags), missing="type")
    written = spot.value["type"]
    message = f"unknown type {shown(written)} in {name_of(spot.place)}"
    return Mistake((*spot.place, "type"), message, did_you_mean(str(written), tags))


def _wrong_value(spot: _Spot, spelling: Spelling) -> Mistake:
    wanted = described(spot.annotation)
    message = f"{name_of(spot.place)} must be {wanted}, not {shown(spot.value)}"
    return Mistake(spot.place, message, _value_hint(spot, spelling(spot.place)))


def _value_hint(spot: _Spot, spelled: str | None) -> str | None:
    value, members = spot.value, _members(spot.annotation)
    if bool in members and str(value).lower() in _TRUTH_WORDS:
        return f"write {_TRUTH_WORDS[str(value).lower()]}, without quotes"
    if isinstance(value, str) and (near := nearest(value, _tags(members))):
        return f"write {{type: {near}}}"
    if isinstance(value, str) and (words := _literals(members)):
        near = nearest(value, words)
        return f"did you mean {near!r}?" if near else None
    if str in members and isinstance(value, bool | int | float):
        return f'put it in quotes: "{spelled or shown(value)}"'
    if {int, float, Decimal} & set(members) and isinstance(value, str) and value.strip():
        return "write a plain number, without quotes or unit"
    if list in map(_shape, members) and isinstance(value, str | int | float):
        return f"write a list: [{value if isinstance(value, str) else shown(value)}]"
    return "leave the key out, or give it a value" if value is None else None


_TRUTH_WORDS = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
_TRUTH_WORDS |= {"1": "true", "0": "false", "y": "true", "n": "false"}


def _literals(members: list[Any]) -> list[str]:
    return [str(word) for member in members if get_origin(member) is Literal for word in get_args(member)]


def described(annotation: Any) -> str:
    """What may stand at a place, in an author's words: ``true, false or a block with min``."""
    members = _members(annotation)
    tags, parts = _tags(members), list[str]()
    for member in members:
        if len(tags) > 1 and _tag(member) in tags:
            parts.append("a block with type " + _alternatives(tags))
        else:
            parts += _words(member) or [_described_one(member)]
    return _alternatives(list(dict.fromkeys(parts)))


def _words(member: Any) -> list[str]:
    """The words that a type stands for, one by one, so that they join with the alternatives beside it."""
    return ["true", "false"] if member is bool else _literals([member])


_PLAIN = {
    str: "text",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    date: "a day such as 2026-12-31",
}
_PLURALS = {str: "texts", int: "whole numbers", float: "numbers"}


def _described_one(member: Any) -> str:
    if member in _PLAIN:
        return _PLAIN[member]
    if get_origin(member) is Literal:
        return _alternatives([str(word) for word in get_args(member)])
    if get_origin(member) is tuple:
        return f"a list of {_plural(get_args(member)[0])}"
    if _is_record(member):
        return "a block with " + ", ".join(_fields(member))
    return "a block of keys and values" if _shape(member) is dict else "a value"


def _plural(annotation: Any) -> str:
    members = _members(annotation)
    if len(members) > 1 or _shape(members[0]) is dict:
        return "blocks"
    return _PLURALS.get(members[0]) or described(annotation)


def _alternatives(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _lower(text: str | None) -> str:
    return text[:1].lower() + text[1:].rstrip(".") if text else ""
