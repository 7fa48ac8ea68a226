"""What runs left behind: found again in the ledger and at the place, and deleted there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from harness.clock import Clock
from harness.errors import TargetError, TargetMissing, TargetRefused
from harness.targets.belongings import PATHS, path_of
from harness.targets.ledger import Entry, Intent, Kind, Ledger, Place
from harness.targets.provisioning import pages
from harness.targets.turns import GRACE_S
from harness.targets.wire import Json, Wire

State = Literal["left", "kept", "in_use", "unknown", "other_key"]

# Assistants and vector stores carry our marks; files can only be told by name, size and time.
_MARKED: tuple[Kind, ...] = ("assistant", "vector_store")
_UNLISTED: tuple[Kind, ...] = ("thread", "conversation")
_EARLIER = timedelta(minutes=1)  # how far a server's clock may be behind ours
_LATER = timedelta(minutes=10)  # how long an upload with its retries may take
SETTLED = timedelta(minutes=2)
"""After this long, what a server does not list was never made."""


class Leftover(msgspec.Struct, frozen=True):
    """An object that is not known to be gone.

    Attributes:
        entry: What the ledger knows of it.
        state: ``left`` by a run that has ended, ``kept`` on purpose, ``in_use`` by a run that goes on, or
            ``unknown``: its id never came back; ``other_key``: the key that is set can't delete it.
        why: The same in words.
    """

    entry: Entry
    state: State
    why: str


def leftovers(ledger: Ledger) -> list[Leftover]:
    """Everything in the ledger, with why it is there, oldest first."""
    going_on = {run: ledger.is_going_on(run) for run in {entry.run for entry in ledger.entries()}}
    return [Leftover(entry, *_state(ledger, entry, going_on)) for entry in ledger.entries()]


def _state(ledger: Ledger, entry: Entry, going_on: dict[str, bool]) -> tuple[State, str]:
    if going_on[entry.run]:
        return "in_use", "its run goes on"
    if busy := sorted(run for run in ledger.users_of(entry.number) if ledger.is_going_on(run)):
        return "in_use", f"the run {busy[0]} works with it"
    if entry.id is None:
        return "unknown", "its id never came back"
    if entry.keep == "variant":
        return "kept", "kept for later runs"
    if entry.keep == "user":
        return "kept", f"kept for the user {entry.user}"
    return "left", "its run has ended"


# --- looking ----------------------------------------------------------------------------------------------


async def look(ledger: Ledger, place: Place, wire: Wire, clock: Clock) -> None:
    """Find at a place what the ledger lacks: ids that never came back, and objects that were made twice.

    Raises:
        TargetError: The place does not answer.
    """
    for kind in _MARKED:
        async for body in pages(wire, PATHS[kind], order="asc"):
            if (body.get("metadata") or {}).get("harness_ledger") == ledger.id:
                _adopt(ledger, place, kind, body)
    await _look_for_files(ledger, place, wire)
    for entry in _without_id(ledger, place):
        if entry.kind not in _UNLISTED and not _fresh(entry, clock):
            ledger.gone(entry.number)


def _without_id(ledger: Ledger, place: Place) -> list[Entry]:
    """What ended runs were about to make at a place when they were ended."""
    there = [each for each in ledger.entries() if each.id is None and each.place == place]
    return [entry for entry in there if not ledger.is_going_on(entry.run)]


def _fresh(entry: Entry, clock: Clock) -> bool:
    return clock.now() - entry.made_at < SETTLED


def _adopt(ledger: Ledger, place: Place, kind: Kind, body: Json) -> None:
    """Take up what carries this ledger's marks, and is not in it under its id."""
    if any(entry.id == body["id"] for entry in ledger.entries()):
        return
    run = str(body["metadata"].get("harness_run"))
    if ledger.is_going_on(run):
        return
    meant = [each for each in _without_id(ledger, place) if (each.kind, each.run) == (kind, run)]
    number = meant[0].number if meant else ledger.intend(run, place, Intent(kind))
    ledger.made(number, str(body["id"]))


async def _look_for_files(ledger: Ledger, place: Place, wire: Wire) -> None:
    """Files carry no marks: one is ours when it alone has the name, the size and the time."""
    wanted = [entry for entry in _without_id(ledger, place) if entry.kind == "file"]
    if not wanted:
        return
    known = {entry.id for entry in ledger.entries()}
    there = [body async for body in _files(wire) if body["id"] not in known]
    for entry in wanted:
        fitting = [body for body in there if _fits(entry, body)]
        if len(fitting) == 1:
            ledger.made(entry.number, str(fitting[0]["id"]))
            there.remove(fitting[0])


async def _files(wire: Wire) -> AsyncIterator[Json]:
    async for body in pages(wire, PATHS["file"], purpose="assistants", order="asc"):
        yield body


def _fits(entry: Entry, body: Json) -> bool:
    made_at = datetime.fromtimestamp(body["created_at"], UTC)
    in_time = entry.made_at - _EARLIER <= made_at <= entry.made_at + _LATER
    return in_time and (body["filename"], body["bytes"]) == (entry.name, entry.size)


# --- deleting ---------------------------------------------------------------------------------------------


class Failure(msgspec.Struct, frozen=True):
    """An object that could not be deleted; it stays in the ledger.

    Attributes:
        entry: What the ledger knows of it.
        reason: Why not.
    """

    entry: Entry
    reason: str


async def delete_entries(ledger: Ledger, wire: Wire, entries: Sequence[Entry]) -> list[Failure]:
    """Delete objects of one place, newest first; those that could not be deleted, with the reason.

    Once the place does not answer, the rest is not tried.
    """
    failures: list[Failure] = []
    left = list(reversed(entries))
    while left:
        entry = left.pop(0)
        try:
            async with asyncio.timeout(GRACE_S):
                await _delete(ledger, wire, entry)
        except TargetRefused as error:
            failures.append(Failure(entry, error.message))
        except (TimeoutError, TargetError) as error:
            reason = error.message if isinstance(error, TargetError) else "no answer came in time"
            failures += [Failure(each, reason) for each in (entry, *left)]
            break
    return failures


async def _delete(ledger: Ledger, wire: Wire, entry: Entry) -> None:
    if entry.id is not None:
        with suppress(TargetMissing):  # gone already: as good as deleted
            await wire.call("DELETE", path_of((entry.kind, entry.id)))
    ledger.gone(entry.number)


def hopeless(entries: Iterable[Entry], clock: Clock) -> list[Entry]:
    """What can't be found any more: no list has threads and conversations whose id never came back."""
    return [
        each for each in entries if each.id is None and each.kind in _UNLISTED and not _fresh(each, clock)
    ]
