"""Responses."""

from __future__ import annotations

from collections.abc import Mapping

from harness.server.description import shapes
from harness.server.description.items import (
    INCLUDE,
    INCLUDES,
    ITEM_IN,
    ITEM_OUT,
    OUTPUT_ITEM,
    OUTPUT_TEXT,
    items_not_done,
)
from harness.server.description.records import Operation, Parameter, Section, number_of, one_of, paging
from harness.server.description.schema import (
    ANYTHING,
    COUNT,
    FLAG,
    JSON_OBJECT,
    TIME,
    Schema,
    a_page_of,
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
    whole,
)

_NO_TIERS = "echoed; there is one way to be served"
_NO_CACHE = "nothing is cached between requests"
_NO_MODERATION = "nobody here looks at who asks"
_TIERS = choice("auto", "default", "flex", "scale", "priority", "fast")
_SUMMARY = choice("auto", "concise", "detailed")
_MEMORY = choice("1g", "4g", "16g", "64g")

_FUNCTION_IN = takes(
    {"type": always("function"), "name": shapes.FUNCTION_NAME},
    description=text(),
    parameters=JSON_OBJECT,
    strict=shapes.option(FLAG),
)
_SEARCH_IN = takes(
    {"type": always("file_search"), "vector_store_ids": listed(text())},
    max_num_results=whole(1, 50),
    ranking_options=takes(
        ranker=unused(choice("auto", "default-2024-11-15", "none"), "there is one ranking"),
        score_threshold=number(0, 1),
        hybrid_search=takes(shapes.HYBRID),
    ),
    filters=ref("Filter"),
)
_AUTO = takes(
    {"type": always("auto")},
    file_ids=listed(text(), most=50),
    memory_limit=unused(_MEMORY, "the sandbox has one limit"),
    network_policy=shapes.NO_NETWORK,
)
_CODE_IN = takes({"type": always("code_interpreter"), "container": either(text(), _AUTO)})
_TOOL_IN = either(_FUNCTION_IN, _SEARCH_IN, _CODE_IN)
_TOOL_OUT = either(
    gives(
        {
            "type": always("function"),
            "description": nullable(text()),
            "name": shapes.FUNCTION_NAME,
            "parameters": JSON_OBJECT,
            "strict": FLAG,
        }
    ),
    gives(
        {
            "type": always("file_search"),
            "filters": nullable(JSON_OBJECT),
            "max_num_results": whole(1, 50),
            "ranking_options": gives(
                {"ranker": text(), "score_threshold": number(0, 1)}, hybrid_search=gives(shapes.HYBRID)
            ),
            "vector_store_ids": listed(text()),
        }
    ),
    gives(
        {
            "type": always("code_interpreter"),
            "container": either(
                text(), gives({"type": always("auto")}, file_ids=listed(text()), memory_limit=_MEMORY)
            ),
        }
    ),
)

_CHOSEN = (
    takes({"type": always("function"), "name": text(least=1)}),
    takes({"type": choice("file_search", "code_interpreter")}, function=ANYTHING),
)
_SIMPLE_CHOICE = choice("none", "auto", "required")
_ALLOWED = takes(
    {"type": always("allowed_tools"), "tools": listed(either(*_CHOSEN, _SIMPLE_CHOICE))},
    mode=choice("auto", "required"),
)
_FORMAT_IN = either(
    takes(
        {"type": choice("text", "json_object")},
        name=ANYTHING,
        description=ANYTHING,
        schema=ANYTHING,
        strict=ANYTHING,
    ),
    takes(
        {"type": always("json_schema"), "name": text(least=1, most=64), "schema": JSON_OBJECT},
        description=text(),
        strict=FLAG,
    ),
)
_FORMAT_OUT = either(
    gives({"type": choice("text", "json_object")}),
    gives(
        {
            "type": always("json_schema"),
            "description": nullable(text()),
            "name": text(),
            "schema": JSON_OBJECT,
            "strict": FLAG,
        }
    ),
)
_VERBOSITY = choice("low", "medium", "high")
_COUNTED = {
    "conversation": either(text(), takes({"id": text(least=1)})),
    "input": either(text(), listed(ref("NewItem"))),
    "instructions": text(most=256_000),
    "parallel_tool_calls": shapes.option(FLAG),
    "previous_response_id": text(),
    "reasoning": takes(
        effort=shapes.option(shapes.EFFORT),
        summary=unused(_SUMMARY, "echoed; models behind the server show no reasoning"),
        generate_summary=unused(ANYTHING, "the older name of summary"),
    ),
    "text": takes(
        format=_FORMAT_IN,
        verbosity=unused(_VERBOSITY, "echoed; models behind the server are not told it"),
    ),
    "tool_choice": either(_SIMPLE_CHOICE, *_CHOSEN, _ALLOWED),
    "tools": listed(_TOOL_IN, most=128),
    "truncation": choice("auto", "disabled"),
}
_FIELDS = {
    **_COUNTED,
    "background": FLAG,
    "include": listed(choice(*INCLUDES)),
    "max_output_tokens": whole(16),
    "max_tool_calls": whole(1),
    "metadata": ref("Metadata"),
    "prompt_cache_key": unused(text(), _NO_CACHE),
    "prompt_cache_options": unused(ANYTHING, _NO_CACHE),
    "prompt_cache_retention": unused(ANYTHING, _NO_CACHE),
    "safety_identifier": unused(text(), _NO_MODERATION),
    "service_tier": unused(_TIERS, _NO_TIERS),
    "store": FLAG,
    "stream": FLAG,
    "stream_options": takes(include_obfuscation=unused(ANYTHING, "streams are not padded")),
    "temperature": shapes.option(shapes.TEMPERATURE),
    "top_logprobs": unused(whole(0, 20), "echoed; probabilities of tokens are not known"),
    "top_p": shapes.option(shapes.TOP_P),
    "user": unused(text(), _NO_MODERATION),
}
_MODEL = {"model": text(least=1)}

