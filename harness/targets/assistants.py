"""The Assistants API over any wire."""

from __future__ import annotations

from collections.abc import Sequence

from harness.clock import SYSTEM_CLOCK, Clock
from harness.suite.records import HistoryMessage, Variant
from harness.targets.interface import Pays
from harness.targets.provisioning import Provisioner, Ready, delete
from harness.targets.threads import AssistantsSession
from harness.targets.wire import Wire

# The API takes at most this many messages with a new thread; the rest is added one by one.
_FIRST_MESSAGES = 32


class AssistantsTarget:
    """An Assistants API behind a wire; everything it creates there is deleted by ``tear_down``."""

    pays: Pays = "requests"

    def __init__(self, name: str, wire: Wire, *, poll_s: float = 1.0, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self._wire = wire
        self._clock = clock
        self._poll_s = poll_s
        self._provisioner = Provisioner(wire, poll_s=poll_s)
        self._ready: dict[str, Ready] = {}
        self._user_threads: dict[str, str] = {}

    async def provision(self, variant: Variant) -> None:
        """Upload the documents, index them, create the assistant; or look the given assistant up."""
        self._ready[variant.fingerprint] = await self._provisioner.provision(variant)

    async def open(
        self, variant: Variant, *, history: Sequence[HistoryMessage] = (), user_id: str | None = None
    ) -> AssistantsSession:
        """A new thread with the history on it, or the one kept for this user."""
        known = self._user_threads.get(user_id) if user_id else None
        thread = known or await self._new_thread(history)
        if user_id:
            self._user_threads[user_id] = thread
        return AssistantsSession(
            self._wire,
            self._provisioner,
            self._clock,
            self._ready[variant.fingerprint],
            variant,
            thread,
            keep=user_id is not None,
            poll_s=self._poll_s,
        )

    async def _new_thread(self, history: Sequence[HistoryMessage]) -> str:
        messages = [{"role": message.role, "content": message.content} for message in history]
        body = await self._wire.call("POST", "/threads", {"messages": messages[:_FIRST_MESSAGES]})
        for message in messages[_FIRST_MESSAGES:]:
            await self._wire.call("POST", f"/threads/{body['id']}/messages", message)
        return str(body["id"])

    async def tear_down(self) -> None:
        """Delete everything this target created, then close the wire."""
        try:
            for thread in self._user_threads.values():
                await delete(self._wire, f"/threads/{thread}")
            await self._provisioner.delete_all()
        finally:
            self._user_threads.clear()
            await self._wire.close()
