"""Data as lines: texts come back exactly, other readers of YAML see the same, damage is named by line."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.trace.lines import read, written

LOOK_ALIKES = [
    *(
        "yes",
        "null",
        "~",
        "1e3",
        "0x1f",
        "12:30:00",
        "2026-01-01",
        "- a",
        "a: b",
        "# no",
        "|",
        "|-",
        ">",
        "---",
    ),
    *(
        "{}",
        "[]",
        "!!str x",
        "&a",
        "*a",
        "<<",
        '"',
        "'",
        "\\",
        "\\n",
        "\\\n",
        "a\\\nb\\",
        "@x",
        "`x",
        "%TAG",
        "",
    ),
    *(
        " a\n b",
        "a\n\n",
        "\na",
        "a \nb",
        "\tx\ny",
        "x\n\ty",
        "a\r\nb",
        "\x00\x1b[31m",
        "\u2028\u2029\x85",
        "\ufeff",
    ),
    *("\u202eevil", "a\n  b\n c", "a\nb\n", "\n", "\n\n", " ", "<<<<<<< ours\na", "a: |\n  b", "😀\n😀"),
]
texts = st.one_of(
    st.sampled_from(LOOK_ALIKES),
    st.text(st.characters(), max_size=60),
    st.lists(
        st.sampled_from(["a", " ", "\n", "\t", "\\", '"', "#", "-", ":", "|", "\r", "é"]), max_size=20
    ).map("".join),
)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


def data_of(text: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Data as deep and mixed as JSON can be."""
    leaves = plain | text
    inner = st.recursive(
        leaves,
        lambda each: st.lists(each, max_size=4) | st.dictionaries(text, each, max_size=4),
        max_leaves=15,
    )
    return st.dictionaries(text, inner, min_size=1, max_size=4)


def _paired(text: str) -> bool:
    """Whether a high half of a pair stands right before a low one."""
    return any("\ud800" <= a <= "\udbff" and "\udc00" <= b <= "\udfff" for a, b in pairwise(text))


@given(data_of(texts))
def test_what_is_written_is_read_back_exactly(data: dict[str, Any]) -> None:
    text = written(data)
    back = read(text)
    assert (back.data, back.flaws) == (data, [])
    assert written(back.data) == text


@given(
    st.text(st.characters(categories=["Cs", "Ll", "Cc", "Zs", "Po"]), max_size=30).filter(
        lambda t: not _paired(t)
    )
)
def test_halves_of_surrogate_pairs_and_control_characters_survive_in_plain_sight(value: str) -> None:
    text = written({"text": value})
    text.encode("utf-8")
    assert read(text).data == {"text": value}
    assert all(
        character.isprintable() or character in "\n\t\xa0\u3000" or character.isspace() for character in text
    )


@given(data_of(texts))
def test_other_readers_of_yaml_see_the_same_data(data: dict[str, Any]) -> None:
    class Loader(yaml.SafeLoader):
        """Without the rules of YAML 1.1 for plain values that JSON does not share."""

    Loader.yaml_implicit_resolvers = {
        first: [
            (tag, rule)
            for tag, rule in rules
            if not tag.endswith(("timestamp", "merge", "value", "float", "int"))
        ]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    numbers_as_text = yaml.load(written(_numbers_as_text(data)), Loader=Loader)
    assert numbers_as_text == _numbers_as_text(data)


def _numbers_as_text(data: Any) -> Any:
    """Numbers are left to JSON: readers of YAML differ about 1e22."""
    if isinstance(data, dict):
        return {key: _numbers_as_text(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_numbers_as_text(value) for value in data]
    return data if isinstance(data, str | bool) or data is None else str(data)


def test_a_line_of_a_megabyte_is_one_line() -> None:
    data = {"long": "x" * 1_000_000, "many": "y\n" * 100_000}
    assert read(written(data)).data == data


def test_paragraphs_stand_as_they_are() -> None:
    assert written({"text": "First: one.\n\n  Second # two.", "next": [1, "a"]}) == (
        'text: |-\n  First: one.\n\n    Second # two.\nnext: [1, "a"]\n'
    )


def test_a_changed_word_changes_one_line() -> None:
    before = written({"a": "one \ntwo\nthree ", "b": [{"c": 1, "d": "x" * 100}]}).split("\n")
    after = written({"a": "one \nzwei\nthree ", "b": [{"c": 1, "d": "x" * 100}]}).split("\n")
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_every_damaged_line_is_named_and_the_rest_is_read() -> None:
    text = 'a: 1\nb: nonsense\n<<<<<<< ours\nc: "open\n    lost: 1\nd:\n  - {"e": 1}\n  f: 2\na: 3\n\tg: 1\n'
    back = read(text)
    assert [flaw.line for flaw in back.flaws] == [2, 3, 4, 5, 8, 9, 10]
    assert back.data["a"] == 1
    assert "merge conflict" in back.flaws[1].message
    assert "stands twice" in back.flaws[5].message


@pytest.mark.parametrize(
    "text", ["a: NaN\n", "a: -Infinity\n", "a:\n", "a: |", 'a: "x\\', 'a: "x\\\n', "- 1\n"]
)
def test_what_would_never_be_written_is_a_flaw(text: str) -> None:
    assert read(text).flaws


@given(data_of(texts), st.data())
def test_no_damage_makes_the_reader_fail(data: dict[str, Any], draw: st.DataObject) -> None:
    text = written(data)
    cut = draw.draw(st.integers(0, len(text)))
    back = read(
        text[:cut] + draw.draw(st.sampled_from(["", "\n", ":", "- ", '"', "\\", "  ", "|"])) + text[cut + 1 :]
    )
    assert all(1 <= flaw.line <= text.count("\n") + 2 for flaw in back.flaws)


def test_nesting_without_end_is_a_flaw() -> None:
    deep = "\n".join(f"{'  ' * level}a:" for level in range(500))
    assert "nested" in read(deep).flaws[0].message
    assert read("a: " + "[" * 100_000).flaws


def test_a_place_leads_to_its_line() -> None:
    back = read(written({"a": [{"b": {"c": 1}, "d": "x\ny"}, {"e": 2}]}))
    assert [back.line(place) for place in (("a", 0, "b", "c"), ("a", 1), ("a", 0, "nothing"), ())] == [
        3,
        7,
        2,
        1,
    ]
