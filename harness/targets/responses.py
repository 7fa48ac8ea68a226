"""Responses and Conversations over any wire: what was an assistant is said with each request."""

from __future__ import annotations

from collections.abc import Sequence

from harness.clock import SYSTEM_CLOCK, Clock
from harness.suite.records import HistoryMessage, Variant
from harness.targets import bounds, requests
from harness.targets.conversations import ConversationSession, Talk
from harness.targets.interface import Pays
from harness.targets.provisioning import Knowledge, Provisioner, delete
from harness.targets.wire import Wire

# The API takes at most this many items at a time.
_MOST_ITEMS = 20


class ResponsesTarget:
    """A Responses API behind a wire; everything it creates there is deleted by ``tear_down``."""

    pays: Pays = "requests"

    def __init__(self, name: str, wire: Wire, *, poll_s: float = 1.0, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self._wire = wire
        self._clock = clock
        self._poll_s = poll_s
        self._provisioner = Provisioner(wire, poll_s=poll_s)
        self._knowledge: dict[str, Knowledge] = {}
        self._user_talks: dict[str, Talk] = {}

    async def provision(self, variant: Variant) -> None:
        """Upload the documents and index them; instructions and tools are sent with each request.

        Raises:
            TargetRefused: The variant needs what this API does not have, or a document can't be read.
        """
        requests.refuse_existing(self.name, variant)
        requests.refuse_options(self.name, variant.assistant, truncates=True)
        self._knowledge[variant.fingerprint] = await self._provisioner.knowledge(variant)

    async def open(
        self, variant: Variant, *, history: Sequence[HistoryMessage] = (), user_id: str | None = None
    ) -> ConversationSession:
        """A new conversation with the history in it, or the one kept for this user."""
        known = self._user_talks.get(user_id) if user_id else None
        talk = known or Talk(await self._new_conversation(history), said_tokens=bounds.said_tokens(history))
        if user_id:
            self._user_talks[user_id] = talk
        return ConversationSession(
            self._wire,
            self._provisioner,
            self._clock,
            self._knowledge[variant.fingerprint],
            variant,
            talk,
            keep=user_id is not None,
            poll_s=self._poll_s,
        )

    async def _new_conversation(self, history: Sequence[HistoryMessage]) -> str:
        items = [{"type": "message", "role": said.role, "content": said.content} for said in history]
        body = await self._wire.call("POST", "/conversations", {"items": items[:_MOST_ITEMS]})
        for begin in range(_MOST_ITEMS, len(items), _MOST_ITEMS):
            more = {"items": items[begin : begin + _MOST_ITEMS]}
            await self._wire.call("POST", f"/conversations/{body['id']}/items", more)
        return str(body["id"])

    async def tear_down(self) -> None:
        """Delete everything this target created, then close the wire."""
        try:
            for talk in self._user_talks.values():
                await delete(self._wire, f"/conversations/{talk.conversation_id}")
            await self._provisioner.delete_all()
        finally:
            self._user_talks.clear()
            await self._wire.close()
