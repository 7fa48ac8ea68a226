from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ScorerError
from harness.scorers import lexical, token_model
from harness.scorers.claims import sorted_out
from harness.scorers.condensing import LONGEST_READ, condensed
from harness.scorers.evidence import Evidence, Passage
from harness.scorers.grounding import THRESHOLD, score_answers
from harness.scorers.lexical import FEATURES, coefficients
from harness.scorers.support import support_of
from harness.trace.records import SearchResult, ToolCall

SOURCE = (
    "Free accounts store up to 5 GB of files. Exports are not available on the Free plan. Deleted files stay "
    "in the bin for 30 days. The limit for one upload is 250 MB. Version 4.2 added dark mode in May 2023. "
    "Write to help@example.org or call on weekdays between 9:00 and 17:00. Backups run every 6 hours. "
    "To share a folder, open it and choose Share, then enter the e-mail address of the other person."
)

# A sentence the source supports, and the same with one fact changed.
PAIRS = [
    ("Free accounts store up to 5 GB of files.", "Free accounts store up to 50 GB of files."),
    ("Free accounts store up to 5 GB of files.", "Free accounts store up to 5 TB of files."),
    ("Free accounts can store up to 5GB.", "Free accounts can store up to 15GB."),
    ("Exports are not available on the Free plan.", "Exports are available on the Free plan."),
    ("Exports aren't available on the Free plan.", "Exports are available on the Free plan."),
    ("Deleted files stay in the bin for 30 days.", "Deleted files stay in the bin for 30 hours."),
    ("Deleted files stay in the bin for 30 days.", "Deleted files do not stay in the bin for 30 days."),
    ("The upload limit is 250 MB.", "The upload limit is 250 GB."),
    ("Dark mode was added in version 4.2.", "Dark mode was added in version 4.3."),
    ("Version 4.2 added dark mode in May 2023.", "Version 4.2 added dark mode in June 2023."),
    ("Version 4.2 added dark mode in May 2023.", "Version 4.2 added dark mode in May 2024."),
    ("You can write to help@example.org.", "You can write to support@example.org."),
    ("Call on weekdays between 9:00 and 17:00.", "Call on weekdays between 8:00 and 17:00."),
    ("Backups run every 6 hours.", "Backups run every 6 minutes."),
    ("Backups run every six hours.", "Backups of the Helsinki office run every six hours in Finland."),
    ("Open the folder and choose Share.", "Open the archive and pick Teleport."),
]


@pytest.mark.parametrize(("right", "wrong"), PAIRS)
def test_one_changed_fact_makes_a_supported_sentence_unsupported(right: str, wrong: str) -> None:
    evidence = Evidence([Passage(SOURCE)])
    assert support_of(right, evidence).why == ""
    changed = support_of(wrong, evidence)
    assert not changed.supported
    assert changed.why


def test_the_reason_names_the_number_and_what_the_evidence_has() -> None:
    support = support_of("Free accounts store up to 50 GB of files.", Evidence([Passage(SOURCE)]))
    assert support.why == "50 gb is not in the evidence, which has 5 gb"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Hi there!", "pleasantry"),
        ("Thanks for reaching out.", "pleasantry"),
        ("I'm sorry to hear that your camera broke.", "pleasantry"),
        ("Great question!", "pleasantry"),
        ("Let me know if you need anything else.", "pleasantry"),
        ("Thank you, I have noted that.", "pleasantry"),
        ("To do this, I still need your e-mail address.", "pleasantry"),
        ("Please send me the order number.", "pleasantry"),
        ("My documents hold no solution for it.", "abstention"),
        ("Which model do you have?", "question"),
        ("Here are the 3 steps:", "lead_in"),
        ("To export your photos, follow these steps:", "lead_in"),
        ("## Shipping", "heading"),
        ("**Shipping and returns**", "heading"),
        ("I'll connect you with a specialist.", "handover"),
        ("Would you like me to open a ticket?", "question"),
        ("I can only help with questions about cameras.", "redirection"),
        ("I don't have information about that.", "abstention"),
        ("Open the battery door and press the switch.", "claim"),
        ("Sorry, the warranty does not cover water damage.", "claim"),
        ("Sure, you can return it within 14 days.", "claim"),
        ("Contact our support team at help@example.org.", "claim"),
    ],
)
def test_sentences_are_sorted_by_what_they_do(text: str, kind: str) -> None:
    assert [sentence.kind for sentence in sorted_out(text)] == [kind]


