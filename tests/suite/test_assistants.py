import itertools
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import SuiteError
from harness.suite.assistants import existing_assistant, load_variant
from harness.suite.records import AssistantFile, Variant


def problems_of(path):
    try:
        load_variant(path)
    except SuiteError as error:
        return [str(problem) for problem in error.problems]
    return []


def names(paths):
    return [path.name for path in paths]


def test_a_variant_is_named_after_its_file_and_knows_its_documents(place):
    variant = load_variant(Path("bot.yaml"))

    assert (variant.name, variant.source, variant.assistant.name) == ("bot", Path("bot.yaml"), "Bot")
    assert names(variant.documents) == ["guide.txt", "prices.txt"]
    assert all(path.is_file() for path in variant.documents)
    assert variant.assistant_id is None
    assert load_variant(Path("bot.yaml"), name="candidate").name == "candidate"


def test_a_variant_survives_the_way_to_another_process(place):
    variant = load_variant(Path("bot.yaml"))

    assert Variant.model_validate_json(variant.model_dump_json(by_alias=True)) == variant


def test_documents_are_found_by_paths_and_globs_from_the_assistants_folder_once_each(write):
    for name in ("docs/b.md", "docs/deep/a.md", "docs/.hidden.md", "other/[x].md", "docs/table.csv"):
        write(name, name)
    path = write(
        "assistants/bot.yaml",
        """
        name: Bot
        model: m
        tools: [{type: file_search}, {type: code_interpreter}]
        knowledge: [../docs/**/*.md, ../docs/b.md, "../other/[x].md"]
        code_files: [../docs/*.csv]
        """,
    )

    variant = load_variant(path)

    assert names(variant.documents) == ["[x].md", "a.md", "b.md"]
    assert variant.documents[1] == Path("docs/deep/a.md")
    assert names(variant.code_documents) == ["table.csv"]


def test_documents_that_are_not_there_or_hold_nothing_are_mistakes(place):
    place("documents/empty.pdf", "")
    path = place(
        "bad.yaml",
        """
        name: Bad
        model: m
        tools: [{type: file_search}]
        knowledge:
          - documents/giude.txt
          - documents/*.docx
          - documents
          - documents/empty.pdf
          - documents/guide.txt
        code_files: [nowhere/x.csv]
        """,
    )

    assert problems_of(path) == [
        "bad.yaml:6:5: no file 'documents/giude.txt'\n"
        "    hint: did you mean 'guide.txt'? It lies in the same folder",
        "bad.yaml:7:5: no file matches 'documents/*.docx'\n    hint: it is looked up from '.'",
        "bad.yaml:8:5: 'documents' is a folder\n    hint: write documents/* for the files in it",
        "bad.yaml:9:5: 'documents/empty.pdf' is empty\n    hint: fill the document, or leave it out",
        "bad.yaml:11:13: code_files are never read without code_interpreter\n"
        "    hint: add {type: code_interpreter} to tools",
        "bad.yaml:11:14: no file 'nowhere/x.csv'\n    hint: the folder does not exist either",
    ]


