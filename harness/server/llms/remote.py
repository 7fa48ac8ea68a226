"""A model behind any chat-completions endpoint: a local server, a gateway, a hosted model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from harness.backoff import wait_before_retry
from harness.clock import SYSTEM_CLOCK, Clock
from harness.server.llms.chat_format import Dialect, UnusableAnswer, chat_request, model_reply
from harness.server.llms.interface import ErrorCode, ModelError, ModelReply, ModelRequest

if TYPE_CHECKING:
    import openai

DEFAULT_TIMEOUT_S = 120.0
DEFAULT_TRIES = 3
_REFUSED_PROMPT = frozenset({400, 413, 422})
_SPENT = "insufficient_quota"  # a 429 that no waiting mends


class Remote:
    """Asks a chat-completions endpoint.

    Every failure of the endpoint becomes a ``ModelError``: 429 ``rate_limit_exceeded``, a refused prompt
    ``invalid_prompt``, everything else ``server_error``. What may pass is tried again first.

    Args:
        base_url: Of the endpoint, mostly ending in ``/v1``.
        api_key: Its key; None for an endpoint that asks for none.
        dialect: What is special about the endpoint.
        timeout_s: Longest one try may take.
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
        tries: int = DEFAULT_TRIES,
        sleep: Callable[[float], None] = time.sleep,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.base_url = base_url
        self.dialect = dialect or Dialect()
        self._api_key = api_key
        self._timeout_s = timeout_s
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
        import openai

        body = chat_request(request, self.dialect)
        number = 1
        while True:
            try:
                return model_reply(self._send(body), request)
            except UnusableAnswer as problem:
                failure: openai.APIError | UnusableAnswer = problem
            except openai.APIError as problem:
                failure = problem
            wait_s = self._wait_s(failure, number)
            if wait_s is None:
                raise self._translated(failure, str(body["model"])) from failure
            self._sleep(wait_s)
            number += 1

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
                    timeout=self._timeout_s,
                )
            return self._client

    def _wait_s(self, failure: openai.APIError | UnusableAnswer, number: int) -> float | None:
        import openai

        if number >= self._tries or getattr(failure, "code", None) == _SPENT:
            return None
        status: int | None = None
        headers: Mapping[str, str] = {}
        if isinstance(failure, openai.APIStatusError):
            status, headers = failure.status_code, failure.response.headers
        return wait_before_retry(number, status, headers, self._clock.now())

    def _translated(self, failure: openai.APIError | UnusableAnswer, model: str) -> ModelError:
        code, reason = _explained(failure)
        return ModelError(code, f"The model {model!r} at {self.base_url} {reason}")


def _explained(failure: openai.APIError | UnusableAnswer) -> tuple[ErrorCode, str]:
    """The code of a failed run, and what happened in words that follow the model's name."""
    import openai

    if isinstance(failure, UnusableAnswer):
        return "server_error", f"gave an answer that cannot be used: {failure}."
    if isinstance(failure, openai.APITimeoutError):
        return "server_error", "did not answer in time."
    if isinstance(failure, openai.APIConnectionError):
        return "server_error", f"cannot be reached: {failure.__cause__ or failure}."
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
