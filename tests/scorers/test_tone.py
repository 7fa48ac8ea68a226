from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers.jargon import abbreviations_in, explained_in, explains, uses
from harness.scorers.tone import reading_of, syllables

GLOSSARY = """Handling your account

Glossary
Webhook: a message that our server sends to yours.
Tenant - one customer with all its users.
| Sandbox | a copy for trying things out |

Accounts can be closed at any time.
Sign in with single sign-on (SSO) or with a password. An API token (AT) is needed for programs.
"""


def tone(talk: Any, answer: str, *more: Any, user: str = "How do I sign in?", **wanted: Any) -> Any:
    return talk.one([talk.turn(answer, *more, user=user)], {"tone": wanted})


# --- jargon --------------------------------------------------------------------------------------------


def test_terms_that_only_the_documents_explain_are_jargon(talk: Any) -> None:
    found = tone(talk, "Set up SSO for your tenant first.", talk.search(GLOSSARY), jargon=False)
    assert (found.check, found.value, found.passed) == ("tone.jargon", 2.0, False)
    assert found.evidence["terms"] == [
        {"term": "SSO", "turn": 0, "source": "explained in warranty.pdf"},
        {"term": "Tenant", "turn": 0, "source": "explained in warranty.pdf"},
    ]


@pytest.mark.parametrize(
    "answer",
    [
        "Use single sign-on (SSO) to sign in.",
        "Use SSO (single sign-on) to sign in.",
        "Use SSO. SSO means that one password opens everything.",
        "Use what is called SSO.",
        "**SSO**: one password opens everything.",
        "Sign in with your password.",
    ],
)
def test_a_term_that_is_explained_or_not_there_is_no_jargon(talk: Any, answer: str) -> None:
    assert tone(talk, answer, talk.search(GLOSSARY), jargon=False).passed


def test_what_the_user_said_first_is_no_jargon(talk: Any) -> None:
    assert tone(talk, "SSO is under Settings.", user="Where is sso?", jargon=False).passed
    turns = [talk.turn("Hi", user="We use SSO."), talk.turn("Turn SSO on.", user="How?")]
    assert talk.one(turns, {"tone": {"jargon": False}}).passed
    assert talk.one(turns, whole={"tone": {"jargon": False}}).passed


def test_a_glossary_of_the_assistants_documents_counts_without_being_retrieved(
    talk: Any, tmp_path: Path
) -> None:
    glossary = tmp_path / "handbook.md"
    glossary.write_text(GLOSSARY, encoding="utf-8")
    turns = [talk.turn("Set up a webhook for your tenant.", talk.search("Nothing of it."))]
    found = talk.one(turns, {"tone": {"jargon": False}}, documents=[glossary])
    assert found.evidence["terms"] == [
        {"term": "Webhook", "turn": 0, "source": "explained in handbook.md"},
        {"term": "Tenant", "turn": 0, "source": "explained in handbook.md"},
    ]
    assert talk.one(turns, {"tone": {"jargon": {"documents": False}}}, documents=[glossary]).passed


def test_a_document_too_long_for_a_glossary_is_named_and_hides_no_shorter_one(
    talk: Any, tmp_path: Path
) -> None:
    long, short = tmp_path / "long.md", tmp_path / "short.md"
    long.write_text("It rains. " * 61_000)
    short.write_text("Use single sign-on (SSO) to enter.")
    turns = [talk.turn("Set up SSO first.")]
    found = talk.one(turns, {"tone": {"jargon": False}}, documents=[long, short])
    assert (found.value, found.evidence["documents_not_read"]) == (1.0, ["long.md"])
    assert found.evidence["terms"][0]["source"] == "explained in short.md"


def test_a_document_that_cannot_be_read_leaves_jargon_alone_unmeasured(talk: Any, tmp_path: Path) -> None:
    turns = [talk.turn("Set up a webhook.")]
    wanted = {"tone": {"jargon": False, "clear": True}}
    jargon, clear = (
        score
        for score in talk.scores(turns, wanted, documents=[tmp_path / "gone.md"])
        if "tone" in score.check
    )
    assert (jargon.value, jargon.passed) == (None, None)
    assert "gone.md" in jargon.reason
    assert clear.passed


