"""JSON Schemas of suite and assistant files, for editors: completion, descriptions, red lines while typing.

``python -m harness.suite.schema docs/schema`` writes them again after a record has changed. In a file, the
first line ``# yaml-language-server: $schema=<path>/suite.schema.json`` tells the editor.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.suite.records import AssistantFile, SuiteFile
from harness.yamlfile.checked import FileRecord

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLACEHOLDER = {"type": "string", "pattern": r"^\s*\{\{.*\}\}\s*$"}
_TEMPLATE = "Template"  # ending of definitions in which a placeholder may stand for any plain value


def suite_schema(scorers: Mapping[str, dict[str, Any]] = MappingProxyType({})) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a suite file, foreach blocks included.

    Args:
        scorers: JSON Schemas of the options of installed scorers, by name; then no others are allowed.
    """
    schema = _schema_of(SuiteFile, "A suite of scripted conversations.")
    definitions = schema["$defs"]
    definitions["Turn"]["properties"]["expect"] = _or_null(definitions["Turn"]["properties"]["expect"])
    if scorers:
        _add_scorers(definitions, scorers)
    _add_templates(definitions)
    conversations = schema["properties"]["conversations"]
    conversations["minItems"] = 1
    conversations["items"] = {
        "if": {"type": "object", "required": ["foreach"]},
        "then": {"$ref": f"#/$defs/Conversation{_TEMPLATE}"},
        "else": {"$ref": "#/$defs/Conversation"},
    }
    return schema


def assistant_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of an assistant file; name and model may come from its base."""
    schema = _schema_of(AssistantFile, "An assistant, or a patch over another assistant file.")
    schema["properties"] |= {
        "base": {
            "type": "string",
            "description": "Another assistant file: this one replaces some of its keys.",
        },
        "add_tools": {
            **schema["properties"]["tools"],
            "description": "With base: tools to add; one takes the place of that with the same name.",
        },
        "remove_tools": {
            "type": "array",
            "items": {"type": "string"},
            "description": "With base: names of functions to remove, or file_search, code_interpreter.",
        },
        "id": {
            "type": "string",
            "pattern": r"^asst_\w+$",
            "description": "An assistant that exists already.",
        },
    }
    complete = schema.pop("required")
    schema["anyOf"] = [{"required": complete}, {"required": ["base"]}, {"required": ["id"]}]
    return schema


def write_schemas(folder: Path, scorers: Mapping[str, dict[str, Any]] = MappingProxyType({})) -> list[Path]:
    """Write both schemas; without scorers as the project commits them."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in (("suite", suite_schema(scorers)), ("assistant", assistant_schema())):
        written.append(folder / f"{name}.schema.json")
        written[-1].write_text(rendered(schema), encoding="utf-8")
    return written


def rendered(schema: dict[str, Any]) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _schema_of(record: type[FileRecord], title: str) -> dict[str, Any]:
    schema = record.model_json_schema(by_alias=True)
    plain: dict[str, Any] = _without_titles(schema)
    return {"$schema": _DIALECT, "title": title, **plain}


def _without_titles(schema: Any) -> Any:
    """Pydantic titles every value with its own key, which editors would show beside the description."""
    if isinstance(schema, list):
        return [_without_titles(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }


def _add_scorers(definitions: dict[str, Any], scorers: Mapping[str, dict[str, Any]]) -> None:
    """Let editors complete the options of installed scorers."""
    named: dict[str, Any] = {}
    for name, schema in scorers.items():
        inner = _without_titles(schema)
        definitions |= {f"{name}.{part}": each for part, each in inner.pop("$defs", {}).items()}
        definitions[f"{name}.options"] = inner
        named[name] = {"anyOf": [{"type": "boolean"}, {"$ref": f"#/$defs/{name}.options"}]}
    described, _ = _split(definitions["Expect"]["properties"]["scorers"])
    block = {"type": "object", "properties": named, "additionalProperties": False}
    definitions["Expect"]["properties"]["scorers"] = {"anyOf": [block, {"type": "null"}], **described}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    described, inner = _split(schema)
    return {"anyOf": [inner, {"type": "null"}], **described}


def _split(schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a schema says for people, and what it asks for."""
    described = {key: value for key, value in schema.items() if key in ("description", "default")}
    return described, {key: value for key, value in schema.items() if key not in described}


# --- templates of foreach ---------------------------------------------------------------------------------


def _add_templates(definitions: dict[str, Any]) -> None:
    """Add to the definitions a copy of Conversation, and of all it uses, that takes placeholders."""
    wanted = ["Conversation"]
    while wanted:
        name = wanted.pop()
        if name + _TEMPLATE not in definitions:
            definitions[name + _TEMPLATE] = _block_template(definitions[name], wanted)
    conversation = definitions["Conversation" + _TEMPLATE]
    conversation["description"] = "One conversation for each row of a file; {{ column }} in any text."
    conversation["properties"] = {
        "foreach": {"type": "string", "description": "CSV or JSON Lines file, relative to this file."},
        **conversation["properties"],
    }
    conversation["required"] = ["foreach", *conversation["required"]]


def _block_template(block: dict[str, Any], used: list[str]) -> dict[str, Any]:
    properties = {name: _value_template(schema, used) for name, schema in block["properties"].items()}
    return {**block, "properties": properties}


def _value_template(schema: dict[str, Any], used: list[str]) -> dict[str, Any]:
    """The schema of one value, which a placeholder may stand for."""
    described, inner = _split(schema)
    branches = inner.pop("anyOf", [inner])
    return {"anyOf": [*(_with_template_refs(branch, used) for branch in branches), _PLACEHOLDER], **described}


def _with_template_refs(schema: dict[str, Any], used: list[str]) -> dict[str, Any]:
    if "$ref" in schema:
        used.append(schema["$ref"].removeprefix("#/$defs/"))
        return {**schema, "$ref": schema["$ref"] + _TEMPLATE}
    if "items" in schema:
        return {**schema, "items": _value_template(schema["items"], used)}
    return schema


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/schema"))
