from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers.languages import language_of

ANSWERS = yaml.safe_load(Path(__file__).with_name("languages.yaml").read_text("utf-8"))
CASES = [(code, text) for code, texts in ANSWERS.items() for text in texts]


@pytest.mark.parametrize(("code", "text"), CASES, ids=[f"{code}-{text[:20]}" for code, text in CASES])
def test_an_answer_of_a_sentence_or_two_tells_its_language(code: str, text: str) -> None:
    assert language_of(text).code == code, language_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "OK.",
        "Yes, sure!",
        "SYNC-401",
        "Aurora 35, Aurora 50, Tripod Mini",
        "```\nfor x in y: print(x)\n```",
    ],
)
def test_what_is_too_little_to_tell_is_not_guessed(text: str) -> None:
    found = language_of(text)
    assert found.code is None
    assert found.why


@pytest.mark.parametrize(
    "text", ["The Basic plan costs 13 dollars a month.", "Pro costs 30 dollars a month and Basic costs 12."]
)
def test_terse_english_with_an_article_is_not_taken_for_czech(text: str) -> None:
    assert language_of(text).code in ("en", None), language_of(text)


def test_names_links_and_code_do_not_hide_the_language() -> None:
    text = (
        "Sie können das Modul mit `pip install the-best-of-all` laden, "
        "siehe https://example.com/this/is/the/way oder schreiben Sie an the.team@example.com."
        " 【4:0†the manual of the camera】"
    )
    assert language_of(text).code == "de"


def test_the_language_of_most_of_the_text_wins() -> None:
    english = "The file is in the folder that you chose when you installed the program. "
    german = "Die Datei ist in dem Ordner, den Sie bei der Installation gewählt haben. "
    assert language_of(4 * english + german).code == "en"
    assert language_of(english + 4 * german).code == "de"


@given(st.text(max_size=300))
def test_any_text_has_a_known_language_or_a_reason(text: str) -> None:
    found = language_of(text)
    assert len(found.code) == 2 if found.code else found.why
    assert found == language_of(text)


@given(st.sampled_from([text for code, text in CASES if code == "en"]), st.integers(0, 1_000_000))
def test_numbers_and_case_do_not_change_the_language(text: str, number: int) -> None:
    assert language_of(f"{text} {number}").code == "en"
    assert language_of(text.upper()).code == "en"
