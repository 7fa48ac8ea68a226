import json
import string
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.errors import SuiteError
from harness.suite.assistants import existing_assistant, load_variant
from harness.suite.expecting import merged
from harness.suite.load import load_suite, load_suites
from harness.suite.records import AnswerExpectation, Expect, GroundedExpectation, SuiteFile

ONE = """
suite: one
assistant: bot.yaml
conversations:
  - id: a
    turns: [{user: Hello}]
"""


# --- what a suite becomes ---------------------------------------------------------------------------------


def test_a_suite_is_loaded_with_its_assistant_and_everything_written_out(load):
    suite = load("""
        suite: whole
        description: All keys of a suite.
        assistant: bot.yaml
        repeats: 3
        tools:
          open_ticket:
            - {when: {priority: high}, returns: {id: T-1}}
            - {times: 1, fails: down}
            - {returns: [1, 2.5, null, true]}
        conversations:
          - id: talk
            cluster: prices
            tags: [smoke, money]
            as: jo
            repeats: 2
            history:
              - {role: user, content: Earlier.}
              - {role: assistant, content: Indeed.}
            turns:
              - user: What does it cost?
                attach: [{file: sales.csv}, {file: documents/guide.txt, tools: [file_search]}]
                expect: {cites: [prices.txt], answer: {mentions: [euros], words: {max: 50}}}
              - user: Open a ticket.
                returning: true
                expect:
                  calls: [{tool: open_ticket, with: {priority: {one_of: [low, high]}}, times: 1}]
            expect: {escalates: {by_turn: 2}}
        """)

    talk = suite.conversations[0]
    assert (suite.name, suite.repeats, suite.source) == ("whole", 3, Path("suite.yaml"))
    assert suite.variant is not None and suite.variant.name == "bot"
    assert suite.stubs["open_ticket"][2].returns == [1, 2.5, None, True]
    assert (talk.id, talk.cluster, talk.tags, talk.as_, talk.repeats) == (
        "talk",
        "prices",
        ("smoke", "money"),
        "jo",
        2,
    )
    assert [message.content for message in talk.history] == ["Earlier.", "Indeed."]
    assert talk.turns[0].attach[1].tools == ("file_search",)
    assert talk.turns[1].returning
    assert talk.turns[1].expect.calls is not None
    assert talk.turns[1].expect.calls[0].with_ == {"priority": {"one_of": ["low", "high"]}}
    assert talk.expect.status is None
    assert len(suite.fingerprint) == 64


def test_a_turn_without_expectations_must_be_completed(load):
    assert load(ONE).conversations[0].turns[0].expect == Expect(status="completed")


def test_a_suite_may_leave_its_assistant_to_the_command_line(load):
    assert load(ONE.replace("assistant: bot.yaml\n", "")).variant is None


def test_an_assistant_given_by_the_caller_takes_the_place_of_the_files_own(place):
    path = place("suite.yaml", ONE.replace("bot.yaml", "not-there.yaml"))

    assert load_suite(path, variant=load_variant(Path("bot.yaml"), name="other")).variant.name == "other"


def test_an_assistant_id_stands_for_one_that_exists_and_is_checked_no_further(load):
    suite = load("""
        suite: remote
        assistant: asst_abc123
        conversations:
          - {id: a, turns: [{user: Hi, expect: {grounded: true, calls: [{tool: anything}]}}]}
        """)

    assert suite.variant is not None
    assert suite.variant.assistant_id == "asst_abc123"


# --- defaults ---------------------------------------------------------------------------------------------


def test_the_suites_expectations_hold_for_every_turn_unless_it_says_otherwise(load):
    suite = load("""
        suite: defaults
        assistant: bot.yaml
        expect: {grounded: {min: 0.9}, latency_s: {max: 20}, answer: {omits: [sorry], matches: b}}
        conversations:
          - id: a
            turns:
              - user: as the suite says
              - {user: replaced, expect: {grounded: {min: 0.5}, status: failed}}
              - {user: switched off, expect: {grounded: null, latency_s: }}
              - {user: parts of the answer, expect: {answer: {mentions: [x], matches: null}}}
              - {user: nothing at all, expect: null}
            expect: null
        """)

    first, replaced, off, parts, nothing = (turn.expect for turn in suite.conversations[0].turns)
    assert first.grounded == GroundedExpectation(min=0.9)
    assert first.status == "completed"
    assert (replaced.grounded, replaced.status) == (GroundedExpectation(min=0.5), "failed")
    assert (off.grounded, off.latency_s) == (None, None)
    assert off.answer == AnswerExpectation(omits=("sorry",), matches="b")
    assert parts.answer == AnswerExpectation(omits=("sorry",), mentions=("x",))
    assert all(getattr(nothing, key) in (None, ()) for key in Expect.model_fields)
    assert suite.conversations[0].expect == Expect()


