"""From API objects to trace records: what the wire said, in our words, nothing added."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from harness.cost.usage import from_api
from harness.text import content_stems
from harness.trace.records import (
    Citation,
    CodeOutput,
    Message,
    OutputFile,
    RunStep,
    SearchResult,
    ToolCall,
)

Json = Mapping[str, Any]

_MARKER_INDEX = re.compile(r"【\d+:(\d+)†")


def moment(unix: float | None) -> datetime | None:
    """An API time stamp as an aware datetime."""
    return None if unix is None else datetime.fromtimestamp(unix, UTC)


def run_step(step: Json) -> RunStep:
    """A run step object."""
    details = step.get("step_details") or {}
    error = step.get("last_error") or {}
    return RunStep(
        id=step["id"],
        type=step["type"],
        status=step["status"],
        created_at=moment(step.get("created_at")),
        completed_at=moment(step.get("completed_at")),
        usage=from_api(step.get("usage")),
        message_id=(details.get("message_creation") or {}).get("message_id"),
        tool_calls=tuple(tool_call(call) for call in details.get("tool_calls") or ()),
        error=error.get("message"),
    )


def tool_call(call: Json) -> ToolCall:
    """A tool call of a run step; an unknown kind keeps its name and nothing else."""
    kind = call["type"]
    body = call.get(kind) or {}
    if kind == "function":
        return ToolCall(
            id=call["id"],
            type="function",
            name=body.get("name") or "",
            arguments=body.get("arguments") or "",
            output=body.get("output"),
        )
    if kind == "code_interpreter":
        outputs = tuple(_code_output(output) for output in body.get("outputs") or ())
        return ToolCall(
            id=call["id"], type=kind, name=kind, arguments=body.get("input") or "", outputs=outputs
        )
    results = tuple(_search_result(result) for result in body.get("results") or ())
    return ToolCall(id=call["id"], type="file_search", name="file_search", results=results)


def _code_output(output: Json) -> CodeOutput:
    if output["type"] == "image":
        return CodeOutput(type="image", file_id=output["image"]["file_id"])
    return CodeOutput(type="logs", logs=output.get("logs") or "")


def _search_result(result: Json) -> SearchResult:
    parts = [part.get("text") or "" for part in result.get("content") or ()]
    return SearchResult(
        file_id=result["file_id"],
        filename=result.get("file_name") or result.get("filename") or "",
        score=result.get("score") or 0.0,
        text="\n".join(parts) if parts else None,
        attributes=dict(result.get("attributes") or {}),
    )


def message(body: Json, results: Sequence[SearchResult], documents: Mapping[str, str]) -> Message:
    """A thread message; its citations joined to the chunks they point at."""
    text, citations, files = "", [], []
    for part in body.get("content") or ():
        if part["type"] == "text":
            offset = len(text) + (2 if text else 0)
            value = part["text"]["value"]
            text = f"{text}\n\n{value}" if text else value
            annotations = part["text"].get("annotations") or ()
            citations += [
                _citation(a, value, offset, results, documents)
                for a in annotations
                if a["type"] == "file_citation"
            ]
            files += [_linked_file(a) for a in annotations if a["type"] == "file_path"]
        elif part["type"] == "image_file":
            files.append(OutputFile(file_id=part["image_file"]["file_id"], kind="image"))
        elif part["type"] == "refusal":
            text += part.get("refusal") or ""
    return Message(
        role=body["role"],
        text=text,
        id=body["id"],
        created_at=moment(body.get("created_at")),
        citations=tuple(citations),
        files=tuple(files),
    )


def _linked_file(annotation: Json) -> OutputFile:
    name = annotation.get("text", "").rsplit("/", 1)[-1]
    return OutputFile(file_id=annotation["file_path"]["file_id"], kind="file", filename=name or None)


def _citation(
    annotation: Json,
    text: str,
    offset: int,
    results: Sequence[SearchResult],
    documents: Mapping[str, str],
) -> Citation:
    file_id = annotation["file_citation"]["file_id"]
    marker = annotation.get("text") or ""
    start = annotation.get("start_index") or 0
    named = {result.file_id: result.filename for result in results} | dict(documents)
    return Citation(
        marker=marker,
        start=offset + start,
        end=offset + (annotation.get("end_index") or start + len(marker)),
        file_id=file_id,
        filename=named.get(file_id),
        chunk=cited_chunk(marker, file_id, text[:start], results),
    )


def cited_chunk(marker: str, file_id: str, before: str, results: Sequence[SearchResult]) -> str | None:
    """The result that the marker counts to, if it is of the cited file; else the likeliest of that file.

    The index is a convention of the hosted API (``【4:0†name】``: message, then result); other servers write
    other markers, so it counts only when it agrees with the annotation's file.
    """
    match = _MARKER_INDEX.match(marker)
    index = int(match.group(1)) if match else -1
    if 0 <= index < len(results) and results[index].file_id == file_id:
        return results[index].text
    said = set(content_stems(before[-400:]))
    texts = [result.text for result in results if result.file_id == file_id and result.text]
    return max(texts, key=lambda chunk: len(said & set(content_stems(chunk))), default=None)
