"""Labelled rows are read strictly, and every mistake has its file, line and column."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import rubric

from harness.errors import SettingsError
from harness.judge.labels import cells_of, read_labels
from harness.judge.material import Material


def read(folder: Path, text: str, **given: Any) -> Any:
    path = folder / "labels.csv"
    path.write_bytes(text.encode())
    return read_labels(path, "kind", rubric(**given))


def refused(folder: Path, text: str, **given: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(folder, text, **given)
    assert caught.value.code == "labels-invalid"
    lines = str(caught.value).splitlines()[1:]
    return [line.replace(f"{folder}/", "") for line in lines]


def test_rows_become_what_the_judge_is_shown(tmp_path: Path) -> None:
    talk = '"[{""role"": ""user"", ""content"": ""Hi""}, {""role"": ""assistant"", ""content"": ""Hello""}]"'
    text = (
        f'id,label,user,answer,talk,passages,reference\na,pass,When?,"At 9,\nor so",{talk},Opens at 9.,At 9\n'
    )
    [row] = read(tmp_path, text, shows=["passages"])
    assert (row.name, row.label) == ("a", "pass")
    assert row.material == Material(
        talk=(("user", "Hi"), ("assistant", "Hello"), ("user", "When?")),
        answer="At 9,\nor so",
        shown=(("passages", [{"document": "", "text": "Opens at 9."}]),),
        reference="At 9",
    )


def test_a_row_without_an_id_is_named_by_its_line(tmp_path: Path) -> None:
    rows = read(tmp_path, 'label,answer\npass,"two\nlines"\n\nfail,no\n')
    assert [row.name for row in rows] == ["line 2", "line 5"]


def test_every_mistake_is_named_at_once_with_its_place(tmp_path: Path) -> None:
    text = 'label,user,answer\npass,"hi\nthere",fine\nPass,hi,fine\nfail,hi,\nfail,hi,a,b\n'
    assert refused(tmp_path, text) == [
        "labels.csv:4:1: 'Pass' is no label of the rubric 'kind'",
        "    hint: labels of 'kind': pass, fail; leave rows out that have none",
        "labels.csv:5:9: the answer is empty",
        "    hint: there is nothing to judge: remove the row",
        "labels.csv:6:1: 4 cells in this row, but 3 columns",
        "    hint: a cell that holds a comma needs double quotes",
    ]


def test_a_misspelt_column_hides_no_mistake_in_the_rows(tmp_path: Path) -> None:
    told = refused(tmp_path, "label,answer,nots\nPass,fine,\nfail,,\nfail,x\n")
    assert [line for line in told if "hint" not in line] == [
        "labels.csv:1:14: there is no column 'nots'",
        "labels.csv:2:1: 'Pass' is no label of the rubric 'kind'",
        "labels.csv:3:6: the answer is empty",
        "labels.csv:4:1: 2 cells in this row, but 3 columns",
    ]


def test_without_a_column_that_must_be_there_the_others_are_read(tmp_path: Path) -> None:
    told = refused(tmp_path, "lable,answer\npass,\n")
    assert [line for line in told if "hint" not in line] == [
        "labels.csv:1:1: there is no column 'lable'",
        "labels.csv:1:1: the column 'label' is missing: what people decided",
        "labels.csv:2:6: the answer is empty",
    ]


def test_a_misspelt_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    first, hint, *_ = refused(tmp_path, "label,anwser\npass,x\n")
    assert first == "labels.csv:1:7: there is no column 'anwser'"
    assert hint.startswith("    hint: did you mean 'answer'? Columns: label, answer")


@pytest.mark.parametrize(
    ("text", "given", "told"),
    [
        ("label\npass\n", {}, "the column 'answer' is missing: what they judged"),
        ("label,answer\nbetter,x\n", {"compares": True}, "'against' is missing"),
        (
            "label,answer\npass,x\n",
            {"shows": ["passages"]},
            "'passages' is missing: the rubric shows passages",
        ),
        ("label,label,answer\npass,pass,x\n", {}, "1:7: the column 'label' stands twice"),
        ('label,answer\npass,say "hi"\n', {}, "2:6: a quote stands in a cell that is not quoted as a whole"),
        ("label,answer,talk\npass,x,[1]\n", {}, "2:8: talk is no list of messages"),
        ("label,answer,talk\npass,x,{\n", {}, "2:8: talk is no JSON"),
        ("label,answer,calls\npass,x,{}\n", {"shows": ["calls"]}, "2:8: calls must be a JSON list, not dict"),
        ("label,answer\n", {}, "there are no rows"),
        ("label,answer,rubric\npass,x,other\n", {}, "no row is about the rubric 'kind'"),
    ],
)
def test_what_can_not_be_used_is_refused(tmp_path: Path, text: str, given: Any, told: str) -> None:
    assert told in refused(tmp_path, text, **given)[0]


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such file"):
        read_labels(tmp_path / "none.csv", "kind", rubric())
    (tmp_path / "odd.csv").write_bytes(b"label,answer\npass,\xff\n")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_labels(tmp_path / "odd.csv", "kind", rubric())


def test_only_rows_of_the_rubric_are_taken(tmp_path: Path) -> None:
    rows = read(tmp_path, "label,answer,rubric\npass,a,kind\nrude,b,other\nfail,c,\n")
    assert [row.material.answer for row in rows] == ["a", "c"]


_TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)


@given(st.lists(st.lists(_TEXT, min_size=2, max_size=4), min_size=1, max_size=5))
def test_whatever_a_spreadsheet_writes_is_read_back_with_its_places(rows: list[list[str]]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    text = file.getvalue()
    found = list(cells_of(text))
    assert [[cell.text for cell in row] for row in found] == rows
    for cell in (cell for row in found for cell in row):
        line = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[cell.line - 1]
        assert cell.column == 1 or line[cell.column - 2] == ","
