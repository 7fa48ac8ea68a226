"""Suites read a few conversations at a time: the same as read whole, in a fraction of the memory."""

import gc
import json
import string
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import SuiteError
from harness.suite import defaults, load
from harness.suite.expecting import merged
from harness.suite.load import load_suite
from harness.suite.packed import PackedConversations
from harness.suite.streaming import NotPlain, open_stream

SUITES = sorted((Path(__file__).parents[2] / "suites").glob("*/*.yaml"))

MANY = """\
suite: many
assistant: bot.yaml
deadline_s: 9
escalation: {costs: {missed: 7}}
expect: {grounded: {min: 0.7}, answer: {mentions: [button]}}
conversations:
# the first
- id: a
  tags: [smoke]
  turns:
  - user: "What does
      - it cost?"
    expect: {answer: {mentions: [euros], words: {max: 50}}, requires: [answer]}
  - user: |
      Open a ticket:
      - now
    returning: true
    deadline_s: 3
    expect: {calls: [{tool: open_ticket, with: {priority: {one_of: [low, high]}}, times: 1}]}
  expect: {escalates: {by_turn: 2}}
  perturb: false
- {id: b, as: jo, turns: [{user: Hello,
   expect: null}]}
- foreach: rows.jsonl
  id: "c-{{ id }}"
  turns: [{user: "{{ says }}", expect: {escalates: "{{ over }}"}}]
repeats: 2
"""


@pytest.fixture
def whole(monkeypatch):
    """Loads a suite as one with unusual spelling is loaded: with the place of every value."""

    def refuse(path):
        raise NotPlain

    def load_whole(path):
        with monkeypatch.context() as patch:
            patch.setattr(load, "open_stream", refuse)
            return load_suite(path)

    return load_whole


