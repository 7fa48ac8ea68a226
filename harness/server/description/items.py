"""The items of responses and conversations, as they are sent and as they are shown."""

from __future__ import annotations

from harness.server.description.records import include
from harness.server.description.schema import (
    ANYTHING,
    COUNT,
    Schema,
    always,
    choice,
    either,
    gives,
    listed,
    nullable,
    number,
    ref,
    takes,
    text,
    unused,
)

RESULTS, OUTPUTS = "file_search_call.results", "code_interpreter_call.outputs"
INCLUDES = (
    RESULTS,
    OUTPUTS,
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "computer_call_output.output.image_url",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
)
INCLUDE = include(*INCLUDES)
_NO_TOOL = """
    additional_tools apply_patch_call apply_patch_call_output computer_call computer_call_output
    custom_tool_call custom_tool_call_output image_generation_call local_shell_call
    local_shell_call_output mcp_approval_request mcp_approval_response mcp_call mcp_list_tools
    program program_output shell_call shell_call_output tool_search_call tool_search_output
    web_search_call
""".split()
_CALLERS = "functions are called by the model alone, and waited for"
_NOT_DONE = {
    **{f"<{kind}>": "the server has no such tool" for kind in _NO_TOOL},
    "<compaction>": "talks are not compacted",
    "<compaction_trigger>": "talks are not compacted",
    "<configuration_update>": "a response keeps the options it began with",
    ".content[].file_url": "the server fetches nothing",
    ".output[].file_url": "the server fetches nothing",
    "<function_call>.async": _CALLERS,
    "<function_call>.caller": _CALLERS,
    "<function_call>.namespace": _CALLERS,
    "<function_call_output>.caller": _CALLERS,
    "<function_call_output>.namespace": _CALLERS,
}


def items_not_done(name: str) -> dict[str, str]:
    """What is not done of the items in this field."""
    return {f"{name}[]{own}": why for own, why in _NOT_DONE.items()}


_STATUS = choice("in_progress", "completed", "incomplete")
_DETAIL = choice("low", "high", "auto", "original")
_ANY_ID = text(most=512)
_OPTIONAL_ID = {"id": text(most=512)}

# as they are sent

_CACHE_MARK = {"prompt_cache_breakpoint": unused(ANYTHING, "nothing is cached between requests")}
_SAID = {"annotations": listed(ANYTHING), "logprobs": ANYTHING, **_CACHE_MARK}
_NOT_SEEN = "images are told to models by name, not shown"
_IMAGE = unused(_DETAIL, _NOT_SEEN)
_PART_IN = either(
    takes({"type": choice("input_text", "output_text", "text"), "text": text()}, **_SAID),
    takes({"type": always("refusal"), "refusal": text()}, **_SAID),
    takes({"type": always("input_image"), "image_url": text()}, detail=_IMAGE, **_CACHE_MARK),
    takes({"type": always("input_image"), "file_id": text()}, detail=_IMAGE, **_CACHE_MARK),
    takes(
        {"type": always("input_file"), "file_id": text(least=1)},
        filename=text(),
        detail=_IMAGE,
        **_CACHE_MARK,
    ),
    takes(
        {"type": always("input_file"), "file_data": text(least=1)},
        filename=text(),
        detail=_IMAGE,
        **_CACHE_MARK,
    ),
)
_PARTS_IN = either(text(), listed(_PART_IN))
_RESULT_IN = takes(
    file_id=text(),
    filename=text(),
    score=number(0, 1),
    attributes=ref("Attributes"),
    text=text(),
    vector_store_id=text(),
)
_CODE_OUTPUT_IN = either(
    takes({"logs": text(least=1)}, type=always("logs"), url=ANYTHING),
    takes({"type": always("image"), "url": text(least=1)}, logs=ANYTHING),
)
ITEM_IN = either(
    takes(
        {"role": choice("user", "assistant", "system", "developer"), "content": _PARTS_IN},
        type=always("message"),
        status=_STATUS,
        phase=unused(ANYTHING, "models behind the server are told what was said, not in which phase"),
        **_OPTIONAL_ID,
    ),
    takes(
        {"type": always("function_call"), "call_id": text(least=1), "name": text(least=1)},
        arguments=text(),
        status=_STATUS,
        **_OPTIONAL_ID,
    ),
    takes(
        {"type": always("function_call_output"), "call_id": text(least=1), "output": _PARTS_IN},
        status=_STATUS,
        **_OPTIONAL_ID,
    ),
    takes(
        {"type": always("file_search_call")},
        queries=listed(text()),
        results=listed(_RESULT_IN),
        status=unused(ANYTHING, "what comes back from a client is over"),
        **_OPTIONAL_ID,
    ),
    takes(
        {"type": always("code_interpreter_call"), "container_id": text(least=1)},
        code=text(),
        outputs=listed(_CODE_OUTPUT_IN),
        status=unused(ANYTHING, "what comes back from a client is over"),
        **_OPTIONAL_ID,
    ),
    takes(
        {"type": always("reasoning")},
        summary=listed(ANYTHING),
        content=unused(ANYTHING, "models behind the server are not told it"),
        encrypted_content=unused(ANYTHING, "there is nobody here who could read it"),
        status=unused(ANYTHING, "what comes back from a client is over"),
        **_OPTIONAL_ID,
    ),
    takes({"type": always("item_reference"), "id": text(least=1)}),
)

