import json
import logging
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.embedding import encoder
from harness.server.search import Chunk, Document, Index, Page, chunk, windows

FOLDER = Path(encoder.__file__).parent / "minilm"
SENTENCES = st.lists(
    st.sampled_from(["One fact.", "A longer sentence about invoices!", "Why?"]), max_size=400
)


@pytest.fixture(scope="module")
def model():
    found = encoder.default()
    assert found is not None
    return found


@pytest.fixture
def copied(tmp_path):
    """A copy of the model's folder that a test may damage; its big file is only linked."""
    folder = tmp_path / "minilm"
    folder.mkdir()
    for name in ("tokenizer.json", "checksums.json"):
        shutil.copy(FOLDER / name, folder / name)
    (folder / "model.onnx").symlink_to(FOLDER / "model.onnx")
    return folder


def test_the_model_file_is_small_enough_to_travel_with_the_package():
    assert (FOLDER / "model.onnx").stat().st_size <= 23_000_000


def test_texts_that_mean_the_same_are_nearer_than_others_with_the_same_words(model):
    asked, meant, worded = model.embed(
        [
            "How can I get my money back?",
            "Refunds are paid to your card within five days.",
            "You can get a badge at the back door.",
        ]
    )
    assert asked @ meant > asked @ worded + 0.1


def test_vectors_have_length_one_and_do_not_depend_on_company_or_threads(model):
    texts = [f"Order {number} ships on day {number % 7}. " * (1 + number % 40) for number in range(30)]
    together = model.embed(texts)
    fresh = encoder.Embedder(FOLDER)
    with ThreadPoolExecutor(4) as pool:
        alone = np.concatenate(list(pool.map(lambda text: fresh.embed([text]), texts)))
    assert np.array_equal(together, alone)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-3)


def test_another_process_makes_the_same_bytes(model):
    program = (
        "import sys; from harness.embedding import encoder;"
        " sys.stdout.buffer.write(encoder.default().embed(['Export your data.', 'x ' * 900]).tobytes())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=120)
    assert done.stdout == model.embed(["Export your data.", "x " * 900]).tobytes()


def test_nothing_is_written_into_the_users_home(tmp_path):
    program = "from harness.embedding import encoder; encoder.default().embed(['Export your data.'])"
    command = [sys.executable, "-B", "-c", program]
    subprocess.run(command, env=os.environ | {"HOME": str(tmp_path)}, check=True, timeout=120)
    assert list(tmp_path.rglob("*")) == []


def test_empty_texts_and_torn_characters_have_vectors_too(model):
    assert np.isfinite(model.embed(["", " ", "\ud800 torn", "\x00", "日本語", "🙂" * 50])).all()


@settings(max_examples=30, deadline=None)
@given(SENTENCES)
def test_windows_follow_each_other_and_hold_all_words(sentences):
    model = encoder.default()
    text = " ".join(sentences)
    found = model.windows(text)
    assert all(0 < len(window.ids) <= 4 * encoder.WINDOW_TOKENS for window in found)
    assert all(one.end <= other.start for one, other in pairwise(found))
    assert "".join("".join(text[w.start : w.end].split()) for w in found) == "".join(text.split())
    assert all(text[: window.end].endswith((".", "!", "?")) for window in found)


def test_text_without_sentences_is_cut_where_the_model_ends(model):
    sizes = [len(window.ids) // 4 for window in model.windows("word " * 600)]
    assert sizes == [254, 254, 92]


def test_overlapping_chunks_share_the_vectors_of_their_common_text(model):
    text = "\n\n".join(f"Paragraph {n} says that item {n * 7} costs {n} EUR." for n in range(400))
    document = Document("prices.txt", (Page(None, text),))
    chunks = chunk(document, max_chunk_size_tokens=800, chunk_overlap_tokens=400)
    found, spans = windows.windows(chunks, model.windows)
    assert len(found) == len(model.windows(text))
    shared = set(range(*spans[0])) & set(range(*spans[1]))
    assert shared
    for piece, (first, last) in zip(chunks, spans, strict=True):
        middles = [(found[n].start + found[n].end) // 2 for n in range(first, last)]
        assert all(piece.start <= middle < piece.start + len(piece.text) for middle in middles)


def test_chunks_that_do_not_continue_each_other_have_vectors_of_their_own(model):
    unrelated = [Chunk("About penguins.", None, 0, 3, 0), Chunk("About invoices.", None, 1, 3, 0)]
    found, spans = windows.windows(unrelated, model.windows)
    assert len(found) == 2
    assert spans == [(0, 1), (1, 2)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=30),
    st.lists(st.integers(0, 80), min_size=1, max_size=8),
)
def test_every_chunk_has_a_vector_however_it_lies(sizes, starts):
    text = "abcdefghij" * 20

    def cut(piece):
        ends = np.minimum(np.cumsum(sizes), len(piece))
        return [encoder.Window(int(end) - 1, int(end), b"") for end in dict.fromkeys(ends.tolist())]

    chunks = [Chunk(text[at : at + 30], None, n, 5, at) for n, at in enumerate(sorted(starts))]
    found, spans = windows.windows(chunks, cut)
    assert len(spans) == len(chunks)
    assert all(0 <= first < last <= len(found) for first, last in spans)


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_without_its_files_search_goes_by_keywords_after_one_warning(damage, copied, monkeypatch, caplog):
    if damage == "missing":
        (copied / "model.onnx").unlink()
    else:
        (copied / "tokenizer.json").write_text("{}", "utf-8")
    monkeypatch.setattr(encoder, "_folder", lambda: copied)
    encoder._loaded.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            index = Index()
            index.add("file-a", "a.txt", [Chunk("Open Settings to export data.", None, 0, 6, 0)])
            [hit] = index.search("export")
        assert (hit.score, hit.similarity) == (hit.keyword, None)
        [warning] = caplog.messages
        assert "words alone" in warning
        assert ("model.onnx" if damage == "missing" else "tokenizer.json") in warning
        assert "install the package again" in warning
        assert encoder.described().startswith("keywords alone: ")
    finally:
        encoder._loaded.cache_clear()


def test_the_check_sums_are_those_of_the_files():
    import hashlib

    sums = json.loads((FOLDER / "checksums.json").read_text("utf-8"))
    assert sums == {
        name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()
        for name in ("model.onnx", "tokenizer.json")
    }
