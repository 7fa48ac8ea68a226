"""Tables: order of insertion, pages that lose and repeat nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.server.errors import ApiError
from harness.server.table import Table
from harness.server.wire import PageQuery


def table_of(count: int) -> Table[str]:
    table: Table[str] = Table()
    for number in range(count):
        table.add(f"row{number}", f"row{number}")
    return table


def walk(table: Table[str], limit: int, descending: bool) -> list[str]:
    """Every row that paging by ``after`` gives."""
    seen: list[str] = []
    more = True
    while more:
        after = seen[-1] if seen else None
        rows, more = table.page(PageQuery(limit, descending, after))
        seen += rows
    return seen


@given(st.integers(0, 45), st.integers(1, 50), st.booleans())
def test_paging_forward_gives_every_row_once_and_in_order(count: int, limit: int, descending: bool) -> None:
    rows = walk(table_of(count), limit, descending)
    expected = [f"row{number}" for number in range(count)]
    assert rows == (expected[::-1] if descending else expected)


@given(st.integers(2, 30), st.integers(1, 10), st.booleans(), st.data())
def test_paging_backward_gives_the_rows_just_before_the_cursor(
    count: int, limit: int, descending: bool, data: st.DataObject
) -> None:
    order = walk(table_of(count), 100, descending)
    place = data.draw(st.integers(0, count - 1))
    rows, more = table_of(count).page(PageQuery(limit, descending, before=order[place]))
    assert rows == order[max(0, place - limit) : place]
    assert more == (place > limit)


@given(st.integers(1, 40), st.integers(1, 7), st.booleans())
def test_a_client_that_deletes_each_page_before_it_asks_for_the_next_reaches_every_row(
    count: int, limit: int, descending: bool
) -> None:
    table, seen, after, more = table_of(count), [], None, True
    while more:
        rows, more = table.page(PageQuery(limit, descending, after))
        for row in rows:
            table.remove(row)
        seen += rows
        after = rows[-1] if rows else after
    assert len(seen) == len(set(seen)) == count
    assert len(table) == 0


def test_rows_between_two_cursors_are_given_in_the_asked_order() -> None:
    rows, more = table_of(10).page(PageQuery(20, True, after="row8", before="row3"))
    assert rows == ["row7", "row6", "row5", "row4"]
    assert not more


def test_a_cursor_that_was_never_there_is_refused() -> None:
    with pytest.raises(ApiError, match="No object found with id 'nowhere'") as caught:
        table_of(3).page(PageQuery(after="nowhere"))
    assert (caught.value.status, caught.value.param) == (400, "after")


def test_a_row_added_again_moves_to_the_end() -> None:
    table = table_of(3)
    table.add("row0", "again")
    assert list(table) == ["row1", "row2", "again"]
    assert table.page(PageQuery(1, False, after="row2"))[0] == ["again"]


def test_filtered_pages_count_only_what_is_kept() -> None:
    rows, more = table_of(10).page(PageQuery(3, False), lambda row: row in {"row2", "row5", "row9"})
    assert rows == ["row2", "row5", "row9"]
    assert not more
