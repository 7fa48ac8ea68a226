"""Citations: only what a search of this run found, at places counted in characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.server.engine.citations import annotate, marker, without_markers
from harness.server.llms.interface import SearchHit


def hit(number: int, index: int, name: str) -> SearchHit:
    return SearchHit(f"file-{index}", name, 0.9, "chunk", marker(number, index, name))


def test_a_marker_is_annotated_where_it_stands_in_characters() -> None:
    text = "Ünïcode first【4:0†faq.pdf】."
    [note] = annotate(text, [hit(4, 0, "faq.pdf")], {})
    assert note == {
        "type": "file_citation",
        "text": "【4:0†faq.pdf】",
        "start_index": 13,
        "end_index": 26,
        "file_citation": {"file_id": "file-0"},
    }
    assert text[note["start_index"] : note["end_index"]] == note["text"]


def test_markers_that_match_no_hit_stay_plain_text() -> None:
    hits = [hit(4, 0, "faq.pdf")]
    for text in ("【4:1†faq.pdf】", "【8:0†faq.pdf】", "【4:0†other.pdf】", "【4:0】", "【x:0†faq.pdf】"):
        assert annotate(text, hits, {}) == []


def test_the_older_marker_that_names_only_a_source_is_understood() -> None:
    [note] = annotate("So it is【4:0†source】", [hit(4, 0, "faq.pdf")], {})
    assert note["file_citation"] == {"file_id": "file-0"}


@given(st.text(max_size=40), st.integers(0, 99), st.integers(0, 99))
def test_whatever_a_file_is_called_its_own_marker_cites_it(name: str, number: int, index: int) -> None:
    found = SearchHit("file-1", name, 0.5, "chunk", marker(number, index, name))
    text = f"before {found.marker} after"
    [note] = annotate(text, [found], {})
    assert text[note["start_index"] : note["end_index"]] == found.marker


def test_links_to_made_files_become_file_paths_and_the_longer_name_wins() -> None:
    paths = {"/mnt/data/a.csv": "file-a", "/mnt/data/a.csv.gz": "file-gz", "/mnt/data/my plot.csv": "file-p"}
    text = "[x](sandbox:/mnt/data/a.csv.gz), sandbox:/mnt/data/a.csv and sandbox:/mnt/data/my plot.csv"
    notes = annotate(text, [], paths)
    assert [note["file_path"]["file_id"] for note in notes] == ["file-gz", "file-a", "file-p"]
    assert all(text[note["start_index"] : note["end_index"]] == note["text"] for note in notes)
    assert annotate("sandbox:/mnt/data/unknown.csv", [], paths) == []


PIECES = st.lists(
    st.sampled_from(
        ["word", " ", ". ", "【4:0†faq.pdf】", "【9:9†no.pdf】", "sandbox:/mnt/data/a.csv", "ü", "\n"]
    ),
    max_size=15,
)


@given(PIECES)
def test_without_its_markers_a_text_keeps_every_other_sign_but_spaces(pieces: list[str]) -> None:
    text = "".join(pieces)
    faq = hit(4, 0, "faq.pdf")
    found = annotate(text, [faq], {"/mnt/data/a.csv": "file-2"})
    plain, places = without_markers(text, found)
    assert faq.marker not in plain
    assert plain.replace(" ", "") == text.replace(faq.marker, "").replace(" ", "")
    for start, end, annotation in places:
        inside = "" if annotation["type"] == "file_citation" else annotation["text"]
        assert plain[start:end] == inside


@pytest.mark.parametrize(
    ("text", "plain", "index"),
    [
        ("It is hot 【4:0†faq.pdf】.", "It is hot.", 9),
        ("It is hot. 【4:0†faq.pdf】 And wet.", "It is hot. And wet.", 10),
        ("Hot 【4:0†faq.pdf】tea", "Hot tea", 4),
        ("【4:0†faq.pdf】", "", 0),
    ],
)
def test_the_space_before_a_marker_goes_with_it_unless_words_would_join(
    text: str, plain: str, index: int
) -> None:
    faq = hit(4, 0, "faq.pdf")
    said, [(start, end, _)] = without_markers(text, annotate(text, [faq], {}))
    assert (said, start, end) == (plain, index, index)
