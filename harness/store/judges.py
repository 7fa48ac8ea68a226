"""How far judges agree with people, and what they decided about labelled rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, delete, insert, select

from harness.results import Calibration
from harness.store.tables import calibrations, judgements
from harness.trace.records import Judgement

_MOST_AT_ONCE = 500


def add_calibration(connection: Connection, found: Calibration) -> None:
    """Write down how far a judge agrees with people."""
    values = {
        "fingerprint": found.fingerprint,
        "model": found.model,
        "made_at": found.made_at,
        "body": msgspec.json.encode(found).decode(),
    }
    connection.execute(insert(calibrations), values)


def latest_calibrations(connection: Connection) -> dict[tuple[str, str], Calibration]:
    """The latest one of every rubric and model."""
    rows = connection.execute(select(calibrations.c.body).order_by(calibrations.c.number))
    found = (msgspec.json.decode(body, type=Calibration) for body in rows.scalars())
    return {(each.fingerprint, each.model): each for each in found}


def keep_judgement(connection: Connection, judgement: Judgement, at: datetime) -> None:
    """Write down what a judge decided, in place of what it decided before."""
    connection.execute(delete(judgements).where(judgements.c.asked == judgement.asked))
    body = msgspec.json.encode(judgement).decode()
    connection.execute(insert(judgements), {"asked": judgement.asked, "made_at": at, "body": body})


def kept_judgements(connection: Connection, asked: Sequence[str]) -> Iterator[Judgement]:
    """Those of these digests that are there."""
    for start in range(0, len(asked), _MOST_AT_ONCE):
        some = asked[start : start + _MOST_AT_ONCE]
        rows = connection.execute(select(judgements.c.body).where(judgements.c.asked.in_(some)))
        yield from (msgspec.json.decode(body, type=Judgement) for body in rows.scalars())
