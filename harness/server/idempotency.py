"""Idempotency keys: a POST that is sent again with its key is done once and answered alike.

Clients repeat calls whose answer was lost. With the header ``Idempotency-Key`` the repetition gets the first
answer instead of a second thread, message or run.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable

import msgspec

from harness.clock import Clock
from harness.server.errors import ApiError
from harness.server.wire import Reply, Request

HEADER = "idempotency-key"
REPLAY_HEADER = "x-harness-replayed"
KEPT_S = 600
MOST_KEPT = 1_000
MOST_KEPT_BYTES = 32 * 1024 * 1024
_MOST_CHARACTERS = 255
_Place = tuple[str, str, str, str]


class _Entry(msgspec.Struct):
    """A call that was made with a key.

    Attributes:
        digest: Of everything that it sent.
        reply: Its answer without its body; None while it is being worked on.
        body: The body of its answer, as JSON text.
        until: How long it is kept, on the clock's counter.
    """

    digest: bytes
    reply: Reply | None = None
    body: bytes = b""
    until: float = 0.0


class Repetitions:
    """The answers to calls with a key, for ten minutes; in memory only, and never those of streams.

    Args:
        clock: Tells when their time is over.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._entries: dict[_Place, _Entry] = {}  # oldest first
        self._bytes = 0

    def answer(self, request: Request, work: Callable[[], Reply]) -> Reply:
        """The first answer to a call that is sent again, else what ``work`` gives.

        A repetition waits while the first call is being worked on. What was refused or failed is not kept:
        trying again may end better.

        Raises:
            ApiError: The key was used for a call that sent something else.
        """
        place = _place(request)
        if place is None:
            return work()
        known = self._claim(place, _digest(request))
        if known is not None:
            return known
        reply: Reply | None = None
        try:
            reply = work()
        finally:
            self._settle(place, reply)
        return reply

    def _claim(self, place: _Place, digest: bytes) -> Reply | None:
        """The answer that is there already; None when the caller has to do the work."""
        with self._changed:
            while True:
                self._forget_old()
                entry = self._entries.get(place)
                if entry is None:
                    self._entries[place] = _Entry(digest)
                    return None
                if entry.digest != digest:
                    raise _used_otherwise(place[-1])
                if entry.reply is not None:
                    return _again(entry)
                self._changed.wait()

    def _settle(self, place: _Place, reply: Reply | None) -> None:
        with self._changed:
            entry = self._entries.pop(place)
            if reply is not None and reply.status < 300 and reply.events is None and reply.content is None:
                entry.body = msgspec.json.encode(reply.body)
                entry.reply = Reply(reply.status, headers=dict(reply.headers))
                entry.until = self._clock.monotonic() + KEPT_S
                self._entries[place] = entry
                self._bytes += len(entry.body)
                self._make_room()
            self._changed.notify_all()

    def _forget_old(self) -> None:
        now = self._clock.monotonic()
        self._forget([place for place, each in self._entries.items() if each.reply and each.until <= now])

    def _make_room(self) -> None:
        settled = [place for place, each in self._entries.items() if each.reply is not None]
        over = len(settled) - MOST_KEPT
        while settled and (over > 0 or self._bytes > MOST_KEPT_BYTES):
            self._forget([settled.pop(0)])
            over -= 1

    def _forget(self, places: list[_Place]) -> None:
        for place in places:
            self._bytes -= len(self._entries.pop(place).body)


def _place(request: Request) -> _Place | None:
    """Which calls are repetitions of one another: the same client, path and key; None for no such call.

    Raises:
        ApiError: The key is too long.
    """
    key = request.headers.get(HEADER, "")
    if request.method != "POST" or not key or (request.body or {}).get("stream") is True:
        return None
    if len(key) > _MOST_CHARACTERS:
        message = f"The header 'Idempotency-Key' may have at most {_MOST_CHARACTERS} characters."
        raise ApiError(400, message, code="invalid_idempotency_key")
    client = request.headers.get("authorization") or request.headers.get("api-key", "")
    return client, request.method, request.path, key


def _digest(request: Request) -> bytes:
    sent = hashlib.blake2b(digest_size=16)
    query = {name: list(values) for name, values in request.query.items()}
    upload = request.upload
    form = None if upload is None else [upload.filename, dict(upload.fields), len(upload.content)]
    sent.update(msgspec.json.encode([request.body, query, form], order="deterministic"))
    if upload is not None:
        sent.update(upload.content)
    return sent.digest()


def _used_otherwise(key: str) -> ApiError:
    return ApiError(
        400,
        f"The idempotency key '{key}' was used before for a request with other parameters. "
        "Use a key for one request and its repetitions only.",
        code="idempotency_key_reused",
    )


def _again(entry: _Entry) -> Reply:
    reply = entry.reply or Reply(200)
    headers = {**reply.headers, REPLAY_HEADER: "true"}
    return Reply(reply.status, msgspec.json.decode(entry.body), headers=headers)
