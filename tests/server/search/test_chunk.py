import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cost import tokens
from harness.server.reading import Unreadable
from harness.server.search import Document, Page, chunk
from harness.server.search.chunk import token_starts

WORDS = st.sampled_from(
    [
        "export",
        "data",
        "Émile",
        "naïve",
        "日本語",
        "🙂",
        "3.14",
        "a.",
        "End.",
        "\n\n",
        "\n- item",
        "supercalifragilistic",
        "x" * 90,
    ]
)
TEXTS = st.lists(WORDS, max_size=160).map(" ".join)


def document(*texts):
    return Document("d.txt", tuple(Page(number, text) for number, text in enumerate(texts, start=1)))


def sentences(count):
    return " ".join(f"Sentence number {number} is about item {number * 13}." for number in range(count))


def test_a_document_that_fits_is_one_chunk_with_its_exact_length():
    (only,) = chunk(document("A short text.\n\nWith two paragraphs."))
    assert only.text == "A short text.\n\nWith two paragraphs."
    assert (only.tokens, only.page, only.index) == (tokens.count(only.text), 1, 0)


def test_a_document_without_text_has_no_chunks():
    assert chunk(document("")) == []


def test_default_windows_are_close_to_800_tokens_with_400_shared():
    pieces = chunk(document(sentences(400)))
    assert len(pieces) > 8
    for before, after in pairwise(pieces):
        assert 600 <= before.tokens <= 800
        shared = before.start + len(before.text) - after.start
        assert 300 <= tokens.count(after.text[:shared]) <= 500
        assert before.text.endswith(after.text[:shared])


def test_chunks_begin_and_end_with_whole_sentences_where_there_are_some():
    for piece in chunk(document(sentences(400))):
        assert piece.text.startswith("Sentence number")
        assert piece.text.endswith(".")


def test_without_overlap_the_chunks_are_the_text_cut_in_pieces():
    text = sentences(300)
    pieces = chunk(document(text), max_chunk_size_tokens=100, chunk_overlap_tokens=0)
    assert " ".join(piece.text for piece in pieces) == text


def test_the_page_of_a_chunk_is_the_one_it_starts_on():
    pieces = chunk(
        document(sentences(60), sentences(60), sentences(60)),
        max_chunk_size_tokens=300,
        chunk_overlap_tokens=0,
    )
    assert pieces[0].page == 1
    assert pieces[-1].page == 3
    assert sorted(piece.page for piece in pieces) == [piece.page for piece in pieces]


def test_an_empty_page_keeps_the_numbers_of_the_others():
    pages = (Page(1, ""), Page(2, "Only the second page has text."))
    assert chunk(Document("d.pdf", pages))[0].page == 2


def test_a_sentence_that_runs_over_a_page_break_is_whole_in_the_chunk():
    (only,) = chunk(document("The export is kept for", "24 hours and then deleted."))
    assert only.text == "The export is kept for\n\n24 hours and then deleted."
    (only,) = chunk(document("The export is kept", "until it is deleted."))
    assert only.text == "The export is kept until it is deleted."


@settings(max_examples=80, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=3), st.integers(8, 60), st.floats(0, 0.5))
def test_no_chunk_exceeds_the_maximum_and_together_they_hold_all_the_text(texts, most, share):
    pieces = chunk(document(*texts), max_chunk_size_tokens=most, chunk_overlap_tokens=int(most * share))
    covered = set()
    for place, piece in enumerate(pieces):
        assert piece.index == place
        assert piece.tokens == tokens.count(piece.text) <= most
        assert piece.text == piece.text.strip() != ""
        covered.update(range(piece.start, piece.start + len(piece.text)))
    starts = [piece.start for piece in pieces]
    assert starts == sorted(set(starts))
    words = sum(len("".join(text.split())) for text in texts)
    letters = {
        piece.start + offset
        for piece in pieces
        for offset, letter in enumerate(piece.text)
        if not letter.isspace()
    }
    assert len(letters) == words
    assert letters <= covered


@pytest.mark.parametrize(("most", "overlap"), [(7, 0), (100, 51), (100, -1), (0, 0)])
def test_impossible_sizes_are_refused_with_the_values(most, overlap):
    with pytest.raises(ValueError, match=f"max_chunk_size_tokens {most}.*chunk_overlap_tokens {overlap}"):
        chunk(document("text"), max_chunk_size_tokens=most, chunk_overlap_tokens=overlap)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_tokens_start_where_the_tokenizer_says(text):
    encoder = tokens.encoding("o200k_base")
    _, starts = encoder.decode_with_offsets(encoder.encode_ordinary(text))
    assert token_starts(text) == starts


def test_a_text_of_several_slices_has_the_tokens_of_the_whole(monkeypatch):
    text = "The quick brown fox  jumps over 3.14 lazy dogs, naïvely. " * 50
    whole = token_starts(text)
    monkeypatch.setattr(sys.modules[token_starts.__module__], "_SLICE_CHARACTERS", 100)
    assert token_starts(text) == whole


def test_a_document_with_too_many_tokens_is_refused(monkeypatch):
    assert token_starts("some words here", most=2) is None
    monkeypatch.setattr(sys.modules[token_starts.__module__], "MAX_TOKENS", 2)
    with pytest.raises(Unreadable, match="'report' has more than 2 tokens") as caught:
        chunk(Document("report", (Page(None, "some words here"),)))
    assert caught.value.code == "invalid_file"
