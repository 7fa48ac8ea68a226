"""The tools that the server has itself, whoever calls them: which may be called, and what they bring."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.server.engine.machine import Engine
from harness.server.llms.interface import ModelError, ToolRequest
from harness.server.state import StoreRecord

if TYPE_CHECKING:
    from harness.server.sandbox import MadeFile, Outcome
    from harness.server.search import Hit

CALL_ITEMS = ("file_search_call", "code_interpreter_call")
"""How responses spell the calls of these tools."""


def check(available: Sequence[dict[str, Any]], request: ToolRequest) -> None:
    """Refuse a call of a tool that is not there.

    Raises:
        ModelError: There is no such tool.
    """
    names = [tool["function"]["name"] for tool in available if tool["type"] == "function"]
    own = [tool["type"] for tool in available if tool["type"] != "function"]
    known = request.name in names if request.kind == "function" else request.kind in own
    if not known:
        raise ModelError(
            "server_error",
            f"The model asked for the tool {request.name!r}, but there are only {[*own, *names]}.",
        )


def queries_of(request: ToolRequest, question: str) -> tuple[str, ...]:
    """What a search looks for: the model's queries, or the question itself where it gave none."""
    given = request.arguments.get("queries") or request.arguments.get("query")
    if isinstance(given, str):
        return (given,)
    if given:
        return tuple(str(query) for query in given)
    return (question,)


def await_indexing(engine: Engine, store_ids: Sequence[str], is_over: Callable[[], bool]) -> None:
    """Wait, within bounds, for files of these stores that are being indexed.

    The hosted API waits for the files of a thread only. Here a program is answered so fast that what had
    long been indexed there would often not be indexed yet.
    """
    deadline = engine.clock.monotonic() + engine.index_wait_s
    with engine.state.changed:
        while _indexing(engine, store_ids):
            left = deadline - engine.clock.monotonic()
            if left <= 0 or is_over():
                return
            engine.state.changed.wait(min(left, 1.0))


def _indexing(engine: Engine, store_ids: Sequence[str]) -> bool:
    records = [engine.state.stores.get(identifier) for identifier in store_ids]
    return any(row.status == "in_progress" for record in records if record for row in record.files)


def find(
    engine: Engine,
    store_ids: Sequence[str],
    queries: tuple[str, ...],
    *,
    model: str,
    max_num_results: int | None,
    score_threshold: float,
    hybrid_search: dict[str, float] | None = None,
    filters: dict[str, Any] | None = None,
) -> list[Hit]:
    """What file_search finds in these stores, within the number and size that a model can be given.

    ``hybrid_search`` weighs words against meaning, spelt as the API does: ``text_weight``,
    ``embedding_weight``.

    Raises:
        ModelError: A store is gone or has expired.
    """
    small = model.startswith("gpt-3.5")
    ranking = {"keyword_share": _share_of_text(hybrid_search)} if hybrid_search else {}
    return engine.vector_stores.search(
        _stores(engine, store_ids),
        queries,
        max_num_results=max_num_results or (5 if small else 20),
        score_threshold=score_threshold,
        token_budget=4_000 if small else 16_000,
        filters=filters,
        **ranking,
    )


def _share_of_text(weights: dict[str, float]) -> float:
    return weights["text_weight"] / (weights["text_weight"] + weights["embedding_weight"])


def _stores(engine: Engine, store_ids: Sequence[str]) -> list[StoreRecord]:
    stores = []
    for identifier in store_ids:
        record = engine.state.stores.get(identifier)
        if record is None:
            raise ModelError("server_error", f"Vector store {identifier} not found.")
        _refuse_expired(engine, record)
        stores.append(record)
    return stores


def keep_alive(engine: Engine, store_ids: Sequence[str]) -> None:
    """Note that these stores are part of a run, whether it searches them or not.

    Raises:
        ModelError: One of them has expired.
    """
    with engine.state.lock:
        for identifier in store_ids:
            record = engine.state.stores.get(identifier)
            if record is not None:
                _refuse_expired(engine, record)
                engine.vector_stores.touch(record)


def _refuse_expired(engine: Engine, record: StoreRecord) -> None:
    if engine.vector_stores.is_expired(record):
        raise ModelError("server_error", f"Vector store {record.store.id} is expired.")


def attributes_of(hit: Hit) -> dict[str, Any]:
    """The attributes that a hit is shown with; its page, where known, is told among them."""
    page = {} if hit.page is None else {"page": hit.page}
    return {**hit.attributes, **page}


def said_by(outcome: Outcome) -> str:
    """What code printed, or why it could not."""
    return outcome.logs or outcome.error or ""


def made_by(outcome: Outcome) -> Iterator[tuple[MadeFile, bool]]:
    """The files that code made, and whether each is an image."""
    yield from ((made, True) for made in outcome.images)
    yield from ((made, False) for made in outcome.files)
