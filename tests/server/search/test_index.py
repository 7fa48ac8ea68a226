import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.server.search import Chunk, Document, Index, IndexedFile, Page, chunk


def chunks_of(*texts):
    return [Chunk(text, None, place, len(text.split()), 0) for place, text in enumerate(texts)]


def indexed(**files):
    index = Index()
    for name, text in files.items():
        index.add(f"file-{name}", f"{name}.txt", chunks_of(text))
    return index


@pytest.fixture
def index():
    return indexed(
        exports="To export data, open Settings and choose Export. The export is a CSV file.",
        billing="Invoices are sent on the first day of the month. Refunds take five days.",
        webhooks="A webhook sends an event to your address. The signature is in the header.",
    )


def test_the_chunk_that_answers_comes_first_and_scores_far_above_the_rest(index):
    hits = index.search("How do I export my data?")
    assert hits[0].filename == "exports.txt"
    assert hits[0].score > 0.6
    assert all(hit.score < 0.1 for hit in hits[1:])


def test_other_forms_of_a_word_are_found(index):
    assert index.search("exporting", score_threshold=0.1)[0].filename == "exports.txt"
    assert index.search("refunded", score_threshold=0.1)[0].filename == "billing.txt"


def test_a_question_about_something_else_scores_nothing_and_still_returns_a_small_store(index):
    hits = index.search("What is the capital of France?")
    assert [hit.score for hit in hits] == [0.0, 0.0, 0.0]
    assert [hit.filename for hit in hits] == ["exports.txt", "billing.txt", "webhooks.txt"]


def test_a_store_larger_than_the_answer_is_not_filled_up():
    index = Index(embedder=lambda: None)
    index.add("file-many", "many.txt", chunks_of(*(f"chunk number{place}" for place in range(30))))
    assert [hit.text for hit in index.search("number7", max_num_results=20)] == ["chunk number7"]
    assert len(index.search("number7", max_num_results=30)) == 30


def test_a_threshold_leaves_out_what_scores_lower(index):
    assert [hit.filename for hit in index.search("export data", score_threshold=0.3)] == ["exports.txt"]
    assert index.search("capital of France", score_threshold=0.01) == []


def test_a_token_budget_ends_the_list_before_it_is_exceeded(index):
    everything = index.search("export invoices webhook")
    budget = everything[0].tokens + everything[1].tokens
    assert index.search("export invoices webhook", token_budget=budget) == everything[:2]
    assert index.search("export invoices webhook", token_budget=budget - 1) == everything[:1]
    assert index.search("export", token_budget=0) == []


def test_several_queries_find_what_each_of_them_finds(index):
    hits = index.search(["export data", "webhook signature"], score_threshold=0.5)
    assert {hit.filename for hit in hits} == {"exports.txt", "webhooks.txt"}
    alone = index.search("webhook signature")[0]
    assert alone in hits


def test_scores_of_two_indexes_can_be_compared(index):
    other = indexed(exports="To export data, open Settings and choose Export. The export is a CSV file.")
    assert other.search("export data")[0].score == pytest.approx(
        index.search("export data")[0].score, abs=0.1
    )


def test_only_files_whose_attributes_pass_are_searched():
    index = Index()
    for language in ("en", "de"):
        index.add(f"file-{language}", "same.txt", chunks_of("export data"), {"language": language})
    german = {"type": "eq", "key": "language", "value": "de"}
    assert [hit.file_id for hit in index.search("export", filters=german)] == ["file-de"]
    assert [hit.file_id for hit in index.search("nothing like it", filters=german)] == ["file-de"]
    index.set_attributes("file-en", {"language": "de", "year": 2024})
    assert [hit.attributes.get("year") for hit in index.search("export", filters=german)] == [2024, None]


def test_equal_scores_come_in_the_order_of_adding():
    index = Index()
    for number in (3, 1, 2):
        index.add(f"file-{number}", f"{number}.txt", chunks_of("the same words"))
    assert [hit.file_id for hit in index.search("words")] == ["file-3", "file-1", "file-2"]


def test_a_removed_file_is_found_no_more_and_adding_again_replaces(index):
    assert index.remove("file-billing") is True
    assert index.remove("file-billing") is False
    assert len(index) == 2
    assert index.search("invoices", score_threshold=0.01) == []
    index.add("file-exports", "exports.txt", chunks_of("Something new about penguins."))
    assert len(index) == 2
    assert index.search("export", score_threshold=0.01) == []
    assert index.search("penguin")[0].file_id == "file-exports"


def test_a_batch_that_fails_half_way_adds_nothing(index):
    unsuitable = IndexedFile("file-b", "b.txt", chunks_of("b"), {"when": object()})
    with pytest.raises(TypeError):
        index.add_many([IndexedFile("file-a", "a.txt", chunks_of("penguins")), unsuitable])
    assert len(index) == 3
    assert index.search("penguins", score_threshold=0.01) == []


def test_content_gives_back_the_document_without_the_overlaps():
    paragraphs = [
        f"Paragraph {number} says that item {number * 7} costs {number} EUR." for number in range(120)
    ]
    document = Document("prices.txt", (Page(None, "\n\n".join(paragraphs)),))
    index = Index()
    index.add("file-p", "prices.txt", chunk(document, max_chunk_size_tokens=200, chunk_overlap_tokens=100))
    assert len(index.chunks("file-p")) > 5
    assert index.content("file-p") == document.text
    assert index.content("file-none") == ""


def test_usage_counts_text_and_vectors_as_the_hosted_service_does():
    text = "Pizza is my favourite"
    assert IndexedFile("file-x", "x.txt", chunks_of(text)).usage_bytes == 1045


def test_an_index_in_a_file_is_there_again_after_it_was_closed(tmp_path):
    first = Index(tmp_path / "store.sqlite")
    first.add("file-a", "a.txt", chunks_of("penguins swim"), {"kind": "bird"})
    first.close()
    again = Index(tmp_path / "store.sqlite")
    assert again.search("penguin")[0].attributes == {"kind": "bird"}
    again.close()


def test_an_empty_index_finds_nothing():
    assert Index().search("anything") == []


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.lists(st.text(max_size=60), max_size=4))
def test_no_query_and_no_text_breaks_the_search(query, texts):
    index = Index()
    index.add("file-x", "x.txt", chunks_of(*texts))
    for hit in index.search(query):
        assert 0 <= hit.score <= 1
    index.close()


@pytest.mark.parametrize(
    "query",
    [
        '"quoted',
        "a AND b",
        "NEAR(a b)",
        "col:value",
        "x*",
        "(((",
        "'; DROP TABLE files",
        "stems:export",
        "-export",
    ],
)
def test_search_syntax_in_a_query_is_only_words(index, query):
    index.search(query)
    assert len(index) == 3


def test_names_that_hold_marks_are_found_whole():
    index = indexed(
        code="The error SYNC-401 means that jo@example.com lost access.", other="The error SYNC-403."
    )
    assert index.search("What is SYNC-401?")[0].filename == "code.txt"
    assert index.search("jo@example.com", score_threshold=0.5)[0].filename == "code.txt"


def test_threads_can_add_search_and_remove_at_once():
    index = Index()
    start = threading.Barrier(4)

    def work(number):
        start.wait()
        for turn in range(15):
            index.add(f"file-{number}-{turn}", "x.txt", chunks_of(f"word{number} shared text"))
            assert index.search(f"word{number}", score_threshold=0.5)
            if turn % 2:
                index.remove(f"file-{number}-{turn}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(index) == 4 * 8
