from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from harness.suite.records import AssistantFile, Conversation, Expect, SuiteFile
from harness.suite.schema import assistant_schema, rendered, suite_schema

ROOT = Path(__file__).resolve().parents[2]
SUITE = Draft202012Validator(suite_schema())
ASSISTANT = Draft202012Validator(assistant_schema())


@pytest.mark.parametrize(("name", "schema"), [("suite", suite_schema()), ("assistant", assistant_schema())])
def test_the_committed_schemas_are_current(name, schema):
    committed = ROOT / "docs" / "schema" / f"{name}.schema.json"

    assert committed.read_text(encoding="utf-8") == rendered(schema), (
        "renew it: python -m harness.suite.schema docs/schema"
    )


@pytest.mark.parametrize("schema", [suite_schema(), assistant_schema()])
def test_the_schemas_are_json_schemas(schema):
    Draft202012Validator.check_schema(schema)


def test_every_key_an_author_may_write_is_described():
    definitions = suite_schema()["$defs"]
    blocks = {
        "a suite": (suite_schema()["properties"], SuiteFile),
        "a conversation": (definitions["Conversation"]["properties"], Conversation),
        "expect": (definitions["Expect"]["properties"], Expect),
        "an assistant": (assistant_schema()["properties"], AssistantFile),
    }
    for name, (properties, record) in blocks.items():
        for key in (field.alias or key for key, field in record.model_fields.items()):
            assert properties[key].get("description"), f"{key} of {name}"


def fits(validator, text):
    return validator.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize(
    "entry",
    [
        "{id: a, turns: [{user: x}]}",
        "{id: a, as: jo, turns: [{user: x, expect: null}], expect: {escalates: {by_turn: 1}}}",
        "{id: a, turns: [{user: x, expect: {calls: [{tool: t, with: {a: {one_of: [1]}}}], grounded: null}}]}",
        "{foreach: a.csv, id: 'x{{ a }}', turns: [{user: '{{ b }}', expect: {escalates: '{{ c }}'}}]}",
        "{foreach: a.jsonl, id: '{{ a }}', history: '{{ m }}', turns: '{{ t }}', repeats: '{{ r }}'}",
        "{foreach: a.csv, id: a, tags: ['{{ t }}'], turns: [{user: x, expect: {produces: ['{{ p }}']}}]}",
    ],
)
def test_what_the_loader_takes_an_editor_takes(entry):
    assert fits(SUITE, f"{{suite: s, conversations: [{entry}]}}")


@pytest.mark.parametrize(
    "entry",
    [
        "{id: a}",
        "{id: a, turns: []}",
        "{id: a, turns: [{user: x, expct: {}}]}",
        "{id: a, turns: [{user: x, expect: {escalates: '{{ c }}'}}]}",
        "{foreach: a.csv, id: a, turns: [{user: x, expect: {escalates: 'maybe'}}]}",
        "{foreach: a.csv, id: a, turn: '{{ t }}'}",
        "{id: a, turns: [{user: 1}]}",
    ],
)
def test_what_the_loader_refuses_an_editor_marks(entry):
    assert not fits(SUITE, f"{{suite: s, conversations: [{entry}]}}")


def test_an_assistant_needs_a_name_and_a_model_unless_it_has_them_from_elsewhere():
    assert fits(ASSISTANT, "{name: a, model: m, tools: [{type: file_search}], knowledge: ['*.pdf']}")
    assert fits(ASSISTANT, "{base: other.yaml, instructions: x}")
    assert fits(ASSISTANT, "{id: asst_1}")
    assert not fits(ASSISTANT, "{name: a}")
    assert not fits(ASSISTANT, "{name: a, model: m, tools: [{type: search}]}")


def committed_files():
    return sorted(
        path for folder in ("suites", "fixtures/assistants") for path in (ROOT / folder).rglob("*.y*ml")
    )


@pytest.mark.parametrize("path", committed_files(), ids=lambda path: path.stem)
def test_the_projects_own_files_fit_their_schema(path):
    data = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    validator = SUITE if "suite" in data else ASSISTANT

    assert [error.message for error in validator.iter_errors(data)] == []
