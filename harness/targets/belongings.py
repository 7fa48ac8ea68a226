"""What a target has made at its place: written down before it is made, until it is known to be gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from harness.errors import TargetError, TargetMissing, TargetRefused
from harness.targets.ledger import Entry, Intent, Kind, RunLedger
from harness.targets.turns import GRACE_S
from harness.targets.wire import Json, Wire
from harness.trace.records import Deletion

PATHS: dict[Kind, str] = {
    "assistant": "/assistants",
    "vector_store": "/vector_stores",
    "file": "/files",
    "thread": "/threads",
    "conversation": "/conversations",
}
TEAR_DOWN_S = 30.0
"""How long deleting all that a run leaves may take together; what is left then stays in the ledger."""
_AT_ONCE = 8

Thing = tuple[Kind, str]


def path_of(thing: Thing) -> str:
    """The address of an object."""
    return f"{PATHS[thing[0]]}/{thing[1]}"


class Belongings:
    """Makes objects at a place and deletes them.

    Args:
        wire: The place.
        ledger: Where all of them are written down; None where they end with the process anyway.
    """

    def __init__(self, wire: Wire, ledger: RunLedger | None = None) -> None:
        self._wire = wire
        self._run = ledger
        self._left: dict[Thing, int | None] = {}

    async def create(self, intent: Intent, body: Json) -> Json:
        """Make an object; what the API tells of it."""
        number = self._intend(intent)
        if self._run:
            body = {**body, "metadata": {**body.get("metadata", {}), **self._run.marks}}
        try:
            made = await self._wire.call("POST", PATHS[intent.kind], body)
        except TargetRefused:
            self._strike(number)
            raise
        self._made((intent.kind, str(made["id"])), number)
        return made

    async def upload(self, path: Path, intent: Intent | None = None) -> str:
        """Upload one file for an assistant's tools; its id."""
        content = path.read_bytes()
        intent = replace(intent or Intent("file"), name=path.name, size=len(content))
        number = self._intend(intent)
        try:
            made = await self._wire.upload(path.name, content, "assistants")
        except TargetRefused:
            self._strike(number)
            raise
        self._made(("file", str(made["id"])), number)
        return str(made["id"])

    def take_over(self, thing: Thing) -> None:
        """Have an object deleted with the others that the API made by itself."""
        if thing not in self._left:
            self._made(thing, self._intend(Intent(thing[0])))

    def _intend(self, intent: Intent) -> int | None:
        return self._run.intend(intent) if self._run else None

    def _strike(self, number: int | None) -> None:
        if self._run and number is not None:
            self._run.ledger.gone(number)

    def _made(self, thing: Thing, number: int | None) -> None:
        self._left[thing] = number
        if self._run and number is not None:
            self._run.ledger.made(number, thing[1])

    async def delete(self, thing: Thing) -> None:
        """Delete an object; one that is gone already is as good as deleted.

        Raises:
            TargetError: The place doesn't say that it is gone.
        """
        with suppress(TargetMissing):
            await self._wire.call("DELETE", path_of(thing))
        self._strike(self._left.pop(thing, None))

    async def delete_for_good(self, things: Sequence[Thing]) -> Deletion:
        """Delete what is there for a user, and ask for each of it again: only a "not there" is believed."""
        confirmed: list[str] = []
        errors: list[str] = []
        for thing in reversed(things):
            error = await self._deleted(thing)
            errors += [f"{thing[1]}: {error}"] if error else []
            confirmed += [] if error else [thing[1]]
        return Deletion(confirmed=not errors, deleted=tuple(confirmed), error="; ".join(errors) or None)

    async def _deleted(self, thing: Thing) -> str | None:
        """Why an object is not known to be gone; None when it is."""
        try:
            async with asyncio.timeout(GRACE_S):
                await self.delete(thing)
                await self._wire.call("GET", path_of(thing))
        except TargetMissing:
            return None
        except TargetError as error:
            return error.message
        except TimeoutError:
            return f"no answer within {GRACE_S:g} seconds"
        return "it was deleted, and is still there when asked for again"

    # --- what is kept beyond the run ----------------------------------------------------------------------

    def keep_variant(self, fingerprint: str) -> None:
        """Keep what was made for a variant: it is whole now, and a later run may work with it."""
        if self._run is None:
            return
        ledger = self._run.ledger
        made = set(self._left.values())  # a resumed run has entries of the process before it, too
        mine = [
            entry
            for entry in ledger.entries(run=self._run.run)
            if entry.fingerprint == fingerprint and entry.number in made
        ]
        ledger.keep((entry.number for entry in mine), "variant")
        for entry in mine:
            self._left.pop((entry.kind, entry.id or ""), None)

    def kept_variant(self, fingerprint: str) -> list[Entry]:
        """What an earlier run has kept of a variant, all of that run that kept it last."""
        if self._run is None:
            return []
        kept = self._run.ledger.kept(self._run.place, fingerprint)
        return [entry for entry in kept if entry.run == kept[-1].run]

    def use(self, entries: list[Entry]) -> None:
        """Work with what an earlier run has kept: nobody cleans it away meanwhile."""
        if self._run:
            self._run.ledger.use(self._run.run, (entry.number for entry in entries))

    def give_up(self, entries: list[Entry]) -> None:
        """What was kept is of no use any more: it is left over now."""
        if self._run:
            self._run.ledger.keep((entry.number for entry in entries), None)

    def thread_of(self, user: str) -> str | None:
        """The thread or conversation that an earlier run kept for a user."""
        entry = self._run.ledger.thread_of(self._run.place, user) if self._run else None
        if entry is None or entry.id is None:
            return None
        self.use([entry])
        self._left[entry.kind, entry.id] = entry.number
        return entry.id

    def forget(self, thing: Thing) -> None:
        """It is known that an object is not there any more."""
        self._strike(self._left.pop(thing, None))

    # --- the end ------------------------------------------------------------------------------------------

    async def delete_all(self, *, but: frozenset[Thing] = frozenset()) -> None:
        """Delete what was made, newest first, as far as the place lets us in ``TEAR_DOWN_S``."""
        left = iter([thing for thing in reversed(self._left) if thing not in but])
        try:
            async with asyncio.timeout(TEAR_DOWN_S):
                await asyncio.gather(*(self._delete_each(left) for _ in range(_AT_ONCE)))
        except TimeoutError:
            return

    async def _delete_each(self, left: Iterator[Thing]) -> None:
        """Delete one after the other; a place that hangs once is not waited for again."""
        for thing in left:
            try:
                async with asyncio.timeout(GRACE_S):
                    await self.delete(thing)
            except TargetRefused:
                continue
            except (TimeoutError, TargetError):
                return

    def close(self) -> None:
        """Nothing more is made here."""
        self._left.clear()
        if self._run:
            self._run.close()
