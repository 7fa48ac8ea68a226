"""One response that is being worked on, and the items that it makes."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.server.engine import item_events
from harness.server.engine.items import ID_PREFIXES, item_body
from harness.server.engine.machine import Engine
from harness.server.state import ItemRecord, ResponseRecord
from harness.server.wire import Event, body


class ResponseOver(Exception):
    """The response ended while it was being worked on: it was cancelled or deleted."""


class ResponseJob(msgspec.Struct, frozen=True):
    """A response that is being worked on, by whom, and whether someone reads its deltas."""

    engine: Engine
    record: ResponseRecord
    streaming: bool

    def check(self) -> None:
        """Stop here if the response is over.

        Raises:
            ResponseOver: It was cancelled or deleted.
            ModelError: The server ends.
        """
        if not self.record.active:
            raise ResponseOver
        self.engine.refuse_halted()

    def mark(self, item: ItemRecord | None = None) -> None:
        """Say that the response, and one of its items, is being changed; call with the lock held."""
        self.engine.state.responses.mark(self.record)
        if item is not None:
            self.record.output.mark(item)

    def open(self, kind: str, **details: Any) -> tuple[int, ItemRecord]:
        """A new item at the end of the output, in progress, and its place there."""
        state, record = self.engine.state, self.record
        with state.lock:
            item = {"id": state.ids.new(ID_PREFIXES[kind]), "type": kind, "status": "in_progress", **details}
            made = ItemRecord(item, completion=record.completions)
            state.remember_item(made)
            record.output.add(made.id, made)
            return len(record.output) - 1, made

    def added(self, index: int, made: ItemRecord) -> Event:
        """The event that tells of a new item."""
        return item_events.added(index, item_body(made, self.record.include))

    def done(self, index: int, made: ItemRecord) -> Event:
        """The event that tells of a finished item."""
        return item_events.done(index, item_body(made, self.record.include))


def response_body(record: ResponseRecord, include: frozenset[str] = frozenset()) -> dict[str, Any]:
    """A response on the wire with the output made so far; call with the lock held."""
    made = body(record.response)
    made["output"] = [item_body(each, record.include | include) for each in record.output]
    return made
