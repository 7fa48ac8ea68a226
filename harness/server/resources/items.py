"""Reading items that clients send: messages, function calls and outputs, and what they got back before."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from harness.server.engine.items import ID_PREFIXES, INCLUDE_OUTPUTS, INCLUDE_RESULTS
from harness.server.engine.machine import Engine
from harness.server.errors import ApiError, bad_request
from harness.server.resources import lookup
from harness.server.resources.fields import Fields, not_supported, wrong_type
from harness.server.state import FileRecord, ItemRecord
from harness.server.table import Content
from harness.server.wire import File, Request, fresh, listed

INCLUDES = (
    INCLUDE_RESULTS,
    INCLUDE_OUTPUTS,
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "computer_call_output.output.image_url",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
)
"""What may be asked for; only the first two are ever held back here."""
_ROLES = ("user", "assistant", "system", "developer")
_STATUSES = ("in_progress", "completed", "incomplete")
_DETAILS = ("low", "high", "auto", "original")
_TYPES = (*ID_PREFIXES, "item_reference")
_CACHE_MARK = "prompt_cache_breakpoint"
"""Accepted in every part: nothing is cached between requests."""
_PARTS = ("input_text", "output_text", "text", "refusal", "input_image", "input_file")
_FIELDS = {
    "message": ("type", "id", "role", "content", "status", "phase"),
    "function_call": ("type", "id", "call_id", "name", "arguments", "status"),
    "function_call_output": ("type", "id", "call_id", "output", "status"),
    "file_search_call": ("type", "id", "queries", "results", "status"),
    "code_interpreter_call": ("type", "id", "code", "container_id", "outputs", "status"),
    "reasoning": ("type", "id", "summary", "content", "encrypted_content", "status"),
}


def includes(values: Collection[Any], path: str = "include") -> frozenset[str]:
    """The parts that a request asks to see.

    Raises:
        ApiError: It asks for something that does not exist.
    """
    for value in values:
        if value not in INCLUDES:
            raise not_supported(path, value, INCLUDES)
    return frozenset(values)


def query_includes(request: Request) -> frozenset[str]:
    """``include`` of a query, with and without its brackets."""
    return includes(listed(request.query, "include"))


def read_all(engine: Engine, given: list[Any], where: str) -> list[ItemRecord]:
    """Check the items of a request; call with the lock held.

    Raises:
        ApiError: One of them is wrong, or refers to something that does not exist.
    """
    return [read(engine, each, f"{where}[{index}]") for index, each in enumerate(given)]


def read(engine: Engine, given: Any, where: str) -> ItemRecord:
    """Check one item; an item without a type is a message."""
    if not isinstance(given, dict):
        raise wrong_type(where, "an object", given)
    kind = "message" if given.get("type") is None else given["type"]
    if kind not in _TYPES:
        raise not_supported(f"{where}.type", kind, _TYPES)
    if kind == "item_reference":
        return _referred(engine, given, where)
    fields = Fields(given, _FIELDS[kind], where)
    identifier = fields.text("id", most=512) or engine.state.ids.new(ID_PREFIXES[kind])
    record = ItemRecord({"id": identifier, "type": kind})
    _READERS[kind](engine, fields, record)
    return record


def refuse_duplicates(given: Sequence[ItemRecord], present: Sequence[ItemRecord], path: str) -> None:
    """Refuse items that are there already: an id stands for one item in one place.

    Raises:
        ApiError: An id comes twice.
    """
    seen = {record.id for record in present}
    for record in given:
        if record.id in seen:
            message = f"Duplicate item found with id {record.id}. Remove duplicate items from your input."
            raise bad_request(message, path)
        seen.add(record.id)


def remember(engine: Engine, records: list[ItemRecord]) -> None:
    """Let later requests refer to these items by id; call with the lock held."""
    for record in records:
        engine.state.remember_item(record)


def _referred(engine: Engine, given: dict[str, Any], where: str) -> ItemRecord:
    identifier = Fields(given, ("type", "id"), where).required_text("id")
    found = engine.state.item(identifier)
    if found is None:
        raise ApiError(404, f"Item with id '{identifier}' not found.", param=f"{where}.id")
    return found


def message(engine: Engine, text: str) -> ItemRecord:
    """What a request says whose input is just a text."""
    return read(engine, {"role": "user", "content": text}, "input")


def _message(engine: Engine, fields: Fields, record: ItemRecord) -> None:
    fields.require("role")
    role = fields.choice("role", _ROLES) or "user"
    content = fields.require("content")
    if not isinstance(content, str | list):
        raise wrong_type(fields.path("content"), "a string or an array", content)
    kind = "output_text" if role == "assistant" else "input_text"
    given = [{"type": kind, "text": content}] if isinstance(content, str) else content
    parts = _parts(engine, record, given, fields.path("content"))
    record.item.update(status=_status(fields), role=role, content=parts)


def _status(fields: Fields) -> str:
    return fields.choice("status", _STATUSES) or "completed"


def _parts(engine: Engine, record: ItemRecord, given: list[Any], where: str) -> list[dict[str, Any]]:
    return [_part(engine, record, part, f"{where}[{index}]") for index, part in enumerate(given)]


def _part(engine: Engine, record: ItemRecord, given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise wrong_type(where, "an object", given)
    kind = given.get("type")
    if kind not in _PARTS:
        raise not_supported(f"{where}.type", kind, _PARTS)
    if kind == "input_image":
        return _image(engine, given, where)
    if kind == "input_file":
        return _file(engine, record, given, where)
    key = "refusal" if kind == "refusal" else "text"
    fields = Fields(given, ("type", key, "annotations", "logprobs", _CACHE_MARK), where)
    fields.require(key)
    made: dict[str, Any] = {"type": kind, key: fields.text(key)}
    annotations = fresh(fields.items("annotations") or [])
    if kind == "output_text":
        made = {"type": kind, "annotations": annotations, "logprobs": [], **made}
    return made


def _image(engine: Engine, given: Any, where: str) -> dict[str, Any]:
    fields = Fields(given, ("type", "image_url", "file_id", "detail", _CACHE_MARK), where)
    file_id, url = fields.text("file_id"), fields.text("image_url")
    if (file_id is None) == (url is None):
        raise bad_request(f"'{where}' takes either image_url or file_id.", where)
    if file_id is not None:
        lookup.file(engine, file_id)
    detail = fields.choice("detail", _DETAILS, "auto")
    return {"type": "input_image", "detail": detail, "file_id": file_id, "image_url": url}


def _file(engine: Engine, record: ItemRecord, given: Any, where: str) -> dict[str, Any]:
    """A file part: one that was uploaded, or one that is sent along, which then has an id of its own."""
    known = ("type", "file_id", "file_data", "filename", "file_url", "detail", _CACHE_MARK)
    fields = Fields(given, known, where)
    if "file_url" in fields:
        message = (
            f"'{where}.file_url' is not supported: this server fetches nothing. Send file_data or file_id."
        )
        raise bad_request(message, f"{where}.file_url")
    if ("file_id" in fields) == ("file_data" in fields):
        raise bad_request(f"'{where}' takes either file_id or file_data.", where)
    if "file_id" in fields:
        file = lookup.file(engine, fields.required_text("file_id"))
    else:
        file = _sent_along(engine, fields)
    record.files.add(file.file.id, file)
    return {"type": "input_file", "file_id": file.file.id, "filename": file.file.filename}


def _sent_along(engine: Engine, fields: Fields) -> FileRecord:
    data = fields.required_text("file_data")
    encoded = data.partition(",")[2] if data.startswith("data:") else data
    path = fields.path("file_data")
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(f"Invalid '{path}': expected base64-encoded bytes.", path) from error
    return FileRecord(
        File(
            id=engine.state.ids.new("file-"),
            purpose="user_data",
            filename=lookup.plain_name(fields.text("filename") or "file"),
            bytes=len(content),
            created_at=engine.clock.unix(),
        ),
        Content(content),
    )


def _function_call(engine: Engine, fields: Fields, record: ItemRecord) -> None:
    arguments = fields.text("arguments") or "{}"
    check_arguments(arguments, fields.path("arguments"))
    record.item.update(
        status=_status(fields),
        arguments=arguments,
        call_id=fields.required_text("call_id"),
        name=fields.required_text("name"),
    )


def check_arguments(arguments: str, path: str) -> dict[str, Any]:
    """The arguments of a function call that a client sends back.

    Raises:
        ApiError: They are not a JSON object.
    """
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"Invalid '{path}': expected a JSON object as text: {error}.", path) from error
    if not isinstance(value, dict):
        raise bad_request(f"Invalid '{path}': expected a JSON object as text.", path)
    return value


def _function_output(engine: Engine, fields: Fields, record: ItemRecord) -> None:
    output = fields.require("output")
    if isinstance(output, list):
        output = _parts(engine, record, output, fields.path("output"))
    elif not isinstance(output, str):
        raise wrong_type(fields.path("output"), "a string or an array", output)
    record.item.update(status=_status(fields), call_id=fields.required_text("call_id"), output=output)


def _search_call(engine: Engine, fields: Fields, record: ItemRecord) -> None:
    results = [
        _result(each, f"{fields.path('results')}[{i}]")
        for i, each in enumerate(fields.items("results") or ())
    ]
    queries = fields.ids("queries") or []
    record.item.update(status="completed", queries=list(queries), results=results or None)


def _result(given: Any, where: str) -> dict[str, Any]:
    fields = Fields(given, ("file_id", "filename", "score", "attributes", "text", "vector_store_id"), where)
    fields.text("vector_store_id")  # not kept: hosted answers do not have it
    return {
        "file_id": fields.text("file_id") or "",
        "filename": fields.text("filename") or "",
        "score": fields.number("score", 0, 1) or 0.0,
        "attributes": fields.attributes() or {},
        "text": fields.text("text") or "",
    }


def _code_call(engine: Engine, fields: Fields, record: ItemRecord) -> None:
    outputs = fields.items("outputs") or []
    record.item.update(
        status="completed",
        code=fields.text("code") or "",
        container_id=fields.required_text("container_id"),
        outputs=[_output(each, f"{fields.path('outputs')}[{i}]") for i, each in enumerate(outputs)] or None,
    )


def _output(given: Any, where: str) -> dict[str, Any]:
    fields = Fields(given, ("type", "logs", "url"), where)
    key = "logs" if fields.choice("type", ("logs", "image"), "logs") == "logs" else "url"
    return {"type": "logs" if key == "logs" else "image", key: fields.required_text(key)}


def _reasoning(engine: Engine, fields: Fields, record: ItemRecord) -> None:
    record.item.update(summary=fresh(fields.items("summary") or []))


_READERS = {
    "message": _message,
    "function_call": _function_call,
    "function_call_output": _function_output,
    "file_search_call": _search_call,
    "code_interpreter_call": _code_call,
    "reasoning": _reasoning,
}