_USAGE = gives(
    {
        "input_tokens": COUNT,
        "input_tokens_details": gives({"cached_tokens": COUNT, "cache_write_tokens": COUNT}),
        "output_tokens": COUNT,
        "output_tokens_details": gives({"reasoning_tokens": COUNT}),
        "total_tokens": COUNT,
    }
)
_RESPONSE = gives(
    {
        "id": text(pattern="^resp_"),
        "object": always("response"),
        "created_at": TIME,
        "completed_at": nullable(TIME),
        "status": choice("completed", "failed", "in_progress", "cancelled", "queued", "incomplete"),
        "background": FLAG,
        "error": nullable(gives({"code": choice(*shapes.ERROR_CODES), "message": text()})),
        "incomplete_details": nullable(gives({"reason": choice("max_output_tokens", "content_filter")})),
        "instructions": nullable(text()),
        "max_output_tokens": nullable(whole(16)),
        "max_tool_calls": nullable(whole(1)),
        "model": text(least=1),
        "output": listed(OUTPUT_ITEM),
        "parallel_tool_calls": FLAG,
        "previous_response_id": nullable(text()),
        "conversation": nullable(gives({"id": text(pattern="^conv_")})),
        "prompt_cache_key": nullable(text()),
        "reasoning": gives({"effort": nullable(shapes.EFFORT), "summary": nullable(_SUMMARY)}),
        "safety_identifier": nullable(text()),
        "service_tier": _TIERS,
        "store": FLAG,
        "temperature": number(0, 2),
        "text": gives({"format": _FORMAT_OUT, "verbosity": _VERBOSITY}),
        "tool_choice": either(_SIMPLE_CHOICE, JSON_OBJECT),
        "tools": listed(_TOOL_OUT),
        "top_logprobs": whole(0, 20),
        "top_p": number(0, 1),
        "truncation": choice("auto", "disabled"),
        "usage": nullable(_USAGE),
        "user": nullable(text()),
        "metadata": ref("Metadata"),
    }
)


def _event(name: str, data: Mapping[str, Schema]) -> Schema:
    return gives({"type": always(name), "sequence_number": COUNT, **data})


