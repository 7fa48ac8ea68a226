"""Responses and Conversations over any wire: what was an assistant is said with each request."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import TargetMissing
from harness.suite.records import HistoryMessage, Variant
from harness.targets import bounds, requests
from harness.targets.belongings import path_of
from harness.targets.conversations import ConversationSession, Talk
from harness.targets.hosted import HostedTarget
from harness.targets.provisioning import Knowledge, pages

# The API takes at most this many items at a time.
_MOST_ITEMS = 20


class ResponsesTarget(HostedTarget[Knowledge, Talk]):
    """A Responses API behind a wire; ``tear_down`` deletes what it made there, unless it is kept."""

    async def provision(self, variant: Variant) -> None:
        """Upload the documents and index them; instructions and tools are sent with each request.

        Raises:
            TargetRefused: The variant needs what this API does not have, or a document can't be read.
        """
        requests.refuse_existing(self.name, variant)
        requests.refuse_options(self.name, variant.assistant, truncates=True)
        self._made[variant.fingerprint] = await self._site.provisioner.knowledge(variant)

    async def open(
        self, variant: Variant, *, history: Sequence[HistoryMessage] = (), user_id: str | None = None
    ) -> ConversationSession:
        """A new conversation with the history in it, or the one kept for this user."""
        talk = await self._talk_of(user_id) if user_id else None
        if talk is None:
            talk = await self._new_talk(history, user_id)
        if user_id:
            self._user_talks[user_id] = talk
        made = self._made[variant.fingerprint]
        return ConversationSession(self._site, made, variant, talk, keep=user_id is not None)

    async def _talk_of(self, user: str) -> Talk | None:
        """The user's conversation of this run, or that which an earlier one kept."""
        known = self._user_talks.get(user)
        kept = None if known else self._site.kept_for(user)
        if kept is None:
            return known
        try:
            path = f"{path_of(('conversation', kept))}/items"
            items = [item async for item in pages(self._site.wire, path)]
        except TargetMissing:
            self._site.belongings.forget(("conversation", kept))
            return None
        said = sum(item["type"] == "message" and item.get("role") == "user" for item in items)
        # Nobody knows here how its last turn ended.
        return Talk(kept, is_torn=True, user_messages=said, said_tokens=bounds.item_tokens(items))

    async def _new_talk(self, history: Sequence[HistoryMessage], user: str | None) -> Talk:
        made = await self._new_conversation(history, user)
        said = sum(message.role == "user" for message in history)
        return Talk(made, user_messages=said, said_tokens=bounds.said_tokens(history))

    async def _new_conversation(self, history: Sequence[HistoryMessage], user: str | None) -> str:
        items = [{"type": "message", "role": said.role, "content": said.content} for said in history]
        intent = self._site.intent("conversation", user)
        body = await self._site.belongings.create(intent, {"items": items[:_MOST_ITEMS]})
        for begin in range(_MOST_ITEMS, len(items), _MOST_ITEMS):
            more = {"items": items[begin : begin + _MOST_ITEMS]}
            await self._site.wire.call("POST", f"/conversations/{body['id']}/items", more)
        return str(body["id"])
