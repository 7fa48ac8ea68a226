"""Suites in Python: loaded like YAML ones, every mistake with the line of the Python file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import SuiteError
from harness.suite.load import load_suite, load_suites
from harness.suite.records import CodedConversation, Suite
from harness.suite.select import select

HEAD = """\
from harness import Suite

"""


@pytest.fixture
def load_python(place: Callable[..., Path]) -> Callable[[str], Suite]:
    """The suite of a Python text that begins in line 3."""
    return lambda text: load_suite(place("s.py", HEAD + text))


@pytest.fixture
def python_mistakes(place: Callable[..., Path]) -> Callable[[str], str]:
    """Every mistake of such a text, rendered."""

    def found(text: str) -> str:
        with pytest.raises(SuiteError) as caught:
            load_suites([place("s.py", HEAD + text)])
        return "\n".join(str(problem) for problem in caught.value.problems)

    return found


PLAIN = """\
s = Suite("s", assistant="bot.yaml", expect={"grounded": {"min": 0.5}}, repeats=2)

@s.conversation(tags=["smoke"], cluster="c", expect={"escalates": {"by_turn": 3}}, most_turns=5)
async def asks_for_a_price(talk):
    await talk.say("What does it cost?", expect={"cites": ["prices.txt"]})

@s.conversation
async def says_hello(talk):
    await talk.say("Hello")
"""


def test_decorated_functions_are_the_conversations(load_python: Callable[[str], Suite]) -> None:
    suite = load_python(PLAIN)
    first, second = suite.conversations
    assert isinstance(first, CodedConversation) and first.function is not None
    assert (suite.name, suite.repeats) == ("s", 2)
    assert (first.id, first.tags, first.cluster, first.most_turns) == (
        "asks-for-a-price",
        ("smoke",),
        "c",
        5,
    )
    assert second.id == "says-hello"
    assert [each.id for each in select([suite], tags=["smoke"])[0].conversations] == ["asks-for-a-price"]


def test_rows_make_a_conversation_each_and_give_the_function_what_it_names(
    place: Callable[..., Path], load_python: Callable[[str], Suite]
) -> None:
    place("plans.csv", "id,plan,price,note\nsmall,Starter,5,x\nlarge,Team,12.5,\n")
    suite = load_python("""\
s = Suite("s", assistant="bot.yaml")

@s.conversation(rows="plans.csv")
async def price(talk, plan, price): ...

@s.conversation(id="mine", rows=[{"word": word} for word in ("a", "b")])
async def other(talk, word="c"): ...
""")
    found = {each.id: each.row for each in suite.conversations if isinstance(each, CodedConversation)}
    assert found == {
        "price-small": {"plan": "Starter", "price": 5},
        "price-large": {"plan": "Team", "price": 12.5},
        "mine-1": {"word": "a"},
        "mine-2": {"word": "b"},
    }


def test_a_deadline_is_the_conversations_own_or_the_suites(load_python: Callable[[str], Suite]) -> None:
    suite = load_python("""\
s = Suite("s", assistant="bot.yaml", deadline_s=30)

@s.conversation
async def one(talk): ...

@s.conversation(deadline_s=5)
async def two(talk): ...
""")
    assert [each.deadline_s for each in suite.conversations] == [30, 5]


def test_python_functions_are_stubs(load_python: Callable[[str], Suite]) -> None:
    suite = load_python("""\
def open_one(**arguments):
    return "T-1"

s = Suite("s", assistant="bot.yaml", tools={
    "open_ticket": [{"when": {"priority": "low"}, "call": open_one}, {"nth": 2, "fails": "down"}],
    "close_ticket": lambda: None,
})

@s.conversation
async def talks(talk): ...
""")
    assert [stub.call for stub in suite.stubs["open_ticket"]] == ["open_one", None]
    assert suite.functions["open_one"]() == "T-1"
    assert suite.functions["<lambda>"]() is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def broken(:\n", "s.py:3: cannot be imported: SyntaxError"),
        ("x = 1\ny = x.nothing\n", "s.py:4: cannot be imported: AttributeError"),
        ("x = 1\n", "s.py: this file makes no suite"),
        ("raise SystemExit(3)\n", "s.py:3: cannot be imported: SystemExit: 3"),
        ('s = Suite("s", assistant="bot.yaml")\n', "s.py:3:5: the suite has no conversations"),
    ],
)
def test_a_file_that_is_no_suite_says_why(
    python_mistakes: Callable[[str], str], text: str, problem: str
) -> None:
    assert problem in python_mistakes(text)


def suite_with(suite: str = "", conversation: str = "", body: str = "...", signature: str = "talk") -> str:
    return f"""\
