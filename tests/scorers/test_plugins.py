"""Scorers of installed packages: the package that the documents show, and packages that go wrong."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

import harness
from harness.cli import cli
from harness.results import Score, TrialResult
from harness.scorers import registry
from harness.suite import plugins
from harness.suite.load import load_suite
from harness.suite.plugins import schemas_of_options
from harness.suite.schema import suite_schema

DOCS = Path(__file__).parents[2] / "docs" / "scorers.md"
Install = Callable[[str, str, dict[str, str]], None]


def shown(language: str) -> str:
    """The block of the documents' own section in this language."""
    section = DOCS.read_text("utf-8").split("## Your own")[1]
    [block] = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(block)


def _forget() -> None:
    plugins.installed.cache_clear()
    registry.all_scorers.cache_clear()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package on the path as an installer does: a module, and its dist-info."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def put(package: str, code: str, entries: dict[str, str]) -> None:
        module = package.replace("-", "_")
        (site / f"{module}.py").write_text(code)
        info = site / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in entries.items()]
        (info / "entry_points.txt").write_text("\n".join(["[harness.scorers]", *lines, ""]))
        _forget()

    yield put
    _forget()


@pytest.fixture
def kind_words(install: Install) -> None:
    project = tomllib.loads(shown("toml"))["project"]
    install(project["name"], shown("python"), project["entry-points"]["harness.scorers"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bot.yaml").write_text("{name: Bot, model: m}")
    (tmp_path / "app.py").write_text("def answer(question):\n    return 'Gladly: ' + question.text\n")
    return tmp_path


def suite(folder: Path, expect: str) -> Path:
    turn = f"    turns: [{{user: hello, expect: {expect}}}]\n"
    text = f"suite: s\nassistant: bot.yaml\nconversations:\n  - id: a\n{turn}"
    (folder / "s.yaml").write_text(text)
    return folder / "s.yaml"


def played(folder: Path, expect: str) -> TrialResult:
    path = suite(folder, expect)
    run = harness.evaluate(path, target="function", target_function="app.py:answer")
    [result] = run.results
    return result


def by_check(result: TrialResult) -> dict[str, Score]:
    return {score.check: score for score in result.scores}


@pytest.mark.usefixtures("kind_words")
def test_the_package_that_the_documents_show_judges_with_the_options_of_the_suite(folder: Path) -> None:
    result = played(folder, "{scorers: {kindness: {words: [gladly], at_least: 1}, brevity: {most: 10}}}")
    kindness, brevity = by_check(result)["scorers.kindness"], by_check(result)["scorers.brevity"]
    assert (kindness.passed, kindness.value, kindness.evidence) == (True, 1, {"said": ["gladly"]})
    assert (brevity.passed, brevity.value) == (False, 13)
    assert brevity.reason == "13 characters, 10 allowed"
    assert result.outcome == "failed"


@pytest.mark.usefixtures("kind_words")
def test_the_suite_that_the_documents_show_is_a_suite(folder: Path) -> None:
    text = (
        "suite: s\nassistant: bot.yaml\n" + shown("yaml") + "conversations: [{id: a, turns: [{user: hi}]}]\n"
    )
    (folder / "s.yaml").write_text(text)
    [conversation] = load_suite(folder / "s.yaml").conversations
    assert conversation.turns[0].expect.scorers is not None


@pytest.mark.usefixtures("kind_words")
def test_the_usual_options_are_meant_by_true_and_nothing_by_false(folder: Path) -> None:
    found = by_check(played(folder, "{scorers: {kindness: true, brevity: false}}"))
    assert found["scorers.kindness"].value == 0 and "scorers.brevity" not in found


@pytest.mark.usefixtures("kind_words")
@pytest.mark.parametrize(
    ("expect", "told"),
    [
        (
            "{kindnes: true}",
            ["s.yaml:5:", "no installed scorer is called 'kindnes'", "did you mean 'kindness'"],
        ),
        ("{kindness: {at_least: 0}}", ["s.yaml:5:", "at_least"]),
        (
            "{kindness: {word: [x]}}",
            ["s.yaml:5:", "unknown key 'word' in the options of 'kindness'", "words"],
        ),
        ("{brevity: {most: 3, least: 1}}", ["s.yaml:5:", "unknown key 'least'"]),
        ("{brevity: true}", ["s.yaml:5:", "most"]),
        ("{brevity: {most: many}}", ["s.yaml:5:", "most", "'many'"]),
        ("{kindness: 5}", ["s.yaml:5:", "kindness"]),
    ],
)
def test_a_mistake_in_a_scorers_options_is_named_with_its_place(
    folder: Path, expect: str, told: list[str]
) -> None:
    with pytest.raises(harness.HarnessError) as caught:
        load_suite(suite(folder, f"{{scorers: {expect}}}"))
    assert [part for part in told if part not in str(caught.value)] == [], str(caught.value)


@pytest.mark.usefixtures("kind_words")
def test_editors_know_the_options_of_installed_scorers(folder: Path) -> None:
    schema = suite_schema(schemas_of_options())
    jsonschema.Draft202012Validator.check_schema(schema)
    good: dict[str, Any] = {"suite": "s", "conversations": [{"id": "a", "turns": [{"user": "x"}]}]}
    good["expect"] = {"scorers": {"kindness": {"at_least": 2}, "brevity": {"most": 3}}}
    jsonschema.validate(good, schema)
    for wrong in ({"kindness": {"at_most": 2}}, {"brevity": {}}, {"other": True}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(good | {"expect": {"scorers": wrong}}, schema)
    told = schema["$defs"]["kindness.options"]["properties"]["at_least"]
    assert told["description"] == "How many of them must be said."
    told = schema["$defs"]["brevity.options"]["properties"]["most"]
    assert told["description"] == "Characters of the longest answer."


@pytest.mark.usefixtures("kind_words")
def test_the_command_writes_the_schemas_with_them(folder: Path) -> None:
    result = CliRunner().invoke(cli, ["schema", "made"])
    assert result.exit_code == 0, result.output
    assert "kindness.options" in json.loads((folder / "made" / "suite.schema.json").read_text())["$defs"]


# --- packages that go wrong -----------------------------------------------------------------------------

BROKEN = """
from harness.scorers import Assessment

def raises(view):
    raise LookupError("no such table")

def leaves(view):
    raise SystemExit(3)

def talks(view):
    return "good"

def not_a_number(view):
    return float("nan")

def hides(view):
    return Assessment(True, evidence={"what": object()})

def informs(view, *, factor: float = 2.0):
    return len(view.answer) * factor

def untyped(view, *, most=3):
    return True

def silent(view):
    return False

class Old:
    name, keys = "old", frozenset({"searches"})
    def score(self, check, scene):
        return [1 / 0]
"""
NAMES = ("raises", "leaves", "talks", "not_a_number", "hides", "informs", "untyped", "silent")


@pytest.fixture
def broken(install: Install) -> None:
    entries = {name: f"broken_scorers:{name}" for name in NAMES}
    install("broken-scorers", BROKEN, entries | {"old": "broken_scorers:Old", "gone": "broken_scorers:gone"})


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("raises", "LookupError: no such table"),
        ("leaves", "SystemExit: 3"),
        ("talks", "returned a str; allowed: true or false, a number, an Assessment"),
        ("not_a_number", "value is nan"),
        ("hides", "TypeError"),
    ],
)
def test_what_goes_wrong_in_a_scorer_is_a_finding_about_it_and_the_trial_is_judged_by_the_others(
    folder: Path, name: str, told: str
) -> None:
    result = played(folder, f"{{answer: {{mentions: [gladly]}}, scorers: {{{name}: true}}}}")
    score = by_check(result)[f"scorers.{name}"]
    assert (score.value, score.passed) == (None, None)
    assert told in score.reason and f"the scorer {name!r} of broken-scorers 1.0 failed" in score.reason
    assert "Traceback" in score.evidence["traceback"]
    assert result.outcome == "passed" and by_check(result)["answer.mentions"].passed


@pytest.mark.usefixtures("broken")
def test_a_scorer_of_the_suites_own_keys_that_fails_is_a_finding_too(folder: Path) -> None:
    result = played(folder, "{searches: false}")
    old = [score for score in result.scores if score.scorer == "old"]
    assert [score.passed for score in old] == [None] and "ZeroDivisionError" in old[0].reason
    assert result.outcome == "passed"


@pytest.mark.usefixtures("broken")
def test_a_number_informs_and_a_no_without_a_reason_says_that_there_is_none(folder: Path) -> None:
    found = by_check(played(folder, "{scorers: {informs: {factor: 1.5}, silent: true}}"))
    assert (found["scorers.informs"].value, found["scorers.informs"].passed) == (19.5, None)
    assert found["scorers.silent"].reason == "the scorer 'silent' gives no reason"


@pytest.mark.usefixtures("broken")
def test_a_package_that_cannot_be_used_is_named_where_a_suite_uses_it(folder: Path) -> None:
    for name, why in (("untyped", "its option 'most' has no type"), ("gone", "cannot be loaded")):
        with pytest.raises(harness.HarnessError, match=why):
            load_suite(suite(folder, f"{{scorers: {{{name}: true}}}}"))


@pytest.mark.usefixtures("broken")
def test_a_package_that_cannot_be_used_is_a_finding_of_every_trial_and_fails_none(folder: Path) -> None:
    result = played(folder, "{answer: {mentions: [gladly]}}")
    found = by_check(result)
    assert result.outcome == "passed"
    assert "cannot be used" in found["plugins.gone"].reason
    assert "Traceback" in found["plugins.gone"].evidence["traceback"]
    assert "plugins.untyped" in found and "plugins.raises" not in found
