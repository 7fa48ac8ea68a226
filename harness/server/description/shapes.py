"""The nested values that several objects share: tools, tool_choice, response_format, chunking."""

from __future__ import annotations

from harness.server.description.schema import (
    ANYTHING,
    FLAG,
    JSON_OBJECT,
    NULL,
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
    whole,
)

FUNCTION_NAME = text(pattern="^[A-Za-z0-9_-]{1,64}$")
EFFORT = choice("none", "minimal", "low", "medium", "high", "xhigh")
ERROR_CODES = ("server_error", "rate_limit_exceeded", "invalid_prompt")
TEMPERATURE = number(0, 2)
TOP_P = number(0, 1)
_TO_MODEL = "passed on to a model behind the server; the built-in model answers alike"


def option(schema: Schema) -> Schema:
    """An option of the model: models behind the server are given it, the built-in one does not need it."""
    return {**schema, "description": _TO_MODEL[0].upper() + _TO_MODEL[1:] + "."}


HYBRID = {"embedding_weight": number(0, 1_000_000), "text_weight": number(0, 1_000_000)}
_RANKING_IN = takes(
    ranker=choice("auto", "default_2024_08_21"), score_threshold=number(0, 1), hybrid_search=takes(HYBRID)
)
_RANKING_OUT = gives(
    {
        "ranker": choice("auto", "default_2024_08_21"),
        "score_threshold": number(0, 1),
        "hybrid_search": nullable(gives(HYBRID)),
    }
)
FUNCTION_IN = takes(
    {"name": FUNCTION_NAME},
    description=text(),
    parameters=JSON_OBJECT,
    strict=option(FLAG),
)
_FUNCTION_OUT = gives(
    {"name": FUNCTION_NAME, "parameters": JSON_OBJECT, "strict": FLAG},
    description=text(),
)

FUNCTION_CALL_OUT = gives(
    {
        "id": text(least=1),
        "type": always("function"),
        "function": gives({"name": text(least=1), "arguments": text()}),
    }
)

TOOL_IN = either(
    takes({"type": always("code_interpreter")}, function=ANYTHING, file_search=ANYTHING),
    takes(
        {"type": always("file_search")},
        file_search=takes(max_num_results=whole(1, 50), ranking_options=_RANKING_IN),
        function=ANYTHING,
    ),
    takes({"type": always("function"), "function": FUNCTION_IN}, file_search=ANYTHING),
)
TOOL_OUT = either(
    gives({"type": always("code_interpreter")}),
    gives(
        {
            "type": always("file_search"),
            "file_search": gives({"ranking_options": _RANKING_OUT}, max_num_results=whole(1, 50)),
        }
    ),
    gives({"type": always("function"), "function": _FUNCTION_OUT}),
)

TOOL_CHOICE_IN = either(
    choice("none", "auto", "required"),
    takes({"type": always("function"), "function": takes({"name": text(least=1)})}),
    takes({"type": choice("file_search", "code_interpreter")}, function=ANYTHING),
)
TOOL_CHOICE_OUT = either(
    choice("none", "auto", "required"),
    gives({"type": always("function"), "function": gives({"name": text(least=1)})}),
    gives({"type": choice("file_search", "code_interpreter")}),
)

_JSON_SCHEMA = takes(
    {"name": text(least=1, most=64)}, description=ANYTHING, schema=JSON_OBJECT, strict=ANYTHING
)
RESPONSE_FORMAT_IN = either(
    always("auto"),
    takes({"type": choice("text", "json_object")}, json_schema=ANYTHING),
    takes({"type": always("json_schema"), "json_schema": _JSON_SCHEMA}),
)
RESPONSE_FORMAT_OUT = either(always("auto"), JSON_OBJECT)

TRUNCATION_IN = either(
    takes(type=either(always("auto"), NULL), last_messages=whole(1)),
    takes({"type": always("last_messages"), "last_messages": whole(1)}),
)
TRUNCATION_OUT = gives({"type": choice("auto", "last_messages"), "last_messages": nullable(whole(1))})

_SIZES = takes({"max_chunk_size_tokens": whole(100, 4096), "chunk_overlap_tokens": whole(0, 2048)})
CHUNKING_IN = either(
    takes(type=either(always("auto"), NULL), static=ANYTHING),
    takes({"type": always("static"), "static": _SIZES}),
)
CHUNKING_OUT = gives(
    {
        "type": always("static"),
        "static": gives({"max_chunk_size_tokens": whole(100, 4096), "chunk_overlap_tokens": whole(0, 2048)}),
    }
)

STORE_LIFE_IN = takes({"anchor": always("last_active_at"), "days": whole(1, 365)})
STORE_LIFE_OUT = gives({"anchor": always("last_active_at"), "days": whole(1, 365)})

NEW_STORE = {
    "file_ids": listed(text()),
    "name": text(most=256),
    "description": text(most=512),
    "expires_after": STORE_LIFE_IN,
    "chunking_strategy": CHUNKING_IN,
    "metadata": ref("Metadata"),
}
TOOL_RESOURCES_IN = takes(
    code_interpreter=takes(file_ids=listed(text(), most=20)),
    file_search=takes(
        vector_store_ids=listed(text(), most=1),
        vector_stores=listed(takes(**NEW_STORE), most=1),
    ),
)
TOOL_RESOURCES_OUT = gives(
    {},
    code_interpreter=gives({"file_ids": listed(text())}),
    file_search=gives({"vector_store_ids": listed(text())}),
)

NO_NETWORK = takes(type=always("disabled"))

TOKENS = whole(0)
USAGE = gives(
    {
        "prompt_tokens": TOKENS,
        "completion_tokens": TOKENS,
        "total_tokens": TOKENS,
        "prompt_token_details": gives({"cached_tokens": TOKENS}),
        "completion_tokens_details": gives({"reasoning_tokens": TOKENS}),
    }
)
