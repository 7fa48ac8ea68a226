"""From the items of responses to trace records, so that all that reads traces need not know which API it was.

An item of ``output`` is a run step, in order; calls of functions that were asked for together are one step,
as they are on a thread. Citations carry no marker: they stand where their ``index`` says.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import msgspec

from harness.targets.capture import cited_chunk, moment
from harness.targets.turns import Answers
from harness.targets.wire import Json
from harness.trace.records import (
    Citation,
    CodeOutput,
    Message,
    OutputFile,
    RunStep,
    SearchResult,
    ToolCall,
)

_CALLS = ("function_call", "file_search_call", "code_interpreter_call")


def function_calls(items: Sequence[Json]) -> list[Json]:
    """The calls among the items that wait for an output."""
    return [item for item in items if item["type"] == "function_call"]


def run_steps(response: Json, answers: Answers) -> Iterator[RunStep]:
    """The steps of a response; what models think between them (``reasoning``) is no step."""
    created_at = moment(response.get("created_at"))
    kept = [item for item in response.get("output") or () if item["type"] in (*_CALLS, "message")]
    for _, group in groupby(enumerate(kept), key=_step_of):
        items = [item for _, item in group]
        first = items[0]
        is_message = first["type"] == "message"
        yield RunStep(
            id=first["id"],
            type="message_creation" if is_message else "tool_calls",
            status=first.get("status") or "completed",
            created_at=created_at,
            message_id=first["id"] if is_message else None,
            tool_calls=() if is_message else tuple(_tool_call(item, answers) for item in items),
        )


def _step_of(numbered: tuple[int, Json]) -> tuple[str, int]:
    number, item = numbered
    return ("functions", 0) if item["type"] == "function_call" else ("one", number)


def _tool_call(item: Json, answers: Answers) -> ToolCall:
    if item["type"] == "function_call":
        call = ToolCall(
            id=item["call_id"],
            type="function",
            name=item["name"],
            arguments=item.get("arguments") or "",
            output=answers.output(item["call_id"]),
        )
        return answers.add_to(call)
    if item["type"] == "code_interpreter_call":
        outputs = tuple(_code_output(each) for each in item.get("outputs") or ())
        return ToolCall(
            id=item["id"],
            type="code_interpreter",
            name="code_interpreter",
            arguments=item.get("code") or "",
            outputs=outputs,
        )
    results = tuple(_search_result(result) for result in item.get("results") or ())
    return ToolCall(id=item["id"], type="file_search", name="file_search", results=results)


def _code_output(output: Json) -> CodeOutput:
    if output["type"] == "image":
        return CodeOutput(type="image")
    return CodeOutput(type="logs", logs=output.get("logs") or "")


def _search_result(result: Json) -> SearchResult:
    return SearchResult(
        file_id=result["file_id"],
        filename=result.get("filename") or "",
        score=result.get("score") or 0.0,
        text=result.get("text") or None,
        attributes=dict(result.get("attributes") or {}),
    )


def joined_images(steps: Sequence[RunStep], messages: Sequence[Message]) -> list[RunStep]:
    """The steps, their images named as the messages name them.

    An image is told twice, by the code that drew it (an address) and by the message that shows it (a file
    of the container); they are joined in order, and only when there are as many of one as of the other.
    """
    shown = [file.file_id for message in messages for file in message.files if file.kind == "image"]
    drawn = sum(output.type == "image" for step in steps for c in step.tool_calls for output in c.outputs)
    if drawn != len(shown):
        return list(steps)
    names = iter(shown)
    return [
        msgspec.structs.replace(step, tool_calls=tuple(_with_images(call, names) for call in step.tool_calls))
        for step in steps
    ]


def _with_images(call: ToolCall, names: Iterator[str]) -> ToolCall:
    outputs = tuple(
        msgspec.structs.replace(output, file_id=next(names)) if output.type == "image" else output
        for output in call.outputs
    )
    return msgspec.structs.replace(call, outputs=outputs)


def messages(
    response: Json, results: Sequence[SearchResult], documents: Mapping[str, str]
) -> Iterator[Message]:
    """The messages of a response, their citations joined to the chunks they point at."""
    for item in response.get("output") or ():
        if item["type"] == "message":
            yield _message(item, response, results, documents)


def _message(
    item: Json, response: Json, results: Sequence[SearchResult], documents: Mapping[str, str]
) -> Message:
    text = ""
    citations: list[Citation] = []
    files: list[OutputFile] = []
    for part in item.get("content") or ():
        value = part.get("text") or part.get("refusal") or ""
        offset = len(text) + (2 if text else 0)
        text = f"{text}\n\n{value}" if text else value
        for annotation in part.get("annotations") or ():
            if annotation["type"] == "file_citation":
                citations.append(_citation(annotation, value, offset, results, documents))
            elif annotation["type"] == "container_file_citation":
                files.append(_container_file(annotation))
    return Message(
        role="assistant",
        text=text,
        id=item["id"],
        created_at=moment(response.get("created_at")),
        citations=tuple(citations),
        files=tuple(files),
    )


def _citation(
    annotation: Json, text: str, offset: int, results: Sequence[SearchResult], documents: Mapping[str, str]
) -> Citation:
    file_id = annotation["file_id"]
    place = min(annotation.get("index") or 0, len(text))
    return Citation(
        marker="",
        start=offset + place,
        end=offset + place,
        file_id=file_id,
        filename=documents.get(file_id) or annotation.get("filename"),
        chunk=cited_chunk("", file_id, text[:place], results),
    )


def _container_file(annotation: Json) -> OutputFile:
    name = annotation.get("filename") or ""
    is_image = (mimetypes.guess_type(name)[0] or "").startswith("image/")
    return OutputFile(
        file_id=annotation["file_id"], kind="image" if is_image else "file", filename=name or None
    )


def container_paths(response: Json) -> dict[str, str]:
    """The address of each cited file of a container, by its id."""
    return {
        annotation[
            "file_id"
        ]: f"/containers/{annotation['container_id']}/files/{annotation['file_id']}/content"
        for item in response.get("output") or ()
        if item["type"] == "message"
        for part in item.get("content") or ()
        for annotation in part.get("annotations") or ()
        if annotation["type"] == "container_file_citation"
    }