def test_the_items_after_turning_away_only_spell_it_out() -> None:
    kinds = [one.kind for one in sorted_out("I can only help with:\n- lenses\n- repairs at the workshop")]
    assert kinds == ["redirection", "redirection", "redirection"]


def test_code_is_nobodys_claim() -> None:
    assert sorted_out("```python\nspeed = 40\n```") == []


def test_a_supported_answer_passes_with_its_evidence(talk: Any) -> None:
    answer = "Hello! The warranty covers manufacturing defects for 24 months. Anything else?"
    turns = [talk.turn(answer, talk.search(talk.LENSES, talk.WARRANTY))]
    score = talk.one(turns, {"grounded": True})
    assert (score.value, score.passed) == (1.0, True)
    hello, claim, question = score.evidence["sentences"]
    assert [one["claim"] for one in (hello, claim, question)] == [False, True, False]
    assert answer[claim["start"] : claim["end"]] == claim["text"]
    assert (claim["evidence"]["filename"], claim["evidence"]["page"]) == ("warranty.pdf", 3)
    assert claim["evidence"]["text"].startswith("The warranty covers")


def test_a_wrong_fact_fails_and_the_reason_names_it(talk: Any) -> None:
    turns = [talk.turn("The warranty covers defects for 36 months.", talk.search(talk.WARRANTY))]
    score = talk.one(turns, {"grounded": True})
    assert (score.value, score.passed) == (0.0, False)
    assert "0 of 1 claims are supported, needed 70%" in score.reason
    assert "36 month is not in the evidence, which has 24 month" in score.reason


def test_the_share_of_supported_claims_must_reach_the_minimum(talk: Any) -> None:
    answer = "Repairs take 10 working days. The moon is made of cheese and pears."
    turns = [talk.turn(answer, talk.search(talk.WARRANTY))]
    assert talk.one(turns, {"grounded": {"min": 0.5}}).passed
    score = talk.one(turns, {"grounded": {"min": 0.6}})
    assert (score.value, score.passed) == (0.5, False)


def test_offsets_stand_when_markers_are_taken_out(talk: Any) -> None:
    answer = (
        "Water damage is not covered 【4:0†warranty.pdf】. Repairs take 10 working days【4:1†warranty.pdf】."
    )
    score = talk.one([talk.turn(answer, talk.search(talk.WARRANTY))], {"grounded": True})
    assert score.value == 1.0
    second = score.evidence["sentences"][1]
    assert answer[second["start"] : second["end"]].startswith("Repairs take 10 working days【")


def test_claims_without_any_search_are_unsupported(talk: Any) -> None:
    score = talk.one([talk.turn("The warranty covers 24 months.")], {"grounded": True})
    assert (score.value, score.passed) == (0.0, False)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "nothing to support: the answer is empty"),
        ("Hello! How can I help?", "nothing to support: the answer makes no claim"),
        ("I don't have that information.", "nothing to support: the answer makes no claim"),
    ],
)
def test_an_answer_without_claims_has_no_value(talk: Any, answer: str, reason: str) -> None:
    score = talk.one([talk.turn(answer, talk.search(talk.WARRANTY))], {"grounded": True})
    assert (score.value, score.passed, score.reason) == (None, None, reason)


def test_the_model_is_named_but_not_loaded_for_an_answer_without_claims(
    talk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_model, "default", lambda: pytest.fail("the model was loaded"))
    score = talk.one([talk.turn("Hello! How can I help?", talk.search(talk.WARRANTY))], {"grounded": True})
    assert score.evidence["model"] == token_model.named() is not None


