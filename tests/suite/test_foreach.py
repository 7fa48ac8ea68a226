import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import SuiteError, Where
from harness.suite.foreach import Row, Template, placeholders, read_table
from harness.suite.load import load_suite

SUITE = """
suite: each
assistant: bot.yaml
conversations:
  - foreach: rows.csv
    id: "q-{{ id }}"
    tags: ["{{topic}}", all]
    turns:
      - user: "{{ question }}"
        expect:
          escalates: "{{ escalates }}"
          answer: {mentions: ["{{ word }}"], words: {max: "{{ most }}"}}
          calls: [{tool: open_ticket, with: {email: "{{ mail }}"}, times: "{{ times }}"}]
"""
ROWS = (
    "id,topic,question,escalates,word,most,mail,times\n"
    '1,money,"What, exactly?",true,42,10,jo@example.com,2\n'
    "\n"
    '2,other,"Two\nlines",FALSE,true,1.5,007,\n'
)


def filled(template, values, *, typed=False, keeps_text=lambda _: False):
    return Template(template, typed, keeps_text).filled(Row(values, 2))


def test_a_table_makes_one_conversation_of_each_row(place):
    place("rows.csv", ROWS)

    one, two = load_suite(place("s.yaml", SUITE)).conversations

    assert (one.id, one.tags, one.turns[0].user) == ("q-1", ("money", "all"), "What, exactly?")
    assert (two.id, two.tags, two.turns[0].user) == ("q-2", ("other", "all"), "Two\nlines")
    first, second = one.turns[0].expect, two.turns[0].expect
    assert (first.escalates, second.escalates) == (True, False)
    assert first.answer is not None and first.answer.mentions == ("42",)
    assert second.answer is not None and second.answer.mentions == ("true",)
    assert second.answer.words is not None and second.answer.words.max == 1.5
    assert first.calls is not None and first.calls[0].times == 2
    assert second.calls is not None and second.calls[0].times is None
    assert second.calls[0].with_ == {"email": "007"}


def test_json_lines_keep_their_types_lists_and_blocks_included(place):
    rows = [
        {
            "id": 7,
            "past": [{"role": "user", "content": "Hi {{ x }}"}],
            "n": {"max": 3},
            "with": {"email": "1"},
        },
        {"id": "8", "past": [], "n": None, "with": {}, "unused": 1},
    ]
    place("rows.jsonl", "\n".join(json.dumps(row) for row in rows) + "\n\n")

    one, two = load_suite(
        place(
            "s.yaml",
            """
            suite: each
            assistant: bot.yaml
            conversations:
              - foreach: rows.jsonl
                id: "c{{ id }}"
                history: "{{ past }}"
                turns:
                  - user: "Go: {{ n }}"
                    expect: {steps: "{{ n }}", calls: [{tool: open_ticket, with: "{{ with }}"}]}
            """,
        )
    ).conversations

    assert one.history[0].content == "Hi {{ x }}"  # what comes from a row is not looked at again
    assert one.turns[0].user == 'Go: {"max": 3}'
    assert two.turns[0].user == "Go: "
    assert one.turns[0].expect.steps is not None and one.turns[0].expect.steps.max == 3
    assert two.turns[0].expect.steps is None
    assert one.turns[0].expect.calls is not None and one.turns[0].expect.calls[0].with_ == {"email": "1"}


