"""Rows by id in the order in which they were added: what every list of the server is made of."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from harness.server.errors import bad_request
from harness.server.wire import PageQuery

Row = TypeVar("Row")

PASSING = {"passing": True}
"""Marks a field of a row that means nothing after a restart."""
REMEMBERED_DELETIONS = 10_000


class Content:
    """Bytes that belong to a row."""

    def __init__(self, held: bytes) -> None:
        self._held = held

    def read(self) -> bytes:
        """The bytes."""
        return self._held


class Table(Generic[Row]):
    """Rows by id, in the order in which they were added.

    Many objects share one second, so a list is ordered by insertion. Where a deleted row stood is
    remembered (for the latest 10,000 deletions), because clients page on from rows they have just deleted.
    """

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._places: dict[str, int] = {}
        self._gone: dict[str, int] = {}
        self._next_place = 0

    def add(self, identifier: str, row: Row) -> Row:
        """Append a row; an id that is there already moves to the end."""
        self._rows.pop(identifier, None)
        self._places.pop(identifier, None)
        self._gone.pop(identifier, None)
        self._rows[identifier] = row
        self._places[identifier] = self._next_place
        self._next_place += 1
        return row

    def get(self, identifier: str) -> Row | None:
        """The row of this id, which may be changed; None when there is none."""
        return self._rows.get(identifier)

    def remove(self, identifier: str) -> Row | None:
        """Take a row out."""
        row = self._rows.pop(identifier, None)
        if row is not None:
            self._gone[identifier] = self._places.pop(identifier)
            if len(self._gone) > REMEMBERED_DELETIONS:
                del self._gone[next(iter(self._gone))]
        return row

    def mark(self, row: Row) -> None:
        """Say that a row of this table, come by otherwise than with ``get``, is being changed."""

    def items(self) -> list[tuple[str, Row]]:
        """Every id with its row, in order."""
        return list(self._rows.items())

    def __iter__(self) -> Iterator[Row]:
        """The rows, to be read; whoever changes one of them marks it."""
        return iter(list(self._rows.values()))  # a copy: rows may come and go meanwhile

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._rows

    def last(self) -> Row | None:
        """The row that was added last, which may be changed."""
        return next(reversed(self._rows.values()), None)

    def page(self, query: PageQuery, keep: Callable[[Row], bool] | None = None) -> tuple[list[Row], bool]:
        """The rows of one page, and whether more follow (or, paging backwards, come before).

        Raises:
            ApiError: ``after`` or ``before`` is no id of this list.
        """
        low, high = self._bounds(query)
        rows = list(self._rows.values())[low:high]
        if keep is not None:
            rows = [row for row in rows if keep(row)]
        if query.descending:
            rows.reverse()
        if query.before is not None and query.after is None:
            return rows[-query.limit :], len(rows) > query.limit
        return rows[: query.limit], len(rows) > query.limit

    def _bounds(self, query: PageQuery) -> tuple[int, int]:
        """First and last position between the cursors, in order of insertion."""
        older, newer = (query.before, query.after) if query.descending else (query.after, query.before)
        if older is None and newer is None:
            return 0, len(self._rows)
        places = list(self._places.values())
        older_name, newer_name = ("before", "after") if query.descending else ("after", "before")
        low = 0 if older is None else bisect_right(places, self._place(older, older_name))
        high = len(places) if newer is None else bisect_left(places, self._place(newer, newer_name))
        return low, high

    def _place(self, identifier: str, param: str) -> int:
        place = self._places.get(identifier, self._gone.get(identifier))
        if place is None:
            raise bad_request(f"No object found with id '{identifier}' in this list.", param)
        return place
