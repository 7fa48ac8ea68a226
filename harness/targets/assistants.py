"""The Assistants API over any wire."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import TargetMissing
from harness.suite.records import HistoryMessage, Variant
from harness.targets.belongings import path_of
from harness.targets.hosted import HostedTarget
from harness.targets.provisioning import Ready
from harness.targets.threads import AssistantsSession, Thread

# The API takes at most this many messages with a new thread; the rest is added one by one.
_FIRST_MESSAGES = 32


class AssistantsTarget(HostedTarget[Ready, Thread]):
    """An Assistants API behind a wire; ``tear_down`` deletes what it made there, unless it is kept."""

    async def provision(self, variant: Variant) -> None:
        """Upload the documents, index them, create the assistant; or look the given assistant up."""
        self._made[variant.fingerprint] = await self._site.provisioner.provision(variant)

    async def open(
        self, variant: Variant, *, history: Sequence[HistoryMessage] = (), user_id: str | None = None
    ) -> AssistantsSession:
        """A new thread with the history on it, or the one kept for this user."""
        thread = await self._thread_of(user_id) if user_id else None
        if thread is None:
            thread = Thread(await self._new_thread(history, user_id))
        if user_id:
            self._user_talks[user_id] = thread
        made = self._made[variant.fingerprint]
        return AssistantsSession(self._site, made, variant, thread, keep=user_id is not None)

    async def _thread_of(self, user: str) -> Thread | None:
        """The user's thread of this run, or that which an earlier one kept."""
        known = self._user_talks.get(user)
        kept = None if known else self._site.kept_for(user)
        if kept is None:
            return known
        try:
            return await self._kept_thread(kept)
        except TargetMissing:
            self._site.belongings.forget(("thread", kept))
            return None

    async def _kept_thread(self, thread: str) -> Thread:
        """A thread with what an earlier run left at its end.

        Raises:
            TargetMissing: It is not there any more.
        """
        path = path_of(("thread", thread))
        ends = [
            await self._site.wire.call("GET", f"{path}/{kind}", query={"limit": 1, "order": "desc"})
            for kind in ("runs", "messages")
        ]
        run, message = (str(end["data"][0]["id"]) if end["data"] else "" for end in ends)
        return Thread(thread, newest_run=run, newest_message=message)

    async def _new_thread(self, history: Sequence[HistoryMessage], user: str | None) -> str:
        messages = [{"role": message.role, "content": message.content} for message in history]
        intent = self._site.intent("thread", user)
        body = await self._site.belongings.create(intent, {"messages": messages[:_FIRST_MESSAGES]})
        for message in messages[_FIRST_MESSAGES:]:
            await self._site.wire.call("POST", f"/threads/{body['id']}/messages", message)
        return str(body["id"])
