"""/conversations: items that responses add to and go on from."""

from __future__ import annotations

from typing import Any

from harness.server.engine.items import item_body
from harness.server.engine.machine import Engine
from harness.server.errors import ApiError
from harness.server.resources import items, lookup
from harness.server.resources.fields import Fields
from harness.server.state import ConversationRecord, ItemRecord
from harness.server.wire import Conversation, Request, body, deleted, page, page_query

MOST_ITEMS = 20
"""So many can be added at a time."""


def create(engine: Engine, request: Request) -> dict[str, Any]:
    """POST /conversations; an empty body is legal."""
    fields = Fields(request.body, ("items", "metadata"))
    with engine.state.lock:
        metadata = fields.metadata() or {}
        given = items.read_all(engine, fields.items("items", most=MOST_ITEMS) or [], "items")
        items.refuse_duplicates(given, (), "items")
        conversation = Conversation(
            id=engine.state.ids.new("conv_"), created_at=engine.clock.unix(), metadata=metadata
        )
        record = engine.state.conversations.add(conversation.id, ConversationRecord(conversation))
        _put(engine, record, given)
        return body(conversation)


def _put(engine: Engine, record: ConversationRecord, given: list[ItemRecord]) -> None:
    items.remember(engine, given)
    for each in given:
        record.items.add(each.id, each)


def retrieve(engine: Engine, request: Request, conversation_id: str) -> dict[str, Any]:
    """GET /conversations/{conversation_id}."""
    with engine.state.lock:
        return body(lookup.conversation(engine, conversation_id).conversation)


def update(engine: Engine, request: Request, conversation_id: str) -> dict[str, Any]:
    """POST /conversations/{conversation_id}: its metadata."""
    fields = Fields(request.body, ("metadata",))
    with engine.state.lock:
        record = lookup.conversation(engine, conversation_id)
        metadata = fields.metadata()
        if metadata is not None:
            record.conversation.metadata = metadata
        return body(record.conversation)


def delete(engine: Engine, request: Request, conversation_id: str) -> dict[str, Any]:
    """DELETE /conversations/{conversation_id}; the responses in it stay."""
    with engine.state.lock:
        lookup.conversation(engine, conversation_id)
        engine.state.conversations.remove(conversation_id)
    return deleted("conversation.deleted", conversation_id)


def list_items(engine: Engine, request: Request, conversation_id: str) -> dict[str, Any]:
    """GET /conversations/{conversation_id}/items."""
    query, include = page_query(request.query), items.query_includes(request)
    with engine.state.lock:
        rows, more = lookup.conversation(engine, conversation_id).items.page(query)
        return page([item_body(row, include) for row in rows], more)


def add_items(engine: Engine, request: Request, conversation_id: str) -> dict[str, Any]:
    """POST /conversations/{conversation_id}/items: the added items as a list."""
    fields, include = Fields(request.body, ("items",)), items.query_includes(request)
    with engine.state.lock:
        record = lookup.conversation(engine, conversation_id)
        fields.require("items")
        given = items.read_all(engine, fields.items("items", most=MOST_ITEMS) or [], "items")
        items.refuse_duplicates(given, list(record.items), "items")
        _put(engine, record, given)
        return page([item_body(each, include) for each in given], False)


def retrieve_item(engine: Engine, request: Request, conversation_id: str, item_id: str) -> dict[str, Any]:
    """GET /conversations/{conversation_id}/items/{item_id}."""
    include = items.query_includes(request)
    with engine.state.lock:
        record = lookup.conversation(engine, conversation_id)
        return item_body(_item(record, item_id), include)


def delete_item(engine: Engine, request: Request, conversation_id: str, item_id: str) -> dict[str, Any]:
    """DELETE /conversations/{conversation_id}/items/{item_id}: the conversation without it."""
    with engine.state.lock:
        record = lookup.conversation(engine, conversation_id)
        _item(record, item_id)
        record.items.remove(item_id)
        record.summary = None  # it may tell of this item
        return body(record.conversation)


def _item(record: ConversationRecord, item_id: str) -> ItemRecord:
    found = record.items.get(item_id)
    if found is None:
        conversation_id = record.conversation.id
        raise ApiError(404, f"Item with id '{item_id}' not found in conversation '{conversation_id}'.")
    return found