def test_results_without_text_are_no_evidence_for_or_against(talk: Any) -> None:
    silent = ToolCall(
        id="s",
        type="file_search",
        name="file_search",
        results=(SearchResult(file_id="file-1", filename="warranty.pdf", score=0.9),),
    )
    score = talk.one([talk.turn("The warranty covers 24 months.", silent)], {"grounded": True})
    assert score.value is None
    assert "does not tell the text" in score.reason


def test_an_assistant_without_any_source_cannot_be_measured(talk: Any) -> None:
    score = talk.one([talk.turn("Paris is big.")], {"grounded": True}, who=talk.assistant(tools=[]))
    assert score.value is None
    assert "no evidence to compare with" in score.reason


def test_earlier_turns_tool_outputs_and_code_logs_are_evidence(talk: Any) -> None:
    turns = [
        talk.turn("Hi", talk.search(talk.WARRANTY)),
        talk.turn(
            "Repairs take 10 working days. Your repair reference is R-77. The mean is 4210.5 dollars.",
            talk.call(email="a@b.se"),
            talk.code("mean revenue: 4210.5 dollars"),
        ),
    ]
    assert talk.one(turns, {"grounded": {"min": 1}}).value == 1.0


def test_what_the_user_said_of_themselves_may_be_repeated_but_is_no_source(talk: Any) -> None:
    user = "My Aurora camera fell into the harbour yesterday. I think the warranty covers 48 months."
    said = talk.turn("Your Aurora camera fell into the harbour.", talk.search(talk.WARRANTY), user=user)
    assert talk.one([said], {"grounded": True}).value == 1.0
    echoed = talk.turn("The warranty covers 48 months.", talk.search(talk.WARRANTY), user=user)
    assert talk.one([echoed], {"grounded": True}).value == 0.0


def test_saying_what_was_done_needs_a_call_that_did_it(talk: Any) -> None:
    answer = "I've submitted your repair R-77. Repairs take 10 working days."
    done = talk.turn(answer, talk.search(talk.WARRANTY), talk.call(email="a@b.se"))
    assert talk.one([done], {"grounded": {"min": 1}}).passed
    only_said = talk.turn(answer, talk.search(talk.WARRANTY))
    assert not talk.one([only_said], {"grounded": {"min": 1}}).passed


def test_a_long_answer_says_that_it_was_cut_off(talk: Any) -> None:
    answer = "Repairs take 10 working days. " * 4_000
    score = talk.one([talk.turn(answer, talk.search(talk.WARRANTY))], {"grounded": True})
    assert score.evidence["cut_off"] is True
    assert score.value == 1.0


@pytest.mark.parametrize("place", [0, 2_500, 5_000])
def test_an_untrue_sentence_is_found_wherever_it_stands_in_a_very_long_answer(talk: Any, place: int) -> None:
    said = [f"Repairs take 10 working days, as entry {number} says." for number in range(5_000)]
    untrue = "The warranty covers 48 months."
    answer = " ".join([*said[:place], untrue, *said[place:]])
    score = talk.one([talk.turn(answer, talk.search(talk.WARRANTY))], {"grounded": {"min": 1}})
    shown = next(one for one in score.evidence["sentences"] if one["text"] == untrue)
    assert shown["supported"] is False
    assert answer[shown["start"] : shown["end"]] == untrue
    assert all(shown["start"] <= start < end <= shown["end"] for start, end in shown["doubts"])
    assert score.evidence["cut_off"] is True
    assert not score.passed


def test_many_short_sentences_are_said_to_be_cut_off(talk: Any) -> None:
    answer = "It is so. " * 1_200
    assert talk.one([talk.turn(answer, talk.search(talk.WARRANTY))], {"grounded": True}).evidence["cut_off"]


GERMAN = "Die Garantie gilt nicht, wenn das Gehäuse der Kamera von Ihnen geöffnet worden ist."
ENGLISH = "The warranty covers manufacturing defects for 24 months."