def test_what_the_assistant_explained_before_is_no_jargon(talk: Any) -> None:
    turns = [talk.turn("Use single sign-on (SSO)."), talk.turn("Turn SSO on.")]
    assert talk.one(turns, {"tone": {"jargon": False}}).passed


def test_terms_may_be_listed_allowed_and_tolerated(talk: Any) -> None:
    answer = "Open the ledger in the QZR."
    assert tone(talk, answer, jargon={"terms": ["ledger"]}).value == 2.0
    assert tone(talk, answer, jargon={"terms": ["ledger"], "abbreviations": False}).value == 1.0
    assert tone(talk, answer, jargon={"terms": ["ledger"], "allowed": ["QZR"], "max": 1}).passed
    found = tone(talk, answer, jargon={"terms": ["ledger"]})
    assert "'QZR' (abbreviation)" in found.reason
    assert "'ledger' (listed)" in found.reason


def test_everyday_abbreviations_names_and_shouting_are_no_jargon(talk: Any) -> None:
    assert tone(talk, "Export it as PDF or CSV, OK?", jargon=False).passed
    assert tone(talk, "PLEASE DO NOT DO THAT NOW.", jargon=False).passed
    who = talk.assistant(name="LMN Camera Help")
    turns = [talk.turn("Welcome to LMN.")]
    assert talk.one(turns, {"tone": {"jargon": False}}, who=who).passed


def test_documents_explain_abbreviations_and_entries_of_a_glossary() -> None:
    assert explained_in([("a.pdf", GLOSSARY)]) == dict.fromkeys(
        ["SSO", "AT", "Webhook", "Tenant", "Sandbox"], "a.pdf"
    )
    assert explained_in([("b.pdf", "Note: this (ABC) is nothing. Price: 5 (EUR).")]) == {}


def test_sentences_of_a_glossary_explain_terms_too_until_the_next_heading() -> None:
    text = (
        "# Words\nA price is a number.\n\n## Glossary\nA thwart is the seat across a boat. "
        "The painter is the rope at the bow.\nIt is a good idea to learn them.\n\n"
        "## Prices\nThe deposit is the sum of both.\n"
    )
    assert list(explained_in([("faq.md", text)])) == ["thwart", "painter"]


@given(st.text(alphabet="abcABC ().:-\n", max_size=80))
def test_looking_for_jargon_takes_any_text(text: str) -> None:
    for term in (*abbreviations_in(text), *explained_in([("x", text)])):
        assert isinstance(uses(term, text), bool)
        assert isinstance(explains(term, text), bool)


# --- friendliness --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("Hello! You can export it under Settings, please choose CSV. Anything else?", 1.0),
        ("I'm sorry to hear that. Could you tell me what you see?", 1.0),
        ("You will find the button under Settings.", 0.4),
        ("Settings, then Export.", 0.2),
        ("Obviously the button is broken.", 0.0),
        ("READ THE PAGE AGAIN", 0.0),
    ],
)
def test_friendliness_is_the_share_of_five_signs(talk: Any, answer: str, value: float) -> None:
    found = tone(talk, answer, friendly=True)
    assert found.value == value
    assert found.passed is (value >= 0.6)


def test_the_reason_names_the_missing_signs(talk: Any) -> None:
    found = tone(talk, "Obviously you need the button.", friendly={"min": 0.8})
    assert found.reason == (
        "friendliness 0.2, needed 0.8; missing: warm, courteous, offers more, harsh: 'obviously'"
    )
    assert found.evidence["signs"]["speaks to the user"] == "you"


def test_an_answer_may_be_wanted_to_be_curt(talk: Any) -> None:
    assert tone(talk, "Settings, then Export.", friendly=False).passed
    assert not tone(talk, "Hello! Could you please tell me more?", friendly=False).passed


