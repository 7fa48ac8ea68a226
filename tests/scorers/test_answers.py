from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("answer", "expect", "passed"),
    [
        ("Open  Settings\nnow.", {"mentions": ["open settings"]}, True),
        ("It’s “free”", {"mentions": ['it\'s "free"']}, True),
        ("It takes 50 days", {"mentions": ["5"]}, False),
        ("It takes 5 days", {"mentions": ["5"]}, True),
        ("Version 1.5.2", {"mentions": ["1.5"]}, False),
        ("catalogue", {"mentions": ["log"]}, False),
        ("It exports CSV files", {"mentions": ["export"]}, True),
        ("CSV or JSON", {"mentions_any": ["xml", "json"]}, True),
        ("CSV", {"mentions_any": ["xml", "json"]}, False),
        ("All is well", {"omits": ["sorry"]}, True),
        ("I am SORRY", {"omits": ["sorry"]}, False),
        ("It is csv.", {"matches": r"(?i)\bCSV\b"}, True),
        ("It is xml.", {"matches": r"(?i)\bCSV\b"}, False),
        (" Yes. \n", {"equals": "Yes."}, True),
        ("yes.", {"equals": "Yes."}, False),
        ("Please restart the device now", {"similar": "restart the device"}, True),
        ("Bananas are yellow", {"similar": "restart the device"}, False),
        ('{"a": 1}', {"json_schema": {"required": ["a"]}}, True),
        ('```json\n{"a": 1}\n```', {"json_schema": {"required": ["a"]}}, True),
        ('{"b": 1}', {"json_schema": {"required": ["a"]}}, False),
        ("a: 1", {"json_schema": {}}, False),
        ("one two three", {"words": {"min": 3, "max": 3}}, True),
        ("one two", {"words": {"min": 3}}, False),
        ("12345", {"characters": {"max": 5}}, True),
        (" 123456\n", {"characters": {"max": 5}}, False),
        ("One. Two!\n- three\n- four", {"sentences": {"min": 4, "max": 4}}, True),
        ("One. Two!", {"sentences": {"max": 1}}, False),
        ("Restart the device now", {"similar": {"to": "restart the device", "by": "wording"}}, True),
        ("Restart the device", {"similar": {"to": ["buy a boat", "reboot it"], "by": "wording"}}, False),
        ("You can send the camera to us.", {"language": "en"}, True),
        ("Sie können uns die Kamera senden.", {"language": ["en", "fr"]}, False),
    ],
)
def test_a_part_holds_or_not(talk: Any, answer: str, expect: dict[str, Any], passed: bool) -> None:
    score = talk.one([talk.turn(answer)], {"answer": expect})
    assert score.passed is passed
    assert score.check == f"answer.{next(iter(expect))}"
    assert bool(score.reason) is not passed


def test_citation_markers_are_no_part_of_the_text(talk: Any) -> None:
    turns = [talk.turn("It takes 10 days 【4:0†warranty.pdf】.", cites=(("file-1", ""),))]
    expect = {"answer": {"equals": "It takes 10 days.", "omits": ["warranty", "source"], "words": {"max": 4}}}
    assert all(score.passed for score in talk.scores(turns, expect))


def test_the_reason_names_what_is_missing_and_what_comes_nearest(talk: Any) -> None:
    turns = [talk.turn("Please open the Setings page and press Save.")]
    score = talk.one(turns, {"answer": {"mentions": ["Settings page", "Save", "Export"]}})
    assert score.value == pytest.approx(1 / 3)
    assert score.evidence["missing"] == ["Settings page", "Export"]
    assert "does not mention 'Settings page', 'Export'; nearest:" in score.reason
    assert "setings page" in score.reason


def test_each_part_has_its_own_score(talk: Any) -> None:
    found = talk.scores([talk.turn("a b")], {"answer": {"mentions": ["a"], "omits": ["b"]}})
    assert [(score.check, score.passed) for score in found] == [
        ("answer.mentions", True),
        ("answer.omits", False),
    ]


def test_an_empty_answer_is_explained_by_how_its_run_ended(talk: Any) -> None:
    failed = talk.turn("", status="failed", error="server_error")
    score = talk.one([failed], {"answer": {"mentions": ["a"]}})
    assert score.passed is False
    assert "the answer is empty, the run ended 'failed': server_error" in score.reason


def test_the_answers_of_a_talk_are_one_text(talk: Any) -> None:
    turns = [talk.turn("alpha"), talk.turn("beta")]
    assert talk.one(turns, whole={"answer": {"mentions": ["alpha", "beta"]}}).passed


