"""Texts that arrive in pieces: whatever the cuts, clients end up with what is kept."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.server.engine.citations import annotate, without_markers
from harness.server.engine.counting import TextBudget, count
from harness.server.engine.deltas import LiveMessage
from harness.server.engine.item_events import LiveText
from harness.server.engine.live_text import Holdback
from harness.server.llms.interface import SearchHit

HITS = [
    SearchHit(f"file-{index}", name, 0.5, "text", f"【4:{index}†{name}】")
    for index, name in enumerate(("faq.pdf", "faq.pdf", "s.txt"))
]
PATHS = {"/mnt/data/a": "file-a", "/mnt/data/a.csv": "file-b"}
PARTS = (
    *(hit.marker for hit in HITS),
    *(f"sandbox:{path}" for path in PATHS),
    "【4:0†source】",
    "【9:9†x】",
    "【4:0†fa",
    "sandbox:/mnt/",
    "【",
    "s",
    ".",
    " ",
    "word",
    "\n",
)
texts = st.lists(st.sampled_from(PARTS), max_size=8).map("".join)


def cut(data: st.DataObject, text: str) -> list[str]:
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=10).map(sorted))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


def without_index(annotation: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in annotation.items() if name != "index"}
    if "file_citation" in rest:
        rest["file_citation"] = {"file_id": rest["file_citation"]["file_id"]}
    return rest


@given(st.data(), texts)
def test_deltas_of_a_message_add_up_to_its_text_and_annotations(data: st.DataObject, text: str) -> None:
    live, deltas = LiveMessage("msg_1", 0, HITS, PATHS), []
    for piece in cut(data, text):
        deltas += list(live.add(piece))
    deltas += list(live.end(text))
    parts = [event[1]["delta"]["content"][0]["text"] for event in deltas]
    assert "".join(part["value"] for part in parts) == text
    noted = [annotation for part in parts for annotation in part.get("annotations", ())]
    assert [annotation["index"] for annotation in noted] == list(range(len(noted)))
    assert [without_index(annotation) for annotation in noted] == annotate(text, HITS, PATHS)
    assert ["annotations" in part for part in parts[:1]] == [True]


@given(st.data(), texts)
def test_deltas_of_a_response_add_up_to_the_text_without_its_markers(data: st.DataObject, text: str) -> None:
    def spell(start: int, end: int, found: dict[str, Any]) -> dict[str, Any]:
        return {"from": start, "to": end, "text": found["text"]}

    plain, places = without_markers(text, annotate(text, HITS, PATHS))
    expected = [spell(*place) for place in places]
    live, events = LiveText(0, "msg_1", HITS, PATHS, spell), []
    for piece in cut(data, text):
        events += list(live.add(piece))
    events += list(live.end(text, {"text": plain, "annotations": expected}))
    told = "".join(event["delta"] for name, event in events if name.endswith("text.delta"))
    assert told == plain
    noted = [event for name, event in events if name.endswith("annotation.added")]
    assert [event["annotation"] for event in noted] == expected
    assert [event["annotation_index"] for event in noted] == list(range(len(noted)))


@given(st.data(), st.text("abST", max_size=30))
def test_nothing_is_held_back_longer_than_it_may_be_the_beginning_of_a_whole(
    data: st.DataObject, text: str
) -> None:
    held, told = Holdback(["STab", "TT"]), 0
    for position in range(len(text) + 1):
        end = held.decided(text[:position], told)
        assert told <= end <= position
        assert position - end < len("STab")
        rest = text[end:position]
        assert rest == "" or any(whole.startswith(rest) for whole in ("STab", "TT"))
        told = end


@given(st.data(), st.text(max_size=60), st.integers(0, 40))
def test_a_budget_passes_on_a_beginning_that_is_within_its_tokens(
    data: st.DataObject, text: str, limit: int
) -> None:
    budget = TextBudget(limit, "gpt-5.4")
    told = ""
    for piece in cut(data, text):
        told += budget.allow(piece)
        if budget.spent:
            break
    assert text.startswith(told)
    assert told == budget.text
    assert budget.spent or told == text
    if not budget.spent:
        assert count(text, "gpt-5.4") <= limit