def test_the_mistakes_of_an_assistant_file_come_all_at_once(place):
    path = place(
        "bad.yaml",
        """\
        nmae: Bad
        model: ""
        temperature: 3
        parallel_tool_calls: yes
        max_prompt_tokens: 10
        response_format: text
        metadata: {a: 1}
        tools:
          - type: file_serch
          - {}
          - type: function
            function: {name: a b, parameters: []}
          - {type: code_interpreter, code: 1}
        knowledge: documents/*.txt
        """,
    )

    assert problems_of(path) == [
        "bad.yaml:1:1: the file has no 'name'\n    hint: add name: its name",
        "bad.yaml:1:1: unknown key 'nmae' in the file\n"
        "    hint: did you mean 'name'? Allowed here: name, model, instructions, "
        "description, tools, knowledge, code_files, temperature, top_p, reasoning_effort, "
        "response_format, max_prompt_tokens, max_completion_tokens, tool_choice, parallel_tool_calls, "
        "truncation_strategy, metadata, escalation, base, add_tools, remove_tools, id",
        "bad.yaml:2:8: model must not be empty, not ''\n    hint: The model's name, for example gpt-5.4.",
        "bad.yaml:3:14: temperature must be at most 2, not 3\n    hint: 0 to 2.",
        "bad.yaml:4:22: parallel_tool_calls must be true or false, not 'yes'\n"
        "    hint: write true, without quotes",
        "bad.yaml:5:20: max_prompt_tokens must be at least 256, not 10\n"
        "    hint: At least 256; a run that needs more ends incomplete.",
        "bad.yaml:6:18: response_format must be a block of keys and values or auto, not 'text'",
        'bad.yaml:7:15: metadata.a must be text, not 1\n    hint: put it in quotes: "1"',
        "bad.yaml:9:11: unknown type 'file_serch' in an entry of tools\n"
        "    hint: did you mean 'file_search'? Allowed here: file_search, code_interpreter, function",
        "bad.yaml:10:5: an entry of tools has no 'type'\n"
        "    hint: add type: file_search, code_interpreter or function",
        "bad.yaml:12:22: function.name has characters that are not allowed, not 'a b'\n"
        "    hint: Letters, digits, _ and -, at most 64.",
        "bad.yaml:12:39: function.parameters must be a block of keys and values, not an empty list",
        "bad.yaml:13:30: unknown key 'code' in an entry of tools\n    hint: allowed here: type",
        "bad.yaml:14:12: knowledge must be a list of texts, not 'documents/*.txt'\n"
        "    hint: write a list: [documents/*.txt]",
    ]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("knowledge: [documents/*.txt]", "4:12: knowledge is never read without file_search"),
        ("escalation: {tools: [opn]}", "4:22: the assistant has no function 'opn'"),
        ("escalation: {phrases: ['...']}", "4:24: a phrase needs words, not '...'"),
        (
            "tools: [fil_search]",
            "4:9: an entry of tools must be a block with type file_search, code_interpreter or function, "
            "not 'fil_search'\n    hint: write {type: file_search}",
        ),
        ("tools: [{type: file_search}, {type: file_search}]", "4:30: the tool 'file_search' is there twice"),
        (
            "tools: [{type: file_search, file_search: {max_num: 1}}]",
            "4:43: unknown key 'max_num' in file_search",
        ),
        (
            "tools: [{type: file_search, file_search: {max_num_results: 99}}]",
            "4:60: max_num_results must be a whole number from 1 to 50, not 99",
        ),
        (
            "tools: [{type: function, function: {name: f, parameters: {type: objct}}}]",
            "4:58: the parameters of 'f' are no JSON Schema: type: 'objct' is not valid",
        ),
        (
            "tools: [{type: function, function: {name: f, parameters: {type: array}}}]",
            "4:65: the parameters of 'f' must have type object, not 'array'",
        ),
        ("tool_choice: always", "4:14: unknown tool_choice 'always'"),
        ("tool_choice: {type: function, function: {name: f}}", "4:48: the assistant has no function 'f'"),
        ("truncation_strategy: {type: first}", "4:29: truncation_strategy has type auto or last_messages"),
        ("id: bot_1", "4:5: id must be the id of an assistant (asst_...), not 'bot_1'"),
        ("base: 3", "4:7: base must be the path of an assistant file, not 3"),
        ("base: bad.yaml", "4:7: 'bad.yaml' is based on this file"),
        ("base: bto.yaml", "4:7: no file 'bto.yaml'\n    hint: did you mean 'bot.yaml'?"),
    ],
)
def test_an_assistant_that_cannot_work_is_a_mistake(place, lines, problem):
    found = problems_of(place("bad.yaml", f"# bad\nname: Bad\nmodel: m\n{lines}\n"))

    assert len(found) == 1
    assert found[0].startswith(f"bad.yaml:{problem}")


@pytest.mark.parametrize(
    ("content", "shown"), [("", "nothing (null)"), ("- 1", "a list of 1"), ("text", "'text'")]
)
def test_a_file_that_is_no_block_is_no_assistant(write, content, shown):
    found = problems_of(write("bad.yaml", content))

    assert found == [
        f"bad.yaml:1:1: an assistant file is a block with name, model, instructions and tools, not {shown}"
    ]


# --- patches ----------------------------------------------------------------------------------------------


