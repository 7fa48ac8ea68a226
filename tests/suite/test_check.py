"""What a suite means: each case is one conversation (or one suite) and the first mistake found in it."""

import pytest

from harness.errors import SuiteError
from harness.suite.load import load_suite


def turn(expect):
    return f"""
suite: s
assistant: bot.yaml
conversations:
  - id: a
    turns:
      - user: Hello
        expect: {expect}
"""


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        (
            "{answer: {matches: '['}}",
            "s.yaml:8:36: the expression '[' cannot be used: unterminated character set",
        ),
        (
            "{answer: {matches: 'a{99999999999}'}}",
            "s.yaml:8:36: the expression 'a{99999999999}' cannot be used",
        ),
        (
            "{answer: {json_schema: {type: objct}}}",
            "s.yaml:8:40: not a JSON Schema: type: 'objct' is not valid",
        ),
        ("{answer: {words: {min: 9, max: 1}}}", "s.yaml:8:40: words has min 9 above max 1"),
        (
            "{answer: {mentions: [Yes], omits: [no, yes]}}",
            "s.yaml:8:56: 'yes' must be mentioned and left out",
        ),
        ("{cites: [guide.pdf]}", "s.yaml:8:26: 'guide.pdf' is not among the assistant's documents"),
        (
            "{redirects: true, cites: true}",
            "s.yaml:8:42: an answer that turns the question away cites nothing",
        ),
        (
            "{produces: [image], runs_code: false}",
            "s.yaml:8:28: nothing can be produced without running code",
        ),
        ("{escalates: {by_turn: 1}}", "s.yaml:8:29: by_turn counts the turns of a conversation"),
        ("{escalates: {expected: must_not, at_most: 2}}", "s.yaml:8:50: at_most says how to hand over"),
        ("{escalates: {with: {e_mail: x}}}", "s.yaml:8:37: 'open_ticket' has no argument 'e_mail'"),
        ("{escalates: {with: {priority: hihg}}}", "s.yaml:8:47: priority of 'open_ticket' is never 'hihg'"),
        (
            "{escalates: {expected: musnt}}",
            "s.yaml:8:40: expect.escalates.expected must be must, must_not or may",
        ),
        ("{calls: [{tool: opn_ticket}]}", "s.yaml:8:33: the assistant has no function 'opn_ticket'"),
        ("{never_calls: [opn]}", "s.yaml:8:32: the assistant has no function 'opn'"),
        (
            "{calls: [{tool: open_ticket}], never_calls: [open_ticket]}",
            "s.yaml:8:33: 'open_ticket' must be called and must not be called at once",
        ),
        (
            "{calls: [{tool: open_ticket, with: {e_mail: x}}]}",
            "s.yaml:8:53: 'open_ticket' has no argument 'e_mail'",
        ),
        (
            "{calls: [{tool: open_ticket, with: {priority: {one_of: [low, top]}}}]}",
            "s.yaml:8:78: priority of 'open_ticket' is never 'top'",
        ),
        (
            "{calls: [{tool: open_ticket, with: {email: {matches: '('}}}]}",
            "s.yaml:8:70: matches has a regular expression that cannot be read",
        ),
        (
            "{calls: [{tool: open_ticket, with: {email: {matches: 'a{99999999999}'}}}]}",
            "s.yaml:8:60: a regular expression cannot be used",
        ),
        (
            "{calls: [{tool: open_ticket, with: {email: {min: 3, max: 1}}}]}",
            "s.yaml:8:60: no number is at least 3 and at most 1",
        ),
        (
            "{calls: [{tool: open_ticket, with: {email: {matchs: x}}}]}",
            "s.yaml:8:61: 'matchs' is no matcher",
        ),
        ("{latency_s: {max: 1, min: 2}}", "s.yaml:8:43: latency_s has min 2 above max 1"),
        ("{cost_usd: {}}", "s.yaml:8:28: cost_usd has no limit"),
        ("{requires: [grounded]}", "s.yaml:8:29: requires names 'grounded', which is not checked here"),
        (
            "{grounded: null, requires: [grounded]}",
            "s.yaml:8:45: requires names 'grounded', which is not checked",
        ),
        ("{answer: {sentences: {min: 9, max: 1}}}", "s.yaml:8:44: sentences has min 9 above max 1"),
        ("{answer: {characters: {}}}", "s.yaml:8:39: characters has no limit"),
        ("{answer: {language: xx}}", "s.yaml:8:37: expect.answer.language must be"),
        ("{answer: {similar: {to: ' '}}}", "s.yaml:8:41: similar needs a text to compare with"),
        ("{answer: {similar: {to: x, by: sound}}}", "s.yaml:8:48: expect.answer.similar.by must be meaning"),
        (
            "{cites: {documents: [guide.pdf]}}",
            "s.yaml:8:38: 'guide.pdf' is not among the assistant's documents",
        ),
        ("{cites: {claims: {min: 2}}}", "s.yaml:8:40: expect.cites.claims.min must be at most 1, not 2"),
        (
            "{calls: [{tool: open_ticket, times: {min: 3, max: 1}}]}",
            "s.yaml:8:59: times has min 3 above max 1",
        ),
        (
            "{calls: [{tool: open_ticket, json_schema: {type: objct}}]}",
            "s.yaml:8:59: not a JSON Schema: type: 'objct' is not valid",
        ),
        ("{never_calls: [{tool: opn}]}", "s.yaml:8:39: the assistant has no function 'opn'"),
        (
            "{never_calls: [{tool: open_ticket, with: {priority: top}}]}",
            "s.yaml:8:69: priority of 'open_ticket' is never 'top'",
        ),
        ("{trajectory: {steps: [opn]}}", "s.yaml:8:39: the assistant has no function 'opn'"),
        ("{trajectory: {steps: []}}", "s.yaml:8:38: expect.trajectory.steps must have at least 1 entry"),
        (
            "{trajectory: {steps: [{tool: file_search, with: {query: x}}]}}",
            "s.yaml:8:46: file_search has no arguments to compare",
        ),
        (
            "{trajectory: {steps: [{tool: open_ticket, after: [file_search]}, file_search]}}",
            "s.yaml:8:66: after means nothing where the order is 'sequence'",
        ),
        (
            "{trajectory: {order: partial, steps: [{tool: open_ticket, after: [search]}]}}",
            "s.yaml:8:83: no step is called 'search'",
        ),
        (
            "{trajectory: {order: partial, steps: [{tool: open_ticket, after: [open_ticket]}]}}",
            "s.yaml:8:82: 'open_ticket' would have to come before itself",
        ),
        (
            "{trajectory: {steps: [{tool: open_ticket, id: a}, {tool: open_ticket, id: a}]}}",
            "s.yaml:8:91: two steps have the id 'a'",
        ),
        (
            "{trajectory: {steps: [open_ticket], together: [[open_ticket]]}}",
            "s.yaml:8:64: a batch has at least two steps",
        ),
        (
            "{trajectory: {steps: [open_ticket], together: [[open_ticket, close]]}}",
            "s.yaml:8:78: no step is called 'close'",
        ),
        (
            "{trajectory: {order: partial, steps: [" + ", ".join(["open_ticket"] * 13) + "]}}",
            "s.yaml:8:54: a partial order has at most 12 steps, not 13",
        ),
        ("{tone: {jargon: true}}", "s.yaml:8:33: expect.tone.jargon must be"),
        (
            "{tone: {jargon: {terms: [SSO], allowed: [sso]}}}",
            "s.yaml:8:42: 'SSO' is jargon and allowed at once",
        ),
        (
            "{tone: {jargon: {documents: false, abbreviations: false}}}",
            "s.yaml:8:33: nothing counts as jargon here",
        ),
        ("{tone: {reading_ease: {}}}", "s.yaml:8:39: reading_ease has no limit"),
        ("{tool_calls: {max: 1, min: 2}}", "s.yaml:8:44: tool_calls has min 2 above max 1"),
        ("{requires: [requires]}", "s.yaml:8:29: requires names 'requires', which is not checked here"),
    ],
)
def test_an_expectation_that_cannot_be_met_or_checked_is_a_mistake(mistakes, expect, problem):
    found = mistakes(turn(expect))

    assert len(found) == 1
    assert found[0].startswith(problem)


