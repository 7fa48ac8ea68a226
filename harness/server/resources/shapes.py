"""The nested values that several requests share: tools, tool_choice, response_format, chunking and the like.

Each reader checks its value and gives it in the form in which the API echoes it.
"""

from __future__ import annotations

import re
from typing import Any

from harness.server.errors import ApiError, bad_request
from harness.server.resources.fields import Fields, not_supported, wrong_type
from harness.server.wire import fresh

DEFAULT_RANKER = "default_2024_08_21"
DEFAULT_CHUNKING = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LARGEST_WEIGHT = 1_000_000
_TOOL_TYPES = ("code_interpreter", "file_search", "function")


def tools(fields: Fields, *, most: int) -> list[dict[str, Any]] | None:
    """The tools of an assistant or run; None when not given, which is not the same as none."""
    given = fields.items("tools", most=most)
    if given is None:
        return None
    return [_tool(tool, f"{fields.path('tools')}[{index}]") for index, tool in enumerate(given)]


def _tool(tool: Any, where: str) -> dict[str, Any]:
    fields = Fields(tool, ("type", "function", "file_search"), where)
    fields.require("type")
    kind = fields.choice("type", _TOOL_TYPES)
    if kind == "function":
        return {"type": "function", "function": function(fields.require("function"), f"{where}.function")}
    if kind == "file_search":
        options = _search_options(fields.raw("file_search"), f"{where}.file_search")
        return {"type": "file_search", "file_search": options}
    return {"type": "code_interpreter"}


def function(value: Any, where: str) -> dict[str, Any]:
    """What a model is told of a function, with everything that was left out."""
    fields = Fields(value, ("name", "description", "parameters", "strict"), where)
    name = fields.required_text("name")
    if not _FUNCTION_NAME.fullmatch(name):
        raise ApiError(
            400,
            f"Invalid '{where}.name': string does not match pattern. "
            "Expected a string that matches the pattern '^[a-zA-Z0-9_-]{1,64}$'.",
            param=f"{where}.name",
            code="invalid_value",
        )
    told: dict[str, Any] = {"name": name}
    if "description" in fields:
        told["description"] = fields.text("description")
    told["parameters"] = fresh(fields.mapping("parameters") or {"type": "object", "properties": {}})
    told["strict"] = fields.flag("strict", False)
    return told


def _search_options(value: Any, where: str) -> dict[str, Any]:
    fields = Fields(value, ("max_num_results", "ranking_options"), where)
    ranking = Fields(
        fields.raw("ranking_options"),
        ("ranker", "score_threshold", "hybrid_search"),
        f"{where}.ranking_options",
    )
    options: dict[str, Any] = {}
    most = fields.integer("max_num_results", 1, 50)
    if most is not None:
        options["max_num_results"] = most
    options["ranking_options"] = {
        "ranker": ranking.choice("ranker", ("auto", DEFAULT_RANKER), DEFAULT_RANKER),
        "score_threshold": ranking.number("score_threshold", 0, 1) or 0.0,
        "hybrid_search": hybrid_search(ranking),
    }
    return options


def hybrid_search(ranking: Fields) -> dict[str, float] | None:
    """What words and meaning weigh against each other in a search; None when not given.

    Raises:
        ApiError: A weight is missing or negative, or both are 0.
    """
    given = ranking.mapping("hybrid_search")
    if given is None:
        return None
    names = ("embedding_weight", "text_weight")
    fields = Fields(given, names, ranking.path("hybrid_search"))
    for name in names:
        fields.require(name)
    weights = {name: fields.number(name, 0, _LARGEST_WEIGHT) or 0.0 for name in names}
    if not any(weights.values()):
        raise bad_request("At least one weight must be greater than zero.", ranking.path("hybrid_search"))
    return weights


def tool_choice(fields: Fields, available: list[dict[str, Any]]) -> Any:
    """What the model must do with its tools; ``auto`` when not given."""
    value = fields.raw("tool_choice", "auto")
    path = fields.path("tool_choice")
    if isinstance(value, str):
        if value not in ("none", "auto", "required"):
            raise not_supported(path, value, ("none", "auto", "required"))
        return value
    choice = Fields(value, ("type", "function"), path)
    choice.require("type")
    kind = choice.choice("type", _TOOL_TYPES)
    if kind != "function":
        _require_tool(any(tool["type"] == kind for tool in available), path, str(kind))
        return {"type": kind}
    name = Fields(choice.require("function"), ("name",), f"{path}.function").required_text("name")
    known = any(tool["type"] == "function" and tool["function"]["name"] == name for tool in available)
    _require_tool(known, path, name)
    return {"type": "function", "function": {"name": name}}


def _require_tool(there: bool, path: str, name: str) -> None:
    if not there:
        raise ApiError(
            400, f"Invalid value: '{path}' names '{name}', which is not among the tools.", param=path
        )


def response_format(fields: Fields) -> Any:
    """``auto`` or an object; None when not given."""
    value = fields.raw("response_format")
    path = fields.path("response_format")
    if value is None or value == "auto":
        return value
    if not isinstance(value, dict):
        raise wrong_type(path, "'auto' or an object", value)
    given = Fields(value, ("type", "json_schema"), path)
    given.require("type")
    if given.choice("type", ("text", "json_object", "json_schema")) == "json_schema":
        schema = Fields(
            given.require("json_schema"), ("name", "description", "schema", "strict"), f"{path}.json_schema"
        )
        schema.required_text("name", most=64)
        schema.mapping("schema")
    return fresh(value)


def truncation_strategy(fields: Fields) -> dict[str, Any]:
    """How a long thread is cut; ``auto`` when not given."""
    path = fields.path("truncation_strategy")
    given = Fields(fields.raw("truncation_strategy"), ("type", "last_messages"), path)
    kind = given.choice("type", ("auto", "last_messages"), "auto")
    count = given.integer("last_messages", 1)
    if kind == "last_messages" and count is None:
        given.require("last_messages")
    return {"type": kind, "last_messages": count}


def chunking(fields: Fields) -> dict[str, Any]:
    """How files are cut into chunks: 800 tokens that overlap by 400, unless said otherwise."""
    path = fields.path("chunking_strategy")
    given = Fields(fields.raw("chunking_strategy"), ("type", "static"), path)
    if given.choice("type", ("auto", "static"), "auto") == "auto":
        return fresh(DEFAULT_CHUNKING)  # type: ignore[no-any-return]
    sizes = Fields(
        given.require("static"), ("max_chunk_size_tokens", "chunk_overlap_tokens"), f"{path}.static"
    )
    sizes.require("max_chunk_size_tokens")
    sizes.require("chunk_overlap_tokens")
    size = sizes.integer("max_chunk_size_tokens", 100, 4096) or 0
    overlap = sizes.integer("chunk_overlap_tokens", 0, size // 2)
    return {"type": "static", "static": {"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap}}


def network_policy(fields: Fields) -> None:
    """Refuse a container that wants the network: code never has one here."""
    given = Fields(fields.raw("network_policy"), ("type",), fields.path("network_policy"))
    given.choice("type", ("disabled",))


def expires_after(fields: Fields) -> dict[str, Any] | None:
    """When an unused vector store goes; None when not given."""
    if "expires_after" not in fields:
        return None
    given = Fields(fields.raw("expires_after"), ("anchor", "days"), fields.path("expires_after"))
    given.require("anchor")
    given.require("days")
    given.choice("anchor", ("last_active_at",))
    return {"anchor": "last_active_at", "days": given.integer("days", 1, 365)}
