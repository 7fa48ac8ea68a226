"""What did not pass is shown beside the source, whatever it is called."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.errors import Where
from harness.reporters.findings import Finding, code_quality, findings, github, remark
from harness.suite.places import places_in

HERE = Path("/checkout")
_COMMAND = re.compile(r"::(error|warning|notice) ((?:\w+=[^,:\r\n]*,?)+)::([^\r\n]*)")


def unescaped(text: str) -> str:
    return re.sub("%([0-9A-F]{2})", lambda match: chr(int(match.group(1), 16)), text)


@given(st.text(), st.text())
def test_no_text_leaves_its_command(name, message):
    [line] = [github([Finding("error", name, message, Where("/checkout/s.yaml", 3))], HERE)]
    match = _COMMAND.fullmatch(line)
    assert match is not None
    assert match.group(2).startswith("file=s.yaml,line=3,title=")
    assert unescaped(match.group(2).partition("title=")[2]) == name
    assert unescaped(match.group(3)) == message


def test_what_decides_comes_first_and_says_why(run):
    found = findings(run, {})
    assert [each.level for each in found] == sorted(
        (each.level for each in found), key=["error", "warning", "notice"].index
    )
    flaky = next(each for each in found if each.level == "warning")
    assert re.match(r"\d of \d trials passed: ", flaky.message)


def test_after_ten_the_rest_is_counted():
    many = [Finding("error", f"s/{number}@v", "0 of 1 trial passed", None) for number in range(13)]
    *shown, last = github(many, HERE).splitlines()
    assert len(shown) == 10
    assert last == "::notice title=harness::3 more conversations did not pass; the report has all"


def test_a_remark_is_one_line():
    assert remark("warning", "gate: open", "a\nb") == "::warning title=gate%3A open::a b"


def test_code_quality_findings_keep_their_fingerprint_and_name_a_path_of_the_checkout():
    one = Finding("error", "s/a@v", "0 of 3 trials passed", Where("/checkout/suites/s.yaml", 7, 3))
    first, second = json.loads(code_quality([one, replace(one, message="1 of 3", where=None)], HERE))
    assert first["location"] == {"path": "suites/s.yaml", "lines": {"begin": 7}}
    assert first["fingerprint"] == second["fingerprint"]
    assert second["location"]["path"] == "suites"


def test_conversations_are_found_in_files_and_folders_and_what_is_no_suite_is_passed_over(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "suite: a\nconversations:\n  - turns: []\n    id: one\n  - foreach: x.csv\n"
    )
    (tmp_path / "b.yml").write_text("- no suite\n")
    (tmp_path / "c.yaml").write_text("suite: [unfinished\n")
    file = str(tmp_path / "a.yaml")
    assert places_in([tmp_path, tmp_path / "gone.yaml", "suite.py"]) == {("a", "one"): Where(file, 4, 9)}
