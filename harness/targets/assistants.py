"""The Assistants API over any wire."""

from __future__ import annotations

from collections.abc import Sequence

from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import TargetMissing
from harness.suite.records import HistoryMessage, Variant
from harness.targets.belongings import Belongings, Thing, path_of
from harness.targets.interface import Pays
from harness.targets.ledger import Intent, RunLedger
from harness.targets.provisioning import NOTHING_KEPT, Keeping, Provisioner, Ready
from harness.targets.threads import AssistantsSession, Newest
from harness.targets.wire import Wire
from harness.trace.records import Deletion

# The API takes at most this many messages with a new thread; the rest is added one by one.
_FIRST_MESSAGES = 32


class AssistantsTarget:
    """An Assistants API behind a wire; ``tear_down`` deletes what it made there, unless it is kept."""

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
        self._ready: dict[str, Ready] = {}
        self._users: dict[str, list[Thing]] = {}
        self._newest: dict[str, Newest] = {}

    async def provision(self, variant: Variant) -> None:
        """Upload the documents, index them, create the assistant; or look the given assistant up."""
        self._ready[variant.fingerprint] = await self._provisioner.provision(variant)

    async def open(
        self, variant: Variant, *, history: Sequence[HistoryMessage] = (), user_id: str | None = None
    ) -> AssistantsSession:
        """A new thread with the history on it, or the one kept for this user."""
        things = await self._things_of(user_id) if user_id else []
        if not things:
            things.append(("thread", await self._new_thread(history, user_id)))
        thread = things[0][1]
        newest = self._newest.get(thread) or Newest()
        if user_id:
            self._newest[thread] = newest
        return AssistantsSession(
            self._wire,
            self._belongings,
            self._provisioner,
            self._clock,
            self._ready[variant.fingerprint],
            variant,
            things,
            keep=user_id is not None,
            poll_s=self._poll_s,
            newest=newest,
        )

    async def _things_of(self, user: str) -> list[Thing]:
        """What there is of a user, the thread first; empty at the first visit."""
        things = self._users.setdefault(user, [])
        kept = self._belongings.thread_of(user) if self._keeping.users and not things else None
        if kept:
            try:
                self._newest[kept] = await self._newest_in(path_of(("thread", kept)))
                things.append(("thread", kept))
            except TargetMissing:
                self._belongings.forget(("thread", kept))
        return things

    async def _newest_in(self, thread: str) -> Newest:
        """What an earlier run left at the end of a thread.

        Raises:
            TargetMissing: The thread is not there any more.
        """
        ends = [
            await self._wire.call("GET", f"{thread}/{kind}", query={"limit": 1, "order": "desc"})
            for kind in ("runs", "messages")
        ]
        run, message = (str(end["data"][0]["id"]) if end["data"] else "" for end in ends)
        return Newest(run, message)

    async def _new_thread(self, history: Sequence[HistoryMessage], user: str | None) -> str:
        messages = [{"role": message.role, "content": message.content} for message in history]
        intent = Intent("thread", keep="user" if user and self._keeping.users else None, user=user)
        body = await self._belongings.create(intent, {"messages": messages[:_FIRST_MESSAGES]})
        for message in messages[_FIRST_MESSAGES:]:
            await self._wire.call("POST", f"/threads/{body['id']}/messages", message)
        return str(body["id"])

    async def forget(self, user_id: str) -> Deletion:
        """Delete the user's thread and files, and ask for them again."""
        return await self._belongings.delete_for_good(self._users.pop(user_id, []))

    async def tear_down(self) -> None:
        """Delete what this target created and nobody keeps, then close the wire."""
        kept = {thing for things in self._users.values() for thing in things[:1] if self._keeping.users}
        try:
            await self._belongings.delete_all(but=frozenset(kept))
        finally:
            self._users.clear()
            self._belongings.close()
            await self._wire.close()
