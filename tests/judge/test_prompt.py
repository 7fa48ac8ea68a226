"""What a judge is asked: one question, evidence that can't speak for the harness, and orders that change."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import material_in, rubric

from harness.judge import prompt
from harness.judge.material import Material
from harness.suite.records import Rubric

TALK = (("user", "Where is my order?"),)


def asked(rule: Rubric, *, turned: bool = False, answer: str | None = "Soon.", **more: Any) -> dict[str, Any]:
    return prompt.request(rule, Material(TALK, answer, **more), "j", turned=turned, seed=1)


def text(body: dict[str, Any]) -> str:
    return str(body["messages"][1]["content"])


def test_the_request_has_rubric_labels_and_material() -> None:
    body = asked(rubric(labels={"kind": "warm", "cold": "curt"}), reference="On Friday.")
    assert "Is it kind?" in text(body)
    assert "- kind: warm\n- cold: curt\n- abstain:" in text(body)
    assert material_in(body) == {
        "talk": [{"who": "user", "says": "Where is my order?"}],
        "reference": "On Friday.",
        "answer": "Soon.",
    }


def test_every_second_vote_sees_the_labels_in_the_other_order() -> None:
    rule = rubric(labels=["kind", "cold", "rude"])
    assert "- kind\n- cold\n- rude\n- abstain" in text(asked(rule))
    assert "- rude\n- cold\n- kind\n- abstain" in text(asked(rule, turned=True))


def test_two_answers_change_their_places_and_nothing_says_whose_they_are() -> None:
    rule = rubric(compares=True)
    plain = material_in(asked(rule, against="Never."))
    turned = material_in(asked(rule, against="Never.", turned=True))
    assert (plain["first"], plain["second"]) == ("Soon.", "Never.")
    assert (turned["first"], turned["second"]) == ("Never.", "Soon.")
    assert "answer" not in plain and "against" not in plain


def test_a_whole_conversation_is_judged_as_such() -> None:
    body = asked(rubric(), answer=None)
    assert "as a whole" in text(body) and "answer" not in material_in(body)


@given(st.text())
def test_no_answer_can_end_its_quotation(answer: str) -> None:
    body = asked(rubric(), answer=answer)
    assert material_in(body)["answer"] == answer


def test_the_schema_takes_the_labels_and_abstaining_and_nothing_else() -> None:
    schema = prompt.response_format(rubric(scale=3))["json_schema"]["schema"]
    for label in ("1", "2", "3", "abstain"):
        jsonschema.validate({"reason": "", "label": label}, schema)
    for wrong in ({"label": "1"}, {"reason": "", "label": "4"}, {"reason": "", "label": "1", "more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


@pytest.mark.parametrize(
    "change",
    [
        {"asks": "Is it kind"},
        {"labels": ["pass", "fail"]},
        {"pass": ["fail"]},
        {"votes": 5},
        {"shows": ["calls"]},
        {"scale": 5},
        {"compares": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_decides_what_is_asked_or_counted_makes_another_rubric(change: dict[str, Any]) -> None:
    assert prompt.fingerprint(rubric(**change)) != prompt.fingerprint(rubric())


def test_the_model_is_no_part_of_the_rubric_but_of_what_was_asked() -> None:
    assert prompt.fingerprint(rubric(model="x")) == prompt.fingerprint(rubric())
    material = Material(TALK, "Soon.")
    assert prompt.asked(rubric(), material, "a") != prompt.asked(rubric(), material, "b")
    assert prompt.asked(rubric(), material, "a") != prompt.asked(rubric(), Material(TALK, "Soon"), "a")


def test_what_is_written_out_or_left_to_its_default_is_the_same_rubric() -> None:
    plain = rubric(labels=["a", "b"])
    assert prompt.fingerprint(plain) == prompt.fingerprint(rubric(labels=["a", "b"], **{"pass": ["a"]}))


def test_labels_written_as_a_list_or_with_meanings_are_different_rubrics_in_their_order() -> None:
    one, other = rubric(labels=["a", "b"], **{"pass": "a"}), rubric(labels=["b", "a"], **{"pass": "a"})
    assert prompt.fingerprint(one) != prompt.fingerprint(other)
    one = rubric(labels={"a": "x", "b": "y"}, **{"pass": "a"})
    other = rubric(labels={"b": "y", "a": "x"}, **{"pass": "a"})
    assert prompt.fingerprint(one) != prompt.fingerprint(other)
