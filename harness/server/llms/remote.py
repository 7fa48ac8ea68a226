"""A model behind any chat-completions endpoint: a local server, a gateway, a hosted model."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.backoff import wait_before_retry
from harness.clock import SYSTEM_CLOCK, Clock
from harness.server.llms.chat_format import Dialect, UnusableAnswer, chat_request, model_reply, streaming
from harness.server.llms.chat_stream import Assembly
from harness.server.llms.interface import (
    ChatMessage,
    ErrorCode,
    ModelError,
    ModelReply,
    ModelRequest,
    Piece,
)
from harness.server.llms.remote_stream import BrokeOff, FellSilent, Reading

if TYPE_CHECKING:
    import openai

DEFAULT_TIMEOUT_S = 120.0
DEFAULT_CONNECT_S = 10.0
DEFAULT_PAUSE_S = 60.0
DEFAULT_TRIES = 3
_REFUSED_PROMPT = frozenset({400, 413, 422})
_SUMMARISE = (
    "Summarise the conversation between a user and an assistant that follows, for the assistant to go on "
    "from. Keep every fact that may be needed: names, addresses, numbers, ids, dates, decisions, promises, "
    "open questions, and what the user prefers. Leave out greetings and repetitions. Answer with the summary "
    "alone, in the language of the conversation."
)
_SPENT = "insufficient_quota"  # a 429 that no waiting mends


class Remote:
    """Asks a chat-completions endpoint.

    Every failure of the endpoint becomes a ``ModelError``: 429 ``rate_limit_exceeded``, a refused prompt
    ``invalid_prompt``, everything else ``server_error``. What may pass is tried again first.

    Args:
        base_url: Of the endpoint, mostly ending in ``/v1``.
        api_key: Its key; None for an endpoint that asks for none.
        dialect: What is special about the endpoint.
        timeout_s: Longest one try may take; of a stream, longest until it begins.
        connect_s: Longest until the connection stands.
        pause_s: Longest pause between two parts of a stream.
        tries: How often one completion is asked for at most.
        sleep: How to wait between tries.
        clock: What dates in ``Retry-After`` are measured from.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        dialect: Dialect | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        connect_s: float = DEFAULT_CONNECT_S,
        pause_s: float = DEFAULT_PAUSE_S,
        tries: int = DEFAULT_TRIES,
        sleep: Callable[[float], None] = time.sleep,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.base_url = base_url
        self.dialect = dialect or Dialect()
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._connect_s = min(connect_s, timeout_s)
        self._pause_s = pause_s
        self._tries = tries
        self._sleep = sleep
        self._clock = clock
        self._client: openai.OpenAI | None = None
        self._lock = threading.Lock()

    def complete(self, request: ModelRequest) -> ModelReply:
        """The endpoint's next message or tool calls.

        Raises:
            ModelError: It cannot or will not answer.
        """
        body, number = chat_request(request, self.dialect), 1
        while True:
            try:
                return model_reply(self._send(body), request)
            except _failures() as problem:
                self._sleep(self._next_wait_s(problem, number, body))
                number += 1

    def summarise(
        self, model: str, earlier: str, messages: Sequence[ChatMessage], most_tokens: int
    ) -> ModelReply:
        """A summary by the endpoint's model: one more completion.

        Raises:
            ModelError: It cannot or will not answer.
        """
        said = "\n\n".join(f"{each.role}: {each.content}" for each in messages if each.content)
        before = f"The summary so far:\n{earlier}\n\nWhat was said since:\n" if earlier else ""
        question = ChatMessage("user", f"{before}{said}")
        return self.complete(
            ModelRequest(model, _SUMMARISE, [question], tool_choice="none", max_completion_tokens=most_tokens)
        )

    def stream(self, request: ModelRequest) -> Generator[Piece, None, ModelReply]:
        """The endpoint's next message or tool calls as they come; closing it hangs up.

        A try that fails is repeated only as long as nothing of an answer was passed on.

        Raises:
            ModelError: It cannot or will not answer, or broke off.
        """
        if "stream" in self.dialect.omit:
            return self.complete(request)
        body, number, passed = chat_request(request, self.dialect), 1, False
        while True:
            assembly = Assembly(request)
            try:
                for piece in self._pieces(body, assembly):
                    passed = passed or piece is not None
                    yield piece
                return assembly.reply()
            except _failures() as problem:
                tries = self._tries if passed else number
                self._sleep(self._next_wait_s(problem, tries, body))
                number += 1

    def _pieces(self, body: dict[str, object], assembly: Assembly) -> Iterator[Piece]:
        reading = Reading(
            lambda: self._opened(streaming(body, self.dialect)),
            first_s=self._timeout_s,
            between_s=self._pause_s,
            clock=SYSTEM_CLOCK,
        )
        with contextlib.closing(reading.chunks()) as chunks:
            for chunk in chunks:
                if chunk is None:
                    yield None
                else:
                    yield from assembly.add(chunk)

    def _opened(self, body: dict[str, object]) -> openai.Stream[object]:
        import openai

        client = self._open()
        kind = openai.Stream[object]
        return client.post("/chat/completions", cast_to=object, body=body, stream=True, stream_cls=kind)

    def _send(self, body: dict[str, object]) -> object:
        try:
            return self._open().post("/chat/completions", cast_to=object, body=body)
        except ValueError as error:  # a body that says it is JSON and is not
            raise UnusableAnswer(f"it is no JSON: {error}") from error

    def _open(self) -> openai.OpenAI:
        """The client, made when a run first needs it."""
        import openai

        with self._lock:
            if self._client is None:
                self._client = openai.OpenAI(
                    base_url=self.base_url,
                    api_key=self._api_key or "no-key",
                    max_retries=0,
                    timeout=openai.Timeout(self._timeout_s, connect=self._connect_s),
                )
            return self._client

    def _next_wait_s(self, failure: Exception, number: int, body: Mapping[str, object]) -> float:
        """How long to wait before the next try.

        Raises:
            ModelError: There should be none.
        """
        wait_s = self._wait_s(failure, number)
        if wait_s is None:
            code, reason = _explained(failure)
            raise ModelError(code, f"The model {body['model']!r} at {self.base_url} {reason}") from failure
        return wait_s

    def _wait_s(self, failure: Exception, number: int) -> float | None:
        import openai

        if number >= self._tries or getattr(failure, "code", None) == _SPENT:
            return None
        status: int | None = None
        headers: Mapping[str, str] = {}
        if isinstance(failure, openai.APIStatusError):
            status, headers = failure.status_code, failure.response.headers
        return wait_before_retry(number, status, headers, self._clock.now())


