from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.trace.records import Citation, Message

SENTENCE = "The warranty covers manufacturing defects for 24 months."
WATER = "Water damage is not covered."


def cited(talk: Any, text: str, *chunks: str, file_id: str = "file-1", **more: Any) -> Any:
    """A turn whose text has ``^`` where its citations stand, one for each chunk, without markers."""
    places, plain = [], ""
    for part in text.split("^"):
        plain += part
        places.append(len(plain))
    marks = tuple(
        Citation(marker="", start=at, end=at, file_id=file_id, filename="warranty.pdf", chunk=chunk or None)
        for at, chunk in zip(places, chunks, strict=False)
    )
    message = Message(role="assistant", text=plain, citations=marks)
    return talk.turn("", talk.search(talk.WARRANTY), messages=(message,), **more)


@pytest.mark.parametrize(
    ("quote", "resolves"),
    [
        ("covers manufacturing defects for 24 months", True),
        ("  COVERS MANUFACTURING\nDEFECTS ", True),
        ("covers manufacturing defects for 36 months", False),
        (" ", False),
        ("the", False),
    ],
)
def test_a_citation_may_quote_a_part_of_what_was_retrieved(
    talk: Any, by_check: Any, quote: str, resolves: bool
) -> None:
    found = by_check(talk.scores([cited(talk, f"{SENTENCE}^", quote)], {"cites": True}))
    assert found["cites"].passed is resolves
    assert ("cites.supported" in found) is resolves


def test_a_citation_of_a_retrieved_document_passes_and_its_support_is_told(talk: Any, by_check: Any) -> None:
    turns = [talk.turn(SENTENCE, talk.search(talk.WARRANTY), cites=(("file-1", talk.WARRANTY),))]
    found = by_check(talk.scores(turns, {"cites": ["warranty.pdf"]}))
    assert list(found) == ["cites", "cites.warranty.pdf", "cites.claims", "cites.supported"]
    assert found["cites"].passed
    assert found["cites.warranty.pdf"].passed
    assert (found["cites.claims"].value, found["cites.claims"].passed) == (1.0, None)
    assert (found["cites.supported"].value, found["cites.supported"].passed) == (1.0, None)
    assert found["cites.supported"].reason.startswith("for information: 1 of 1 cited claims")
    assert found["cites"].evidence["citations"][0]["sentence"] == SENTENCE


def test_a_chunk_that_says_something_else_does_not_support(talk: Any, by_check: Any) -> None:
    turns = [talk.turn(SENTENCE, talk.search(talk.LENSES), cites=(("file-1", talk.LENSES),))]
    found = by_check(talk.scores(turns, {"cites": True}))
    assert found["cites.supported"].value == 0.0
    assert found["cites.supported"].evidence["unsupported"][0]["text"] == SENTENCE
    assert found["cites"].evidence["citations"][0]["supported"] is False


def test_a_least_share_of_supported_claims_makes_support_pass_or_fail(talk: Any, by_check: Any) -> None:
    wrong = "Water damage is covered for 5 years."
    turn = cited(talk, f"{SENTENCE}^ {wrong}^", talk.WARRANTY, talk.WARRANTY)
    half = by_check(talk.scores([turn], {"cites": {"supported": {"min": 0.5}}}))["cites.supported"]
    all_of_it = by_check(talk.scores([turn], {"cites": {"supported": {"min": 1}}}))["cites.supported"]
    assert (half.value, half.passed) == (0.5, True)
    assert (all_of_it.value, all_of_it.passed) == (0.5, False)
    assert "1 of 2 cited claims are supported by what they cite; not: 'Water damage" in all_of_it.reason
    assert all_of_it.reason.endswith("needed 100%")