# --- clarity -------------------------------------------------------------------------------------------

PLAIN = "Open the menu. Pick the file you want. Then press Save, and you are done."
DENSE = (
    "Notwithstanding the aforementioned considerations regarding organizational responsibilities, "
    "authorization of international distribution necessitates administrative coordination, "
    "documentation of contractual "
    "obligations, and subsequent verification of institutional prerequisites by the administration."
)


def test_plain_words_in_short_sentences_are_clear_and_long_ones_are_not(talk: Any) -> None:
    plain, dense = tone(talk, PLAIN, clear=True), tone(talk, DENSE, clear=True)
    assert (plain.value, plain.passed) == (1.0, True)
    assert dense.value < 0.5
    assert dense.reason.startswith("clarity 0.33, needed 0.6; weakest: reading ease (0.00)")
    assert set(plain.evidence["parts"]) == {"reading ease", "short sentences", "short paragraphs"}


def test_a_wall_of_text_is_less_clear_than_the_same_words_in_paragraphs(talk: Any) -> None:
    sentence = "You can open the menu and pick the file that you want to save. "
    wall, parts = sentence * 8, "\n\n".join([sentence * 2] * 4)
    assert tone(talk, parts, clear=True).value - tone(talk, wall, clear=True).value == pytest.approx(
        1 / 3, abs=1e-3
    )


def test_reading_ease_and_sentence_length_have_ranges_of_their_own(talk: Any) -> None:
    assert tone(talk, PLAIN, reading_ease={"min": 60}).passed
    hard = tone(talk, DENSE, reading_ease={"min": 30})
    assert "is less than the required 30" in hard.reason
    found = tone(talk, "One two three. One two three four five.", sentence_words={"max": 3})
    assert (found.value, found.passed) == (4.0, False)
    assert found.reason == "sentence words 4 is more than the allowed 3"


def test_the_reading_ease_is_fleschs() -> None:
    reading = reading_of("The cat sat on the mat.")
    assert reading is not None
    assert reading.ease == pytest.approx(206.835 - 1.015 * 6 - 84.6 * 6 / 6)


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("cat", 1), ("open", 2), ("file", 1), ("files", 1), ("table", 2), ("tables", 2), ("wanted", 2),
        ("opened", 2), ("closed", 1), ("changes", 2), ("settings", 2), ("the", 1), ("day", 1), ("export", 2),
        ("information", 4), ("CSV", 1), ("assistant", 3), ("minute", 2), ("boxes", 2), ("needed", 2),
    ],
)  # fmt: skip
def test_syllables_are_counted_as_they_are_said(word: str, count: int) -> None:
    assert syllables(word) == count


def test_other_languages_and_answers_without_words_are_not_measured(talk: Any) -> None:
    german = tone(talk, "Sie können den Bericht als Tabelle exportieren, wenn Sie das wollen.", clear=True)
    assert (german.value, german.passed) == (None, None)
    assert german.reason == "not measured: only English is, and the answer is in 'de'"
    for short in ("الخطة الأساسية تكلف 12 دولارا شهريا.", "Тариф стоит дорого."):
        found = tone(talk, short, clear=True)
        assert found.value is None
        assert found.reason.startswith("not measured: only English is")
    assert tone(talk, "```\nx = 1\n```", friendly=True).reason == "not measured: the answer has no words"


def test_code_links_and_markers_are_no_part_of_the_tone(talk: Any) -> None:
    with_code = f"{PLAIN}\n```\nthis_is_no_sentence_of_English = incomprehensibility\n```"
    turns = [talk.turn(with_code, cites=(("file-1", ""),))]
    assert (
        talk.one(turns, {"tone": {"reading_ease": {"min": 0}}}).value
        == tone(talk, PLAIN, reading_ease={"min": 0}).value
    )


@given(st.text(max_size=200))
def test_clarity_lies_between_0_and_1(text: str) -> None:
    reading = reading_of(text)
    assert reading is None or 0 <= reading.clarity <= 1
