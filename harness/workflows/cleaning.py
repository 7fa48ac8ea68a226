"""What runs left behind at the servers of others, listed and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import TargetError
from harness.settings import Settings, load_settings
from harness.targets.ledger import Ledger, Place
from harness.targets.leftovers import Failure, Leftover, delete_entries, hopeless, leftovers, look
from harness.targets.making import TargetOptions, wire_to
from harness.targets.wire import Wire


class Wanted(msgspec.Struct, frozen=True):
    """Which leftovers are meant; what is left out does not restrict.

    Attributes:
        run: Of this run.
        base_url: At this address.
        older_than: Made longer ago than this.
        kept: Also what is kept for later runs.
    """

    run: str | None = None
    base_url: str | None = None
    older_than: timedelta | None = None
    kept: bool = False


class Cleaning(msgspec.Struct):
    """What was found and what became of it.

    Attributes:
        found: Everything that is meant and there now, with why it is there.
        deleted: How many are known to be gone since.
        given_up: How many were taken out of the ledger because nothing can find them any more.
        failures: What could not be deleted, and stays in the ledger.
        unreachable: Places that could not be looked at, with the reason.
    """

    found: list[Leftover] = msgspec.field(default_factory=list)
    deleted: int = 0
    given_up: int = 0
    failures: list[Failure] = msgspec.field(default_factory=list)
    unreachable: dict[str, str] = msgspec.field(default_factory=dict)


def left_behind(settings: Settings, run_id: str) -> int:
    """How many objects of a run are not known to be gone, those apart that are kept on purpose."""
    path = Path(settings.ledger)
    if not path.exists():
        return 0
    with Ledger(path) as ledger:
        return sum(entry.keep is None for entry in ledger.entries(run=run_id))


async def clean(
    settings: Settings,
    wanted: Wanted,
    *,
    delete: bool = False,
    flags: Mapping[str, Any] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Cleaning:
    """Look for what runs left behind, and delete it if that is wanted; without, nothing is changed there.

    Raises:
        StoreError: The ledger can't be used.
    """
    done = Cleaning()
    if not Path(settings.ledger).exists() and not wanted.base_url:
        return done
    with Ledger(Path(settings.ledger), clock=clock) as ledger:
        places = _places(ledger, wanted, flags or {})
        for options in places:
            await _at(options, ledger, wanted, done, clock, delete=delete)
        meant = [each for each in leftovers(ledger) if _is_meant(each, wanted, clock)]
        ours = {options.place for options in places}
        done.found = [each if each.entry.place in ours else _of_another_key(each) for each in meant]
    return done


def _of_another_key(leftover: Leftover) -> Leftover:
    return replace(leftover, state="other_key", why="made with another API key than the one that is set")


def _places(ledger: Ledger, wanted: Wanted, flags: Mapping[str, Any]) -> list[TargetOptions]:
    """Where there may be something, each with the key that the settings have for it."""
    urls = {(each.place.url, each.place.api_version) for each in ledger.entries()}
    if wanted.base_url:
        urls = {pair for pair in urls if pair[0] == wanted.base_url.rstrip("/")} or {(wanted.base_url, None)}
    return [_options(url, api_version, flags) for url, api_version in sorted(urls, key=str)]


def _options(url: str, api_version: str | None, flags: Mapping[str, Any]) -> TargetOptions:
    address = {"azure_endpoint": url, "api_version": api_version} if api_version else {"base_url": url}
    options = load_settings({**flags, **address}).target_options()
    empty = {"base_url": None, "azure_endpoint": None, "api_version": None}
    return replace(options, name="assistants", faults=None, **(empty | address))


async def _at(
    options: TargetOptions, ledger: Ledger, wanted: Wanted, done: Cleaning, clock: Clock, *, delete: bool
) -> None:
    """Look at one place, and delete there."""
    place = options.place
    assert place is not None  # it was made from an address
    wire = wire_to(options)
    try:
        await look(ledger, place, wire, clock)
        if delete:
            await _delete_at(place, wire, ledger, wanted, done, clock)
    except TargetError as error:
        done.unreachable[place.url] = error.message
    finally:
        await wire.close()


async def _delete_at(
    place: Place, wire: Wire, ledger: Ledger, wanted: Wanted, done: Cleaning, clock: Clock
) -> None:
    """Delete what is meant at a place with this key, and give up what nothing can find any more."""
    meant = [
        each for each in leftovers(ledger) if each.entry.place == place and _is_meant(each, wanted, clock)
    ]
    states = {"left", "kept"} if wanted.kept else {"left"}
    doomed = [each.entry for each in meant if each.state in states]
    failed = await delete_entries(ledger, wire, doomed)
    done.deleted += len(doomed) - len(failed)
    done.failures += failed
    lost = hopeless((each.entry for each in meant if each.state == "unknown"), clock)
    for entry in lost:
        ledger.gone(entry.number)
    done.given_up += len(lost)


def _is_meant(leftover: Leftover, wanted: Wanted, clock: Clock) -> bool:
    entry = leftover.entry
    if wanted.run and entry.run != wanted.run:
        return False
    if wanted.base_url and entry.place.url != wanted.base_url.rstrip("/"):
        return False
    return wanted.older_than is None or clock.now() - entry.made_at > wanted.older_than