def test_passages_that_stand_beside_one_claim_support_it_together(talk: Any, by_check: Any) -> None:
    parts = "The Aurora 35 lens weighs 310 grams.", "The Aurora 35 lens costs $449."
    text = "The Aurora 35 lens weighs 310 grams and costs $449."
    marks = tuple(
        Citation(
            marker="", start=len(text), end=len(text), file_id="file-2", filename="lenses.pdf", chunk=chunk
        )
        for chunk in parts
    )
    message = Message(role="assistant", text=text, citations=marks)
    turn = talk.turn("", talk.search(*parts, file_id="file-2"), messages=(message,))
    assert by_check(talk.scores([turn], {"cites": True}))["cites.supported"].value == 1.0


def test_claims_without_a_citation_are_counted_and_named(talk: Any, by_check: Any) -> None:
    turn = cited(talk, f"Hello! {SENTENCE}^ {WATER} Would you like to know more?", talk.WARRANTY)
    told = by_check(talk.scores([turn], {"cites": True}))["cites.claims"]
    assert (told.value, told.passed) == (0.5, None)
    wanted = by_check(talk.scores([turn], {"cites": {"claims": {"min": 0.9}}}))["cites.claims"]
    assert not wanted.passed
    assert wanted.reason == f"1 of 2 claims carry a citation; none: {WATER!r}, needed 90%"
    assert wanted.evidence["uncited"] == [{"turn": 0, "text": WATER}]


def test_a_marker_at_the_end_of_a_paragraph_may_stand_for_all_of_it(talk: Any, by_check: Any) -> None:
    elsewhere = "Repairs take 10 working days."
    turn = cited(talk, f"{elsewhere}\n\n{SENTENCE} {WATER}^", talk.WARRANTY)
    by_sentence = by_check(talk.scores([turn], {"cites": True}))["cites.claims"]
    by_paragraph = by_check(talk.scores([turn], {"cites": {"per": "paragraph"}}))["cites.claims"]
    assert by_sentence.value == pytest.approx(1 / 3, abs=1e-3)
    assert by_paragraph.value == pytest.approx(2 / 3, abs=1e-3)
    assert by_paragraph.evidence["uncited"] == [{"turn": 0, "text": elsewhere}]


def test_in_a_paragraph_a_marker_stands_for_what_follows_the_one_before(talk: Any, by_check: Any) -> None:
    turn = cited(talk, f"{SENTENCE}^ {WATER}^^", talk.WARRANTY, talk.LENSES, talk.LENSES)
    turn = talk.turn("", talk.search(talk.WARRANTY, talk.LENSES), messages=turn.messages)
    wanted = {"cites": {"per": "paragraph", "supported": {"min": 1}}}
    supported = by_check(talk.scores([turn], wanted))["cites.supported"]
    assert supported.value == 0.5
    assert [one["text"] for one in supported.evidence["unsupported"]] == [WATER]


def test_a_share_that_nothing_can_be_said_of_has_the_reason(talk: Any, by_check: Any) -> None:
    wanted = {"cites": {"claims": {"min": 1}, "supported": {"min": 1}}}
    nothing = by_check(talk.scores([talk.turn("Hello! How are you?")], wanted))
    assert nothing["cites.claims"].reason == "nothing to cite: the answer makes no claim"
    assert nothing["cites.supported"].reason == "nothing to support: no claim carries a citation"
    unseen = talk.turn(SENTENCE, cites=(("file-1", ""),))
    assert by_check(talk.scores([unseen], wanted))["cites.supported"].reason == (
        "nothing to support: the text of no cited passage is known"
    )


def test_a_document_that_is_not_cited_is_named_with_those_that_are(talk: Any) -> None:
    turns = [talk.turn(SENTENCE, talk.search(talk.WARRANTY), cites=(("file-1", talk.WARRANTY),))]
    for wanted in (["lenses.pdf"], {"documents": ["lenses.pdf"]}):
        lenses = talk.scores(turns, {"cites": wanted})[1]
        assert not lenses.passed
        assert lenses.reason == "lenses.pdf is not cited; cited: warranty.pdf"


