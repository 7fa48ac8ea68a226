"""The other side of ``readers``: a process that reads one document after the other for the server.

Requests come on standard input, answers go to standard output as JSON, both as ``frames`` says. A first,
empty answer tells that the process is up. It ends when its input ends, and at once when the server is gone.
"""

from __future__ import annotations

import json
import math
import os
import select
import sys
import threading
from contextlib import suppress
from typing import Any, BinaryIO

from harness.server.reading.documents import Unreadable
from harness.server.reading.extract import extract
from harness.server.reading.frames import ANSWER, REQUEST


def main(settings: dict[str, Any]) -> None:
    """Read documents until there are no more.

    Args:
        settings: ``memory_bytes`` and ``cpu_s`` of ``Limits``.
    """
    requests, answers = sys.stdin.buffer, _own_output()
    _limit("RLIMIT_CORE", 0)
    _limit("RLIMIT_AS", settings["memory_bytes"])
    threading.Thread(target=_end_with_server, args=(requests.fileno(),), daemon=True).start()
    _send(answers, b"")
    _silence(sys.stderr.fileno())
    while header := requests.read(REQUEST.size):
        name_size, size = REQUEST.unpack(header)
        name = requests.read(name_size).decode("utf-8", "surrogatepass")
        _limit("RLIMIT_CPU", math.ceil(_cpu_used()) + settings["cpu_s"])
        _send(answers, _answer(name, requests.read(size)))


def _answer(name: str, content: bytes) -> bytes:
    """The pages of a document, why it cannot be read, or what went wrong here."""
    try:
        pages = extract(name, content).pages
        return _encoded({"pages": [[page.number, page.text] for page in pages]})
    except Unreadable as problem:
        return _encoded({"code": problem.code, "message": problem.message})
    except MemoryError:
        return _encoded({"over": "memory"})
    except RecursionError:
        return _encoded({"over": "depth"})
    except Exception as problem:  # noqa: BLE001 - the server is told; the next document may be fine
        return _encoded({"failure": f"{type(problem).__name__}: {problem}"})


def _encoded(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")


def _send(answers: BinaryIO, content: bytes) -> None:
    answers.write(ANSWER.pack(len(content)))
    answers.write(content)
    answers.flush()


def _own_output() -> BinaryIO:
    """Standard output for the answers alone: what a library prints goes nowhere."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    _silence(sys.stdout.fileno())
    return answers


def _silence(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _limit(name: str, value: int) -> None:
    """Lower a limit of this process, where the system knows it."""
    with suppress(ImportError, AttributeError, ValueError, OSError):
        import resource

        number = getattr(resource, name)
        _, most = resource.getrlimit(number)
        resource.setrlimit(number, (value if most < 0 else min(value, most), most))


def _cpu_used() -> float:
    times = os.times()
    return times.user + times.system


def _end_with_server(number: int) -> None:
    """Wait until nobody can send requests any more, also in the middle of a document."""
    if not hasattr(select, "poll"):
        return
    poll = select.poll()
    poll.register(number, 0)  # an end of the other side is reported without being asked for
    while not any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll()):
        pass
    os._exit(0)