@pytest.mark.parametrize(
    "expect",
    [
        "{answer: {matches: '(?i)[[a-z]b', json_schema: {type: object}, words: {min: 3}}}",
        "{cites: [guide.txt, prices.txt], requires: [cites, status]}",
        "{calls: [{tool: open_ticket, times: 0}], never_calls: [open_ticket, close_ticket]}",
        "{calls: [{tool: open_ticket, with: {priority: {any: true}, email: {matches: '@', contains: x}}}]}",
        "{calls: [{tool: open_ticket, with: {lines: [{one_of: [1]}]}}], cites: false, redirects: true}",
        "{answer: {language: [en, de], similar: {to: [a, b]}, characters: {max: 5}, sentences: {min: 1}}}",
        "{cites: {documents: [guide.txt], claims: {min: 0.5}, supported: {min: 1}, per: paragraph}}",
        "{trajectory: {steps: [file_search, {tool: open_ticket, with: {priority: low}}], min: 0.5}}",
        "{trajectory: {order: partial, steps: [close_ticket, {tool: open_ticket, after: [close_ticket]}]}}",
        "{never_calls: [{tool: open_ticket, with: {priority: low}}, close_ticket]}",
        "{calls: [{tool: open_ticket, exact: true, times: {min: 1}, json_schema: {required: [email]}}]}",
        "{tone: {jargon: {terms: [SSO]}, friendly: true, clear: {min: 0.5}, sentence_words: {max: 20}}}",
        "{runs_code: true, produces: [image, file], escalates: true, searches: true, grounded: {min: 0.5}}",
    ],
)
def test_expectations_that_fit_the_assistant_are_fine(mistakes, expect):
    assert mistakes(turn(expect)) == []