@pytest.mark.parametrize("answer", [f"{ENGLISH} {GERMAN} Das gilt immer.", f"{GERMAN} Immer. {ENGLISH}"])
def test_of_an_answer_in_two_languages_the_sentences_in_english_are_measured(talk: Any, answer: str) -> None:
    score = talk.one([talk.turn(answer, talk.search(talk.WARRANTY))], {"grounded": True})
    assert (score.value, score.evidence["claims"]) == (1.0, 1)
    assert score.evidence["in_other_languages"] == 2
    left = [one for one in score.evidence["sentences"] if one["text"] != ENGLISH]
    assert {(one["label"], one["why"]) for one in left} == {
        (None, "in another language, and only English is read")
    }


def test_an_answer_wholly_in_another_language_is_not_measured(talk: Any) -> None:
    score = talk.one([talk.turn(GERMAN, talk.search(talk.WARRANTY))], {"grounded": True})
    assert score.value is None
    assert "in another language" in score.reason


# --- whole answers -------------------------------------------------------------------------------------


def risk(answer: str, context: str = SOURCE) -> float:
    return score_answers(["How does it work?"], [context], [answer])[0]


def test_a_context_that_says_nothing_supports_nothing() -> None:
    assert risk("Backups run every 6 hours.", context="") >= THRESHOLD


def test_a_context_supports_itself() -> None:
    assert risk(SOURCE) < THRESHOLD


def test_an_answer_without_claims_is_no_risk() -> None:
    assert score_answers(["", "q"], ["", "c"], ["", "Hello! How can I help?"]) == [0.0, 0.0]


@pytest.mark.parametrize(("right", "wrong"), PAIRS)
def test_a_changed_fact_raises_the_risk(right: str, wrong: str) -> None:
    assert risk(wrong) > risk(right)


def test_a_copied_sentence_adds_less_risk_than_an_invented_one() -> None:
    answer = "Backups run every 6 hours."
    copied = risk(f"{answer} Deleted files stay in the bin for 30 days.")
    invented = risk(f"{answer} Astronauts love the purple submarine of Queen Victoria.")
    assert risk(answer) - 0.02 < copied < invented
    assert copied < THRESHOLD


def test_saying_what_the_context_says_many_times_is_no_more_risk_than_once() -> None:
    once = "Deleted files stay in the bin for 30 days. "
    assert risk(once * 300) <= risk(once) + 0.05


def test_an_invented_answer_is_found() -> None:
    ship = "It sails from Lisbon at 7:45 with 88 sheep and a brass band. Tickets cost 12 doubloons."
    assert risk(f"Astronauts love the purple submarine. {ship}") > THRESHOLD


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
def test_any_texts_have_a_probability(question: str, context: str, answer: str) -> None:
    first = score_answers([question], [context], [answer])
    assert 0.0 <= first[0] <= 1.0
    assert score_answers([question], [context], [answer]) == first


def test_the_coefficients_belong_to_the_features_of_this_version() -> None:
    model = coefficients()
    assert tuple(model.features) == FEATURES
    assert len(model.mean) == len(model.scale) == len(model.weight) == len(FEATURES)


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="1 questions, 2 contexts, 1 answers: there must be as many of each"):
        score_answers(["q"], ["c", "d"], ["a"])


def test_a_row_of_a_table_is_read_under_its_header():
    chunk = (
        "Insurance\n\n| Package | Price a day | Damage: you pay at most |\n| --- | --- | --- |\n"
        "| Basic | 3 euros | 60 euros |\n| Complete | 6 euros | 0 euros |\n\nTake insurance before the ride."
    )
    evidence = Evidence([Passage(chunk)])
    right = support_of("Basic: Price a day 3 euros, Damage: you pay at most 60 euros.", evidence)
    wrong = support_of("Basic: Price a day 3 euros, Damage: you pay at most 90 euros.", evidence)
    other_row = support_of("Basic: Price a day 6 euros, Damage: you pay at most 0 euros.", evidence)
    assert right.supported and right.window
    assert evidence.text(right.window) == "| Basic | 3 euros | 60 euros |"
    assert not wrong.supported
    assert not other_row.supported


