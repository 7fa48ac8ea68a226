"""One file, many stores: what is written stays, apart from its neighbours, whatever ends the writer."""

import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.embedding import encoder
from harness.errors import SettingsError
from harness.server.search import Chunk, Index

# Adds batches of 20 files for ever, telling of each one that is done.
_WRITER = """
import sys
from harness.server.search import Chunk, Index, IndexedFile
index = Index(sys.argv[1], "busy", embedder=lambda: None)
text = "penguins swim and " + "walk " * 400
for batch in range(10**6):
    chunks = [Chunk(text, None, 0, 9, 0)]
    index.add_many([IndexedFile(f"file-{batch}-{n}", "x.txt", chunks) for n in range(20)])
    print(batch, flush=True)
"""


def chunks_of(*texts):
    return [Chunk(text, None, place, len(text.split()), 0) for place, text in enumerate(texts)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.sqlite"


def refuses_to_embed():
    model = encoder.Embedder(Path(encoder.__file__).parent / "minilm")
    model.embed_windows = None  # type: ignore[assignment]
    return model


def test_stores_of_one_file_know_nothing_of_each_other(path):
    birds, bills = Index(path, "birds"), Index(path, "bills")
    birds.add("file-1", "a.txt", chunks_of("Penguins swim.", "Penguins eat fish."), {"kind": "bird"})
    alone = birds.search("where do penguins swim")
    for number in range(30):
        bills.add(f"file-{number}", "b.txt", chunks_of(f"Penguins pay invoice {number}."), {"kind": "bill"})
    assert birds.search("where do penguins swim") == alone
    assert (len(birds), len(bills)) == (2, 30)
    assert birds.remove("file-2") is False
    assert len(bills) == 30


def test_a_store_that_is_cleared_leaves_nothing_behind_and_can_be_used_again(path):
    kept, gone = Index(path, "kept"), Index(path, "gone")
    for index in (kept, gone):
        index.add("file-1", "a.txt", chunks_of("Secret penguins."))
    gone.clear()
    assert (len(gone), gone.search("penguins"), gone.chunks("file-1")) == (0, [], [])
    assert len(kept.search("penguins")) == 1
    with sqlite3.connect(path) as looking:
        tables = [name for (name,) in looking.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        counts = {name: looking.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    looking.close()
    assert all(name.startswith(("search_", "sqlite_")) for name in tables)
    assert (counts["search_stores"], counts["search_files"], counts["search_chunks"]) == (1, 1, 1)
    gone.add("file-2", "b.txt", chunks_of("New penguins."))
    assert [hit.file_id for hit in gone.search("penguins")] == ["file-2"]


def test_everything_is_there_again_and_nothing_is_embedded_again(path):
    first = Index(path, "birds")
    first.add("file-1", "a.txt", chunks_of("Penguins swim.", "Fish are eaten."), {"kind": "bird"})
    first.add("file-2", "b.txt", chunks_of("Ostriches run."))
    before = {query: encoder.default().embed([query]) for query in ("diving birds",)}
    found = first.search("diving birds")
    first.close()
    model = refuses_to_embed()
    model.embed = lambda texts: before[texts[0]]  # type: ignore[method-assign]
    again = Index(path, "birds", embedder=lambda: model)
    assert again.search("diving birds") == found
    assert [chunk.text for chunk in again.chunks("file-1")] == ["Penguins swim.", "Fish are eaten."]


def test_files_added_without_a_model_get_their_vectors_when_there_is_one(path):
    keywords = Index(path, embedder=lambda: None)
    keywords.add("file-1", "a.txt", chunks_of("Refunds are paid within five days.", "Penguins swim."))
    assert keywords.search("money back", score_threshold=0.01) == []
    both = Index(path)
    [best, _] = both.search("get my money back")
    assert best.text.startswith("Refunds") and best.keyword == 0 and best.score > 0
    fresh = Index()
    fresh.add("file-1", "a.txt", chunks_of("Refunds are paid within five days.", "Penguins swim."))
    assert fresh.search("get my money back") == both.search("get my money back")


def test_what_another_process_adds_or_takes_away_is_seen_by_the_next_search(path):
    here = Index(path, "shared")
    here.add("file-1", "a.txt", chunks_of("Penguins swim."))
    assert len(here.search("penguins")) == 1
    program = (
        "import sys; from harness.server.search import Chunk, Index; index = Index(sys.argv[1], 'shared');"
        " index.add('file-2', 'b.txt', [Chunk('Penguins walk.', None, 0, 2, 0)]); index.remove('file-1')"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=120)
    assert [hit.text for hit in here.search("penguins")] == ["Penguins walk."]


def test_a_writer_waits_for_another_connections_transaction(path):
    index = Index(path, embedder=lambda: None)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    begun = threading.Event()
    index._database._connection.set_trace_callback(lambda _: begun.set())
    adding = threading.Thread(target=lambda: index.add("file-1", "a.txt", chunks_of("Penguins.")))
    adding.start()
    assert begun.wait(60)
    other.execute("COMMIT")
    other.close()
    adding.join(120)
    assert len(index) == 1


def test_reading_goes_on_while_another_connection_writes(path):
    index = Index(path)
    index.add("file-1", "a.txt", chunks_of("Penguins swim."))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert len(Index(path).search("penguins")) == 1
    other.close()


def test_a_killed_writer_leaves_whole_batches_only(path):
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        for _ in range(5):
            done = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
    index = Index(path, "busy", embedder=lambda: None)
    hits = index.search("penguins", max_num_results=len(index))
    assert len(hits) == len(index)
    batches = {}
    for hit in hits:
        batches.setdefault(hit.file_id.rsplit("-", 1)[0], set()).add(hit.file_id)
    assert len(batches) >= done + 1
    assert {len(files) for files in batches.values()} == {20}
    index.add("file-after", "y.txt", chunks_of("Ostriches run."))
    assert index.search("ostrich")[0].file_id == "file-after"


def test_many_stores_share_one_connection_and_closing_one_leaves_the_others(path):
    stores = [Index(path, f"store-{number}", embedder=lambda: None) for number in range(200)]
    assert len({id(store._open) for store in stores}) == 1
    for store in stores:
        store.add("file-1", "a.txt", chunks_of("Penguins."))
    stores[0].close()
    with pytest.raises(sqlite3.ProgrammingError):
        stores[0].search("penguins")
    assert len(stores[1].search("penguins")) == 1


def test_a_file_of_another_format_is_refused_with_what_to_do(path):
    Index(path).close()
    with sqlite3.connect(path) as changing:
        changing.execute("UPDATE search_format SET version = 99")
    changing.close()
    with pytest.raises(SettingsError, match="format 99") as caught:
        Index(path)
    assert caught.value.hint