@pytest.fixture
def many(place):
    rows = [{"id": 1, "says": "It broke", "over": False}, {"id": 2, "says": "Call me", "over": "may"}]
    place("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return place("many.yaml", MANY)


def same(one, other):
    assert one == other
    assert one.fingerprint == other.fingerprint
    for mine, theirs in zip(one.conversations, other.conversations, strict=True):
        assert mine.model_dump_json(exclude_unset=True) == theirs.model_dump_json(exclude_unset=True)


def test_a_suite_is_the_same_read_in_parts_and_whole(many, whole):
    assert open_stream(many).file.repeats == 2
    suite = load_suite(many)

    same(suite, whole(many))
    assert [each.id for each in suite.conversations] == ["a", "b", "c-1", "c-2"]
    assert [turn.deadline_s for turn in suite.conversations[0].turns] == [9, 3]


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_the_sample_suites_are_the_same_read_in_parts_and_whole(path, whole):
    open_stream(path)
    same(load_suite(path), whole(path))


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_a_damaged_suite_means_the_same_read_in_parts_and_whole(many, place, whole, data):
    start = data.draw(st.integers(0, len(MANY)))
    end = data.draw(st.integers(start, min(len(MANY), start + 30)))
    damage = data.draw(st.text("\"'[]{}-&*|>:# \n" + string.ascii_lowercase[:3], max_size=6))
    path = place("damaged.yaml", (MANY[:start] + damage + MANY[end:]).encode())
    try:
        expected = whole(path)
    except SuiteError as error:
        with pytest.raises(SuiteError) as caught:
            load_suite(path)
        assert caught.value.problems == error.problems
    else:
        same(load_suite(path), expected)


def test_quarantines_are_filled_in_like_other_defaults_and_kept(place, whole):
    until = datetime.now(UTC).date() + timedelta(days=30)
    text = f"""\
        suite: s
        assistant: bot.yaml
        quarantine: {{until: {until}, reason: flaky, tags: [slow]}}
        conversations:
        - {{id: a, tags: [slow], turns: [{{user: Hi}}]}}
        - {{id: b, turns: [{{user: Hi}}], quarantine: {{until: {until}, reason: broken}}}}
        - {{id: c, turns: [{{user: Hi}}]}}
        """
    path = place("s.yaml", text)
    suite = load_suite(path)

    same(suite, whole(path))
    assert [each.quarantine and each.quarantine.reason for each in suite.conversations] == [
        "flaky",
        "broken",
        None,
    ]
    stream = open_stream(path)
    assert len(list(stream.conversations(None, Path(), until))) == 3
    with pytest.raises(NotPlain):
        list(stream.conversations(None, Path(), until + timedelta(days=1)))


def test_what_looks_like_the_list_inside_a_quoted_text_is_not_read_as_one(place, mistakes):
    text = 'suite: s\nassistant: bot.yaml\ndescription: "\nconversations:\n- id: a\n"\nconversations: ~\n'
    assert "conversations" in str(mistakes(text))


def test_an_alias_of_something_far_off_is_found(place):
    place(
        "s.yaml",
        "suite: s\nassistant: bot.yaml\nexpect: &all {answer: {mentions: [a]}}\n"
        "conversations:\n- {id: a, turns: [{user: Hi}], expect: *all}\n",
    )
    assert load_suite(Path("s.yaml")).conversations[0].expect.answer is not None


def test_conversations_are_a_sequence_like_any_other(many):
    found = load_suite(many).conversations
    assert isinstance(found, PackedConversations)

    assert len(found) == 4
    assert found[-1] == found[3] == list(found)[3]
    assert [each.id for each in found[1:3]] == ["b", "c-1"]
    assert found == tuple(found) and found != tuple(found)[:3]
    assert [each.id for each in found.some(lambda each: "c" in each.id)] == ["c-1", "c-2"]
    with pytest.raises(IndexError):
        found[4]


def test_expectations_that_many_turns_share_are_one_record(place):
    talks = "".join(f"- {{id: c{n}, turns: [{{user: Hi {n}}}]}}\n" for n in range(4))
    suite = load_suite(place("s.yaml", f"suite: s\nassistant: bot.yaml\nconversations:\n{talks}"))
    assert len({id(each.turns[0].expect) for each in suite.conversations}) == 1


def test_what_the_rows_of_a_table_expect_alike_is_made_once_and_no_conversation_twice(place, monkeypatch):
    made = []
    monkeypatch.setattr(defaults, "merged", lambda *both: made.append(both) or merged(*both))
    monkeypatch.setattr(PackedConversations, "_unpacked", lambda *_: pytest.fail("made again"))

    suite = load_suite(written(place, 50, spelt=False))

    assert (len(suite.conversations), len(made)) == (50, 1)


def test_an_expectation_that_differs_from_row_to_row_is_each_rows_own(place):
    rows = "".join(json.dumps({"id": n, "word": word}) + "\n" for n, word in enumerate("abab"))
    place("rows.jsonl", rows)
    turn = "{user: Hi, expect: {answer: {mentions: ['{{ word }}']}}}"
    talks = f"- {{foreach: rows.jsonl, id: 'c{{{{ id }}}}', turns: [{turn}]}}\n"

    suite = load_suite(place("s.yaml", f"suite: s\nassistant: bot.yaml\nconversations:\n{talks}"))

    said = [each.turns[0].expect.answer.mentions for each in suite.conversations]
    assert said == [("a",), ("b",), ("a",), ("b",)]


@pytest.mark.parametrize("turns", ["Hi", "[Hi]", "[[Hi]]", "{user: Hi}", "[~]", "[{user: Hi, expect: 3}]"])
def test_turns_that_are_none_are_named_with_their_place(mistakes, turns):
    (mistake,) = mistakes(f"suite: s\nassistant: bot.yaml\nconversations:\n- id: a\n  turns: {turns}\n")
    assert mistake.startswith("s.yaml:5:")


@pytest.mark.parametrize("spelt", [True, False], ids=["yaml", "jsonl"])
def test_each_further_conversation_takes_less_than_3_kb_while_a_suite_is_loaded(place, spelt):
    load_suite(written(place, 1, spelt=spelt))
    few, many = (peak_of(written(place, count, spelt=spelt)) for count in (500, 1500))
    assert (many - few) / 1000 < 3000


def written(place, count, *, spelt):
    """A suite of so many conversations, with three turns each that all differ."""
    says = [
        [f"What about number {n} of the {word} list?" for word in ("red", "blue", "long")]
        for n in range(count)
    ]
    if not spelt:
        place(
            "rows.jsonl",
            "".join(json.dumps({"id": n, "a": a, "b": b, "c": c}) + "\n" for n, (a, b, c) in enumerate(says)),
        )
        turns = "".join(
            f"  - {{user: '{{{{ {key} }}}}', expect: {{answer: {{mentions: [x]}}}}}}\n" for key in "abc"
        )
        talks = f"- foreach: rows.jsonl\n  id: 'c{{{{ id }}}}'\n  turns:\n{turns}"
    else:
        talks = "".join(
            f"- id: c{n}\n  turns:\n"
            + "".join(
                f"  - {{user: '{text}', expect: {{answer: {{mentions: ['{text[-10:]}']}}}}}}\n"
                for text in three
            )
            for n, three in enumerate(says)
        )
    return place("s.yaml", f"suite: s\nassistant: bot.yaml\nconversations:\n{talks}")


def peak_of(path):
    gc.collect()
    tracemalloc.start()
    try:
        suite = load_suite(path)
        assert len(suite.conversations) >= 500
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_mistake_far_down_is_named_with_its_place(mistakes):
    talks = "".join(f"- id: c{number}\n  turns: [{{user: Hi}}]\n" for number in range(3000))
    head = "suite: s\nassistant: bot.yaml\nconversations:\n"

    found = mistakes(f"{head}{talks}- id: c7\n  tag: x\n  turns: [{{user: Hi}}]\n")

    assert [each.splitlines()[0] for each in found] == [
        "s.yaml:6004:7: the conversation id 'c7' is used twice",
        "s.yaml:6005:3: unknown key 'tag' in an entry of conversations",
    ]
