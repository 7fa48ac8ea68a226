import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.errors import SuiteError, Where
from harness.yamlfile.source import MAX_DEPTH, _loader, parse_source, read_source


def problems_of(text):
    try:
        return [str(problem) for problem in parse_source(text, "f").problems]
    except SuiteError as error:
        return [str(problem) for problem in error.problems]


def first_line(text):
    return problems_of(text)[0].splitlines()[0]


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs", "Cc"])), inner, max_size=4)
    ),
    max_leaves=20,
)


class Quoting(yaml.SafeDumper):
    """Writes text in quotes, so that its type does not depend on the reader's rules."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@settings(deadline=None)
@given(plain)
@example({"<<": {"a": 1}})
@example(["\u2028", "\x85", "\ufeff"])
def test_what_is_written_as_yaml_is_read_back_unchanged(data):
    text = yaml.dump(data, Dumper=Quoting, allow_unicode=True)

    assert parse_source(text, "f").data == data


@settings(deadline=None)
@given(st.text() | st.text(alphabet="[]{}-?:,'\"&*!|>#%@ \n\tab1<~."))
@example("- " * 50_000)
@example("[" * 100_000)
@example("a: &x [*x]")
@example("? ? ? a")
@example("!!python/object/apply:os.system [ls]")
@example("a: !!float x")
def test_any_text_is_read_or_refused_with_a_place(text):
    try:
        source = parse_source(text, "f")
    except SuiteError as error:
        problems = error.problems
    else:
        problems = source.problems
    assert all(problem.where and problem.where.file == "f" for problem in problems)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("2026-01-31", "2026-01-31"),
        ("12:30", "12:30"),
        ("007", "007"),
        ("0", 0),
        ("-12", -12),
        ("0x1f", 31),
        ("5.10", 5.1),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1_000", "1_000"),
        ("~", None),
        ("", None),
        ("null", None),
        ("9" * 400, "9" * 400),
        ("=", "="),
    ],
)
def test_plain_values_mean_what_an_author_expects(written, read):
    value = parse_source(f"a: {written}", "f").data["a"]

    assert value == read
    assert type(value) is type(read)


def test_every_key_and_value_has_its_place():
    source = parse_source("top:\n  - one: 1\n    two: [a, {b: é, c: x}]\n", "f")

    assert source.where(("top", 0, "two", 1, "c")) == Where("f", 2 + 1, 24)
    assert source.where(("top", 0, "two", 1, "c"), key=True) == Where("f", 3, 21)
    assert source.where(("top", 0, "three")) == Where("f", 2, 5)
    assert source.where(()) == Where("f", 1, 1)


def test_an_alias_repeats_a_value_and_a_merge_key_adds_a_block():
    source = parse_source("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\nd: {<<: [*a, {z: 9}]}", "f")

    assert source.data == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": {"x": 1, "y": 2},
        "d": {"x": 1, "y": 2, "z": 9},
    }
    assert source.where(("b", "x")) == Where("f", 1, 11)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\n\tb: 2", "f:2:1: a tab in the indentation"),
        ("a:\n\t- b", "f:2:1: a tab in the indentation"),
        ("a: b: c", "f:1:5: a ': ' where no key can stand"),
        ("a: @b", "f:1:4: text cannot begin with this character"),
        ("a:\n  b: 1\n c: 2", "f:3:2: not a key of this block"),
        ("- a\nb: 1", "f:2:1: a list goes on with something else"),
        ("a: 1\nb\nc: 2", "f:2:1: a line without ': ' where a key must stand"),
        ("a: [1,", "f:2:1: a value is missing here, or a bracket was not closed"),
        ("a: 'x", "f:1:6: the file ends inside a quoted text"),
        ("a: *b", "f:1:4: an alias of nothing"),
        ("a: 1\n---\nb: 2", "f:2:1: a second document begins here"),
        ('a: "\\q"', "f:1:5: not an escape in double quotes"),
        ("a: x\ny: \x01", "f:2:4: the character '\\x01' cannot stand in YAML"),
        ("a: &a [*a]", "f:1:4: an alias stands inside the value it repeats"),
        ("a: !thing b", "f:1:4: the tag !thing has no meaning here"),
        ("a: !!int b", "f:1:4: 'b' is not what its tag !!int says"),
        ("a: {{ b }}", "f:1:5: a key must be text, not a block or list"),
        ("1: a", "f:1:1: a key must be text, not 1"),
        ("yes: 1\n~: a", "f:2:1: a key must be text, not ~"),
        ("a: {<<: 3}", "f:1:9: << must be followed by an alias of a block, or a list of such"),
    ],
)
def test_what_is_not_yaml_is_said_in_plain_words(text, problem):
    assert first_line(text) == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\n\tb: 2", "f:2:1: a tab in the indentation"),
        ("a: b: c", "f:1:5: a ': ' where no key can stand"),
        ("a:\n  b: 1\n c: 2", "f:3:2: not a part of this block"),
        ("a: x\ny: \x01", "f:2:4: the character '\\x01' cannot stand in YAML"),
        ("- " * 5000, "f: blocks and lists are nested more than 100 deep"),
    ],
)
def test_the_parser_in_python_serves_where_the_one_in_c_is_missing(monkeypatch, text, problem):
    monkeypatch.delattr(yaml, "CSafeLoader")
    _loader.cache_clear()
    try:
        source = parse_source("a: [yes, 007, {b: 5.10}]", "f")
        assert source.data == {"a": ["yes", "007", {"b": 5.1}]}
        assert source.where(("a", 2, "b")) == Where("f", 1, 19)
        assert first_line(text) == problem
    finally:
        _loader.cache_clear()


def test_several_slips_of_one_file_are_all_found():
    assert problems_of("a: 1\nb: 2\na: 3\n4: x\nc: !x 1") == [
        "f:3:1: the key 'a' stands twice in this block\n    hint: the first is in line 1",
        "f:4:1: a key must be text, not 4\n    hint: write '4' in quotes",
        "f:5:4: the tag !x has no meaning here\n    hint: leave the tag out",
    ]


def test_deep_nesting_is_refused_however_it_is_written():
    for text in ("[" * 200 + "]" * 200, "- " * 200 + "a", "a: " + "{a: " * 200 + "}" * 200):
        assert f"nested more than {MAX_DEPTH} deep" in first_line(text)
    assert parse_source("[" * 90 + "]" * 90, "f").data


def test_brackets_in_quoted_text_do_not_count_as_nesting():
    assert parse_source("a: '" + "[" * 500 + "'", "f").data == {"a": "[" * 500}


def test_a_handful_of_aliases_that_stand_for_billions_of_values_is_refused():
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]

    assert "aliases make more than" in first_line("\n".join(lines))


def test_a_file_that_is_not_there_names_its_neighbour(write):
    write("suite.yaml", "a: 1")

    with pytest.raises(SuiteError) as caught:
        read_source(write("other.txt", "").with_name("siute.yaml"))

    assert str(caught.value.problems[0]) == (
        "siute.yaml: no file 'siute.yaml'\n    hint: did you mean 'suite.yaml'? It lies in the same folder"
    )


def test_bytes_that_are_not_utf8_are_found(write):
    with pytest.raises(SuiteError, match=r"latin.yaml:2:5: not UTF-8 text: byte 0xe9"):
        read_source(write("latin.yaml", b"\xef\xbb\xbfa: 1\nb: c\xe9d"))


def test_a_byte_order_mark_is_no_part_of_the_text(write):
    assert read_source(write("bom.yaml", b"\xef\xbb\xbfa: 1")).data == {"a": 1}