# as they are shown

_RANGE = {"start_index": COUNT, "end_index": COUNT}
ANNOTATION = either(
    gives({"type": always("file_citation"), "file_id": text(), "filename": text(), "index": COUNT}),
    gives(
        {
            "type": always("container_file_citation"),
            "container_id": text(),
            "file_id": text(),
            "filename": text(),
            **_RANGE,
        }
    ),
)
OUTPUT_TEXT = gives(
    {
        "type": always("output_text"),
        "annotations": listed(ANYTHING),
        "logprobs": listed(ANYTHING),
        "text": text(),
    }
)
_PART_OUT = either(
    OUTPUT_TEXT,
    gives({"type": choice("input_text", "text"), "text": text()}),
    gives({"type": always("refusal"), "refusal": text()}),
    gives(
        {
            "type": always("input_image"),
            "detail": _DETAIL,
            "file_id": nullable(text()),
            "image_url": nullable(text()),
        }
    ),
    gives({"type": always("input_file"), "file_id": text(), "filename": text()}),
)
_RESULT_OUT = gives(
    {
        "file_id": text(),
        "filename": text(),
        "score": number(0, 1),
        "attributes": {"type": "object"},
        "text": text(),
    }
)
_CODE_OUTPUT_OUT = either(
    gives({"type": always("logs"), "logs": text()}),
    gives({"type": always("image"), "url": text()}),
)


def _shown(kind: str, **properties: Schema) -> Schema:
    return gives({"id": _ANY_ID, "type": always(kind), **properties})


MESSAGE_OUT = _shown(
    "message",
    status=_STATUS,
    role=choice("user", "assistant", "system", "developer"),
    content=listed(_PART_OUT),
)
_FUNCTION_CALL = _shown(
    "function_call", status=_STATUS, arguments=text(), call_id=text(least=1), name=text(least=1)
)
_SEARCH_CALL = _shown(
    "file_search_call",
    status=choice("in_progress", "searching", "completed", "incomplete", "failed"),
    queries=listed(text()),
    results=nullable(listed(_RESULT_OUT)),
)
_CODE_CALL = _shown(
    "code_interpreter_call",
    status=choice("in_progress", "interpreting", "completed", "incomplete", "failed"),
    code=nullable(text()),
    container_id=text(),
    outputs=nullable(listed(_CODE_OUTPUT_OUT)),
)
ITEM_OUT = either(
    MESSAGE_OUT,
    _FUNCTION_CALL,
    _shown(
        "function_call_output",
        status=_STATUS,
        call_id=text(least=1),
        output=either(text(), listed(_PART_OUT)),
    ),
    _SEARCH_CALL,
    _CODE_CALL,
    _shown("reasoning", summary=listed(ANYTHING)),
)
OUTPUT_ITEM = either(MESSAGE_OUT, _FUNCTION_CALL, _SEARCH_CALL, _CODE_CALL)
