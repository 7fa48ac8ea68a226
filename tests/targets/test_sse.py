"""Server-sent events, however their bytes arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.targets.sse import EventReader

names = st.sampled_from(["", "thread.run.completed", "done", "grüße"])
values = st.lists(st.text(alphabet="aé: {}", max_size=6), min_size=1, max_size=3)
events = st.lists(st.tuples(names, values), max_size=5)


def read(*chunks: bytes) -> list[tuple[str, bytes]]:
    reader = EventReader()
    return [event for chunk in chunks for event in reader.feed(chunk)]


def written(told: list[tuple[str, list[str]]], end: str) -> bytes:
    lines: list[str] = []
    for name, data in told:
        lines += [f"event: {name}"] if name else [": a comment"]
        lines += [*(f"data: {value}" for value in data), "id: 7", ""]
    return "".join(line + end for line in lines).encode()


@given(events, st.sampled_from(["\n", "\r\n"]), st.data())
def test_events_are_the_same_wherever_the_bytes_are_cut(
    told: list[tuple[str, list[str]]], end: str, data: st.DataObject
) -> None:
    whole = written(told, end)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    expected = [(name, "\n".join(values).encode()) for name, values in told]
    assert read(*pieces) == read(whole) == expected


def test_an_event_that_was_not_ended_is_none() -> None:
    assert read(b"event: a\ndata: 1\n\nevent: b\ndata: 2\n") == [("a", b"1")]


def test_a_name_without_data_does_not_pass_to_the_next_event() -> None:
    assert read(b"event: a\n\ndata: 1\n\n") == [("", b"1")]


def test_only_one_blank_after_the_colon_is_not_part_of_the_value() -> None:
    assert read(b"data:x\n\ndata:  x\n\n") == [("", b"x"), ("", b" x")]


def test_lines_that_end_with_a_carriage_return_alone_are_lines() -> None:
    assert read(b"event: a\rdata: 1\r\r", b"data: 2\r\r:") == [("a", b"1"), ("", b"2")]
