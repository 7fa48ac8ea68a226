"""Requests over HTTP, through the openai client's low-level verbs.

The low-level verbs skip the SDK's typed classes, whose first use alone costs half a second, and send exactly
the same requests. Answers are taken as bytes and parsed here, for a tenth of what the SDK's way costs.
Retrying is done here and not by the SDK, so that every try is in the trace.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from harness.backoff import MOST_TRIES, wait_before_retry
from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import (
    TargetError,
    TargetRateLimited,
    TargetRefused,
    TargetTimeout,
    TargetUnavailable,
)
from harness.targets.sse import EventReader
from harness.targets.wire import Json
from harness.trace.records import Attempt

if TYPE_CHECKING:
    import openai

_BETA = {"OpenAI-Beta": "assistants=v2"}
_OF_BETA = ("/assistants", "/threads", "/vector_stores")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go.

    Attributes:
        url: The base URL, ending in /v1; of Azure, the endpoint of the resource.
        api_key: The key of this place.
        api_version: Of Azure's dated API; None where there is no such thing.
    """

    url: str
    api_key: str
    api_version: str | None = None


class HttpWire:
    """Requests to one base URL, or to one resource of Azure."""

    def __init__(self, address: Address, *, timeout_s: float = 60.0, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._base_url = address.url
        self._key_name = "OPENAI_API_KEY" if address.api_version is None else "AZURE_OPENAI_API_KEY"
        from harness.targets.transport import http_package

        self._package = http_package()
        self._client = _client(address, timeout_s)

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
        options = _options(path, query)

        async def send() -> Json:
            if method == "GET":
                answer = await self._client.get(path, cast_to=self._package.Response, options=options)
            elif method == "DELETE":
                answer = await self._client.delete(path, cast_to=self._package.Response, options=options)
            else:
                answer = await self._client.post(
                    path, cast_to=self._package.Response, body=body or {}, options=options
                )
            return self._json(answer.content, path)

        return await self._persist(send, f"{method} {path}", attempts)

    def _json(self, content: bytes, path: str) -> Json:
        answer = _parsed(content)
        if isinstance(answer, dict):
            return answer
        raise TargetUnavailable(
            f"{self._base_url}{path} answered with something that is no JSON object",
            hint="is this the base_url of a compatible API? It usually ends in /v1",
        )

    async def stream(
        self, path: str, body: Json, *, attempts: list[Attempt] | None = None
    ) -> AsyncIterator[tuple[str, Json]]:
        """POST, then the events; retried only until the first byte of the answer."""
        import openai

        path, _, query = path.partition("?")
        # Older versions of the SDK lose a path's query where they add one of their own, as Azure's does.
        options = _options(path, dict(parse_qsl(query)))

        async def send() -> openai.AsyncStream[object]:
            return await self._client.post(
                path,
                cast_to=object,
                body=body,
                options=options,
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )

        opened = await self._persist(send, f"POST {path}", attempts)
        try:
            if _is_json(opened.response.headers):
                whole = self._json(await opened.response.aread(), path)
                yield str(whole.get("object") or ""), whole
                return
            async for event in self._events(opened.response.aiter_bytes()):
                yield event
        except self._package.TimeoutException as error:
            raise TargetTimeout(f"{self._base_url} sent nothing for too long: {error}") from error
        except self._package.TransportError as error:
            raise TargetUnavailable(f"{self._base_url} cut the stream: {error}") from error
        finally:
            await opened.close()

    async def _events(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, Json]]:
        """Read to the very end, also after the word that all is said: the connection is then free again."""
        reader = EventReader()
        async for chunk in chunks:
            for name, content in reader.feed(chunk):
                if content.startswith(b"[DONE]") or name.endswith(".delta"):
                    continue
                event = _parsed(content)
                if not isinstance(event, dict):
                    raise TargetUnavailable(f"{self._base_url} sent an event that is no JSON object")
                if event.get("error"):
                    raise TargetUnavailable(f"{self._base_url} failed: {_message_in(event['error'])}")
                yield name or str(event.get("type") or ""), event

    async def upload(self, filename: str, content: bytes, purpose: str) -> Json:
        """Upload a file; its API object."""

        async def send() -> Json:
            created = await self._client.files.create(file=(filename, content), purpose=purpose)  # type: ignore[arg-type]
            return created.model_dump()

        return await self._persist(send, "POST /files", None)

    async def download(self, path: str) -> bytes:
        """The bytes at a path."""
        options: Any = {"headers": {"Accept": "application/binary"}}

        async def send() -> bytes:
            answer = await self._client.get(path, cast_to=self._package.Response, options=options)
            content: bytes = answer.content
            return content

        return await self._persist(send, f"GET {path}", None)

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
                        Attempt(
                            request=request,
                            number=number,
                            error=str(error),
                            wait_s=wait_s or 0.0,
                            status=getattr(error, "status_code", None),
                        )
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
                hint=f"set {self._key_name} to a key of this server",
            )
        if isinstance(error, openai.APIStatusError) and error.status_code < 500:
            return TargetRefused(f"{self._base_url} refused: {_message(error)}")
        return TargetUnavailable(f"{self._base_url} failed: {_message(error)}")


def _client(address: Address, timeout_s: float) -> openai.AsyncOpenAI:
    import openai

    from harness.targets.transport import transport_to

    transport = transport_to(address.url)
    http_client = openai.DefaultAsyncHttpxClient(transport=transport) if transport else None  # type: ignore[arg-type]
    if address.api_version is None:
        return openai.AsyncOpenAI(
            base_url=address.url,
            api_key=address.api_key,
            max_retries=0,
            timeout=timeout_s,
            http_client=http_client,
        )
    return openai.AsyncAzureOpenAI(
        azure_endpoint=address.url,
        api_key=address.api_key,
        api_version=address.api_version,
        max_retries=0,
        timeout=timeout_s,
        http_client=http_client,
    )


def _options(path: str, query: Mapping[str, Any] | None = None) -> Any:
    """What goes with a request; the beta header only where that beta is."""
    options: dict[str, Any] = {"params": dict(query)} if query else {}
    if path.startswith(_OF_BETA):
        options["headers"] = _BETA
    return options


def _is_json(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").startswith("application/json")


def _parsed(content: bytes) -> object:
    """What JSON holds; None when it is none."""
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:  # half a surrogate pair, for one, which only the slower parser takes
        pass
    try:
        return json.loads(content)
    except ValueError:
        return None


def _message_in(error: object) -> str:
    message = error.get("message") if isinstance(error, dict) else None
    return str(message or error)


def _message(error: openai.APIError) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or error.message)