s = Suite("s", assistant="bot.yaml"{suite})

@s.conversation({conversation})
async def talks({signature}):
    {body}
"""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (suite_with(suite=', expect={"grnded": True}'), "s.py:3:46: unknown key 'grnded' in expect"),
        (suite_with(suite=", repeats=0"), "s.py:3:46: repeats must be at least 1, not 0"),
        (suite_with(suite=', tools={"opn": [{"returns": 1}]}'), "s.py:3:45: the assistant has no function"),
        (
            suite_with(suite=', tools={"open_ticket": lambda: 1}'),
            "s.py:3:60: '<lambda>' does not take 'email'",
        ),
        (suite_with(suite=", expect={'answer': {'mentions': [object()]}}"), "a object can't stand here"),
        (suite_with(suite=', faults="none.yaml"'), "s.py:3:45: no file 'none.yaml'"),
        (suite_with(conversation="tags=[1]"), "s.py:5:23: an entry of tags must be text, not 1"),
        (suite_with(conversation="most_turns=0"), "s.py:5:28: most_turns must be at least 1, not 0"),
        (
            suite_with(conversation='expect={"escalates": {"by_turn": 30}}'),
            "s.py:5:50: by_turn is 30, but the conversation has 20 turns",
        ),
        (suite_with(conversation='id="a", rows=[{"x": 1}]', signature="talk, y"), "no column 'y'"),
        (suite_with(conversation='rows="none.csv"'), "s.py:5:22: no file 'none.csv'"),
        (
            suite_with(conversation='rows=[{"id": 1}, {"id": 1}]'),
            "the conversation id 'talks-1' is used twice",
        ),
        (suite_with(signature=""), "'talks' has no parameter for the talk"),
        (suite_with(signature="talk, y"), "'talks' needs 'y', and there are no rows"),
        (suite_with().replace("async def", "def"), "'talks' must be an async function"),
        (
            suite_with(body='await talk.say("a", expect={"cites": ["guid.txt"]})'),
            "s.py:7:43: 'guid.txt' is not among the assistant's documents",
        ),
        (
            suite_with(body='await talk.say("a", expect={"answer": {"mention": ["x"]}})'),
            "s.py:7:44: unknown key 'mention' in expect.answer",
        ),
        (
            suite_with(body='await talk.until(print, expect={"calls": [{"tool": "opn"}]})'),
            "s.py:7:56: the assistant has no function 'opn'",
        ),
        (suite_with(body='await talk.say("a", attach=["none.csv"])'), "s.py:7:33: no file 'none.csv'"),
    ],
)
def test_mistakes_are_named_with_their_line_and_column(
    python_mistakes: Callable[[str], str], text: str, problem: str
) -> None:
    assert problem in python_mistakes(text)


def test_a_folder_gives_its_python_suites_and_leaves_other_python_alone(place: Callable[..., Path]) -> None:
    place("suites/assistant.txt", "no suite")
    place("suites/a/one.py", HEAD + PLAIN.replace('"s"', '"one"').replace("bot.yaml", "../../bot.yaml"))
    place("suites/a/helper.py", "raise RuntimeError('this must not be run')\n")
    place(
        "suites/b.yaml", "{suite: two, assistant: ../bot.yaml, conversations: [{id: a, turns: [{user: x}]}]}"
    )
    assert sorted(suite.name for suite in load_suites([Path("suites")])) == ["one", "two"]


def test_two_suites_of_one_name_are_a_mistake_across_both_kinds(place: Callable[..., Path]) -> None:
    place("x/one.py", HEAD + PLAIN.replace("bot.yaml", "../bot.yaml"))
    place("x/two.yaml", "{suite: s, assistant: ../bot.yaml, conversations: [{id: a, turns: [{user: x}]}]}")
    with pytest.raises(SuiteError, match="the suite name 's' is taken"):
        load_suites([Path("x")])


@pytest.mark.parametrize("changed", ["s.py", "words_beside.py", "said.txt"])
def test_the_fingerprint_covers_the_file_what_it_imports_beside_it_and_the_files_it_names(
    place: Callable[..., Path], changed: str
) -> None:
    texts = {
        "s.py": "import words_beside\n" + HEAD + PLAIN + '\nSAID = "said.txt"\n',
        "words_beside.py": "WORD = 1\n",
        "said.txt": "hello\n",
    }
    for name, text in texts.items():
        place(name, text)
    before = load_suite(Path("s.py"))
    assert load_suite(Path("s.py")).fingerprint == before.fingerprint
    place(changed, texts[changed] + "# more\n")
    assert load_suite(Path("s.py")).fingerprint != before.fingerprint