def test_a_patch_replaces_keys_of_its_base_and_keeps_the_rest(place):
    place("patches/warm.yaml", "base: ../bot.yaml\ntemperature: 1.5\ninstructions: Be warm.\n")
    path = place("patches/two.yaml", "base: warm.yaml\ntemperature: null\nname: Two\n")

    base, variant = load_variant(Path("bot.yaml")), load_variant(path)

    assert variant.name == "two"
    assert variant.assistant == base.assistant.model_copy(update={"name": "Two", "instructions": "Be warm."})
    assert variant.documents == base.documents
    assert variant.fingerprint != base.fingerprint


def test_a_patch_that_changes_nothing_has_the_fingerprint_of_its_base(place):
    path = place("patch.yaml", "base: bot.yaml\nname: Renamed\ndescription: Nothing else.\n")

    assert load_variant(path).fingerprint == load_variant(Path("bot.yaml")).fingerprint


def test_documents_of_a_patch_are_found_from_the_patchs_own_folder(place):
    place("patches/new.txt", "New.")

    variant = load_variant(place("patches/p.yaml", "base: ../bot.yaml\nknowledge: ['*.txt']"))

    assert variant.documents == (Path("patches/new.txt"),)


def test_mistakes_of_a_patch_and_of_its_base_stand_where_they_were_made(place):
    place("base.yaml", "name: Base\nmodel: 3\ntop_p: 2\n")

    assert [
        each.splitlines()[0] for each in problems_of(place("patch.yaml", "base: base.yaml\ntop_p: 5\n"))
    ] == [
        "base.yaml:2:8: model must be text, not 3",
        "patch.yaml:2:8: top_p must be at most 1, not 5",
    ]


def test_files_that_are_based_on_each_other_are_a_mistake(place):
    place("a.yaml", "base: b.yaml")

    assert problems_of(place("b.yaml", "base: a.yaml"))[0].startswith(
        "a.yaml:1:7: 'b.yaml' is based on this file"
    )


# --- assistants that exist --------------------------------------------------------------------------------


def test_an_id_alone_is_a_variant_of_which_nothing_else_is_known():
    variant = existing_assistant("asst_1")

    assert (variant.name, variant.assistant_id, variant.assistant.tools) == ("asst_1", "asst_1", ())
    assert variant.fingerprint != existing_assistant("asst_2").fingerprint


def test_a_file_may_describe_an_assistant_that_exists(place):
    variant = load_variant(place("live.yaml", "id: asst_1\nescalation: {phrases: [One moment please]}\n"))

    assert (variant.assistant_id, variant.assistant.name) == ("asst_1", "asst_1")
    assert variant.assistant.escalation.phrases == ("One moment please",)


# --- fingerprints -----------------------------------------------------------------------------------------

BASE = {"name": "A", "model": "m", "tools": [{"type": "file_search"}], "knowledge": ["documents/*.txt"]}


def fingerprint(place, **changes):
    return load_variant(place("f.yaml", yaml.dump({**BASE, **changes}))).fingerprint


def test_the_fingerprint_ignores_names_descriptions_and_the_way_of_writing(place):
    before = fingerprint(place)

    assert fingerprint(place, name="B", description="x") == before
    assert fingerprint(place, knowledge=["documents/prices.txt", "documents/guide.txt"]) == before
    assert fingerprint(place, escalation={"phrases": ["Wait"]}) == before
    assert load_variant(place("g.yaml", "# comment\n" + json.dumps(BASE))).fingerprint == before


def test_everything_that_decides_an_answer_changes_the_fingerprint(place):
    prints = [
        fingerprint(place),
        fingerprint(place, instructions="x"),
        fingerprint(place, model="n"),
        fingerprint(place, temperature=0),
        fingerprint(place, temperature=0.5),
        fingerprint(place, tools=[{"type": "file_search"}, {"type": "code_interpreter"}]),
        fingerprint(place, tools=[{"type": "file_search", "file_search": {"max_num_results": 3}}]),
        fingerprint(place, knowledge=["documents/guide.txt"]),
        fingerprint(place, tool_choice="required"),
        fingerprint(place, id="asst_1"),
    ]
    place("documents/guide.txt", "Press the button!")
    prints.append(fingerprint(place))
    Path("documents/guide.txt").rename("documents/manual.txt")
    prints.append(fingerprint(place))

    assert all(one != other for one, other in itertools.combinations(prints, 2))


