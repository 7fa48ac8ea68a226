"""Faults on demand: refusals, dropped streams, runs that end badly and slow answers, to try resilience with.

Whether the n-th call that a rule counts is hit depends on the seed, the rule's place and n alone: the same
calls in the same order meet the same faults, on every machine.
"""

from __future__ import annotations

import hashlib
import math
import re
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field, ValidationError

from harness.server.errors import ApiError
from harness.server.wire import Event, Fate, Reply, Request, StreamDropped
from harness.yamlfile.checked import FileRecord, read_checked, refusal
from harness.yamlfile.mistakes import Mistake, mistakes_in
from harness.yamlfile.source import Place

CODE = "faults-invalid"
Routes = Collection[tuple[str, str]]
"""Method and path of everything that can be called, ids in braces."""

_RUN_CODES: dict[str, tuple[str, ...]] = {
    "failed": ("server_error", "rate_limit_exceeded", "invalid_prompt"),
    "incomplete": ("max_completion_tokens", "max_prompt_tokens"),
    "expired": (),
}
_MAKES_RUNS = re.compile(r"/threads/(?:[^/]+/)?runs")
_EFFECTS = ("status", "drop_stream_after", "run", "delay_s")


class FaultRule(FileRecord):
    """Which calls are hit, and by what."""

    path: Annotated[str, Field(min_length=1)] | None = None
    """Without /v1; * stands for one part, ** for any number of them. Every path when left out."""
    method: Literal["GET", "POST", "DELETE"] | None = None
    """Every method when left out."""
    rate: Annotated[float, Field(ge=0, le=1)] | None = None
    """The share of calls that are hit; with neither rate nor nth it is every call."""
    nth: int | tuple[int, ...] | None = None
    """Which call is hit, counted from 1; or a list of them."""
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    """Answer with this error before any work is done."""
    retry_after_s: Annotated[float, Field(ge=0, le=86_400)] | None = None
    """With status: what Retry-After asks for, in seconds."""
    after_work: bool | None = None
    """With status: do the work first, so that only its answer is lost."""
    drop_stream_after: Annotated[int, Field(ge=0)] | None = None
    """Cut the connection of a stream after this many events; the run itself goes on."""
    run: Literal["failed", "expired", "incomplete"] | None = None
    """How a run or response that the call creates will end."""
    code: Annotated[str, Field(min_length=1)] | None = None
    """With status or run: the error code, or why the run is incomplete."""
    delay_s: Annotated[float, Field(gt=0, le=600)] | None = None
    """Answer this many seconds late."""


class FaultFile(FileRecord):
    """The whole file."""

    faults: tuple[FaultRule, ...]
    """Rules; a call may meet several."""
    seed: int = 1
    """Another seed hits other calls."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What one call meets.

    Attributes:
        refusal: The error answer that it gets.
        after_work: The work is done all the same, and only its answer is lost.
        delay_s: How late it is answered.
        drop_after: After how many events its stream is cut.
        fate: How a run that it creates will end.
        label: All of it in words, for the log and the header of the answer.
    """

    refusal: Reply | None = None
    after_work: bool = False
    delay_s: float = 0.0
    drop_after: int | None = None
    fate: Fate | None = None
    label: str = ""