def test_a_check_that_a_turn_switches_off_is_no_longer_required_by_the_defaults():
    default = Expect(grounded=True, cites=True, requires=("cites", "grounded"))

    assert merged(default, Expect(cites=None)).requires == ("grounded",)
    assert merged(default, Expect(requires=())).requires == ()


blocks = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from([None, "completed", "failed"]),
        "grounded": st.sampled_from([None, True, False]),
        "cites": st.sampled_from([None, True, ["a.txt"]]),
        "searches": st.sampled_from([None, True, False]),
        "answer": st.sampled_from([None, {"mentions": ["x"]}, {"omits": ["y"], "matches": None}]),
        "steps": st.sampled_from([None, {"max": 3}]),
    },
).map(Expect.model_validate)


@settings(deadline=None)
@given(blocks, blocks)
def test_merging_keeps_what_the_turn_says_and_fills_in_the_rest(default, own):
    result = merged(default, own)

    for key in set(Expect.model_fields) - {"status", "answer", "requires"}:
        source = own if key in own.model_fields_set else default
        assert getattr(result, key) == getattr(source, key)
    said = own.model_fields_set | default.model_fields_set
    assert "status" in said or result.status == "completed"
    assert merged(result, own) == result


# --- files and folders ------------------------------------------------------------------------------------


def test_a_folder_means_its_suites_and_passes_over_other_yaml(place):
    for name in ("b", "a/c", "a/a"):
        place(f"tests/{name}.yaml", ONE.replace("one", name).replace("assistant: bot.yaml", ""))
    place("tests/d.yml", ONE.replace("one", "d").replace("assistant: bot.yaml", ""))
    place("tests/notes.yaml", "just: notes")
    place("tests/list.yaml", "- 1")
    place("tests/template.yaml", "{% broken")
    place("tests/readme.md", "suite: not yaml")

    suites = load_suites([Path("tests"), Path("tests/b.yaml")])

    assert [suite.name for suite in suites] == ["a/a", "a/c", "b", "d"]


def test_the_folder_suites_is_meant_when_nothing_is_named(place):
    place("suites/one.yaml", ONE.replace("bot", "../bot"))

    assert [suite.name for suite in load_suites()] == ["one"]


def test_a_named_file_must_be_a_suite(place):
    with pytest.raises(SuiteError) as caught:
        load_suites([place("notes.yaml", "just: notes"), place("list.yaml", "- 1"), Path("gone.yaml")])

    assert [str(problem).splitlines()[0] for problem in caught.value.problems] == [
        "gone.yaml: no file 'gone.yaml'",
        "list.yaml:1:1: a suite file is a block with suite and conversations, not a list of 1",
        "notes.yaml:1:1: the file has no 'conversations'",
        "notes.yaml:1:1: the file has no 'suite'",
        "notes.yaml:1:1: unknown key 'just' in the file",
    ]


def test_a_broken_file_in_a_folder_is_reported_when_it_speaks_of_a_suite(place):
    place("tests/one.yaml", "suite: one\nconversations: [")

    with pytest.raises(SuiteError, match=r"tests/one.yaml:3:1: a value is missing"):
        load_suites([Path("tests")])


def test_a_folder_without_suites_is_a_mistake(place):
    place("docs/readme.md", "")

    with pytest.raises(SuiteError, match="no suite files"):
        load_suites([Path("docs")])


def test_two_suites_of_one_name_are_a_mistake(place):
    place("tests/a.yaml", ONE.replace("bot", "../bot"))
    place("tests/b.yaml", ONE.replace("bot", "../bot"))

    with pytest.raises(SuiteError, match=r"b.yaml:2:8: the suite name 'one' is taken by 'tests/a.yaml'"):
        load_suites([Path("tests")])


