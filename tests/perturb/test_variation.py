"""Conversations with changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.perturb.variation import Edit, asked_of, named
from harness.suite.records import CodedConversation, Perturb, PerturbationKind, Suite

SAID = ("How do I export my data? I am jo@example.com.", "Please open a ticket for jo@example.com")
EDITS = st.lists(
    st.builds(
        Edit,
        kind=st.sampled_from(get_args(PerturbationKind)),
        turn=st.integers(0, 9),
        site=st.integers(0, 999),
        choice=st.integers(0, 99),
    ),
    max_size=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(EDITS)
def test_any_list_of_changes_gives_a_whole_conversation_and_tells_what_it_did(
    make: Any, edits: list[Edit]
) -> None:
    space = make.space(*SAID)
    variation = space.vary(edits)
    assert len(variation.script.turns) == 2
    assert all(turn.user.strip() for turn in variation.script.turns)
    assert len(variation.applied) <= len(edits)
    assert bool(variation.applied) == (variation != space.vary([]))
    assert variation == space.vary(edits)


def test_another_address_takes_the_place_of_one_everywhere_in_what_is_expected_too(make: Any) -> None:
    call = {"tool": "open_ticket", "with": {"user_email": "jo@example.com"}}
    turns = [{"user": text, "expect": {"calls": [call]}} for text in SAID]
    space = make.space(turns=turns, expect={"answer": {"mentions": ["jo@example.com"]}})
    variation = space.vary([Edit("emails")])
    [(old, new)] = variation.renamed
    script = variation.script
    assert old == "jo@example.com" and new != old
    assert all(old not in turn.user and new in turn.user for turn in script.turns)
    assert script.turns[1].expect.calls is not None and script.expect.answer is not None
    assert script.turns[1].expect.calls[0].with_ == {"user_email": new}
    assert script.expect.answer.mentions == (new,)
    assert script.turns[0].expect.model_fields_set == {"calls"}


def test_a_document_with_an_injection_is_attached_and_holds_the_users_own_question(make: Any) -> None:
    variation = make.space(*SAID).vary([Edit("document", turn=1)])
    [attached] = variation.script.turns[1].attach
    assert SAID[1] in Path(attached.file).read_text("utf-8")
    assert attached.tools == ("file_search",)
    again = make.space(*SAID).vary([Edit("document", turn=1)])
    assert again.script.turns[1].attach == (attached,)


def test_kinds_that_the_words_or_the_assistant_do_not_allow_are_not_tried(make: Any) -> None:
    kinds = make.space("Hello").kinds
    assert not {"emails", "order", "synonyms"} & set(kinds)
    make.assistant = make.assistant.model_copy(update={"tools": ()})
    assert "document" not in make.space("Hello").kinds and "document" in kinds


def test_a_conversations_own_words_on_variations_go_before_the_suites(make: Any, tmp_path: Path) -> None:
    suite = Suite(
        name="s", source=tmp_path, variant=None, perturb=Perturb(kinds=("typos",), keeps=("outcome",))
    )
    own = asked_of(suite, make.conversation("Hello", perturb={"keeps": ["tools"]}))
    assert own is not None
    assert (own.kinds, own.keeps) == (("typos",), ("tools",))
    assert asked_of(suite, make.conversation("Hello", perturb=False)) is None
    assert asked_of(suite, CodedConversation(id="c")) is None


def test_a_variation_keeps_the_cluster_of_its_conversation_and_has_an_id_of_its_own(make: Any) -> None:
    space = make.space("Hello there")
    script = named(space.vary([Edit("typos")]), space.conversation, 3)
    assert (script.id, script.cluster, script.tags) == ("c~3", "c", ("perturbed",))