options = st.sampled_from(
    [*AssistantFile.model_fields, "base", "id", "type", "function", "parameters", "phrases"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | options | st.just("bot.yaml"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(options, inner, max_size=4),
    max_leaves=10,
)


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.dictionaries(options, anything, max_size=5) | anything)
def test_any_data_is_an_assistant_or_a_list_of_mistakes(place, data):
    path = place("a.yaml", yaml.dump(data, allow_unicode=True))
    try:
        variant = load_variant(path)
    except SuiteError as error:
        assert error.problems and all(problem.where for problem in error.problems)
    else:
        assert variant.fingerprint


TOOLS = """
    name: Bot
    model: m
    tools:
      - type: file_search
      - {type: function, function: {name: open_ticket}}
      - {type: function, function: {name: close_ticket}}
    """


def tools_of(path):
    return [
        tool.function.name if tool.type == "function" else tool.type
        for tool in load_variant(path).assistant.tools
    ]


def test_a_patch_removes_tools_by_name_and_adds_others(write):
    write("bot.yaml", TOOLS)
    path = write(
        "patch.yaml",
        """
        base: bot.yaml
        remove_tools: [file_search, close_ticket]
        add_tools: [{type: code_interpreter}]
        """,
    )
    assert tools_of(path) == ["open_ticket", "code_interpreter"]


def test_a_tool_that_a_patch_adds_takes_the_place_of_the_one_with_its_name(write):
    write("bot.yaml", TOOLS)
    function = "{name: open_ticket, description: Only when asked.}"
    path = write("patch.yaml", f"base: bot.yaml\nadd_tools: [{{type: function, function: {function}}}]\n")
    assert tools_of(path) == ["file_search", "open_ticket", "close_ticket"]
    assert load_variant(path).assistant.functions[0].description == "Only when asked."


def test_patches_of_patches_change_tools_one_after_the_other(write):
    write("bot.yaml", TOOLS)
    write("first.yaml", "base: bot.yaml\nremove_tools: [open_ticket]\n")
    path = write(
        "second.yaml", "base: first.yaml\nadd_tools: [{type: function, function: {name: open_ticket}}]\n"
    )
    assert tools_of(path) == ["file_search", "close_ticket", "open_ticket"]


def test_mistakes_in_tools_of_a_patch_have_their_place_in_its_file(write):
    write("bot.yaml", TOOLS)
    path = write(
        "patch.yaml",
        """\
        base: bot.yaml
        remove_tools: [opn_ticket]
        add_tools:
          - {type: function, function: {name: open ticket}}
        """,
    )
    removing, adding = problems_of(path)
    assert removing.startswith("patch.yaml:2:16: there is no tool 'opn_ticket' to remove")
    assert "did you mean 'open_ticket'?" in removing
    assert adding.startswith("patch.yaml:4:39: ")


def test_mistakes_in_tools_of_the_base_keep_their_place_there(write):
    write("bot.yaml", TOOLS.replace("close_ticket", "close ticket"))
    path = write("patch.yaml", "base: bot.yaml\nremove_tools: [file_search]\n")
    assert [problem.partition(": ")[0] for problem in problems_of(path)] == ["bot.yaml:7:39"]


@pytest.mark.parametrize("key", ["add_tools", "remove_tools"])
def test_single_tools_are_changed_only_over_another_file(write, key):
    path = write("bot.yaml", f"name: Bot\nmodel: m\n{key}: []\n")
    assert problems_of(path) == [
        f"bot.yaml:3:{len(key) + 3}: {key} changes the tools of another file, and there is none\n"
        "    hint: name the other file with base, or write tools"
    ]


@pytest.mark.parametrize("value", ["file_search", "null", "{type: file_search}", "[3]", "[[a]]"])
@pytest.mark.parametrize("key", ["add_tools", "remove_tools"])
def test_what_is_no_list_of_tools_is_a_mistake_and_no_crash(write, key, value):
    write("bot.yaml", TOOLS)
    assert problems_of(write("patch.yaml", f"base: bot.yaml\n{key}: {value}\n"))
