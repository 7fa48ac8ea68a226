"""What an assistant file becomes where there are no assistants: the parameters of each request.

Options that have no counterpart are refused before anything is run: a suite that passes without them would
prove nothing about the assistant that has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.errors import TargetRefused
from harness.suite.records import AssistantFile, FileSearchTool, FunctionDefinition, Variant
from harness.targets.bounds import HOSTED_TOOLS
from harness.targets.spending import Caps
from harness.targets.wire import Json

_SAMPLING = ("temperature", "top_p", "parallel_tool_calls")


def refuse_existing(target: str, variant: Variant) -> None:
    """Only an Assistants API holds assistants under an id.

    Raises:
        TargetRefused: The variant is one of those.
    """
    if variant.assistant_id:
        raise TargetRefused(
            f"the target {target!r} has no assistants, so it has no {variant.assistant_id!r} either",
            code="target-lacks",
            hint="name an assistant file (--assistant FILE), or run it with --target assistants",
        )


def refuse_options(target: str, assistant: AssistantFile, *, truncates: bool) -> None:
    """Refuse what the target can't do.

    Raises:
        TargetRefused: The assistant file asks for something that has no counterpart there.
    """
    lacking = ["max_prompt_tokens"] if assistant.max_prompt_tokens is not None else []
    strategy = (assistant.truncation_strategy or {}).get("type", "auto")
    if strategy != "auto" or (assistant.truncation_strategy and not truncates):
        lacking.append(f"truncation_strategy {strategy}")
    if lacking:
        raise TargetRefused(
            f"the target {target!r} has nothing like {' and '.join(lacking)}, "
            f"which the assistant {assistant.name!r} asks for",
            code="target-lacks",
            hint="leave it out in a copy of the assistant file, and name that with --assistant",
        )


def response_body(assistant: AssistantFile) -> Json:
    """What each POST /responses says of the assistant, apart from its tools."""
    body: Json = {
        "model": assistant.model,
        "truncation": "auto",  # as runs are truncated, unless they say otherwise
        "include": ["file_search_call.results", "code_interpreter_call.outputs"],
        **assistant.model_dump(include=set(_SAMPLING), exclude_none=True),
    }
    if assistant.instructions:
        body["instructions"] = assistant.instructions
    if assistant.max_completion_tokens is not None:
        body["max_output_tokens"] = assistant.max_completion_tokens
    if assistant.reasoning_effort is not None:
        body["reasoning"] = {"effort": assistant.reasoning_effort}
    if isinstance(assistant.response_format, dict):
        body["text"] = {"format": _flat_format(assistant.response_format)}
    if assistant.tool_choice is not None:
        body["tool_choice"] = _flat_choice(assistant.tool_choice)
    return body


def _flat_format(wanted: dict[str, Any]) -> Json:
    if wanted.get("type") == "json_schema":
        return {"type": "json_schema", **wanted.get("json_schema", {})}
    return wanted


def _flat_choice(choice: str | dict[str, Any]) -> str | Json:
    if isinstance(choice, dict) and choice.get("type") == "function":
        return {"type": "function", "name": (choice.get("function") or {}).get("name")}
    return choice


def capped_run(caps: Caps) -> Json:
    """Limits of a run under a budget."""
    return {"max_prompt_tokens": caps.prompt_tokens, "max_completion_tokens": caps.completion_tokens}


def capped_response(caps: Caps, body: Json, tools: Sequence[Json]) -> Json:
    """The request with limits, where it has none of its own."""
    limits: Json = {"max_output_tokens": caps.completion_tokens}
    if any(tool["type"] in HOSTED_TOOLS for tool in tools):
        limits["max_tool_calls"] = caps.tool_calls
    return {**limits, **body}


def capped_completion(caps: Caps, body: Json) -> Json:
    """The request with a limit, where it has none of its own."""
    return {"max_completion_tokens": caps.completion_tokens, **body}


def unforced(body: Json) -> Json:
    """The body for going on after functions were answered: a forced choice holds for the first step only."""
    if body.get("tool_choice") in (None, "none", "auto"):
        return body
    return {**body, "tool_choice": "auto"}


def response_tools(
    assistant: AssistantFile, vector_stores: Sequence[str], code_files: Sequence[str]
) -> list[Json]:
    """The tools of one request; without a vector store there is nothing to search in."""
    tools = [_flat_function(function) for function in assistant.functions]
    search = next((tool for tool in assistant.tools if isinstance(tool, FileSearchTool)), None)
    if search and vector_stores:
        tools.append({**_search_options(search), "vector_store_ids": list(vector_stores)})
    if assistant.has_tool("code_interpreter"):
        container: Json = {"type": "auto"}
        if code_files:
            container["file_ids"] = list(code_files)
        tools.append({"type": "code_interpreter", "container": container})
    return tools


def _flat_function(function: FunctionDefinition) -> Json:
    return {"type": "function", **function.model_dump(exclude_none=True)}


def _search_options(tool: FileSearchTool) -> Json:
    """Options of file_search; rankers have other names here and stay the default."""
    options = tool.file_search or {}
    made: Json = {"type": "file_search"}
    if "max_num_results" in options:
        made["max_num_results"] = options["max_num_results"]
    ranking = {
        name: value for name, value in (options.get("ranking_options") or {}).items() if name != "ranker"
    }
    if ranking:
        made["ranking_options"] = ranking
    return made


def chat_body(assistant: AssistantFile) -> Json:
    """What each POST /chat/completions says of the assistant, apart from the messages."""
    options = {*_SAMPLING, "max_completion_tokens", "reasoning_effort", "tool_choice"}
    if not assistant.functions:
        options -= {"tool_choice", "parallel_tool_calls"}
    body: Json = {"model": assistant.model, **assistant.model_dump(include=options, exclude_none=True)}
    if isinstance(assistant.response_format, dict):
        body["response_format"] = assistant.response_format
    if assistant.functions:
        body["tools"] = [
            {"type": "function", "function": function.model_dump(exclude_none=True)}
            for function in assistant.functions
        ]
    return body