def test_the_mistakes_of_all_files_are_raised_together_once_each(place):
    place("tests/bot.yaml", "name: Bot\nmodle: m")
    place("tests/a.yaml", ONE.replace("one", "a"))
    place("tests/b.yaml", ONE.replace("one", "b").replace("user", "usr"))

    with pytest.raises(SuiteError) as caught:
        load_suites([Path("tests")])

    assert [str(problem).splitlines()[0] for problem in caught.value.problems] == [
        "tests/b.yaml:6:13: an entry of turns has no 'user'",
        "tests/b.yaml:6:14: unknown key 'usr' in an entry of turns",
        "tests/bot.yaml:1:1: the file has no 'model'",
        "tests/bot.yaml:2:1: unknown key 'modle' in the file",
    ]


# --- a file with many mistakes ----------------------------------------------------------------------------

BAD = """\
suite: bad
assistant: bot.yaml
repeats: 0
expect: {groundd: true, latency_s: {min: 3, max: 1}}
tools:
  open_tickt:
    - {returns: 1}
conversations:
  - id: one
    turns:
      - user: 5.10
        expect: {escalates: yes, cites: guide.txt}
      - user: hello
        attach: [{file: sale.csv}]
        expect: {answer: {matches: "(?i"}, cites: [guid.txt], requires: [answr]}
      - expct: 1
      - user: third
        expect:
          calls:
            - {tool: open_ticket, with: {mail: a, priority: urgent, email: 3}}
            - {tool: opn_ticket}
  - id: one
    tags: smoke
    turns: [{user: "hi {{ x }}", expect: {status: complete}}]
    expect: {escalates: {by_turn: 4}, tokens: {}}
    turns: []
"""

BAD_REPORT = """\
bad.yaml:3:10: repeats must be at least 1, not 0
    hint: How often each conversation is run.
bad.yaml:4:10: unknown key 'groundd' in expect
    hint: did you mean 'grounded'? Allowed here: status, answer, grounded, cites, escalates, calls, \
never_calls, trajectory, searches, runs_code, produces, redirects, abstains, judge, tone, remembers, \
latency_s, tokens, prompt_tokens, completion_tokens, cost_usd, steps, tool_calls, scorers, requires
bad.yaml:4:42: latency_s has min 3 above max 1
    hint: exchange them
bad.yaml:6:3: the assistant has no function 'open_tickt'
    hint: did you mean 'open_ticket'? Functions of the assistant: open_ticket, close_ticket
bad.yaml:11:15: user must be text, not 5.1
    hint: put it in quotes: "5.10"
bad.yaml:12:29: expect.escalates must be true, false, must, must_not, may or a block \
with expected, by_turn, not_before, evidence, with, at_most, not 'yes'
    hint: write true, without quotes
bad.yaml:12:41: expect.cites must be true, false, a list of texts or \
a block with documents, claims, supported, per, not 'guide.txt'
    hint: write a list: [guide.txt]
bad.yaml:14:25: no file 'sale.csv'
    hint: did you mean 'sales.csv'? It lies in the same folder
bad.yaml:15:36: the expression '(?i' cannot be used: missing -, : or ) at position 3
    hint: it is a Python regular expression; a backslash goes into single quotes
bad.yaml:15:52: 'guid.txt' is not among the assistant's documents
    hint: did you mean 'guide.txt'? Documents: guide.txt, prices.txt
bad.yaml:15:74: requires names 'answr', which is not checked here
    hint: did you mean 'answer'? Checked here: status, answer, cites, latency_s
bad.yaml:16:9: an entry of turns has no 'user'
    hint: add user: what the user says
bad.yaml:16:9: unknown key 'expct' in an entry of turns
    hint: did you mean 'expect'? Allowed here: user, attach, returning, forget, deadline_s, expect
bad.yaml:20:42: 'open_ticket' has no argument 'mail'
    hint: did you mean 'email'? Arguments: email, priority, lines
bad.yaml:20:61: priority of 'open_ticket' is never 'urgent'
    hint: allowed: low, high
bad.yaml:20:76: email of 'open_ticket' is string, never 3
    hint: put it in quotes: "3"
bad.yaml:21:22: the assistant has no function 'opn_ticket'
    hint: did you mean 'open_ticket'? Functions of the assistant: open_ticket, close_ticket
bad.yaml:22:9: the conversation id 'one' is used twice
    hint: the first is in line 9; ids are unique in a suite
bad.yaml:23:11: tags must be a list of texts, not 'smoke'
    hint: write a list: [smoke]
bad.yaml:24:20: {{ x }} has no value: this conversation has no foreach
    hint: add foreach: file.csv, or write \\{{ for two plain braces
bad.yaml:24:51: expect.status must be completed, failed, incomplete, cancelled or expired, not 'complete'
    hint: did you mean 'completed'?
bad.yaml:25:35: by_turn is 4, but the conversation has 1 turn
    hint: allowed: 1
bad.yaml:25:47: tokens has no limit
    hint: give min, max or both
bad.yaml:26:5: the key 'turns' stands twice in this block
    hint: the first is in line 24"""


