"""/models: the names that stand in the model table. Assistants and runs may name any other, too."""

from __future__ import annotations

from typing import Any

from harness.server.engine.machine import Engine
from harness.server.errors import ApiError
from harness.server.wire import Request

_OWNER = "harness"


def _body(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": _OWNER}


def list_all(engine: Engine, request: Request) -> dict[str, Any]:
    """GET /models."""
    return {"object": "list", "data": [_body(name) for name in engine.models.names()]}


def retrieve(engine: Engine, request: Request, name: str) -> dict[str, Any]:
    """GET /models/{name}."""
    _refuse_unknown(engine, name)
    return _body(name)


def delete(engine: Engine, request: Request, name: str) -> dict[str, Any]:
    """DELETE /models/{name}: the table is not changed over the API."""
    _refuse_unknown(engine, name)
    raise ApiError(403, f"You have insufficient permissions to delete the model '{name}'.", param="model")


def _refuse_unknown(engine: Engine, name: str) -> None:
    if not engine.models.knows(name):
        raise ApiError(404, f"The model '{name}' does not exist", param="model", code="model_not_found")