@pytest.mark.parametrize(
    ("assistant", "expect", "problem"),
    [
        ("", "{runs_code: true}", "runs_code needs code_interpreter, which the assistant does not have"),
        ("", "{produces: [image]}", "produces needs code_interpreter, which the assistant does not have"),
        ("", "{searches: true}", "searches needs file_search, which the assistant does not have"),
        ("", "{grounded: true}", "grounded needs file_search, which the assistant does not have"),
        ("", "{cites: [a.txt]}", "cites needs file_search, which the assistant does not have"),
        ("", "{escalates: true}", "escalates cannot be seen"),
        ("", "{escalates: may}", "escalates cannot be seen"),
        (
            "escalation: {phrases: [A colleague will call]}",
            "{escalates: {evidence: both}}",
            "evidence is both, but the assistant's file names no function that hands over",
        ),
        (
            "escalation: {phrases: [A colleague will call]}",
            "{escalates: {at_most: 1}}",
            "at_most needs a function that hands over",
        ),
        (
            "tools: [{type: file_search}]",
            "{cites: true}",
            "cites needs documents, and the assistant has no knowledge",
        ),
        ("tools: [{type: file_search}]", "{grounded: {min: 1}}", "grounded needs documents"),
        ("", "{runs_code: false, grounded: false, cites: false, searches: false, escalates: false}", None),
    ],
)
def test_what_the_assistant_cannot_do_is_not_expected_of_it(mistakes, place, assistant, expect, problem):
    place("small.yaml", f"name: Small\nmodel: m\n{assistant}\n")

    found = mistakes(turn(expect).replace("bot.yaml", "small.yaml"))

    assert len(found) == (problem is not None)
    assert all(problem in each for each in found)


