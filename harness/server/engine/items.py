"""Items of responses and conversations: what clients see of them, and the talk that a model reads in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec

from harness.server.engine.citations import marker
from harness.server.engine.hosted import CALL_ITEMS
from harness.server.llms.interface import ChatMessage, ModelError, SearchHit, ToolRequest
from harness.server.reading import Unreadable, readers
from harness.server.state import ItemRecord
from harness.server.wire import fresh

ID_PREFIXES = {
    "message": "msg_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "file_search_call": "fs_",
    "code_interpreter_call": "ci_",
    "reasoning": "rs_",
}
"""Every type of item, and what ids of its items begin with."""
INCLUDE_RESULTS = "file_search_call.results"
INCLUDE_OUTPUTS = "code_interpreter_call.outputs"
_CALLS = ("function_call", *CALL_ITEMS)
_HIDDEN = {
    "file_search_call": ("results", INCLUDE_RESULTS),
    "code_interpreter_call": ("outputs", INCLUDE_OUTPUTS),
}


def item_body(record: ItemRecord, include: Collection[str]) -> dict[str, Any]:
    """An item on the wire; results of searches and outputs of code only when they were asked for."""
    name, part = _HIDDEN.get(record.item["type"], ("", ""))
    shown = record.item if not name or part in include else {**record.item, name: None}
    return fresh(shown)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Talk:
    """What a model reads in a row of items.

    Attributes:
        instructions: What system and developer messages say.
        history: What was said, the latest user message last. Of earlier questions only what was said and
            the functions that were called: what hosted tools found then is not told again, as on a thread.
        rounds: Calls and messages since the latest user message.
    """

    instructions: str
    history: list[ChatMessage]
    rounds: list[ChatMessage]


def read_talk(items: Sequence[ItemRecord], *, reads_files: bool) -> Talk:
    """The talk that these items hold, oldest first.

    Args:
        items: All items up to now.
        reads_files: Whether the text of files in messages is told; code reads them itself.

    Raises:
        ModelError: A file in a message has no text that can be read.
    """
    items = _in_order(items)
    start = _after_last_question(items)
    outputs = {each.item["call_id"]: each for each in items if each.item["type"] == "function_call_output"}
    told = [
        record.said if record.said is not None else message_text(record, reads_files=reads_files)
        for record in items
        if _role(record) in ("system", "developer")
    ]
    earlier = [each for each in items[:start] if each.item["type"] in ("message", "function_call")]
    return Talk(
        "\n\n".join(text for text in told if text),
        list(_messages(earlier, outputs, reads_files=reads_files)),
        list(_messages(items[start:], outputs, reads_files=reads_files)),
    )


def since_question(items: Sequence[ItemRecord]) -> Sequence[ItemRecord]:
    """The items that belong to the answer to the latest user message."""
    ordered = _in_order(items)
    return ordered[_after_last_question(ordered) :]


def _in_order(items: Sequence[ItemRecord]) -> list[ItemRecord]:
    """The items with functions' calls right before their outputs, after what clients put between the two.

    Whoever sends the question once more together with the outputs wants the answer that follows them.
    """
    ordered: list[ItemRecord] = []
    waiting: list[ItemRecord] = []
    for record in items:
        if record.item["type"] == "function_call":
            waiting.append(record)
            continue
        if record.item["type"] == "function_call_output":
            ordered += waiting
            waiting = []
        ordered.append(record)
    return ordered + waiting


def _after_last_question(items: Sequence[ItemRecord]) -> int:
    asked = [index for index, record in enumerate(items) if _role(record) == "user"]
    return asked[-1] + 1 if asked else 0


def _role(record: ItemRecord) -> str | None:
    return record.item.get("role") if record.item["type"] == "message" else None


def _messages(
    items: Iterable[ItemRecord], outputs: dict[str, ItemRecord], *, reads_files: bool
) -> Iterator[ChatMessage]:
    """The items as messages; calls that were asked for together come together, then their outputs."""
    for (is_call, _), group in groupby(items, key=_round_of):
        records = list(group)
        if is_call:
            requests = tuple(_request(record) for record in records)
            yield ChatMessage("assistant", "", tool_requests=requests)
            yield from (_outcome(record, outputs) for record in records)
            continue
        for record in records:
            role = _role(record)
            if role in ("user", "assistant"):
                said = record.said
                text = message_text(record, reads_files=reads_files) if said is None else said
                yield ChatMessage("user" if role == "user" else "assistant", text)


def _round_of(record: ItemRecord) -> tuple[bool, int | None]:
    return record.item["type"] in _CALLS, record.completion


def _request(record: ItemRecord) -> ToolRequest:
    item = record.item
    if item["type"] == "function_call":
        written = item["arguments"]
        arguments = msgspec.json.decode(written)
        return ToolRequest(item["call_id"], "function", item["name"], arguments, written)
    if item["type"] == "file_search_call":
        return ToolRequest(item["id"], "file_search", "file_search", {"queries": list(item["queries"])})
    return ToolRequest(item["id"], "code_interpreter", "code_interpreter", {"input": item["code"] or ""})


def _outcome(record: ItemRecord, outputs: dict[str, ItemRecord]) -> ChatMessage:
    item = record.item
    if item["type"] == "function_call":
        answer = outputs.get(item["call_id"])
        return ChatMessage("tool", _output_text(answer) if answer else "", answers=item["call_id"])
    if item["type"] == "file_search_call":
        hits = hits_of(record)
        content = "\n\n".join(f"{hit.marker}\n{hit.text}" for hit in hits)
        return ChatMessage("tool", content, answers=item["id"], hits=hits)
    logs = "\n".join(each["logs"] for each in item["outputs"] or () if each["type"] == "logs")
    return ChatMessage("tool", logs, answers=item["id"], files=record.note.made)


def _output_text(record: ItemRecord) -> str:
    output = record.item["output"]
    return output if isinstance(output, str) else _parts_text(output, record, reads_files=True)


def hits_of(record: ItemRecord) -> tuple[SearchHit, ...]:
    """The results of a search with the markers that cite them; none for other items."""
    if record.item["type"] != "file_search_call":
        return ()
    return tuple(
        SearchHit(
            file_id=result["file_id"],
            filename=result["filename"],
            score=result["score"],
            text=result["text"],
            marker=marker(record.note.number, index, result["filename"]),
            page=result["attributes"].get("page"),
        )
        for index, result in enumerate(record.item["results"] or ())
    )


def message_text(record: ItemRecord, *, reads_files: bool) -> str:
    """What a message says; images are named, and files, too, unless their text is told.

    Raises:
        ModelError: A file has no text that can be read.
    """
    return _parts_text(record.item["content"], record, reads_files=reads_files)


def _parts_text(parts: Iterable[dict[str, Any]], record: ItemRecord, *, reads_files: bool) -> str:
    return "\n".join(_part_text(part, record, reads_files=reads_files) for part in parts)


def _part_text(part: dict[str, Any], record: ItemRecord, *, reads_files: bool) -> str:
    if part["type"] == "refusal":
        return str(part["refusal"])
    if part["type"] == "input_image":
        return f"[image {part['file_id'] or part['image_url']}]"
    if part["type"] == "input_file":
        name = f"[file {part['filename']}]"
        return f"{name}\n{_file_text(record, part['file_id'])}" if reads_files else name
    return str(part["text"])


def _file_text(record: ItemRecord, file_id: str) -> str:
    """The text of a file in a message, read once."""
    if file_id not in record.texts:
        file = record.files.get(file_id)
        record.texts[file_id] = _read(file.file.filename, file.content) if file else ""
    return record.texts[file_id]


def _read(filename: str, content: bytes) -> str:
    try:
        return readers.read(filename, content).text
    except Unreadable as problem:
        raise ModelError("invalid_prompt", f"{filename}: {problem.message}") from problem
