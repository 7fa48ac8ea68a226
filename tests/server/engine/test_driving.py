"""Which runs have nothing to wait for, and that leaving out deltas changes nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.server.app import App, Reply, Request, ServerOptions
from harness.server.llms.interface import ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Line, Scripted, calls, function_call

LOOKUP = {"type": "function", "function": {"name": "lookup"}}
LINES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=120)


class Remote:
    """A model that says nothing about itself."""

    def complete(self, request: ModelRequest) -> ModelReply:
        return ModelReply("Fine.")


def run_of(model: Any, *, tools: list[dict[str, Any]] | None = None, deltas: bool = True) -> Reply:
    """The streamed run of one question; ids are the same every time."""
    app = App(ServerOptions(models=ModelTable(default=model), seed=7))
    assistant = post(app, "/assistants", {"model": "m", "tools": tools or []}).body or {}
    thread = post(app, "/threads", {"messages": [{"role": "user", "content": "Well?"}]}).body or {}
    body = {"assistant_id": assistant["id"], "stream": True}
    return app.handle(Request("POST", f"/threads/{thread['id']}/runs", body=body, deltas=deltas))


def post(app: App, path: str, body: dict[str, Any]) -> Reply:
    return app.handle(Request("POST", path, body=body))


def shapes(reply: Reply) -> list[Any]:
    """Names and bodies of the events, without their times."""
    return [(name, without_times(data)) for name, data in reply.events or ()]


def without_times(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: without_times(value) for key, value in data.items() if not key.endswith("_at")}
    return [without_times(each) for each in data] if isinstance(data, list) else data


def test_a_scripted_run_with_functions_comes_at_once() -> None:
    assert run_of(Scripted(["Fine."]), tools=[LOOKUP]).at_once


@pytest.mark.parametrize("tool", ["file_search", "code_interpreter"])
def test_a_run_that_may_search_or_work_is_waited_for(tool: str) -> None:
    assert not run_of(Scripted(["Fine."]), tools=[{"type": tool}]).at_once


@pytest.mark.parametrize("model", [Remote(), Scripted(lambda request: "Fine.")])
def test_a_model_that_may_take_its_time_is_waited_for(model: Any) -> None:
    reply = run_of(model, deltas=False)
    assert not reply.at_once
    assert any(name.endswith(".delta") for name, _ in reply.events or ())


@given(
    st.lists(LINES | LINES.map(lambda said: calls(function_call("lookup", n=said))), min_size=1, max_size=1)
)
def test_a_run_read_without_deltas_tells_everything_else_alike(lines: list[Line]) -> None:
    told = shapes(run_of(Scripted(lines), tools=[LOOKUP]))
    briefly = shapes(run_of(Scripted(lines), tools=[LOOKUP], deltas=False))
    assert [event for event in told if not event[0].endswith(".delta")] == briefly
    assert len(told) > len(briefly)