def test_a_document_that_the_user_attaches_can_be_searched_and_cited(mistakes, place):
    place("small.yaml", "name: Small\nmodel: m\ntools: [{type: file_search}]\n")
    talk = """
        suite: s
        assistant: small.yaml
        conversations:
          - id: a
            turns:
              - user: Hello
                attach: [{file: documents/guide.txt, tools: [file_search]}]
                expect: {cites: [guide.txt], grounded: true}
        """

    assert mistakes(talk) == []
    assert mistakes(talk.replace("[guide.txt]", "[prices.txt]")) == [
        "s.yaml:9:26: 'prices.txt' is not among the assistant's documents\n"
        "    hint: did you mean 'guide.txt'? Documents: guide.txt"
    ]


@pytest.mark.parametrize(
    ("attach", "problem"),
    [
        ("{file: sale.csv}", "s.yaml:7:25: no file 'sale.csv'\n    hint: did you mean 'sales.csv'?"),
        ("{file: gone/x.csv}", "s.yaml:7:25: no file 'gone/x.csv'"),
        ("{file: documents}", "s.yaml:7:25: 'documents' is a folder"),
        ("{file: empty.csv}", "s.yaml:7:25: 'empty.csv' is empty"),
        (
            "{file: sales.csv, tools: [search]}",
            "s.yaml:7:44: an entry of tools must be file_search or",
        ),
        ("{}", "s.yaml:7:18: an entry of attach has no 'file'"),
    ],
)
def test_attached_files_must_be_there_and_hold_something(mistakes, place, attach, problem):
    place("empty.csv", "")

    found = mistakes(f"""
suite: s
assistant: bot.yaml
conversations:
  - id: a
    turns:
      - attach: [{attach}]
        user: Hello
""")

    assert len(found) == 1
    assert found[0].startswith(problem)


def test_a_file_is_attached_for_tools_that_the_assistant_has(mistakes, place):
    place("small.yaml", "name: Small\nmodel: m\ntools: [{type: file_search}]\n")

    assert mistakes("""
        suite: s
        assistant: small.yaml
        conversations:
          - {id: a, turns: [{user: Hello, attach: [{file: sales.csv}]}]}
        """) == [
        "s.yaml:5:44: 'sales.csv' is attached for code_interpreter, which the assistant does not have\n"
        "    hint: write tools: [file_search]"
    ]


@pytest.mark.parametrize(
    ("stubs", "problem"),
    [
        ("{opn_ticket: [{returns: 1}]}", "s.yaml:4:9: the assistant has no function 'opn_ticket'"),
        ("{open_ticket: []}", "s.yaml:4:22: no answer is prepared for 'open_ticket'"),
        (
            "{open_ticket: [{}]}",
            "s.yaml:4:23: a stub needs one of returns, returns_each, call, fails, raw, times_out",
        ),
        (
            "{open_ticket: [{returns: 1, fails: x}]}",
            "s.yaml:4:43: a stub answers in one way, not with returns and fails at once",
        ),
        (
            "{open_ticket: [{returns: 1}, {returns: 2}]}",
            "s.yaml:4:37: this answer of 'open_ticket' is never given",
        ),
        (
            "{open_ticket: [{when: {prio: 1}, returns: 1}]}",
            "s.yaml:4:31: 'open_ticket' has no argument 'prio'",
        ),
        (
            "{open_ticket: [{when: {priority: 1}, returns: 1}]}",
            "s.yaml:4:41: priority of 'open_ticket' is never 1",
        ),
        ("{open_ticket: {returns: 1}}", "s.yaml:4:22: tools.open_ticket must be a list of blocks"),
        ("{open_ticket: [{times: 0, returns: 1}]}", "s.yaml:4:31: times must be at least 1, not 0"),
    ],
)
def test_stubs_answer_functions_that_exist_in_a_way_that_can_happen(mistakes, stubs, problem):
    found = mistakes(f"""
suite: s
assistant: bot.yaml
tools: {stubs}
conversations: [{{id: a, turns: [{{user: Hello}}]}}]
""")

    assert len(found) == 1
    assert found[0].startswith(problem)


