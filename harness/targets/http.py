"""The Assistants API over HTTP, through the openai client's low-level verbs.

The low-level verbs skip the SDK's typed Assistants classes, whose first use alone costs half a second, and
send exactly the same requests. Retrying is done here and not by the SDK, so that every try is in the trace.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from harness.backoff import MOST_TRIES, wait_before_retry
from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import (
    TargetError,
    TargetRateLimited,
    TargetRefused,
    TargetTimeout,
    TargetUnavailable,
)
from harness.targets.wire import Json
from harness.trace.records import Attempt

if TYPE_CHECKING:
    import openai

_BETA: Any = {"headers": {"OpenAI-Beta": "assistants=v2"}}
_Answer = TypeVar("_Answer")


class HttpWire:
    """Requests to one base URL."""

    def __init__(
        self, base_url: str, api_key: str, *, timeout_s: float = 60.0, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        import openai

        self._clock = clock
        self._base_url = base_url
        self._client = openai.AsyncOpenAI(
            base_url=base_url, api_key=api_key, max_retries=0, timeout=timeout_s
        )

    async def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        attempts: list[Attempt] | None = None,
    ) -> Json:
        """One request, its JSON answer."""
        options: Any = {**_BETA, "params": dict(query or {})}

        async def send() -> Json:
            if method == "GET":
                answer = await self._client.get(path, cast_to=object, options=options)
            elif method == "DELETE":
                answer = await self._client.delete(path, cast_to=object, options=options)
            else:
                answer = await self._client.post(path, cast_to=object, body=body or {}, options=options)
            return self._json(answer, path)

        return await self._persist(send, f"{method} {path}", attempts)

    def _json(self, answer: object, path: str) -> Json:
        if isinstance(answer, dict):
            return answer
        raise TargetUnavailable(
            f"{self._base_url}{path} answered with something that is no JSON object",
            hint="is this the base_url of an Assistants-compatible API? It usually ends in /v1",
        )

    async def stream(
        self, path: str, body: Json, *, attempts: list[Attempt] | None = None
    ) -> AsyncIterator[tuple[str, Json]]:
        """POST, then the events; retried only until the first byte of the answer."""
        import openai

        async def send() -> openai.AsyncStream[object]:
            return await self._client.post(
                path,
                cast_to=object,
                body=body,
                options=_BETA,
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )

        events = await self._persist(send, f"POST {path.partition('?')[0]}", attempts)
        try:
            async for event in events:
                if isinstance(event, dict) and "event" in event:
                    yield event["event"], event["data"]
        except openai.APIError as error:
            raise self._translate(error) from error
        except _unwrapped() as error:
            raise TargetUnavailable(f"{self._base_url} cut the stream: {error}") from error
        finally:
            await events.close()

    async def upload(self, filename: str, content: bytes, purpose: str) -> Json:
        """Upload a file; its API object."""

        async def send() -> Json:
            created = await self._client.files.create(file=(filename, content), purpose=purpose)  # type: ignore[arg-type]
            return created.model_dump()

        return await self._persist(send, "POST /files", None)

    async def download(self, file_id: str) -> bytes:
        """The bytes of a file."""

        async def send() -> bytes:
            return (await self._client.files.content(file_id)).content

        return await self._persist(send, f"GET /files/{file_id}/content", None)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _persist(
        self, send: Callable[[], Awaitable[_Answer]], request: str, attempts: list[Attempt] | None
    ) -> _Answer:
        """Try again what may go through later; the waits are those the server asks for."""
        import openai

        number = 1
        while True:
            try:
                return await send()
            except openai.APIError as error:
                wait_s = self._wait_s(error, number)
                if attempts is not None:
                    attempts.append(
                        Attempt(request=request, number=number, error=str(error), wait_s=wait_s or 0.0)
                    )
                if wait_s is None:
                    raise self._translate(error) from error
                await asyncio.sleep(wait_s)
                number += 1

    def _wait_s(self, error: openai.APIError, number: int) -> float | None:
        """Seconds until the next try; None when there should be none."""
        import openai

        if number >= MOST_TRIES:
            return None
        if isinstance(error, openai.APIConnectionError):
            return wait_before_retry(number, None, {}, self._clock.now())
        if not isinstance(error, openai.APIStatusError):
            return None
        return wait_before_retry(number, error.status_code, error.response.headers, self._clock.now())

    def _translate(self, error: openai.APIError) -> TargetError:
        import openai

        if isinstance(error, openai.APITimeoutError):
            return TargetTimeout(f"{self._base_url} did not answer in time")
        if isinstance(error, openai.APIConnectionError):
            cause = error.__cause__ or error
            return TargetUnavailable(
                f"nothing answers at {self._base_url!r}: {cause}",
                hint="check --base-url, and that the server is running (harness serve starts one)",
            )
        if isinstance(error, openai.RateLimitError):
            return TargetRateLimited(f"{self._base_url} keeps refusing for now: {error}")
        if isinstance(error, openai.AuthenticationError):
            return TargetRefused(
                f"{self._base_url} does not accept the API key: {_message(error)}",
                code="wrong-api-key",
                hint="set OPENAI_API_KEY to a key of this server",
            )
        if isinstance(error, openai.APIStatusError) and error.status_code < 500:
            return TargetRefused(f"{self._base_url} refused: {_message(error)}")
        return TargetUnavailable(f"{self._base_url} failed: {_message(error)}")


def _unwrapped() -> tuple[type[Exception], ...]:
    """What older versions of the SDK let through when a stream breaks off; newer ones translate it."""
    try:
        import httpx
    except ImportError:  # newer ones do without
        return ()
    return (httpx.TransportError,)


def _message(error: openai.APIError) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or error.message)
