"""Long lists of YAML files in pieces: what is cut apart says what the whole says."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.yamlfile import pieces
from harness.yamlfile.pieces import cut
from harness.yamlfile.source import parse_source

plain = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | plain,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


def put_together(text):
    """The list of a file, read from its pieces."""
    found = cut(text, "talks")
    assert found is not None
    return [entry for piece, count in found for entry in entries(piece, count)]


def entries(piece, count):
    data = parse_source(piece, "s.yaml").data
    assert len(data) == count
    return data


@given(st.lists(values, min_size=1, max_size=8), st.integers(1, 200), st.sampled_from([None, '"', "|", ">"]))
def test_a_list_is_the_same_in_pieces(drawn, size, style):
    text = "name: x\ntalks:\n" + yaml.dump(drawn, default_style=style, allow_unicode=True, width=40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "_PIECE", size)
        assert put_together(text) == parse_source(text, "s.yaml").data["talks"]


@pytest.mark.parametrize(
    "text",
    [
        "talks:\n  - a\n  - b\nname: x\n",
        "talks: # all of them\n\n# first\n  - a\n# second\n  - b: |\n      - no entry\n\n# last\n",
        "talks:\r\n- a\r\n- b\r\n- \r\n  c: 1\r\nname: x\r\n",
        "talks:\n-\n  a: 1\n- - b\n  - c\n- 'long\n  text'\n",
        "talks:\n  - >\n   folded\n\n   text\n\n  - [a,\n     b]",
    ],
)
def test_remarks_empty_lines_and_texts_of_many_lines_stay_with_their_entry(text):
    assert put_together(text) == parse_source(text, "s.yaml").data["talks"]


def test_what_stands_around_the_list_keeps_its_place():
    found = cut("name: x\ntalks:\n  - a\n  - b\n\nrest: y\n", "talks")

    assert found is not None
    frame = parse_source(found.frame, "s.yaml")
    assert frame.data == {"name": "x", "talks": None, "rest": "y"}
    assert frame.where(("rest",)).line == 6


@pytest.mark.parametrize(
    "text",
    ["", "talks: []\n", "talks: [a, b]\n", "talks: &all\n- a\n", "talks:\n", "talks:\n  a: 1\n", "- talks\n"],
)
def test_a_list_that_is_written_otherwise_is_left_whole(text):
    assert cut(text, "talks") is None