def test_stubs_that_run_out_or_wait_for_arguments_leave_room_for_the_next(mistakes):
    assert (
        mistakes("""
        suite: s
        assistant: bot.yaml
        tools:
          open_ticket:
            - {times: 1, fails: down}
            - {when: {priority: low}, returns: 1}
            - {returns: null}
        conversations: [{id: a, turns: [{user: Hello}]}]
        """)
        == []
    )


@pytest.mark.parametrize(
    ("conversation", "problem"),
    [
        ("{id: a, turns: []}", "s.yaml:4:32: turns must have at least 1 entry, not an empty list"),
        ("{id: a}", "s.yaml:4:17: an entry of conversations has no 'turns'"),
        ("{id: a, turns: [{user: ' '}]}", "s.yaml:4:40: the user says nothing"),
        ("{id: a, turns: [{user: ''}]}", "s.yaml:4:40: user must not be empty, not ''"),
        (
            "{id: a, turns: [{user: x, returning: true}]}",
            "s.yaml:4:54: the user cannot return in the first turn",
        ),
        (
            "{id: a, turns: [{user: x}], expect: {escalates: {by_turn: 2}}}",
            "s.yaml:4:75: by_turn is 2, but the conversation has 1 turn",
        ),
        ("{id: a, turns: [{user: x}], repeats: 0}", "s.yaml:4:54: repeats must be at least 1, not 0"),
        (
            "{id: a, turns: [{user: x}], as_: jo}",
            "s.yaml:4:45: unknown key 'as_' in an entry of conversations",
        ),
        (
            "{id: a, turns: [{user: x}], history: [{role: system, content: x}]}",
            "s.yaml:4:62: role must be user or assistant",
        ),
    ],
)
def test_conversations_must_be_possible(mistakes, conversation, problem):
    found = mistakes(f"suite: s\nassistant: bot.yaml\nconversations:\n              - {conversation}\n")

    assert len(found) == 1
    assert found[0].startswith(problem)


def test_a_user_may_return_in_the_first_turn_when_something_was_said_before(mistakes):
    assert (
        mistakes("""
        suite: s
        conversations:
          - {id: a, history: [{role: user, content: Hi}], turns: [{user: Back, returning: true}]}
        """)
        == []
    )


def test_a_mistake_in_the_defaults_is_reported_where_the_defaults_stand_and_once(mistakes):
    assert mistakes("""
        suite: s
        assistant: bot.yaml
        expect: {cites: [guide.md], answer: {omits: [x], matches: "("}, requires: [grounded]}
        conversations:
          - {id: a, turns: [{user: One}, {user: Two, expect: {answer: {mentions: [X]}}}]}
          - {id: b, turns: [{user: Three, expect: {grounded: true, cites: null}}]}
        """) == [
        "s.yaml:4:18: 'guide.md' is not among the assistant's documents\n"
        "    hint: did you mean 'guide.txt'? Documents: guide.txt, prices.txt",
        "s.yaml:4:46: 'x' must be mentioned and left out at once\n    hint: remove it from mentions or omits",
        "s.yaml:4:59: the expression '(' cannot be used: missing ), unterminated subpattern at position 0\n"
        "    hint: it is a Python regular expression; a backslash goes into single quotes",
        "s.yaml:4:76: requires names 'grounded', which is not checked here\n"
        "    hint: checked here: status, answer, cites",
    ]


def test_mistakes_further_down_keep_their_places_when_earlier_entries_are_unusable(mistakes):
    found = mistakes("""
        suite: s
        assistant: bot.yaml
        conversations:
          - 1
          - id: a
            turns:
              - 2
              - user: x
                expect: {cites: [3, guide.md]}
          - id: a
            turns: [{user: x}]
        """)

    assert [each.splitlines()[0] for each in found] == [
        "s.yaml:5:5: an entry of conversations must be a block with id, cluster, tags, quarantine, as, "
        "repeats, deadline_s, escalation, history, turns, expect, perturb, not 1",
        "s.yaml:8:9: an entry of turns must be a block with user, attach, returning, forget, deadline_s, "
        "expect, not 2",
        "s.yaml:10:26: an entry of expect.cites must be text, not 3",
        "s.yaml:10:29: 'guide.md' is not among the assistant's documents",
        "s.yaml:11:9: the conversation id 'a' is used twice",
    ]


