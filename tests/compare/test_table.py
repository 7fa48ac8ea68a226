"""Bare tables: what is read, and how every mistake is named."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.compare.table import Trial, read_table
from harness.errors import TableError

HEADER = "case_id,cluster,variant,trial,passed,score,cost_usd,latency_s"
NEEDED = ("variant", "passed")
BOTH = ("baseline", "candidate")
GOOD = ["a,t,baseline,1,1,0.5,0.01,1.5", "a,t,candidate,1,0,,,"]


def read(folder: Path, *lines: str, header: str = HEADER, needed=NEEDED, variants=BOTH) -> list[Trial]:
    file = folder / "trials.csv"
    file.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return read_table(file, needed=needed, variants=variants)


def mistakes(folder: Path, *lines: str, **options) -> list[str]:
    with pytest.raises(TableError) as caught:
        read(folder, *lines, **options)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_a_row_is_a_trial_and_an_empty_field_is_not_known(tmp_path):
    first, second = read(tmp_path, *GOOD)
    assert first == Trial("a", "t", "baseline", "1", 1.0, 0.5, 0.01, 1.5)
    assert second.passed == 0
    assert math.isnan(second.score)


def test_columns_may_come_in_any_order_beside_others_and_after_a_byte_order_mark(tmp_path):
    file = tmp_path / "t.csv"
    file.write_bytes(
        b'\xef\xbb\xbfpassed,note,variant,case_id\r\ntrue,"a, b",baseline,x\r\nFALSE,,candidate,x\r\n'
    )
    found = read_table(file, needed=NEEDED, variants=BOTH)
    assert [(trial.case_id, trial.cluster, trial.passed, trial.trial) for trial in found] == [
        ("x", "x", 1.0, "1"),
        ("x", "x", 0.0, "1"),
    ]


def test_without_a_trial_column_trials_are_counted(tmp_path):
    found = read(tmp_path, "a,1", "b,1", "a,0", header="case_id,passed", needed=("passed",), variants=())
    assert [(trial.case_id, trial.trial) for trial in found] == [("a", "1"), ("b", "1"), ("a", "2")]


def test_all_mistakes_are_named_with_line_and_column(tmp_path):
    found = mistakes(
        tmp_path,
        *GOOD,
        "b,t,canddate,1,1,,,",
        "c,t,baseline,1,yes,,,",
        "d,t,baseline,1,1,1.5,,",
        "e,t,baseline,1,1,,-1,",
        "f,t,baseline,1,1,,,inf",
        "g,t,baseline,1,1,NaN,,",
        "a,t,baseline,1,1,,,",
        "a,u,baseline,2,1,,,",
        "h,t,baseline,1,1",
        ",t,baseline,1,1,,,",
        "i,t,baseline,,1,,,",
    )
    heads = [each.splitlines()[0] for each in found]
    assert heads == [
        "trials.csv:4:5: variant 'canddate' is not 'baseline' or 'candidate'",
        "trials.csv:5:16: passed 'yes' is not 1 or 0",
        "trials.csv:6:18: score '1.5' is not a number from 0 to 1",
        "trials.csv:7:19: cost_usd '-1' is not a number of dollars from 0 up",
        "trials.csv:8:20: latency_s 'inf' is not a number of seconds from 0 up",
        "trials.csv:9:18: score 'NaN' is not a number from 0 to 1",
        "trials.csv:10:1: trial '1' of case 'a' and variant 'baseline' stands on line 2 already",
        "trials.csv:11:3: case 'a' is in cluster 'u' here and in 't' on line 2",
        "trials.csv:12:1: 5 fields where the first line has 8",
        "trials.csv:13:1: the case_id is empty",
        "trials.csv:14:14: the trial is empty",
    ]
    assert "Did you mean 'candidate'?" in found[0]


def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path):
    found = mistakes(tmp_path, "a,baseline,1", header="case,variant,passed")
    assert found[0].startswith("trials.csv:1:1: there is no column 'case_id'")
    assert "'case'" in found[0]


def test_a_column_that_stands_there_twice_is_a_mistake(tmp_path):
    (found,) = mistakes(tmp_path, "a,baseline,1,1", header="case_id,variant,passed,passed")
    assert found == "trials.csv:1:24: the column 'passed' stands here a second time"


def test_a_variant_without_a_trial_is_a_mistake(tmp_path):
    assert "no trial of the variant 'candidate'" in mistakes(tmp_path, GOOD[0])[0]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"], ids=["nothing", "blank lines", "a mark"])
def test_an_empty_file_is_said_to_be_empty(tmp_path, content):
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(TableError, match="the table is empty"):
        read_table(file, needed=NEEDED)


def test_a_header_alone_holds_no_trials(tmp_path):
    assert "there are no trials" in mistakes(tmp_path)[0]


def test_what_is_not_utf_8_is_said_with_its_line(tmp_path):
    file = tmp_path / "t.csv"
    file.write_bytes(HEADER.encode() + b"\n\xff\xfe,,\n")
    with pytest.raises(TableError, match=r"t\.csv:2: this is not UTF-8"):
        read_table(file, needed=NEEDED)


@pytest.mark.parametrize("place", ["nothing.csv", "."])
def test_what_can_not_be_read_is_said_to_be_so(tmp_path, place):
    with pytest.raises(TableError, match="it can't be read"):
        read_table(tmp_path / place, needed=NEEDED)


def test_an_open_quote_is_not_csv(tmp_path):
    assert "this is not CSV" in mistakes(tmp_path, *GOOD, 'b,"t,baseline,1,1,,,')[-1]


def test_a_file_full_of_mistakes_shows_a_hundred_and_counts_the_rest(tmp_path):
    found = mistakes(tmp_path, *(f"c{n},t,baseline,1,x,,," for n in range(250)))
    assert len(found) == 101
    assert found[-1].endswith("150 more mistakes")


def test_what_ended_in_an_error_has_no_numbers_however_far_it_came(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text(
        "case_id,passed,score,cost_usd,latency_s,outcome\na,,1.0,0.01,0.2,errored\nb,1,1.0,0.01,0.2,passed\n"
    )
    broken, whole = read_table(file, needed=("passed",))
    assert all(map(math.isnan, broken[4:]))
    assert whole[4:] == (1.0, 1.0, 0.01, 0.2)


@pytest.mark.parametrize("cost", ["1e300", "inf", "1_0", "\u0661", "nan", "-0.1"])
def test_a_number_that_no_program_but_ours_would_read_is_none(tmp_path, cost):
    with pytest.raises(TableError) as refused:
        read(tmp_path, f"a,t,baseline,1,1,0.5,{cost},1.5")
    assert f"cost_usd {cost!r} is not a number of dollars from 0 up" in str(refused.value)


def test_names_of_columns_in_other_letters_and_other_separators_are_understood_and_told(tmp_path):
    for header, told in (
        (HEADER.upper(), "Did you mean 'CASE_ID'?"),
        (HEADER.replace(",", ";"), "Separate the fields by commas."),
        (HEADER.replace(",", "\t"), "Separate the fields by commas."),
    ):
        with pytest.raises(TableError) as refused:
            read(tmp_path, *GOOD, header=header)
        assert told in str(refused.value)