def test_a_file_with_many_mistakes_reports_all_of_them_with_their_places(place):
    with pytest.raises(SuiteError) as caught:
        load_suite(place("bad.yaml", BAD))

    assert "\n".join(str(problem) for problem in caught.value.problems) == BAD_REPORT


# --- anything at all --------------------------------------------------------------------------------------

words = st.sampled_from(
    [
        *SuiteFile.model_fields,
        *Expect.model_fields,
        *[
            "id",
            "turns",
            "user",
            "foreach",
            "history",
            "role",
            "content",
            "as",
            "tool",
            "with",
            "when",
            "times",
        ],
        *[
            "min",
            "max",
            "by_turn",
            "mentions",
            "matches",
            "json_schema",
            "one_of",
            "returns",
            "fails",
            "file",
        ],
        *[
            "open_ticket",
            "email",
            "bot.yaml",
            "guide.txt",
            "rows.csv",
            "{{ a }}",
            "{{ b }}",
            "a{999999}",
            "(",
            "",
        ],
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
blocks_of_expect = st.dictionaries(st.sampled_from(list(Expect.model_fields)), values, max_size=4)
turns = st.fixed_dictionaries(
    {"user": st.text(min_size=1)}, optional={"expect": blocks_of_expect, "attach": values}
)
conversations = st.fixed_dictionaries(
    {"id": words, "turns": st.lists(turns | values, max_size=3)},
    optional={"expect": blocks_of_expect, "foreach": words, "history": values, "tags": values},
)
nearly_suites = st.fixed_dictionaries(
    {"suite": st.just("s"), "conversations": st.lists(conversations | values, max_size=3)},
    optional={
        "expect": blocks_of_expect,
        "tools": values,
        "assistant": words,
        "repeats": values,
        "x": values,
    },
)


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(nearly_suites | values)
@example({"suite": "s", "conversations": [{"id": "a", "turns": [{"user": "u", "expect": {"answer": None}}]}]})
@example({"suite": "s", "conversations": [{"foreach": "rows.csv", "id": "{{ a }}", "turns": "{{ b }}"}]})
@example({"suite": "s", "conversations": [{"id": "a", "turns": [{"user": "u", "attach": [{"file": "\0"}]}]}]})
@example(
    {"suite": "s", "conversations": [{"id": "a", "turns": [{"user": "u", "attach": [{"file": "x" * 999}]}]}]}
)
@example(
    {
        "suite": "s",
        "conversations": [
            {
                "id": "a",
                "turns": [
                    {
                        "user": "u",
                        "expect": {
                            "answer": {"matches": "a{99999999999999999999}", "json_schema": {"$schema": [1]}}
                        },
                    }
                ],
            }
        ],
    }
)
def test_any_data_is_a_suite_or_a_list_of_mistakes(place, data):
    place("rows.csv", "a,b\n1,true\n2,\n")

    check_that_only_suite_errors_come(place("s.yaml", yaml.dump(data, allow_unicode=True)))


@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_a_damaged_suite_is_still_a_suite_or_a_list_of_mistakes(place, data):
    start = data.draw(st.integers(0, len(BAD)))
    end = data.draw(st.integers(start, min(len(BAD), start + 40)))
    damage = data.draw(st.text(alphabet=string.printable, max_size=8))

    check_that_only_suite_errors_come(place("s.yaml", (BAD[:start] + damage + BAD[end:]).encode()))


@settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_in_words(place, raw):
    check_that_only_suite_errors_come(place("s.yaml", raw))


def check_that_only_suite_errors_come(path):
    try:
        suite = load_suite(path)
    except SuiteError as error:
        assert error.problems
        places = [(problem.where.file, problem.where.line or 0) for problem in error.problems]
        assert places == sorted(places)
        assert len(set(error.problems)) == len(error.problems)
    else:
        assert suite.conversations and suite.fingerprint


# --- fingerprints -----------------------------------------------------------------------------------------

FULL = {
    "suite": "s",
    "assistant": "bot.yaml",
    "repeats": 2,
    "expect": {"grounded": True},
    "tools": {"open_ticket": [{"returns": {"id": 1, "ok": True}}]},
    "conversations": [
        {
            "id": "a",
            "tags": ["t"],
            "cluster": "c",
            "turns": [{"user": "Hi", "attach": [{"file": "sales.csv"}]}],
        }
    ],
}


def fingerprint(place, data=FULL, **changes):
    return load_suite(place("suite.yaml", yaml.dump({**data, **changes}))).fingerprint


def test_the_fingerprint_ignores_how_a_suite_is_written_filed_and_repeated(place):
    before = fingerprint(place)

    assert (
        load_suite(
            place(
                "other/name.yaml",
                "# hello\n"
                + json.dumps(FULL)
                .replace('"bot.yaml"', '"../bot.yaml"')
                .replace('"sales.csv"', '"../sales.csv"'),
            ),
            variant=None,
        ).fingerprint
        != before
    )  # another path is sent
    assert load_suite(place("name.yaml", "# hello\n" + json.dumps(FULL))).fingerprint == before
    assert fingerprint(place, suite="renamed", repeats=5, description="new") == before
    retagged = [{**FULL["conversations"][0], "tags": ["u"], "cluster": "d"}]
    assert fingerprint(place, conversations=retagged) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"expect": {"grounded": {"min": 0.8}}},
        {"expect": None},
        {"tools": {"open_ticket": [{"returns": {"id": 2, "ok": True}}]}},
        {"tools": {}},
        {"conversations": [{**FULL["conversations"][0], "id": "b"}]},
        {"conversations": [{**FULL["conversations"][0], "as": "jo"}]},
        {"conversations": [{**FULL["conversations"][0], "turns": [{"user": "Hi!"}]}]},
    ],
)
def test_the_fingerprint_changes_with_what_is_sent_or_expected(place, changes):
    assert fingerprint(place, **changes) != fingerprint(place)