def test_that_something_did_not_work_is_no_claim_where_a_call_says_so(talk: Any) -> None:
    output = '{"error": "no table of that size is free"}'
    failed = ToolCall(id="call_1", type="function", name="reserve_table", arguments="{}", output=output)
    said = "Unfortunately, that did not work: no table of that size is free."

    assert talk.one([talk.turn(said, failed)], {"grounded": True}).value is None
    invented = "Unfortunately, that did not work: the kitchen closes at 9."
    assert talk.one([talk.turn(invented, failed)], {"grounded": True}).passed is False


def test_a_row_of_bare_numbers_is_found_among_many_like_it():
    rows = "\n".join(f"{235 + 8 * n} mm | {4 + n} | {37 + n}" for n in range(8))
    evidence = Evidence([Passage(f"Length | UK size | EU size\n{rows}")])
    assert support_of("267 mm: UK size 8, EU size 41.", evidence).supported
    assert not support_of("267 mm: UK size 4, EU size 37.", evidence).supported


@pytest.mark.parametrize("content", [None, b"", b'{"features": ["novel', b'{"features": 3}'])
def test_coefficients_that_are_gone_or_damaged_are_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "lexical.json").write_bytes(content)
    monkeypatch.setattr(lexical, "_folder", lambda: tmp_path)
    coefficients.cache_clear()
    try:
        with pytest.raises(ScorerError, match=r"lexical\.json can't be read") as caught:
            score_answers(["q"], ["The plan costs 12 dollars."], ["The plan costs 12 dollars."])
        assert caught.value.hint == "install the package again"
    finally:
        coefficients.cache_clear()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"answers": ["a", None]}, "answers[1] is None; it must be a text"),
        ({"contexts": ["c", 7]}, "contexts[1] is int 7; it must be a text"),
        ({"questions": "qq"}, "questions must be a list of texts, one for each answer, not str 'qq'"),
        ({"answers": None}, "answers must be a list of texts, one for each answer, not None"),
    ],
)
def test_what_is_no_list_of_texts_is_refused_by_argument_and_place(given: dict[str, Any], told: str) -> None:
    rows: dict[str, Any] = {"questions": ["q", "q"], "contexts": ["c", "c"], "answers": ["a", "a"]}
    with pytest.raises(TypeError) as caught:
        score_answers(**(rows | given))
    assert told in str(caught.value)


COPIED = "Free accounts store up to 5 GB of files."
INVENTED = "The Marmaduke tier adds 700 GB and a personal zeppelin hangar in Ulaanbaatar."


def test_the_end_of_a_very_long_answer_is_judged_too() -> None:
    filling = " ".join(f"Backups run every 6 hours for folder {name}." for name in map(_word, range(3_000)))
    long = f"{filling} {INVENTED}"
    assert len(long) > 60_000
    assert score_answers([""], [SOURCE], [long])[0] > score_answers([""], [SOURCE], [COPIED])[0]
    assert "Ulaanbaatar" in condensed(long, set())


def _word(number: int) -> str:
    return "".join("abcdefghij"[int(digit)] for digit in f"{number:04}")


def test_a_sentence_said_ten_thousand_times_is_judged_as_if_said_once() -> None:
    once, often = score_answers([""] * 2, [SOURCE] * 2, [COPIED, " ".join([COPIED] * 10_000)])
    assert once == often


