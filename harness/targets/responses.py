"""Responses and Conversations over any wire: what was an assistant is said with each request."""

from __future__ import annotations

from collections.abc import Sequence

from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import TargetMissing
from harness.suite.records import HistoryMessage, Variant
from harness.targets import bounds, requests
from harness.targets.belongings import Belongings, path_of
from harness.targets.conversations import ConversationSession, Talk
from harness.targets.interface import Pays
from harness.targets.ledger import Intent, RunLedger
from harness.targets.provisioning import NOTHING_KEPT, Keeping, Knowledge, Provisioner, pages
from harness.targets.wire import Wire
from harness.trace.records import Deletion

# The API takes at most this many items at a time.
_MOST_ITEMS = 20


class ResponsesTarget:
    """A Responses API behind a wire; ``tear_down`` deletes what it made there, unless it is kept."""

    pays: Pays = "requests"

    def __init__(
        self,
        name: str,
        wire: Wire,
        *,
        poll_s: float = 1.0,
        clock: Clock = SYSTEM_CLOCK,
        ledger: RunLedger | None = None,
        keeping: Keeping = NOTHING_KEPT,
    ) -> None:
        self.name = name
        self._wire = wire
        self._clock = clock
        self._poll_s = poll_s
        self._keeping = keeping
        self._belongings = Belongings(wire, ledger)
        self._provisioner = Provisioner(wire, self._belongings, poll_s=poll_s, keeping=keeping)
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
        talk = await self._talk_of(user_id) if user_id else None
        if talk is None:
            talk = await self._new_talk(history, user_id)
        if user_id:
            self._user_talks[user_id] = talk
        return ConversationSession(
            self._wire,
            self._belongings,
            self._provisioner,
            self._clock,
            self._knowledge[variant.fingerprint],
            variant,
            talk,
            keep=user_id is not None,
            poll_s=self._poll_s,
        )

    async def _talk_of(self, user: str) -> Talk | None:
        """The user's conversation of this run, or that which an earlier one kept."""
        known = self._user_talks.get(user)
        kept = self._belongings.thread_of(user) if self._keeping.users and not known else None
        if kept is None:
            return known
        try:
            items = [item async for item in pages(self._wire, f"{path_of(('conversation', kept))}/items")]
        except TargetMissing:
            self._belongings.forget(("conversation", kept))
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
        intent = Intent("conversation", keep="user" if user and self._keeping.users else None, user=user)
        body = await self._belongings.create(intent, {"items": items[:_MOST_ITEMS]})
        for begin in range(_MOST_ITEMS, len(items), _MOST_ITEMS):
            more = {"items": items[begin : begin + _MOST_ITEMS]}
            await self._wire.call("POST", f"/conversations/{body['id']}/items", more)
        return str(body["id"])

    async def forget(self, user_id: str) -> Deletion:
        """Delete the user's conversation and files, and ask for them again."""
        talk = self._user_talks.pop(user_id, None)
        return await self._belongings.delete_for_good(talk.things if talk else ())

    async def tear_down(self) -> None:
        """Delete what this target created and nobody keeps, then close the wire."""
        kept = {talk.things[0] for talk in self._user_talks.values() if self._keeping.users}
        try:
            await self._belongings.delete_all(but=frozenset(kept))
        finally:
            self._user_talks.clear()
            self._belongings.close()
            await self._wire.close()