def test_a_citation_that_points_nowhere_fails(talk: Any) -> None:
    turns = [talk.turn(SENTENCE, talk.search(talk.WARRANTY), cites=(("file-9", ""),))]
    score = talk.scores(turns, {"cites": True})[0]
    assert not score.passed
    assert "'file-9', which is no document of the assistant" in score.reason


def test_a_citation_of_what_was_not_retrieved_fails(talk: Any) -> None:
    turns = [talk.turn(SENTENCE, talk.search(talk.WARRANTY), cites=(("file-2", ""),))]
    score = talk.scores(turns, {"cites": True})[0]
    assert "lenses.pdf, which file_search did not return" in score.reason


def test_a_citation_of_a_passage_that_was_not_retrieved_fails(talk: Any) -> None:
    turns = [talk.turn(SENTENCE, talk.search(talk.WARRANTY), cites=(("file-1", "Something else."),))]
    score = talk.scores(turns, {"cites": True})[0]
    assert "points at no passage of warranty.pdf that file_search returned" in score.reason


def test_what_an_earlier_turn_retrieved_may_be_cited_and_is_joined_to_its_passage(
    talk: Any, by_check: Any
) -> None:
    turns = [talk.turn("Hi", talk.search(talk.WARRANTY)), talk.turn(SENTENCE, cites=(("file-1", ""),))]
    found = by_check(talk.scores(turns, {"cites": True}))
    assert found["cites"].passed
    assert found["cites.supported"].value == 1.0


def test_a_file_that_the_user_attached_may_be_cited(talk: Any) -> None:
    text = "Your invoice is over $50."
    mark = Citation(marker="", start=len(text), end=len(text), file_id="file-7", filename="invoice.pdf")
    turn = talk.turn("", messages=(Message(role="assistant", text=text, citations=(mark,)),))
    sent = talk.turn("", messages=turn.messages)
    assert not talk.scores([sent], {"cites": True})[0].passed
    user = Message(role="user", text="Here", attachments=("invoice.pdf",))
    with_file = type(turn)(
        user=user, status="completed", started_at=turn.started_at, latency_s=1, messages=turn.messages
    )
    assert talk.scores([with_file], {"cites": True})[0].passed


def test_an_answer_without_citation_passes_only_when_none_is_wanted(talk: Any) -> None:
    assert talk.one([talk.turn("Hi")], {"cites": False}).passed
    assert talk.one([talk.turn("Hi")], {"cites": True}).reason == "nothing is cited"
    cited = [talk.turn(SENTENCE, cites=(("file-1", ""),))]
    assert talk.one(cited, {"cites": False}).reason == "the answer should cite nothing, it cites warranty.pdf"


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)  # they keep nothing
@given(st.lists(st.booleans(), min_size=1, max_size=6), st.sampled_from(["sentence", "paragraph"]))
def test_the_cited_share_is_the_share_of_claims_behind_which_a_marker_stands(
    talk: Any, by_check: Any, marked: list[bool], per: str
) -> None:
    text = "\n\n".join(SENTENCE + ("^" if mark else "") for mark in marked)
    turn = cited(talk, text, *[talk.WARRANTY] * sum(marked))
    found = by_check(talk.scores([turn], {"cites": {"per": per}}))
    assert found["cites.claims"].value == pytest.approx(sum(marked) / len(marked), abs=1e-4)


def test_what_a_function_told_needs_no_citation(talk: Any, by_check: Any) -> None:
    text = "Your repair number is R-77."
    told = talk.turn(text, talk.search(talk.WARRANTY), talk.call(email="a@b.se"))
    wanted = {"cites": {"claims": {"min": 1}}}
    assert by_check(talk.scores([told], wanted))["cites.claims"].value is None
    untold = talk.turn(text, talk.search(talk.WARRANTY))
    assert by_check(talk.scores([untold], wanted))["cites.claims"].value == 0.0
