import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.server.search import Chunk, Document, Index, IndexedFile, Page, chunk, rank
from harness.text import content_stems


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
    assert [hit.filename for hit in hits] == ["billing.txt", "exports.txt", "webhooks.txt"]


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


def test_equal_scores_come_in_the_order_of_names_whichever_file_was_read_first():
    index = Index()
    for number in (3, 1, 2):
        index.add(f"file-{number}", f"{number}.txt", chunks_of("the same words"))
    assert [hit.file_id for hit in index.search("words")] == ["file-1", "file-2", "file-3"]


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


WORDS = st.sampled_from("export invoice refund webhook settings data csv month page quota".split())
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=30).map(" ".join), min_size=1, max_size=12)
QUERY = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)


def stored(texts):
    index = Index()
    for number, text in enumerate(texts):
        index.add(f"file-{number}", f"{number}.txt", chunks_of(text), {"number": number % 3})
    return index


@settings(max_examples=40, deadline=None)
@given(TEXTS, QUERY, st.integers(0, 2))
def test_filters_only_take_results_away(texts, query, number):
    index = stored(texts)
    everything = index.search(query, max_num_results=50)
    wanted = {"type": "eq", "key": "number", "value": number}
    filtered = index.search(query, max_num_results=50, filters=wanted)
    assert filtered == [hit for hit in everything if hit.attributes["number"] == number]


@settings(max_examples=40, deadline=None)
@given(TEXTS, QUERY, st.integers(1, 12), st.floats(0.001, 1))
def test_results_are_ordered_and_limits_only_cut_the_list(texts, query, most, threshold):
    index = stored(texts)
    everything = index.search(query, max_num_results=50)
    assert len(everything) == len(index)
    assert [hit.score for hit in everything] == sorted((hit.score for hit in everything), reverse=True)
    for hit in everything:
        assert 0 <= hit.score <= 1
        assert hit.score == pytest.approx(rank.fused(hit.keyword, rank.likeness(hit.similarity)), abs=1e-6)
    limited = index.search(query, max_num_results=most, score_threshold=threshold)
    assert limited == [hit for hit in everything if hit.score >= threshold][:most]
    budget = sum(hit.tokens for hit in everything[:most])
    assert index.search(query, max_num_results=50, token_budget=budget) == everything[:most]


@settings(max_examples=40, deadline=None)
@given(TEXTS, QUERY)
def test_keyword_scores_are_those_of_every_chunk_scored_one_by_one(texts, query):
    everything = stored(texts).search(query, max_num_results=50)
    stems = [content_stems(text) for text in texts]
    asked = dict.fromkeys(content_stems(query))
    weights = {
        term: rank.query_weight(term, len(texts), sum(term in each for each in stems)) for term in asked
    }
    average = sum(map(len, stems)) / len(stems)
    expected = {f"file-{n}": rank.score(weights, each, average) for n, each in enumerate(stems)}
    assert {hit.file_id: hit.keyword for hit in everything} == expected


def test_a_chunk_that_says_it_in_other_words_is_found():
    index = indexed(
        refunds="Refunds are paid to your card within five working days.",
        badges="Visitors get a badge at the front desk.",
        exports="Open Settings and choose Export to receive a CSV file.",
    )
    [best, *_] = index.search("How long until I get my money back?")
    assert best.filename == "refunds.txt"
    assert best.keyword == 0
    assert best.similarity > 0.3
    assert best.score > 0.1


def test_the_same_search_gives_the_same_numbers_in_another_index():
    texts = [f"Item {number} costs {number * 3} EUR and ships in May." for number in range(60)]
    one, other = stored(texts), stored(texts)
    assert one.search("what does item 7 cost") == other.search("what does item 7 cost")