@given(st.lists(st.text("ab .!\n|-", max_size=40), max_size=30), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_a_condensed_answer_is_short_and_says_nothing_of_its_own(parts: list[str], times: int) -> None:
    long = "\n\n".join(f"{part} {index}" for index in range(times * 40) for part in (*parts, "word."))
    short = condensed(long, set())
    assert short == long or (len(short) <= LONGEST_READ and set(short.split()) <= set(long.split()))


def test_the_header_of_a_table_claims_nothing_and_its_rows_do() -> None:
    table = "| Plan | Storage |\n| --- | ---: |\n| Free | 5 GB |\n| Team | 80 GB |"
    assert [one.kind for one in sorted_out(table)] == ["heading", "empty", "claim", "claim"]


def test_colours_of_a_terminal_are_no_numbers() -> None:
    coloured = "\x1b[1;31mFree accounts\x1b[0m store up to \x1b[38;5;208m5 GB\x1b[0m of files."
    plain, found = score_answers([""] * 2, [SOURCE] * 2, [COPIED, coloured])
    assert found < THRESHOLD
    assert abs(found - plain) < 0.2
    [sentence] = sorted_out(coloured)
    assert coloured[sentence.start : sentence.end].endswith("of files.")
    assert "31" not in sentence.text
    five, thirty = score_answers(
        [""] * 2, ["\x1b[31mThe limit is 5 GB.\x1b[0m"] * 2, ["It is 5 GB.", "31 GB."]
    )
    assert five < thirty


def test_what_a_colour_spells_in_the_evidence_supports_no_number() -> None:
    evidence = Evidence([Passage("The box weighs \x1b[31m5 kg\x1b[0m.")])
    assert support_of("The box weighs 5 kg.", evidence).supported
    assert "31" in support_of("The box weighs 31 kg.", evidence).why


# --- what any scorer of grounding must do ------------------------------------------------------------------

LINES = [line.strip() for line in SOURCE.replace(". ", ".\n").split("\n")]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("others", [LINES[:1], LINES[2:4]])
def test_adding_a_copied_sentence_never_raises_the_risk(line: str, others: list[str]) -> None:
    before, after = (" ".join(part) for part in (others, [*others, line]))
    first, second = score_answers([""] * 2, [SOURCE] * 2, [before, after])
    assert second <= first + 0.01


def test_a_changed_number_or_an_added_not_raises_the_risk() -> None:
    right = "Deleted files stay in the bin for 30 days."
    changed = [
        "Deleted files stay in the bin for 45 days.",
        "Deleted files do not stay in the bin for 30 days.",
    ]
    low, *high = score_answers([""] * 3, [SOURCE] * 3, [right, *changed])
    assert all(low < one for one in high)


@pytest.mark.parametrize(
    ("right", "wrong"), [pair for pair in PAIRS if abs(len(pair[0]) - len(pair[1])) <= 2]
)
def test_of_two_answers_of_one_length_the_wrong_one_is_the_greater_risk(right: str, wrong: str) -> None:
    low, high = score_answers([""] * 2, [SOURCE] * 2, [right, wrong])
    assert low < high


ODD = {
    "empty": "",
    "blank": " \n\t ",
    "controls": "".join(map(chr, range(32))) + "\x7f\x9b\ufeff\u202e",
    "surrogate": "files \ud800 stay",
    "code only": "```python\nlimit = 50\n```",
    "an open fence": "```" + "limit = 50\n" * 500,
    "table only": "| a | b |\n|---|---|\n| 5 GB | 6 GB |",
    "right to left": "الحسابات المجانية تخزن حتى ٥ جيجابايت من الملفات.",
    "mixed": "Free accounts store 5 GB. Les comptes gratuits stockent 5 Go de fichiers dans le nuage.",
    "one word of a megabyte": "a" * 1_000_000,
    "dots": "." * 100_000,
    "colours": "\x1b[" * 50_000,
    "pipes": "|" * 50_000,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_answers_and_contexts_have_a_probability_and_the_same_each_time(name: str) -> None:
    rows = (["Why?"] * 3, [SOURCE, ODD[name], ODD[name]], [ODD[name], COPIED, ODD[name]])
    found = score_answers(*rows)
    assert all(0.0 <= one <= 1.0 for one in found)
    assert score_answers(*rows) == found