def test_two_plain_braces_are_written_with_a_backslash(place):
    place("rows.csv", "a\nx\n")

    plain, each = load_suite(
        place(
            "s.yaml",
            r"""
            suite: braces
            conversations:
              - {id: a, turns: [{user: 'What does \{{ name }} do?'}]}
              - {foreach: rows.csv, id: b, turns: [{user: '\{{ name }} and {{ a }}'}]}
            """,
        )
    ).conversations

    assert plain.turns[0].user == "What does {{ name }} do?"
    assert each.turns[0].user == "{{ name }} and x"


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("true", True),
        ("False", False),
        ("12", 12),
        ("-3.50", -3.5),
        ("007", "007"),
        ("1e5", "1e5"),
        ("yes", "yes"),
        ("", None),
        (" x ", " x "),
        ("0", 0),
        ("12345678901234567890123", "12345678901234567890123"),
    ],
)
def test_a_cell_alone_takes_the_type_it_looks_like(cell, value):
    result = filled("{{ a }}", {"a": cell})

    assert result == value
    assert type(result) is type(value)
    assert filled("{{ a }}", {"a": cell}, keeps_text=lambda _: True) == (cell or None)
    assert filled("-{{ a }}", {"a": cell}) == "-" + cell


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=1, max_size=4))
def test_cells_come_through_a_longer_text_unchanged(cells):
    values = {f"c{index}": cell for index, cell in enumerate(cells)}
    template = {"text": ["|".join([f"<{{{{ c{index} }}}}>" for index in range(len(cells))])]}

    assert filled(template, values) == {"text": ["|".join(f"<{cell}>" for cell in cells)]}
    assert [name for _, name in placeholders(template)] == list(values)


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=2, max_size=2), min_size=1
    )
)
def test_a_written_table_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    path.write_bytes(stream.getvalue().encode())

    table = read_table(path, Where("s.yaml"))

    assert [[row.values["a"], row.values["b"]] for row in table.rows] == rows
    assert [row.line for row in table.rows] == list(range(2, 2 + len(rows)))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("t.csv", "", "s.yaml:4: 't.csv' has no rows"),
        ("t.csv", "a,b\n", "s.yaml:4: 't.csv' has no rows"),
        ("t.csv", "a,b\n1,2\n1\n", "t.csv:3: 1 cells in this row, but 2 columns"),
        ("t.csv", "a,a\n1,2\n", "t.csv:1: the column 'a' stands twice"),
        ("t.csv", "a,\n1,2\n", "t.csv:1: a column has no name"),
        ("t.csv", "a;b\n1;2\n", "t.csv:1: the cells are not separated by commas"),
        ("t.csv", 'a,b\n"1,2\n', "t.csv:2: not valid CSV: unexpected end of data"),
        ("t.csv", b"a\n\xff\n", "t.csv: not UTF-8 text: invalid start byte"),
        ("t.jsonl", '{"a": 1}\n{"a": \n', "t.jsonl:2: not valid JSON: Input data was truncated"),
        ("t.jsonl", '{"a": 1}\n[1]\n', "t.jsonl:2: not a JSON object"),
        ("t.jsonl", "\n", "s.yaml:4: 't.jsonl' has no rows"),
        ("t.txt", "a", "s.yaml:4: foreach needs a .csv or .jsonl file, not 't.txt'"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(write, name, content, problem):
    with pytest.raises(SuiteError) as caught:
        read_table(write(name, content), Where("s.yaml", 4))

    assert str(caught.value.problems[0]).splitlines()[0] == problem


def test_a_table_may_begin_with_a_byte_order_mark_and_end_lines_as_windows_does(write):
    table = read_table(write("t.csv", b"\xef\xbb\xbfa,b\r\n1,2\r\n"), Where("s.yaml"))

    assert (table.columns, table.rows) == (("a", "b"), (Row({"a": "1", "b": "2"}, 2),))


def test_mistakes_in_a_template_come_once_and_those_of_a_row_name_it(mistakes, place):
    place("rows.csv", "id,question,escalates\n1,Hello,true\n2,Why?,maybe\n3,,maybe\n")

    assert mistakes("""
        suite: each
        assistant: bot.yaml
        conversations:
          - foreach: rows.csv
            id: same
            turns: [{user: "{{ question }}", expct: {}, expect: {escalates: "{{ escalates }}"}}]
        """) == [
        "s.yaml:6:9: the conversation id 'same' is used twice\n"
        "    hint: the first is in line 6; ids are unique in a suite",
        "s.yaml:7:20: user must be text, not nothing (null), from rows.csv:4\n"
        "    hint: leave the key out, or give it a value",
        "s.yaml:7:38: unknown key 'expct' in an entry of turns\n"
        "    hint: did you mean 'expect'? Allowed here: user, attach, returning, forget, deadline_s, expect",
        "s.yaml:7:69: expect.escalates must be true, false, must, must_not, may or a block with expected, "
        "by_turn, not_before, evidence, with, at_most, not 'maybe', from rows.csv:3 (and 1 more row)\n"
        "    hint: did you mean 'may'?",
    ]


def test_unknown_columns_are_found_together_with_the_other_mistakes_of_the_template(mistakes, place):
    place("rows.csv", "id,question\n1,Hello\n")

    assert mistakes("""
        suite: each
        assistant: bot.yaml
        conversations:
          - {foreach: rows.csv, id: "{{ idd }}", repeats: "{{ zz }}", turn: [{user: "{{ question }}"}]}
          - {foreach: row.csv, id: "{{ x }}", turns: [{user: "{{ y }}"}]}
          - {foreach: rows.csv, id: x, turns: [{user: y}]}
          - {foreach: , id: x, turns: [{user: y}]}
        """) == [
        "s.yaml:5:5: an entry of conversations has no 'turns'\n"
        "    hint: add turns: the user's messages, in order",
        "s.yaml:5:29: 'rows.csv' has no column 'idd'\n    hint: did you mean 'id'? Columns: id, question",
        "s.yaml:5:51: 'rows.csv' has no column 'zz'\n    hint: columns: id, question",
        "s.yaml:5:63: unknown key 'turn' in an entry of conversations\n    hint: did you mean 'turns'? "
        "Allowed here: id, cluster, tags, quarantine, as, repeats, deadline_s, escalation, history, turns, "
        "expect, perturb, foreach",
        "s.yaml:6:15: no file 'row.csv'\n    hint: did you mean 'rows.csv'? It lies in the same folder",
        "s.yaml:7:15: foreach without any {{ column }}: every row would say the same\n"
        "    hint: columns: id, question",
        "s.yaml:8:15: foreach must be a .csv or .jsonl file, not nothing (null)",
    ]


def test_a_value_nested_too_deep_to_be_sent_is_refused(mistakes, place):
    place("rows.jsonl", '{"a": ' + "[" * 250 + "]" * 250 + "}")

    assert mistakes("""\
        suite: deep
        conversations:
          - foreach: rows.jsonl
            id: a
            turns: [{user: x, expect: {calls: [{tool: t, with: {a: "{{ a }}"}}]}}]
        """) == ["s.yaml:1:1: a value of this file cannot be used: recursion limit exceeded"]


def test_a_number_of_json_lines_is_text_where_only_text_makes_sense(place):
    place("rows.jsonl", '{"n": 7, "cites": true, "low": 0.5}\n')
    path = place(
        "s.yaml",
        """\
        suite: s
        assistant: bot.yaml
        conversations:
          - foreach: rows.jsonl
            id: "{{ n }}"
            turns:
              - user: "{{ low }}"
                expect: {answer: {mentions: ["{{ n }}"]}, cites: "{{ cites }}", grounded: {min: "{{ low }}"}}
        """,
    )
    [conversation] = load_suite(path).conversations
    [turn] = conversation.turns
    assert (conversation.id, turn.user, turn.expect.answer.mentions) == ("7", "0.5", ("7",))
    assert (turn.expect.cites, turn.expect.grounded.min) == (True, 0.5)