def test_a_paraphrase_is_similar_in_meaning_though_not_in_wording(talk: Any) -> None:
    answer = "Hello! Mailing it back to us costs you nothing. Is there anything else?"
    wanted = "You can return the product to us free of charge."
    meant = talk.one([talk.turn(answer)], {"answer": {"similar": {"to": wanted, "min": 0.5}}})
    other = talk.one(
        [talk.turn("The lens weighs 310 grams.")], {"answer": {"similar": {"to": wanted, "min": 0.5}}}
    )
    worded = talk.one([talk.turn(answer)], {"answer": {"similar": wanted}})
    assert meant.passed
    assert "costs you nothing" in meant.evidence["passage"]
    assert (other.passed, worded.passed) == (False, False)
    assert other.reason.startswith(f"likeness in meaning {other.value:.2f}, needed 0.5; nearest: 'The lens")


def test_a_text_means_what_it_means_wherever_it_stands_in_an_answer(talk: Any) -> None:
    wanted = "Repairs take ten working days."
    answer = f"Thanks for your patience. {wanted} Please keep the receipt. Have a nice day!"
    score = talk.one([talk.turn(answer)], {"answer": {"similar": {"to": ["It is raining.", wanted]}}})
    assert score.value == pytest.approx(1, abs=0.001)
    assert score.evidence["passage"] == wanted


def test_meaning_is_not_judged_where_there_is_no_model(talk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.embedding import encoder

    monkeypatch.setattr(encoder, "_loaded", lambda: (None, "keywords alone: model.onnx is missing"))
    score = talk.one([talk.turn("Hi")], {"answer": {"similar": {"to": "Hello"}}})
    assert (score.value, score.passed) == (None, None)
    assert score.reason == "meaning can't be compared: keywords alone: model.onnx is missing"


def test_the_language_is_told_as_a_label_or_why_it_is_not(talk: Any) -> None:
    german = talk.one([talk.turn("Sie können uns die Kamera senden.")], {"answer": {"language": "en"}})
    assert german.value == "de"
    assert german.reason.startswith("the answer is in 'de', wanted: 'en'; it begins 'Sie können")
    short = talk.one([talk.turn("OK.")], {"answer": {"language": "en"}})
    assert (short.value, short.passed) == (None, None)
    assert short.reason.startswith("the language can't be told: 1 words are too few")


# What a text says, the same in other words, and something else of the same thing.
MEANINGS = [
    ("You can return it within 30 days.", "Items may be sent back for a month after purchase.",
     "You can exchange it for another size in the shop."),
    ("Restart the router and try again.", "Please power-cycle your modem, then retry.",
     "The router has four network ports."),
    ("Refunds take five business days.", "Your money will be back in about a week.",
     "Refunds are paid to the card that you used."),
    ("The warranty does not cover water damage.", "Damage caused by liquids is excluded from the guarantee.",
     "The warranty covers manufacturing defects."),
    ("Open Settings and choose Export.", "Go to the settings menu and select the export option.",
     "Open Settings and change your language."),
    ("We are closed on Sundays.", "The shop does not open on Sunday.",
     "We are open from nine to five on weekdays."),
    ("Shipping is free above 50 euros.", "Orders over 50 euros are delivered at no cost.",
     "Shipping takes three days."),
    ("You need an account to buy tickets.", "Tickets can only be bought after signing up.",
     "Tickets are sold from the first of March."),
    ("Your password must have at least twelve characters.", "Choose a password with 12 or more characters.",
     "You can reset your password by e-mail."),
    ("Dogs are allowed in the garden.", "You may bring your dog to the garden.",
     "The garden closes at eight."),
    ("The battery lasts ten hours.", "You get about ten hours out of one charge.",
     "The battery can be replaced by the workshop."),
    ("Call us if the light stays red.", "When the lamp remains red, please phone us.",
     "The light is green while it charges."),
]  # fmt: skip


def test_the_figures_of_likeness_in_meaning_are_those_of_the_docs(talk: Any) -> None:
    def likeness(text: str, answer: str) -> float:
        return float(talk.one([talk.turn(answer)], {"answer": {"similar": {"to": text}}}).value)

    same = [likeness(text, paraphrase) for text, paraphrase, _ in MEANINGS]
    other = [likeness(text, else_) for text, _, else_ in MEANINGS]
    assert [sum(value >= least for value in same) for least in (0.6, 0.56)] == [7, 12]
    assert [sum(value >= least for value in other) for least in (0.6, 0.56)] == [2, 4]
