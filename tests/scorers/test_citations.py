from __future__ import annotations

from typing import Any

SENTENCE = "The warranty covers manufacturing defects for 24 months."


def test_a_citation_of_a_retrieved_document_passes_and_its_support_is_told(talk: Any) -> None:
    turns = [talk.turn(SENTENCE, talk.search(talk.WARRANTY), cites=(("file-1", talk.WARRANTY),))]
    as_such, named, supported = talk.scores(turns, {"cites": ["warranty.pdf"]})
    assert (as_such.check, as_such.passed) == ("cites", True)
    assert (named.check, named.passed) == ("cites.warranty.pdf", True)
    assert (supported.check, supported.value, supported.passed) == ("cites.supported", 1.0, None)
    assert supported.reason
    assert as_such.evidence["citations"][0]["sentence"] == SENTENCE


def test_a_chunk_that_says_something_else_does_not_support(talk: Any) -> None:
    turns = [talk.turn(SENTENCE, talk.search(talk.LENSES), cites=(("file-1", talk.LENSES),))]
    supported = talk.scores(turns, {"cites": True})[-1]
    assert (supported.check, supported.value) == ("cites.supported", 0.0)


def test_a_document_that_is_not_cited_is_named_with_those_that_are(talk: Any) -> None:
    turns = [talk.turn(SENTENCE, talk.search(talk.WARRANTY), cites=(("file-1", talk.WARRANTY),))]
    lenses = talk.scores(turns, {"cites": ["lenses.pdf"]})[1]
    assert not lenses.passed
    assert lenses.reason == "lenses.pdf is not cited; cited: warranty.pdf"


def test_a_citation_that_points_nowhere_fails(talk: Any) -> None:
    turns = [talk.turn(SENTENCE, talk.search(talk.WARRANTY), cites=(("file-9", ""),))]
    score = talk.one(turns, {"cites": True})
    assert not score.passed
    assert "'file-9', which is no document of the assistant" in score.reason


def test_a_citation_of_what_was_not_retrieved_fails(talk: Any) -> None:
    turns = [talk.turn(SENTENCE, talk.search(talk.WARRANTY), cites=(("file-2", ""),))]
    score = talk.one(turns, {"cites": True})
    assert "'lenses.pdf', which file_search did not return" in score.reason


def test_what_an_earlier_turn_retrieved_may_be_cited(talk: Any) -> None:
    turns = [talk.turn("Hi", talk.search(talk.WARRANTY)), talk.turn(SENTENCE, cites=(("file-1", ""),))]
    assert talk.one(turns, {"cites": True}).passed


def test_an_answer_without_citation_passes_only_when_none_is_wanted(talk: Any) -> None:
    assert talk.one([talk.turn("Hi")], {"cites": False}).passed
    assert talk.one([talk.turn("Hi")], {"cites": True}).reason == "nothing is cited"
    cited = [talk.turn(SENTENCE, cites=(("file-1", ""),))]
    assert talk.one(cited, {"cites": False}).reason == "the answer should cite nothing, it cites warranty.pdf"
