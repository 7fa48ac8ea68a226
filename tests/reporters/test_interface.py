"""Reporters are found by name, and their reports reach the disk whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.errors import ReportError
from harness.reporters.interface import reporter, reporter_names, write_report


@pytest.mark.parametrize("name", reporter_names())
def test_every_reporter_renders_the_same_text_for_the_same_run(name, run):
    assert reporter(name).render(run) == reporter(name).render(run)


@pytest.mark.parametrize("name", reporter_names())
def test_every_reporter_can_do_without_results(name, empty, tmp_path):
    text = reporter(name).render(empty)
    path = write_report(text, tmp_path / f"report{reporter(name).suffix}")
    assert path.read_bytes() == text.encode()


@pytest.mark.parametrize("name", reporter_names())
def test_every_reporter_survives_text_that_utf8_cannot_carry(name, run, tmp_path):
    from msgspec.structs import replace

    broken = replace(run.results[4], error="half a pair: \ud83d", conversation="c")
    write_report(reporter(name).render(replace(run, results=(broken,))), tmp_path / "report")


def test_a_misspelt_reporter_is_refused_with_the_nearest_name():
    with pytest.raises(ReportError, match="'markdwon'") as caught:
        reporter("markdwon")
    assert "'markdown'" in (caught.value.hint or "")


def test_folders_are_made_and_no_temporary_file_is_left(tmp_path):
    path = write_report("text", tmp_path / "a" / "b" / "report.txt")
    assert [file.name for file in path.parent.iterdir()] == ["report.txt"]


def test_a_report_that_cannot_be_written_leaves_the_earlier_one_alone(tmp_path, monkeypatch):
    path = write_report("earlier", tmp_path / "report.txt")
    monkeypatch.setattr("pathlib.Path.replace", _refuse)
    with pytest.raises(ReportError, match="No space left") as caught:
        write_report("later", path)
    assert caught.value.code == "report-not-written"
    assert path.read_text() == "earlier"
    assert len(list(tmp_path.iterdir())) == 1


def _refuse(*_arguments) -> None:
    raise OSError(28, "No space left on device")


def test_a_folder_in_the_place_of_the_report_is_refused(tmp_path):
    with pytest.raises(ReportError):
        write_report("text", tmp_path)


@pytest.mark.parametrize("place", [".", "..", "/", ""])
def test_a_place_without_a_name_of_its_own_is_refused_in_words(place):
    with pytest.raises(ReportError, match="Is a directory"):
        write_report("text", place)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_written_into_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_report("text", pipe)
    assert os.read(reader, 100) == b"text"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_terminal_summary_loads_neither_jinja_nor_pandas():
    program = (
        "import sys; from harness.reporters.interface import reporter; reporter('console');"
        "sys.exit(any(name in sys.modules for name in ('jinja2', 'pandas', 'sqlalchemy', 'tabulate')))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