class Faults:
    """The rules in force and how often each has been met.

    Args:
        file: The rules and their seed.
    """

    def __init__(self, file: FaultFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._calls = [0] * len(file.faults)
        self._hits = [0] * len(file.faults)

    def next(self, request: Request) -> Fault:
        """What this call meets; it is counted by every rule that is about such calls."""
        hit = [rule for i, rule in enumerate(self._file.faults) if self._is_hit(i, rule, request)]
        return _combined(hit)

    def _is_hit(self, index: int, rule: FaultRule, request: Request) -> bool:
        if not _concerns(rule, request):
            return False
        with self._lock:
            self._calls[index] += 1
            hit = decide(rule, self._file.seed, index, self._calls[index])
            self._hits[index] += hit
        return hit

    def body(self) -> dict[str, Any]:
        """The rules with their counts, as the admin endpoint shows them."""
        with self._lock:
            counted = [
                {**rule.model_dump(mode="json", exclude_none=True), "calls": calls, "hits": hits}
                for rule, calls, hits in zip(self._file.faults, self._calls, self._hits, strict=True)
            ]
        return {"object": "faults", "seed": self._file.seed, "faults": counted}


def decide(rule: FaultRule, seed: int, index: int, number: int) -> bool:
    """Whether a rule hits the call that it counts as this number: a function of its arguments alone."""
    if rule.nth is not None:
        return number in _numbers(rule.nth)
    if rule.rate is None:
        return True
    digest = hashlib.blake2b(f"{seed}/{index}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < rule.rate * 2**64


def _numbers(nth: int | tuple[int, ...]) -> tuple[int, ...]:
    return nth if isinstance(nth, tuple) else (nth,)


# --- which calls a rule is about --------------------------------------------------------------------------


def _concerns(rule: FaultRule, request: Request) -> bool:
    if rule.method not in (None, request.method):
        return False
    if rule.path is not None and not _pattern(rule.path).fullmatch(request.path):
        return False
    if rule.run is not None:
        return request.method == "POST" and _can_end_so(rule, request.path)
    if rule.drop_stream_after is not None:
        return (request.body or {}).get("stream") is True
    return True


def _can_end_so(rule: FaultRule, path: str) -> bool:
    """Whether what such a call creates can end so: responses neither expire nor lack prompt tokens."""
    if path == "/responses":
        return rule.run != "expired" and rule.code != "max_prompt_tokens"
    return _MAKES_RUNS.fullmatch(path) is not None


@lru_cache(maxsize=256)
def _pattern(path: str) -> re.Pattern[str]:
    """A path with stars as a regular expression; the version prefix may stand before it."""
    path = path.removeprefix("/v1") if path.startswith("/v1/") else path
    pieces = re.split(r"(\*\*|\*)", path)
    signs = {"**": ".*", "*": "[^/]+"}
    return re.compile("".join(signs.get(piece, re.escape(piece)) for piece in pieces))


# --- what a call meets ------------------------------------------------------------------------------------

_NO_FAULT = Fault()


def _combined(rules: Sequence[FaultRule]) -> Fault:
    """Delays add up; of refusals, cuts and fates the first counts."""
    if not rules:
        return _NO_FAULT
    refusing = next((rule for rule in rules if rule.status is not None), None)
    return Fault(
        refusal=_refusal(refusing) if refusing else None,
        after_work=refusing is not None and bool(refusing.after_work),
        delay_s=math.fsum(rule.delay_s for rule in rules if rule.delay_s is not None),
        drop_after=next(
            (rule.drop_stream_after for rule in rules if rule.drop_stream_after is not None), None
        ),
        fate=next((_fate(rule) for rule in rules if rule.run is not None), None),
        label=", ".join(f"{name} {getattr(rule, name)}" for rule in rules for name in (_effect(rule),)),
    )


def _effect(rule: FaultRule) -> str:
    return next(name for name in _EFFECTS if getattr(rule, name) is not None)


def _refusal(rule: FaultRule) -> Reply:
    status = rule.status or 500
    kind = "server_error" if status >= 500 else "invalid_request_error"
    code = rule.code
    if status == 429:
        kind, code = "rate_limit_error", code or "rate_limit_exceeded"
    error = ApiError(status, f"A fault on demand: status {status}.", code=code, type=kind)
    headers = {}
    if rule.retry_after_s is not None:
        # Whole seconds as the standard wants them, and exactly for clients that read milliseconds.
        headers = {
            "retry-after": str(math.ceil(rule.retry_after_s)),
            "retry-after-ms": str(round(rule.retry_after_s * 1000)),
        }
    return Reply(status, error.body(), headers=headers)


def _fate(rule: FaultRule) -> Fate:
    status = rule.run or "failed"
    return Fate(status, rule.code or next(iter(_RUN_CODES[status]), ""))


class DroppedStream(Iterator[Event]):
    """The first events of a stream, then the end of the connection; the run behind it goes on.

    Args:
        events: The whole stream.
        after: How many events get through.
    """

    def __init__(self, events: Iterator[Event], after: int) -> None:
        self._events = events
        self._left = after

    def __iter__(self) -> DroppedStream:
        return self

    def __next__(self) -> Event:
        if self._left == 0:
            self.close()
            raise StreamDropped
        self._left -= 1
        return next(self._events)

    def close(self) -> None:
        """Leave the rest of the run to the server."""
        close = getattr(self._events, "close", None)
        if close is not None:
            close()


# --- reading rules ----------------------------------------------------------------------------------------


def read_faults(path: Path, routes: Routes) -> FaultFile:
    """The rules of a YAML file.

    Raises:
        SettingsError: With every mistake of the file (code ``faults-invalid``).
    """
    checked = read_checked(path, FaultFile, code=CODE)
    found = list(_mistakes(checked.record, routes))
    if found:
        raise refusal([checked.problem(mistake) for mistake in found], code=CODE)
    return checked.record


def parse_faults(body: dict[str, Any] | None, routes: Routes) -> FaultFile:
    """The rules of a request.

    Raises:
        ApiError: 400, with every mistake.
    """
    data = body or {}
    try:
        file = FaultFile.model_validate_json(msgspec.json.encode(data), strict=True)
        found = list(_mistakes(file, routes))
    except ValidationError as error:
        found = list(mistakes_in(error, FaultFile, data))
    if found:
        told = [
            f"{mistake.message} ({mistake.hint})" if mistake.hint else mistake.message for mistake in found
        ]
        raise ApiError(400, "; ".join(told), param="faults")
    return file


def _mistakes(file: FaultFile, routes: Routes) -> Iterator[Mistake]:
    for index, rule in enumerate(file.faults):
        yield from _rule_mistakes(rule, ("faults", index), routes)


def _rule_mistakes(rule: FaultRule, place: Place, routes: Routes) -> Iterator[Mistake]:
    effects = [name for name in _EFFECTS if getattr(rule, name) is not None]
    if len(effects) != 1:
        told = " and ".join(effects) or "none of them"
        message = f"a fault must say exactly one of {', '.join(_EFFECTS)}, not {told}"
        yield Mistake(place, message, "write one fault for each")
        return
    if rule.rate is not None and rule.nth is not None:
        yield Mistake((*place, "nth"), "rate and nth exclude each other", "leave one of them out")
    if rule.nth is not None and min(_numbers(rule.nth), default=0) < 1:
        hint = "write a number such as 3, or several: [1, 2]"
        yield Mistake((*place, "nth"), "nth counts calls from 1 and names at least one", hint)
    if rule.retry_after_s is not None and rule.status is None:
        yield Mistake((*place, "retry_after_s"), "retry_after_s belongs to status", "leave it out")
    if rule.after_work and rule.status is None:
        yield Mistake((*place, "after_work"), "after_work belongs to status", "leave it out")
    yield from _code_mistakes(rule, place)
    if not any(_reaches(rule, method, path) for method, path in routes):
        called = " ".join(part for part in (rule.method, rule.path) if part)
        hint = "paths are those of the API, for example /threads/*/runs; * stands for one part, ** for more"
        yield Mistake((*place, "path"), f"no call that this fault can hit fits {called!r}", hint)


def _code_mistakes(rule: FaultRule, place: Place) -> Iterator[Mistake]:
    if rule.code is None or rule.status is not None:
        return
    if rule.run is None:
        yield Mistake((*place, "code"), "code belongs to status or run", "leave it out")
        return
    allowed = _RUN_CODES[rule.run]
    if rule.code not in allowed:
        listed = f"allowed: {', '.join(allowed)}" if allowed else "leave it out"
        yield Mistake((*place, "code"), f"a run that is {rule.run} has no code {rule.code!r}", listed)


def _reaches(rule: FaultRule, method: str, route: str) -> bool:
    """Whether a call of this route could be hit: ids stand for whatever the rule's path says there."""
    if rule.method not in (None, method) or (rule.drop_stream_after is not None and method != "POST"):
        return False
    example = _example(rule.path, route)
    body = {"stream": True}
    return _concerns(rule, Request(method, example, body))


def _example(path: str | None, route: str) -> str:
    """A path of this route; where the rule names an id, with that id."""
    wanted = (path or "").removeprefix("/v1").split("/")
    parts = route.split("/")
    same_length = len(wanted) == len(parts)
    made = [
        (wanted[i] if same_length and "*" not in wanted[i] else "x") if part.startswith("{") else part
        for i, part in enumerate(parts)
    ]
    return "/".join(made)
