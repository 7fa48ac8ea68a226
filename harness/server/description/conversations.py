"""Conversations and the items in them."""

from __future__ import annotations

from harness.server.description.items import INCLUDE, items_not_done
from harness.server.description.records import Operation, Section, paging
from harness.server.description.schema import (
    TIME,
    a_page_of,
    always,
    deleted,
    gives,
    listed,
    ref,
    takes,
    text,
)

_CONVERSATION = gives(
    {
        "id": text(pattern="^conv_"),
        "object": always("conversation"),
        "created_at": TIME,
        "metadata": ref("Metadata"),
    }
)
_NEW_ITEMS = listed(ref("NewItem"), most=20)
_NOT_DONE = items_not_done("items")
_ONE = "/conversations/{conversation}"
_ITEMS = f"{_ONE}/items"

SECTION = Section(
    title="Conversations",
    operations=(
        Operation(
            "POST",
            "/conversations",
            "Make a conversation, with its first items or empty.",
            gives=ref("Conversation"),
            body=takes(items=_NEW_ITEMS, metadata=ref("Metadata")),
            may_be_empty=True,
            not_done=_NOT_DONE,
        ),
        Operation("GET", _ONE, "One conversation.", gives=ref("Conversation")),
        Operation(
            "POST",
            _ONE,
            "Change the metadata of a conversation.",
            gives=ref("Conversation"),
            body=takes(metadata=ref("Metadata")),
            may_be_empty=True,
        ),
        Operation(
            "DELETE",
            _ONE,
            "Delete a conversation; the responses in it stay.",
            gives=deleted("conversation.deleted"),
        ),
        Operation(
            "GET",
            _ITEMS,
            "The items of a conversation.",
            gives=a_page_of(ref("Item")),
            query=(*paging(), *INCLUDE),
        ),
        Operation(
            "POST",
            _ITEMS,
            "Add items, at most 20 at a time.",
            gives=a_page_of(ref("Item")),
            body=takes({"items": _NEW_ITEMS}),
            query=INCLUDE,
            not_done=_NOT_DONE,
        ),
        Operation("GET", f"{_ITEMS}/{{item}}", "One item.", gives=ref("Item"), query=INCLUDE),
        Operation("DELETE", f"{_ITEMS}/{{item}}", "Delete an item.", gives=ref("Conversation")),
    ),
    schemas={"Conversation": _CONVERSATION},
)