def test_the_fingerprint_changes_with_the_bytes_of_an_attached_file(place):
    before = fingerprint(place)
    place("sales.csv", "month,revenue\n1,101\n")

    assert fingerprint(place) != before


def test_the_collector_of_garbage_is_left_as_it_was(place):
    import gc

    load_suite(place("suite.yaml", ONE))
    assert gc.isenabled()
    with pytest.raises(SuiteError):
        load_suite(place("suite.yaml", "x"))
    assert gc.isenabled()


def test_an_assistant_known_by_its_id_hands_over_as_the_suites_own_file_says(place):
    own = "name: Own\nmodel: m\nescalation: {phrases: [One moment please]}\n"
    place("own.yaml", own)
    text = "suite: s\nassistant: own.yaml\nconversations: [{id: a, turns: [{user: hi}]}]\n"
    suite = load_suite(place("s.yaml", text), variant=existing_assistant("asst_1"))
    assert suite.variant
    assert (suite.variant.assistant_id, suite.variant.name) == ("asst_1", "asst_1")
    assert suite.variant.assistant.escalation.phrases == ("One moment please",)


def test_a_file_for_an_existing_assistant_says_itself_what_a_hand_over_is(place):
    place("own.yaml", "name: Own\nmodel: m\nescalation: {phrases: [One moment please]}\n")
    live = load_variant(place("live.yaml", "id: asst_1\nescalation: {phrases: [Please hold]}\n"))
    text = "suite: s\nassistant: own.yaml\nconversations: [{id: a, turns: [{user: hi}]}]\n"
    suite = load_suite(place("s.yaml", text), variant=live)
    assert suite.variant
    assert suite.variant.assistant.escalation.phrases == ("Please hold",)


def test_turns_and_conversations_have_the_nearest_deadline(place):
    suite = load_suite(
        place(
            "s.yaml",
            """
suite: s
assistant: bot.yaml
deadline_s: 30
conversations:
  - {id: a, turns: [{user: x}, {user: y, deadline_s: 2}]}
  - {id: b, deadline_s: 5, turns: [{user: x}]}
""",
        )
    )
    assert [each.deadline_s for each in suite.conversations] == [30, 5]
    assert [[turn.deadline_s for turn in each.turns] for each in suite.conversations] == [[30, 2], [5]]
