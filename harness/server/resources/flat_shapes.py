"""The nested values of responses: flat tools, tool_choice, text.format.

Each reader gives two forms: the one that is echoed, and the Assistants form in which models are given it.
"""

from __future__ import annotations

from typing import Any

from harness.server.engine.containers import MEMORY_LIMITS
from harness.server.engine.machine import Engine
from harness.server.errors import ApiError
from harness.server.resources import lookup, shapes
from harness.server.resources.fields import Fields, not_supported, wrong_type
from harness.server.wire import fresh

Pair = tuple[Any, Any]
MOST_TOOLS = 128
_KINDS = ("function", "file_search", "code_interpreter")
_RANKERS = ("auto", "default-2024-11-15", "none")
_DEFAULT_RESULTS = 20
_HOSTED = ("file_search", "code_interpreter")


def tools(engine: Engine, fields: Fields) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The tools of a response, echoed and as models are given them; call with the lock held."""
    given = fields.items("tools", most=MOST_TOOLS) or []
    pairs = [_tool(engine, each, f"{fields.path('tools')}[{i}]") for i, each in enumerate(given)]
    return [echoed for echoed, _ in pairs], [internal for _, internal in pairs]


def _tool(engine: Engine, given: Any, where: str) -> Pair:
    if not isinstance(given, dict):
        raise wrong_type(where, "an object", given)
    kind = given.get("type")
    if kind not in _KINDS:
        raise not_supported(f"{where}.type", kind, _KINDS)
    if kind == "function":
        return _function(given, where)
    return (_search if kind == "file_search" else _code)(engine, given, where)


def _function(given: dict[str, Any], where: str) -> Pair:
    fields = Fields(given, ("type", "name", "description", "parameters", "strict"), where)
    nested = {name: value for name, value in given.items() if name != "type"}
    function = shapes.function({**nested, "strict": fields.flag("strict", True)}, where)
    echoed = {"type": "function", "description": None, **function}
    return echoed, {"type": "function", "function": function}


def _search(engine: Engine, given: dict[str, Any], where: str) -> Pair:
    known = ("type", "vector_store_ids", "max_num_results", "ranking_options", "filters")
    fields = Fields(given, known, where)
    fields.require("vector_store_ids")
    ids = fields.ids("vector_store_ids") or []
    for store_id in ids:
        lookup.store(engine, store_id)
    path = f"{where}.ranking_options"
    ranking = Fields(fields.raw("ranking_options"), ("ranker", "score_threshold", "hybrid_search"), path)
    options: dict[str, Any] = {
        "ranker": ranking.choice("ranker", _RANKERS, "auto"),
        "score_threshold": ranking.number("score_threshold", 0, 1) or 0.0,
    }
    if "hybrid_search" in ranking:
        options["hybrid_search"] = shapes.hybrid_search(ranking)
    echoed = {
        "type": "file_search",
        "filters": _filters(fields),
        "max_num_results": fields.integer("max_num_results", 1, 50) or _DEFAULT_RESULTS,
        "ranking_options": options,
        "vector_store_ids": list(ids),
    }
    told = {"max_num_results": echoed["max_num_results"], "ranking_options": dict(options)}
    return echoed, {"type": "file_search", "file_search": told}


def _filters(fields: Fields) -> Any:
    from harness.server.search import matches

    wanted = fields.raw("filters")
    if wanted is not None:
        matches(wanted, {})  # refuses what is no filter
    return fresh(wanted)


def _code(engine: Engine, given: dict[str, Any], where: str) -> Pair:
    fields = Fields(given, ("type", "container"), where)
    container = fields.require("container")
    if isinstance(container, str):
        lookup.live_container(engine, container)
        echoed: Any = container
    else:
        echoed = _auto_container(engine, container, f"{where}.container")
    return {"type": "code_interpreter", "container": echoed}, {"type": "code_interpreter"}


def _auto_container(engine: Engine, given: Any, where: str) -> dict[str, Any]:
    fields = Fields(given, ("type", "file_ids", "memory_limit", "network_policy"), where)
    fields.require("type")
    fields.choice("type", ("auto",))
    made: dict[str, Any] = {"type": "auto"}
    if "file_ids" in fields:
        made["file_ids"] = list(fields.ids("file_ids", most=50) or ())
        for file_id in made["file_ids"]:
            lookup.file(engine, file_id)
    shapes.network_policy(fields)
    if "memory_limit" in fields:
        made["memory_limit"] = fields.choice("memory_limit", MEMORY_LIMITS)
    return made


def allowed_tools(fields: Fields, internal: list[dict[str, Any]]) -> tuple[Any, Any, list[dict[str, Any]]]:
    """What the model must do with its tools, echoed and as models are given it, and the tools it may use."""
    value = fields.raw("tool_choice")
    if not isinstance(value, dict) or value.get("type") != "allowed_tools":
        return *tool_choice(fields, internal), internal
    path = fields.path("tool_choice")
    given = Fields(value, ("type", "mode", "tools"), path)
    mode = given.choice("mode", ("auto", "required"), "auto")
    given.require("tools")
    allowed: list[dict[str, Any]] = []
    for index, each in enumerate(given.items("tools") or ()):
        named = Fields({"tool_choice": each}, ("tool_choice",), f"{path}.tools[{index}]")
        _, wanted = tool_choice(named, internal)
        allowed += [tool for tool in internal if _is_meant(tool, wanted)]
    return fresh(value), mode, allowed


def _is_meant(tool: dict[str, Any], wanted: Any) -> bool:
    if not isinstance(wanted, dict) or tool["type"] != wanted["type"]:
        return False
    return bool(tool["type"] != "function" or tool["function"]["name"] == wanted["function"]["name"])


def tool_choice(fields: Fields, internal: list[dict[str, Any]]) -> Pair:
    """One choice, echoed and as models are given it."""
    value = fields.raw("tool_choice", "auto")
    path = fields.path("tool_choice")
    if isinstance(value, dict) and value.get("type") == "function":
        name = Fields(value, ("type", "name"), path).required_text("name")
        nested = {"type": "function", "function": {"name": name}}
        shapes.tool_choice(Fields({"tool_choice": nested}, ("tool_choice",)), internal)
        return {"type": "function", "name": name}, nested
    if isinstance(value, dict) and value.get("type") not in _HOSTED:
        raise not_supported(f"{path}.type", value.get("type"), (*_KINDS, "allowed_tools"))
    choice = shapes.tool_choice(fields, internal)
    return fresh(choice), choice


def text_format(fields: Fields) -> Pair:
    """The ``text`` of a response and the response_format that models are given for it."""
    path = fields.path("text")
    text = Fields(fields.raw("text"), ("format", "verbosity"), path)
    verbosity = text.choice("verbosity", ("low", "medium", "high"), "medium")
    where = f"{path}.format"
    known = ("type", "name", "description", "schema", "strict")
    given = Fields(text.raw("format", {"type": "text"}), known, where)
    given.require("type")
    kind = given.choice("type", ("text", "json_object", "json_schema"))
    if kind != "json_schema":
        return {"format": {"type": kind}, "verbosity": verbosity}, {"type": kind}
    if given.mapping("schema") is None:
        raise ApiError(400, f"Missing required parameter: '{where}.schema'.", param=f"{where}.schema")
    wanted = {
        "description": given.text("description"),
        "name": given.required_text("name", most=64),
        "schema": fresh(given.mapping("schema")),
        "strict": given.flag("strict", True),
    }
    echoed = {"format": {"type": "json_schema", **wanted}, "verbosity": verbosity}
    return echoed, {"type": "json_schema", "json_schema": wanted}
