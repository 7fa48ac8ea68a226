"""What targets have in common that make things at an API: a site, users who come back, a clean end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from harness.clock import SYSTEM_CLOCK, Clock
from harness.targets.belongings import Belongings, Thing
from harness.targets.interface import Pays
from harness.targets.ledger import Intent, Kind, RunLedger
from harness.targets.provisioning import NOTHING_KEPT, Keeping, Provisioner
from harness.targets.wire import Wire
from harness.trace.records import Deletion


class Site(msgspec.Struct, frozen=True):
    """Where a target and its sessions work, and what they work with.

    Attributes:
        wire: Requests to it.
        belongings: What the target has made there.
        provisioner: Makes there what variants need.
        keeping: What is kept there beyond the run.
        clock: Tells how long turns take.
        poll_s: How long to wait between questions whether something is done.
    """

    wire: Wire
    belongings: Belongings
    provisioner: Provisioner
    keeping: Keeping
    clock: Clock
    poll_s: float

    def intent(self, kind: Kind, user: str | None) -> Intent:
        """The intent to make what a user talks on; kept where users come back to it in later runs."""
        return Intent(kind, keep="user" if user and self.keeping.users else None, user=user)

    def kept_for(self, user: str) -> str | None:
        """Id of what an earlier run kept for a user to talk on."""
        return self.belongings.thread_of(user) if self.keeping.users else None


class OfUser(Protocol):
    """What a user talks on."""

    @property
    def things(self) -> Sequence[Thing]:
        """All there is of the user at the API: what the talk is on, then the files that were sent."""
        ...


Made = TypeVar("Made")
Talk = TypeVar("Talk", bound=OfUser)


class HostedTarget(Generic[Made, Talk]):
    """An API behind a wire: what was made there for each variant, and the talk of each user."""

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
        belongings = Belongings(wire, ledger)
        provisioner = Provisioner(wire, belongings, poll_s=poll_s, keeping=keeping)
        self._site = Site(wire, belongings, provisioner, keeping, clock, poll_s)
        self._made: dict[str, Made] = {}
        self._user_talks: dict[str, Talk] = {}

    async def forget(self, user_id: str) -> Deletion:
        """Delete what the user talks on and the user's files, and ask for them again."""
        talk = self._user_talks.pop(user_id, None)
        return await self._site.belongings.delete_for_good(talk.things if talk else ())

    async def tear_down(self) -> None:
        """Delete what this target created and nobody keeps, then close the wire."""
        talks = self._user_talks.values() if self._site.keeping.users else ()
        kept = frozenset(talk.things[0] for talk in talks)
        self._user_talks.clear()
        try:
            await self._site.belongings.delete_all(but=kept)
        finally:
            self._site.belongings.close()
            await self._site.wire.close()
