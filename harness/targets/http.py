"""Requests over HTTP, through the openai client's low-level verbs.

The low-level verbs skip the SDK's typed classes, whose first use alone costs half a second, and send exactly
the same requests. Answers are taken as bytes and parsed here, for a tenth of what the SDK's way costs.
Retrying is done by our own traffic and not by the SDK, so that every try is in the trace.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from harness.errors import (
    TargetError,
    TargetMissing,
    TargetRateLimited,
    TargetRefused,
    TargetTimeout,
    TargetUnavailable,
    TargetUnreadable,
)
from harness.targets.outgoing import Outgoing, TryFailed, may_be_done
from harness.targets.sse import EventReader
from harness.targets.traffic import Traffic
from harness.targets.wire import Json, Lost, as_event

if TYPE_CHECKING:
    import openai

_BETA = {"OpenAI-Beta": "assistants=v2"}
_OF_BETA = ("/assistants", "/threads", "/vector_stores")
_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
_NOT_SO = frozenset({400, 405, 406, 422, 501})  # how servers refuse a parameter that they don't have


class _NoStreams(TargetRefused):
    """The server refuses a request for wanting its answer as a stream."""


class Address(msgspec.Struct, frozen=True):
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

    def __init__(self, address: Address, *, timeout_s: float = 60.0, traffic: Traffic | None = None) -> None:
        self._traffic = traffic or Traffic()
        self._base_url = address.url
        self._key_name = "OPENAI_API_KEY" if address.api_version is None else "AZURE_OPENAI_API_KEY"
        from harness.targets.transport import http_package

        self._package = http_package()
        self._client = _client(address, timeout_s)
        self._streams = True

    async def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        lost: Lost | None = None,
    ) -> Json:
        """One request, its JSON answer."""
        options = _options(method, path, query)

        async def attempt(number: int) -> Json:
            answer = await self._request(method, path, body, _again(options, number))
            return self._json(answer.content, path)

        return await self._traffic.send(Outgoing(method, path, body, lost), attempt)

    async def _request(self, method: str, path: str, body: Json | None, options: Any) -> Any:
        """The answer to one try."""
        cast_to = self._package.Response
        with self._telling_of(method):
            if method == "GET":
                answer = await self._client.get(path, cast_to=cast_to, options=options)
            elif method == "DELETE":
                answer = await self._client.delete(path, cast_to=cast_to, options=options)
            else:
                answer = await self._client.post(path, cast_to=cast_to, body=body or {}, options=options)
        self._traffic.hear(answer.headers)
        return answer

    def _json(self, content: bytes, path: str) -> Json:
        answer = _parsed(content)
        if isinstance(answer, dict):
            return answer
        raise TargetUnreadable(
            f"{self._base_url}{path} answered with something that is no JSON object",
            hint="is this the base_url of a compatible API? It usually ends in /v1",
        )

    async def stream(
        self, path: str, body: Json, *, lost: Lost | None = None
    ) -> AsyncIterator[tuple[str, Json]]:
        """POST, then the events, or the object itself from a server that refuses to stream."""
        path, _, query = path.partition("?")
        try:
            if self._streams:
                async for event in self._streamed(path, query, body, lost):
                    yield event
                return
        except _NoStreams:
            pass  # nothing was done: it is asked without, here and from now on
        whole = {name: value for name, value in body.items() if name != "stream"}
        answer = await self.call("POST", path, whole, query=dict(parse_qsl(query)), lost=lost)
        self._streams = False
        yield as_event(answer)

    async def _streamed(
        self, path: str, query: str, body: Json, lost: Lost | None
    ) -> AsyncIterator[tuple[str, Json]]:
        """POST, then the events; retried only until the first byte of the answer."""
        # Older versions of the SDK lose a path's query where they add one of their own, as Azure's does.
        options = _options("POST", path, dict(parse_qsl(query)))

        async def attempt(number: int) -> openai.AsyncStream[object] | Json:
            return await self._opened(path, body, _again(options, number))

        request: Outgoing[openai.AsyncStream[object] | Json] = Outgoing("POST", path, body, lost)
        passage = await self._traffic.begin(request, attempt)
        nothing_came = True
        try:
            async for name, data in self._told_in(passage.answer, path):
                nothing_came = False
                passage.saw(data)
                yield name, data
        except TargetUnavailable:
            passage.end()
            if not nothing_came or lost is None or (found := await lost()) is None:
                raise
            yield as_event(found)
        finally:
            passage.end()

    async def _opened(self, path: str, body: Json, options: Any) -> openai.AsyncStream[object]:
        """The answer to one try, its body still to come."""
        import openai

        with self._telling_of("POST"), self._noticing_no_streams():
            opened: openai.AsyncStream[object] = await self._client.post(
                path,
                cast_to=object,
                body=body,
                options=options,
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )
        self._traffic.hear(opened.response.headers)
        return opened

    @contextmanager
    def _noticing_no_streams(self) -> Iterator[None]:
        """A refusal that is about streaming is told apart; no wait helps then."""
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            if not _is_about_streams(error):
                raise
            refusal = _NoStreams(f"{self._base_url} refused: {_message(error)}")
            never = {"x-should-retry": "false"}
            raise TryFailed(refusal, str(error), status=error.status_code, headers=never) from error

    async def _told_in(
        self, answer: openai.AsyncStream[object] | Json, path: str
    ) -> AsyncIterator[tuple[str, Json]]:
        """The events of an answer; a server may answer with the object itself."""
        if isinstance(answer, dict):
            yield as_event(answer)
            return
        try:
            if _is_json(answer.response.headers):
                yield as_event(self._json(await answer.response.aread(), path))
                return
            async for event in self._events(answer.response.aiter_bytes()):
                yield event
        except self._package.TimeoutException as error:
            raise TargetTimeout(f"{self._base_url} sent nothing for too long: {error}") from error
        except self._package.TransportError as error:
            raise TargetUnavailable(f"{self._base_url} cut the stream: {error}") from error
        finally:
            await answer.close()

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
                if event.get("error") and "object" not in event:  # an object may have an error of its own
                    raise TargetUnavailable(f"{self._base_url} failed: {_message_in(event['error'])}")
                yield name or str(event.get("type") or ""), event

    async def upload(self, filename: str, content: bytes, purpose: str) -> Json:
        """Upload a file; its API object."""
        options = _options("POST", "/files")

        async def attempt(number: int) -> Json:
            with self._telling_of("POST"):
                created = await self._client.files.create(
                    file=(filename, content),
                    purpose=purpose,  # type: ignore[arg-type]
                    extra_headers=_again(options, number)["headers"],
                )
            return created.model_dump()

        return await self._traffic.send(Outgoing("POST", "/files"), attempt)

    async def download(self, path: str) -> bytes:
        """The bytes at a path."""
        options: Any = {"headers": {"Accept": "application/binary"}}

        async def attempt(number: int) -> bytes:
            content: bytes = (await self._request("GET", path, None, _again(options, number))).content
            return content

        return await self._traffic.send(Outgoing("GET", path), attempt)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    @contextmanager
    def _telling_of(self, method: str) -> Iterator[None]:
        """What the SDK raises inside becomes a failed try."""
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            raise self._refused(method, error) from error
        except openai.APIConnectionError as error:
            done = may_be_done(method, None) and type(error.__cause__).__name__ not in _NEVER_SENT
            raise TryFailed(self._translate(error), str(error), may_be_done=done) from error
        except openai.APIError as error:
            never = {"x-should-retry": "false"}
            raise TryFailed(self._translate(error), str(error), headers=never) from error

    def _refused(self, method: str, error: openai.APIStatusError) -> TryFailed:
        self._traffic.hear(error.response.headers)
        return TryFailed(
            self._translate(error),
            str(error),
            status=error.status_code,
            headers=_hopeless(error) or error.response.headers,
            may_be_done=may_be_done(method, error.status_code),
        )

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
        if isinstance(error, openai.NotFoundError):
            return TargetMissing(f"{self._base_url} refused: {_message(error)}")
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


def _options(method: str, path: str, query: Mapping[str, Any] | None = None) -> Any:
    """What goes with a request and all its tries; the beta header only where that beta is."""
    headers = dict(_BETA) if path.startswith(_OF_BETA) else {}
    if method == "POST":
        headers["Idempotency-Key"] = f"harness-{secrets.token_hex(16)}"
    options: dict[str, Any] = {"headers": headers}
    if query:
        options["params"] = dict(query)
    return options


def _again(options: Any, number: int) -> Any:
    """The same for the try of this number; servers read in a header how often it was tried before."""
    if number == 1:
        return options
    return {**options, "headers": {**options["headers"], "x-stainless-retry-count": str(number - 1)}}


def _hopeless(error: openai.APIStatusError) -> Mapping[str, str] | None:
    """A quota that is used up comes as a rate limit, and no wait helps."""
    return {"x-should-retry": "false"} if error.code == "insufficient_quota" else None


def _is_about_streams(error: openai.APIStatusError) -> bool:
    about = error.param == "stream" or re.search(r"\bstream", _message(error), re.IGNORECASE)
    return error.status_code in _NOT_SO and bool(about)


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
