"""/threads/{thread_id}/runs/{run_id}/steps: what a run did."""

from __future__ import annotations

from typing import Any

from harness.server.engine import states
from harness.server.engine.machine import Engine
from harness.server.errors import not_found
from harness.server.resources import lookup, runs
from harness.server.resources.fields import check_prefix
from harness.server.wire import Request, page, page_query


def list_all(engine: Engine, request: Request, thread_id: str, run_id: str) -> dict[str, Any]:
    """GET /threads/{thread_id}/runs/{run_id}/steps."""
    query, with_content = page_query(request.query), runs.includes_content(request)
    with engine.state.lock:
        _, record = lookup.run(engine, thread_id, run_id)
        rows, more = record.steps.page(query)
        return page([states.step_body(row, with_content=with_content) for row in rows], more)


def retrieve(engine: Engine, request: Request, thread_id: str, run_id: str, step_id: str) -> dict[str, Any]:
    """GET /threads/{thread_id}/runs/{run_id}/steps/{step_id}."""
    with_content = runs.includes_content(request)
    with engine.state.lock:
        _, record = lookup.run(engine, thread_id, run_id)
        check_prefix("step_id", step_id, "step_")
        step = record.steps.get(step_id)
        if step is None:
            raise not_found("run step", step_id)
        return states.step_body(step, with_content=with_content)