def _failures() -> tuple[type[Exception], ...]:
    """What can go wrong with an endpoint; a stream that is no JSON raises ``ValueError``."""
    import openai

    return UnusableAnswer, FellSilent, BrokeOff, openai.APIError, ValueError


def _explained(failure: Exception) -> tuple[ErrorCode, str]:
    """The code of a failed run, and what happened in words that follow the model's name."""
    import openai

    if isinstance(failure, UnusableAnswer):
        return "server_error", f"gave an answer that cannot be used: {failure}."
    if isinstance(failure, FellSilent) and failure.begun:
        return "server_error", "fell silent in the middle of its answer."
    if isinstance(failure, BrokeOff):
        return "server_error", f"broke off in the middle of its answer: {failure}."
    if isinstance(failure, FellSilent | openai.APITimeoutError):
        return "server_error", "did not answer in time."
    if isinstance(failure, openai.APIConnectionError):
        return "server_error", f"cannot be reached: {failure.__cause__ or failure}."
    if not isinstance(failure, openai.APIError):
        return "server_error", f"sent a stream that is none: {failure}."
    told = _message(failure)
    if not isinstance(failure, openai.APIStatusError):
        return "server_error", f"failed: {told}"
    if failure.status_code == 429:
        return "rate_limit_exceeded", f"refuses for now: {told}"
    if failure.status_code in _REFUSED_PROMPT:
        return "invalid_prompt", f"refused the request: {told}"
    if failure.status_code in (401, 403):
        return "server_error", f"does not accept the key (see api_key_env in the model table): {told}"
    return "server_error", f"failed with status {failure.status_code}: {told}"


def _message(error: openai.APIError) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or error.message)[:500]
