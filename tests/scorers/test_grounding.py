from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scorers.claims import sorted_out
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
    with pytest.raises(ValueError, match="longer"):
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