def test_functions_open_to_more_arguments_take_any(mistakes, place):
    place(
        "open.yaml",
        """
        name: Open
        model: m
        tools:
          - type: function
            function: {name: log, parameters: {type: object, properties: {a: {}}, additionalProperties: true}}
        """,
    )
    text = turn("{calls: [{tool: log, with: {b: 1, a: {deep: [2]}}}]}").replace("bot", "open")

    assert mistakes(text) == []
    assert load_suite(place("s.yaml", text)).conversations[0].id == "a"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("suite: s", "suite: s\nrepeats: 1000000000"), "repeats must be at most 10000, not 1000000000"),
        (("id: a", 'id: "a\\nb"'), "id has characters that are not allowed"),
        (("suite: s", 'suite: "s\\e[31m"'), "suite has characters that are not allowed"),
    ],
    ids=["repeats", "id of two lines", "escape sequence"],
)
def test_what_would_run_without_end_or_break_a_line_is_refused(mistakes, change, expected):
    text = "suite: s\nassistant: bot.yaml\nconversations: [{id: a, turns: [{user: hi}]}]\n"
    [mistake] = mistakes(text.replace(*change))
    assert expected in mistake


def test_who_is_forgotten_can_go_on_only_by_coming_back(mistakes):
    talk = """
        suite: s
        assistant: bot.yaml
        conversations:
          - id: a
            turns:
              - {{user: x, forget: true}}
              - {{user: y{how}}}
        """
    [told] = mistakes(talk.format(how=""))
    assert told.startswith("s.yaml:7:27: the user is forgotten after this turn")
    assert mistakes(talk.format(how=", returning: true")) == []


FUNCTIONS = """
def fits(email="", priority="low", lines=()):
    return {"id": "T-1"}

async def takes_all(**arguments):
    return arguments

def lacks_lines(email="", priority=""):
    return None

def needs_email(email, **others):
    return None

def needs_more(customer, **others):
    return None

def by_position(email="", /, **others):
    return None

NUMBER = 5
"""


@pytest.mark.parametrize(
    ("stub", "problem"),
    [
        ("{call: tickets.py:fit}", "s.yaml:4:30: 'tickets.py:fit': there is no 'fit' in it"),
        ("{call: nowhere.py:fits}", "s.yaml:4:30: 'nowhere.py:fits' can't be imported: FileNotFoundError"),
        ("{call: fits}", "s.yaml:4:30: 'fits' names no function"),
        ("{call: tickets.py:NUMBER}", "s.yaml:4:30: 'tickets.py:NUMBER' is a int, which can't be called"),
        ("{call: tickets.py:lacks_lines}", "s.yaml:4:30: 'tickets.py:lacks_lines' does not take 'lines'"),
        ("{call: tickets.py:needs_email}", "needs 'email', which a call of 'open_ticket' may leave out"),
        ("{call: tickets.py:needs_more}", "needs 'customer', which is no argument of 'open_ticket'"),
        ("{call: tickets.py:by_position}", "takes arguments by position, and they come by name"),
        ("{nth: 0, returns: 1}", "s.yaml:4:29: nth must be at least 1, not 0"),
        ("{nth: 2, times: 2, returns: 1}", "call number 2 comes once in a conversation"),
        ("{returns_each: [], times: 1}", "returns_each must have at least 1 entry"),
        ("{returns_each: [1, 2], times: 1}", "returns_each answers as often as it has entries"),
        ("{times_out: false}", "times_out must be"),
        ("{times_out: true, takes_s: 3}", "a stub that times out takes for ever"),
        ("{takes_s: -1, returns: 1}", "takes_s must be at least 0"),
        ("{raw: '{', fails: down}", "a stub answers in one way, not with fails and raw at once"),
        ("{returns_each: [1]}, {returns: 1}, {nth: 3, raw: x}", "is never given: an earlier one answers"),
    ],
)
def test_mistakes_in_stubs_are_named_with_their_place(place, mistakes, stub, problem):
    place("tickets.py", FUNCTIONS)
    suite = f"""
suite: s
assistant: bot.yaml
tools: {{open_ticket: [{stub}]}}
conversations: [{{id: a, turns: [{{user: Hello}}]}}]
"""
    assert problem in "\n".join(mistakes(suite))


