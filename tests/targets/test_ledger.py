"""The ledger: nothing that was begun is forgotten, nothing that is gone is remembered."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.clock import Clock
from harness.errors import StoreError
from harness.targets.ledger import Intent, Ledger, Place

PLACE = Place("http://127.0.0.1:1/v1", "key-1")
OTHER = Place("http://127.0.0.1:1/v1", "key-2")


def test_an_entry_tells_what_is_about_to_be_made_before_its_id_is_known(tmp_path: Path) -> None:
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    with Ledger(tmp_path / "ledger.sqlite", clock=Clock(lambda: now, lambda: 0.0)) as ledger:
        number = ledger.intend(
            "run-1", PLACE, Intent("file", name="a.md", size=7, fingerprint="f", role="code")
        )
        [entry] = ledger.entries()
        assert (entry.number, entry.id, entry.made_at, entry.place) == (number, None, now, PLACE)
        assert (entry.kind, entry.name, entry.size, entry.role) == ("file", "a.md", 7, "code")
        ledger.made(number, "file-1")
        assert [entry.id for entry in ledger.entries()] == ["file-1"]
        ledger.gone(number)
        assert ledger.entries() == []


def test_two_processes_write_to_one_ledger_and_know_it_by_one_id(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l") as first, Ledger(tmp_path / "l") as second:
        assert first.id == second.id
        first.intend("run-1", PLACE, Intent("thread"))
        second.intend("run-2", PLACE, Intent("thread"))
        assert [entry.run for entry in first.entries()] == ["run-1", "run-2"]
        assert [entry.run for entry in second.entries(run="run-2")] == ["run-2"]


def test_what_is_kept_is_found_by_what_it_is_and_whose_it_is(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l") as ledger:
        mine = ledger.intend("run-1", PLACE, Intent("assistant", fingerprint="f"))
        assert ledger.kept(PLACE, "f") == []
        ledger.keep([mine], "variant")
        assert [entry.number for entry in ledger.kept(PLACE, "f")] == [mine]
        assert ledger.kept(OTHER, "f") == ledger.kept(PLACE, "g") == []
        ledger.keep([mine], None)
        assert ledger.kept(PLACE, "f") == []


def test_a_user_has_the_newest_thread_that_was_kept_and_whose_id_is_known(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l") as ledger:
        for thread in ("thread_1", "thread_2", None):
            number = ledger.intend("run-1", PLACE, Intent("thread", keep="user", user="jo"))
            if thread:
                ledger.made(number, thread)
        found = ledger.thread_of(PLACE, "jo")
        assert found is not None and found.id == "thread_2"
        assert ledger.thread_of(PLACE, "sam") is None
        assert ledger.thread_of(OTHER, "jo") is None


HOLDER = """
import sys
from pathlib import Path
from harness.targets.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
held = ledger.hold("run-1")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_run_goes_on_until_its_process_ends_however_it_ends(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l") as ledger:
        assert not ledger.is_going_on("run-1")
        command = [sys.executable, "-c", HOLDER, str(tmp_path / "l")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout and process.stdout.readline() == "held\n"
            assert ledger.is_going_on("run-1")
            with pytest.raises(StoreError, match="run-1") as caught:
                ledger.hold("run-1")
            assert caught.value.code == "run-going-on"
            process.kill()
        assert not ledger.is_going_on("run-1")


def test_what_a_run_works_with_is_known_until_it_lets_go(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l") as ledger:
        number = ledger.intend("run-1", PLACE, Intent("assistant", fingerprint="f"))
        held = ledger.hold("run-2")
        ledger.use("run-2", [number])
        assert ledger.users_of(number) == {"run-2"}
        ledger.let_go("run-2", held)
        assert ledger.users_of(number) == set()
        assert not ledger.is_going_on("run-2")


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\x00 torn"])
def test_a_file_that_is_no_ledger_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "l").write_bytes(content)
    with pytest.raises(StoreError, match=r"'.*l' cannot be used") as caught:
        Ledger(tmp_path / "l")
    assert caught.value.code == "ledger-unusable"


def test_a_ledger_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    Ledger(tmp_path / "l").close()
    rows = sqlite3.connect(tmp_path / "l")
    with rows:
        rows.execute("UPDATE about SET value = '2' WHERE name = 'format'")
    rows.close()
    with pytest.raises(StoreError, match="a later version") as caught:
        Ledger(tmp_path / "l")
    assert caught.value.hint == "upgrade harness"


_STEPS = st.lists(
    st.tuples(st.sampled_from(["intend", "made", "gone", "keep", "reopen"]), st.integers(0, 5)), max_size=30
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(_STEPS)
def test_the_ledger_holds_exactly_what_was_begun_and_is_not_gone(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "l"
    ledger = Ledger(path)
    expected: dict[int, tuple[str | None, str | None]] = {}
    for step, which in steps:
        number = sorted(expected)[which] if which < len(expected) else None
        if step == "intend":
            expected[ledger.intend("run", PLACE, Intent("thread"))] = (None, None)
        elif step == "reopen":
            ledger.close()
            ledger = Ledger(path)
        elif number is not None and step == "made":
            ledger.made(number, f"thread_{which}")
            expected[number] = (f"thread_{which}", expected[number][1])
        elif number is not None and step == "keep":
            ledger.keep([number], "user")
            expected[number] = (expected[number][0], "user")
        elif number is not None:
            ledger.gone(number)
            del expected[number]
    assert {entry.number: (entry.id, entry.keep) for entry in ledger.entries()} == expected
    ledger.close()
