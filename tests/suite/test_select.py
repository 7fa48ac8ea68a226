from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import SettingsError
from harness.suite.records import Conversation, Suite, Turn
from harness.suite.select import select


def suite(name, **conversations):
    talks = (Conversation(id=id_, tags=tags, turns=(Turn(user="Hi"),)) for id_, tags in conversations.items())
    return Suite(name=name, source=Path(f"{name}.yaml"), variant=None, conversations=tuple(talks))


SUITES = [suite("shop", pay=("money", "smoke"), send=("post",)), suite("help", pay=("smoke",), reset=())]


def chosen(**asked):
    return [f"{each.name}/{talk.id}" for each in select(SUITES, **asked) for talk in each.conversations]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["shop/pay", "shop/send", "help/pay", "help/reset"]),
        ({"tags": ["smoke"]}, ["shop/pay", "help/pay"]),
        ({"tags": ["money", "post"]}, ["shop/pay", "shop/send"]),
        ({"ids": ["pay"]}, ["shop/pay", "help/pay"]),
        ({"ids": ["shop/*"]}, ["shop/pay", "shop/send"]),
        ({"ids": ["*se*"]}, ["shop/send", "help/reset"]),
        ({"ids": ["help/reset", "send"]}, ["shop/send", "help/reset"]),
        ({"tags": ["smoke"], "ids": ["help/*"]}, ["help/pay"]),
    ],
)
def test_conversations_are_chosen_by_tag_and_id(asked, found):
    assert chosen(**asked) == found


def test_an_id_with_brackets_is_found_as_it_is_written():
    assert select([suite("s", **{"a[1]": ()})], ids=["a[1]"])[0].conversations[0].id == "a[1]"


def test_an_unknown_tag_names_the_nearest():
    with pytest.raises(SettingsError, match="no conversation has the tag 'smok'") as caught:
        select(SUITES, tags=["smok"])

    assert caught.value.hint == "did you mean 'smoke'? Tags: money, post, smoke"


def test_an_id_that_fits_nothing_names_the_nearest():
    with pytest.raises(SettingsError, match="no conversation fits 'rest'") as caught:
        select(SUITES, ids=["pay", "rest"])

    assert caught.value.hint == "did you mean 'reset'? Ids: pay, send, pay, reset"


@settings(deadline=None)
@given(
    st.sets(st.sampled_from(["money", "smoke", "post"])), st.sets(st.sampled_from(["pay", "s*", "help/*"]))
)
def test_selecting_again_changes_nothing(tags, ids):
    once = select(SUITES, tags=sorted(tags), ids=[])

    assert select(once, tags=sorted(tags)) == once
    assert set(chosen(tags=sorted(tags), ids=sorted(ids))) <= set(chosen(tags=sorted(tags)))