@pytest.mark.parametrize("function", ["fits", "takes_all"])
def test_a_function_that_takes_the_arguments_is_no_mistake_and_is_part_of_the_fingerprint(place, function):
    suite = f"""
suite: s
assistant: bot.yaml
tools: {{open_ticket: [{{call: "tickets.py:{function}"}}]}}
conversations: [{{id: a, turns: [{{user: Hello}}]}}]
"""
    place("tickets.py", FUNCTIONS)
    before = load_suite(place("s.yaml", suite))
    place("tickets.py", FUNCTIONS.replace("T-1", "T-2"))
    after = load_suite(place("s.yaml", suite))
    assert before.fingerprint != after.fingerprint
    assert before.functions[f"tickets.py:{function}"].__name__ == function


def talk_that_tells(second, history=""):
    return f"""
suite: s
assistant: bot.yaml
conversations:
  - id: a
{history}    turns:
      - user: I am jo@example.com.
      - user: Hello
        expect: {{remembers: [{second}]}}
"""


@pytest.mark.parametrize(
    ("fact", "problem"),
    [
        ("{value: jo@example.com, from: 1}", None),
        ("{value: JO@example.com}", None),
        ("{value: Jo, also: [jo@example], used: false, not_asked: [e-mail]}", None),
        ("{value: Hello}", "s.yaml:9:38: in no earlier turn does the user say 'Hello'"),
        ("{value: Lund, from: 1}", "s.yaml:9:38: in turn 1 the user does not say 'Lund'"),
        ("{value: jo, used: false}", "s.yaml:9:30: nothing is expected of 'jo'"),
        ("{value: jo, from: 2}", "s.yaml:9:48: turn 2 is no earlier turn"),
        ("{value: jo, from: 0}", "s.yaml:9:38: in the history the user does not say 'jo'"),
    ],
)
def test_a_fact_to_remember_is_told_in_an_earlier_turn(mistakes, fact, problem):
    found = mistakes(talk_that_tells(fact))

    assert len(found) == (problem is not None)
    assert all(each.startswith(problem) for each in found)


def test_a_fact_may_be_told_in_the_history(mistakes):
    history = "    history: [{role: user, content: I live in Lund.}]\n"

    assert mistakes(talk_that_tells("{value: Lund, from: 0}", history)) == []


# --- variations of the user's words -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("perturb", "problem"),
    [
        ("{kinds: [typos, document]}", "s.yaml:5:30: a document with an injection is never read"),
        ("{keeps: [outcome, escalation]}", "s.yaml:5:32: escalation cannot be seen"),
        ("{kinds: [typo]}", "s.yaml:5:23: an entry of perturb.kinds must be typos"),
        ("{examples: 0}", "s.yaml:5:25: "),
        ("{kind: [typos]}", "s.yaml:5:15: unknown key 'kind'"),
        ("true", "s.yaml:5:14: "),
    ],
)
def test_what_a_conversation_asks_of_variations_in_vain_is_named(tmp_path, perturb, problem):
    (tmp_path / "bot.yaml").write_text("{name: Bot, model: m}")
    (tmp_path / "s.yaml").write_text(
        "suite: s\nassistant: bot.yaml\nconversations:\n"
        f"  - id: a\n    perturb: {perturb}\n    turns: [{{user: hello}}]\n"
    )
    with pytest.raises(SuiteError) as caught:
        load_suite(tmp_path / "s.yaml")
    assert problem in str(caught.value)
