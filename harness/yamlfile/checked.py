"""A YAML file made one checked record, or one error that names every mistake with its place."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import Problem, SettingsError, SuiteError, in_order, mistakes_told
from harness.yamlfile.described import descriptions
from harness.yamlfile.mistakes import Mistake, mistakes_in, shown
from harness.yamlfile.source import Source, read_source

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

Record = TypeVar("Record", bound=BaseModel)


class FileRecord(BaseModel):
    """Base of everything that is read from a user's file: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The JSON Schema, with what stands in the source beneath each field as its description."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for key, text in descriptions(cls).items():
            properties[key]["description"] = text
        return schema


class Checked(msgspec.Struct, Generic[Record], frozen=True):
    """A record and the file it was read from, for mistakes that only its reader can see."""

    record: Record
    source: Source

    def problem(self, mistake: Mistake) -> Problem:
        """The mistake with its place in the file."""
        return _placed(self.source, mistake)


def read_checked(path: Path, model: type[Record], *, code: str) -> Checked[Record]:
    """The file as a record.

    Args:
        path: The file.
        model: What may stand in it; unknown keys must be forbidden there.
        code: Of the error, when there are mistakes.

    Raises:
        SettingsError: With every mistake of the file.
    """
    try:
        source = read_source(path)
    except SuiteError as error:
        raise refusal(error.problems, code=code) from error
    problems = list(source.problems)
    record = _validated(source, model, problems)
    if record is None or problems:
        raise refusal(problems, code=code)
    return Checked(record, source)


def refusal(problems: Iterable[Problem], *, code: str) -> SettingsError:
    """The error that names these mistakes, in the order of the file."""
    return SettingsError(mistakes_told(in_order(problems)), code=code)


def _validated(source: Source, model: type[Record], problems: list[Problem]) -> Record | None:
    if not isinstance(source.data, dict):
        wanted = ", ".join(model.model_fields)
        message = f"the file must be a block with {wanted}, not {shown(source.data)}"
        problems.append(Problem(message, source.where(())))
        return None
    try:
        return model.model_validate_json(json.dumps(source.data), strict=True)
    except ValidationError as error:
        found = mistakes_in(error, model, source.data, spelling=source.text)
        problems += [_placed(source, mistake) for mistake in found]
        return None


def _placed(source: Source, mistake: Mistake) -> Problem:
    return Problem(mistake.message, source.where(mistake.place, key=mistake.at_key), mistake.hint)