_AT_ITEM = {"output_index": COUNT, "item_id": text()}
_AT_PART = {**_AT_ITEM, "content_index": COUNT}
_DATA: dict[str, dict[str, Schema]] = {
    **{
        f"response.{name}": {"response": ref("Response")}
        for name in ("created", "queued", "in_progress", "completed", "incomplete", "failed")
    },
    **{
        f"response.output_item.{name}": {"output_index": COUNT, "item": OUTPUT_ITEM}
        for name in ("added", "done")
    },
    **{f"response.content_part.{name}": {**_AT_PART, "part": OUTPUT_TEXT} for name in ("added", "done")},
    "response.output_text.delta": {**_AT_PART, "delta": text(least=1), "logprobs": listed(ANYTHING)},
    "response.output_text.done": {**_AT_PART, "text": text(), "logprobs": listed(ANYTHING)},
    "response.output_text.annotation.added": {
        **_AT_PART,
        "annotation_index": COUNT,
        "annotation": JSON_OBJECT,
    },
    **{f"response.file_search_call.{name}": _AT_ITEM for name in ("in_progress", "searching", "completed")},
    **{
        f"response.code_interpreter_call.{name}": _AT_ITEM
        for name in ("in_progress", "interpreting", "completed")
    },
    "response.code_interpreter_call_code.delta": {**_AT_ITEM, "delta": text(least=1)},
    "response.code_interpreter_call_code.done": {**_AT_ITEM, "code": text()},
    "response.function_call_arguments.delta": {**_AT_ITEM, "delta": text(least=1)},
    "response.function_call_arguments.done": {**_AT_ITEM, "name": text(), "arguments": text()},
}
_EVENTS = {name: _event(name, data) for name, data in _DATA.items()}

_NO_SUCH_TOOL = "the server has no such tool"
_TOOLS_NOT_DONE = {
    f"tools[]<{name}>": _NO_SUCH_TOOL
    for name in (
        "apply_patch",
        "computer",
        "computer_use_preview",
        "custom",
        "image_generation",
        "local_shell",
        "mcp",
        "namespace",
        "programmatic_tool_calling",
        "shell",
        "tool_search",
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    )
}
_CALLERS = "functions are called by the model alone, and waited for"
_NOT_DONE = {
    **items_not_done("input"),
    **_TOOLS_NOT_DONE,
    "tools[]<code_interpreter>.allowed_callers": _CALLERS,
    "tools[]<code_interpreter>.container<auto>.network_policy<allowlist>": "code never has a network",
    "tools[]<function>.allowed_callers": _CALLERS,
    "tools[]<function>.async": _CALLERS,
    "tools[]<function>.defer_loading": "all tools are told to the model at once",
    "tools[]<function>.output_schema": "outputs are told to the model as they come",
    "tool_choice<mcp>": _NO_SUCH_TOOL,
    "reasoning.context": "models behind the server show no reasoning",
    "reasoning.mode": "models behind the server have one way to reason",
}
_ONE = "/responses/{response}"

SECTION = Section(
    title="Responses",
    operations=(
        Operation(
            "POST",
            "/responses",
            "Answer: at once, as a stream, or in the background.",
            gives=ref("Response"),
            body=takes(_MODEL, **_FIELDS),
            events=_EVENTS,
            not_done={
                **_NOT_DONE,
                "access_programs": "there is nothing to be let into",
                "background_options": "what is in the background begins at once",
                "context_management": "talks are not compacted; truncation fits them into the window",
                "image": "the server makes no images",
                "moderation": _NO_MODERATION,
                "prompt": "prompts are made in a dashboard that does not exist here",
            },
        ),
        Operation(
            "POST",
            "/responses/input_tokens",
            "Count what a request would cost to read.",
            gives=gives({"object": always("response.input_tokens"), "input_tokens": COUNT}),
            body=takes(**_COUNTED, model=text()),
            not_done={**_NOT_DONE, "personality": "models behind the server have one"},
        ),
        Operation(
            "GET",
            _ONE,
            "One response; with stream=true the events of one in the background.",
            gives=ref("Response"),
            query=(
                *INCLUDE,
                Parameter(
                    "stream", one_of("true", "false"), "Send the events of one in the background again."
                ),
                Parameter(
                    "starting_after", number_of(0, 999_999_999), "With stream: only events after this one."
                ),
                Parameter(
                    "include_obfuscation",
                    unused(text(), "streams are not padded"),
                    "Pad streams.",
                ),
            ),
            events=_EVENTS,
        ),
        Operation(
            "DELETE",
            _ONE,
            "Delete a response; one that is being worked on stops.",
            gives=gives(
                {"id": text(), "object": always("response"), "deleted": {"type": "boolean", "const": True}}
            ),
        ),
        Operation(
            "GET",
            f"{_ONE}/input_items",
            "What a response was asked.",
            gives=a_page_of(ref("Item")),
            query=(*paging(), *INCLUDE),
        ),
        Operation("POST", f"{_ONE}/cancel", "Cancel a response in the background.", gives=ref("Response")),
    ),
    schemas={"Response": _RESPONSE, "NewItem": ITEM_IN, "Item": ITEM_OUT},
    not_done={"POST /responses/compact": "talks are not compacted; truncation fits them into the window"},
)
