"""Documents are read in processes that may end; the server goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.server.reading import Unreadable, readers
from harness.server.reading.limits import MEGABYTE, Limits
from harness.server.reading.readers import Readers

PAGE = b"<html><body><p>Refunds take 5 days.</p></body></html>"
# Attributes are compared with one another: this takes minutes to parse.
ENDLESS = b"<html><p " + b" ".join(b"a%d=1" % number for number in range(200_000)) + b">x"


@pytest.fixture
def pool() -> Iterator[Readers]:
    made = Readers()
    yield made
    made.close()


def processes(pool: Readers) -> list[subprocess.Popen[bytes]]:
    return [reader._process for reader in pool._idle]


def refusal(pool: Readers, name: str, content: bytes) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        pool.read(name, content)
    return caught.value


def test_one_process_reads_one_document_after_the_other(pool: Readers) -> None:
    assert pool.read("../a.html", PAGE).filename == "a.html"
    first = processes(pool)
    assert pool.read("b.html", PAGE).text == "Refunds take 5 days."
    assert processes(pool) == first


def test_a_refusal_says_the_same_as_reading_in_place(pool: Readers) -> None:
    error = refusal(pool, "photo.png", b"\x89PNG")
    assert (error.code, error.message.split(":")[0]) == ("unsupported_file", "'photo.png' cannot be read")
    assert len(processes(pool)) == 1


def test_several_threads_share_a_few_processes(pool: Readers) -> None:
    with ThreadPoolExecutor(8) as threads:
        texts = threads.map(lambda number: pool.read(f"{number}.html", PAGE).text, range(24))
    assert set(texts) == {"Refunds take 5 days."}
    assert 1 <= len(processes(pool)) <= 2


def test_a_document_that_takes_too_long_is_refused_and_the_next_one_is_read() -> None:
    pool = Readers(Limits(wall_s=0.3))
    error = refusal(pool, "endless.html", ENDLESS)
    assert error.code == "invalid_file"
    assert error.message == "reading 'endless.html' took longer than 0.3 s; split it or save it again"
    assert processes(pool) == []
    pool.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to it")
def test_a_document_that_needs_too_much_processor_time_is_refused() -> None:
    pool = Readers(Limits(cpu_s=1))
    error = refusal(pool, "endless.html", ENDLESS)
    assert error.message == (
        "reading 'endless.html' takes more than 1 s of processor time; split it or save it again"
    )
    assert pool.read("a.html", PAGE).text == "Refunds take 5 days."
    pool.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to it")
def test_a_document_that_needs_too_much_memory_is_refused_and_the_process_replaced() -> None:
    pool = Readers(Limits(memory_bytes=200 * MEGABYTE))
    error = refusal(pool, "large.txt", b"some words " * 8_000_000)
    assert error.code == "invalid_file"
    assert "more than 200 MB of memory" in error.message
    assert processes(pool) == []
    assert pool.read("a.html", PAGE).text == "Refunds take 5 days."
    pool.close()


def test_a_process_that_crashes_takes_only_its_document_along(
    pool: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.read("a.html", PAGE)
    [reader] = pool._idle
    receive = reader._receive

    def crash_and_receive() -> bytes:
        reader._process.send_signal(signal.SIGSEGV)  # it has the document, and is at it
        return receive()

    monkeypatch.setattr(reader, "_receive", crash_and_receive)
    error = refusal(pool, "endless.html", ENDLESS)
    assert error.code == "invalid_file"
    assert error.message.startswith(
        "reading 'endless.html' ended in a crash (SIGSEGV): it is damaged, or needs"
    )
    assert pool.read("a.html", PAGE).text == "Refunds take 5 days."


def test_a_process_that_ended_while_idle_is_replaced_without_notice(pool: Readers) -> None:
    pool.read("a.html", PAGE)
    (process,) = processes(pool)
    process.kill()
    process.wait()
    assert pool.read("a.html", PAGE).text == "Refunds take 5 days."


def test_processes_are_replaced_after_many_documents_and_after_a_large_one() -> None:
    pool = Readers(Limits(documents=2, large_bytes=len(PAGE)))
    pool.read("a.html", PAGE)
    assert len(processes(pool)) == 1
    pool.read("a.html", PAGE)
    assert processes(pool) == []
    pool.read("a.html", PAGE + b"<p>more</p>")
    assert processes(pool) == []
    pool.close()


def test_an_idle_process_is_ended_and_nothing_is_left_of_it() -> None:
    pool = Readers(Limits(idle_s=0.05))
    pool.read("a.html", PAGE)
    (process,) = processes(pool) or [None]
    timer = pool._idle_timer
    if timer is not None:
        timer.join(60)
    assert processes(pool) == []
    assert process is None or process.returncode is not None


def test_closing_leaves_no_process_and_later_documents_are_still_read(pool: Readers) -> None:
    pool.read("a.html", PAGE)
    (process,) = processes(pool)
    pool.close()
    assert process.returncode is not None
    assert pool.read("a.html", PAGE).text == "Refunds take 5 days."


def test_a_process_that_cannot_start_is_an_error_of_the_server_not_of_the_file(
    monkeypatch: pytest.MonkeyPatch, pool: Readers
) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(HarnessError, match="no process can be started to read documents in") as caught:
        pool.read("a.html", PAGE)
    assert caught.value.code == "reader-unavailable"


def test_the_process_sees_nothing_of_the_servers_environment(
    monkeypatch: pytest.MonkeyPatch, pool: Readers
) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "secret")
    pool.read("a.html", PAGE)
    (process,) = processes(pool)
    environment = Path(f"/proc/{process.pid}/environ")
    if not environment.exists():
        pytest.skip("this system does not tell")
    assert b"secret" not in environment.read_bytes()


def test_small_plain_files_are_read_without_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "_READERS", Readers())
    for name, content in (
        ("a.md", b"# Title"),
        ("a.csv", b"a,b\n1,2\n"),
        ("a.json", b"[1]"),
        ("a.py", b"x = 1"),
    ):
        assert readers.read(name, content).text
    assert processes(readers._READERS) == []
    assert readers.read("a.txt", PAGE).text == "Refunds take 5 days."
    assert len(processes(readers._READERS)) == 1
    readers.close_readers()


SERVER = """
import sys
from harness.server.reading import readers
readers.read("a.html", b"<html>words")
print(readers._READERS._idle[0]._process.pid, flush=True)
{rest}
"""


def _server(rest: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SERVER.format(rest=rest)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def _wait_for_end(number: int) -> bool:
    """Whether a process that is not our child ends; its end closes the descriptor that stands for it."""
    try:
        handle = os.pidfd_open(number)
    except ProcessLookupError:
        return True
    import select

    try:
        return bool(select.select([handle], [], [], 120)[0])
    finally:
        os.close(handle)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux can wait for such a process")
@pytest.mark.parametrize(
    "rest",
    [
        "sys.stdin.read()",
        "import threading; work = threading.Thread(target=readers.read, args=('b.html', {endless}));"
        " work.start(); sys.stdin.read()",
    ],
    ids=["idle", "at work"],
)
def test_the_process_ends_when_the_server_is_killed(rest: str) -> None:
    endless = "b'<html><p ' + b' '.join(b'a%d=1' % number for number in range(200000))"
    with _server(rest.format(endless=endless)) as server:
        assert server.stdout is not None
        number = int(server.stdout.readline())
        server.kill()
        server.wait()
        assert _wait_for_end(number)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux can wait for such a process")
def test_the_process_ends_when_the_server_ends_by_itself() -> None:
    with _server("") as server:
        assert server.stdout is not None
        number = int(server.stdout.readline())
        assert server.wait() == 0
        assert _wait_for_end(number)


def test_a_forked_process_has_readers_of_its_own() -> None:
    rest = """
import os
theirs = readers._READERS
child = os.fork()
if child == 0:
    fine = readers._READERS is not theirs and readers.read("b.html", b"<html>more").text == "more"
    readers.close_readers()
    os._exit(0 if fine else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert readers.read("c.html", b"<html>again").text == "again"
"""
    with _server(rest) as server:
        server.communicate()
        assert server.returncode == 0


def test_documents_are_read_in_a_spawned_process() -> None:
    from multiprocessing import get_context

    with get_context("spawn").Pool(1) as processes:
        assert processes.apply(readers.read, ("a.html", PAGE)).text == "Refunds take 5 days."
