"""The embedded server over HTTP: any client of the hosted API works with it by its base_url."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread
import msgspec
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Match

from harness.server.access_log import AccessLog, Call
from harness.server.address import Address, address
from harness.server.app import ADMIN_PATH, FAULT_HEADER, App, error_reply
from harness.server.errors import ApiError
from harness.server.listening import (
    LAST_WORDS_S,
    SHUTDOWN_S,
    Listener,
    base_url,
    listening,
    make_server,
    terminated_like_interrupted,
)
from harness.server.wire import Event, Framing, Reply, Request, StoppableEvents, StreamDropped, Upload

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import Message, Receive, Scope, Send

MOST_JSON_BYTES = 64 * 1024 * 1024
MOST_UPLOAD_BYTES = 512 * 1024 * 1024 + 1024 * 1024
"""The largest file, and room for the form around it."""
_MOST_CALLS_AT_ONCE = 256
_MOST_STREAMS_AT_ONCE = 1024
_BETA_NOUNS = ("assistants", "threads")
_COMMON_HEADERS = {"openai-version": "2020-10-01"}
Result = TypeVar("Result")


class HttpOptions(msgspec.Struct, frozen=True):
    """How the server shows itself over HTTP.

    Attributes:
        most_json_bytes: Largest JSON body that is read.
        most_upload_bytes: Largest multipart body that is read.
        headers_s: Longest a client may take for the head of a request.
        body_pause_s: Longest pause while a body is sent.
        shutdown_s: How long open requests and streams may go on when the server ends.
        access_log: Takes note of every call; None for no log.
        require_beta_header: Calls of assistants and threads must say ``OpenAI-Beta: assistants=v2``.
    """

    most_json_bytes: int = MOST_JSON_BYTES
    most_upload_bytes: int = MOST_UPLOAD_BYTES
    headers_s: float = 20.0
    body_pause_s: float = 30.0
    shutdown_s: float = SHUTDOWN_S
    access_log: AccessLog | None = None
    require_beta_header: bool = False


_DEFAULT_OPTIONS = HttpOptions()


def asgi(app: App, *, api_key: str | None = None, options: HttpOptions = _DEFAULT_OPTIONS) -> Starlette:
    """The HTTP application over a server.

    Args:
        app: What answers.
        api_key: The key that clients must send; None takes that of the app's options, if there is one.
        options: Limits and log.
    """
    door = _Door(app, app.options.api_key if api_key is None else api_key, options)
    return Starlette(
        routes=[_Everything(door)],
        lifespan=door.lifespan,
        exception_handlers={Exception: door.broken},
    )


class _Everything(BaseRoute):
    """Hands on every path with every method: what is wrong with them is answered in the API's own words.

    Args:
        door: What answers.
    """

    def __init__(self, door: _Door) -> None:
        self._door = door

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.FULL if scope["type"] == "http" else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._door.answer(HttpRequest(scope, receive, send))
        await response(scope, receive, send)


class _Door:
    """Turns HTTP into calls of the server and their replies into HTTP.

    Every call runs in a thread of its own, so that a slow run holds nobody up.
    """

    def __init__(self, app: App, api_key: str | None, options: HttpOptions) -> None:
        self._app = app
        self._api_key = api_key
        self._options = options
        self._limiters: dict[int, anyio.CapacityLimiter] = {}
        self._pumps: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """While the server is up; at the end, streamed runs may still come to their own."""
        yield
        if self._pumps:
            await asyncio.wait(self._pumps, timeout=LAST_WORDS_S)

    async def answer(self, http: HttpRequest) -> Response:
        """The response to one HTTP request."""
        place = address(http.scope["path"])
        call = http.state.call = Call(http.method, place.path)
        try:
            reply = await self._reply(http, place, call)
            headers = self._headers(call, reply.headers)
            call.status = reply.status
            call.answered, call.fault = reply.body, headers.get(FAULT_HEADER, "")
            return self._response(reply, headers, call)
        except ClientDisconnect:
            call.status = 400
            return Response(status_code=400)
        except Exception:
            call.request_id = self._app.new_request_id()  # the log has the one that the client is given
            raise
        finally:
            if call.events is None:  # a stream is noted when it is over
                self._note(call)

    def _headers(self, call: Call, own: Mapping[str, str]) -> dict[str, str]:
        """The headers of every answer, with its own ones."""
        timed = {"openai-processing-ms": str(round(call.duration_ms))}
        identified = {"x-request-id": call.request_id or self._app.new_request_id()}
        headers = {**_COMMON_HEADERS, **identified, **timed, **own}
        call.request_id = headers["x-request-id"]
        return headers

    async def broken(self, http: HttpRequest, problem: Exception) -> Response:
        """The envelope for a mistake of ours; clients must not repeat what may have been half done."""
        error = ApiError(500, "The server had an error while processing your request.", type="server_error")
        call: Call = http.state.call
        headers = self._headers(call, {"x-should-retry": "false"})
        return Response(msgspec.json.encode(error.body()), 500, headers, "application/json")

    async def _reply(self, http: HttpRequest, place: Address, call: Call) -> Reply:
        try:
            self._check_key(http)
            if call.path == ADMIN_PATH:
                _check_local(http)
            if self._options.require_beta_header:
                _check_beta(http, call.path)
            request = await _request(http, place, self._options)
            call.sent = request.body
            return await self._in_thread(_MOST_CALLS_AT_ONCE, lambda: self._app.handle(request))
        except ApiError as error:
            return error_reply(error, call.path)

    def _note(self, call: Call) -> None:
        if self._options.access_log is not None:
            self._options.access_log.note(call)

    def _check_key(self, http: HttpRequest) -> None:
        if self._api_key is None:
            return
        sent = _sent_key(http)
        if not hmac.compare_digest(sent.encode(), self._api_key.encode()):
            shown = f"{sent[:3]}***{sent[-4:]}" if len(sent) > 12 else "***" if sent else "none"
            raise ApiError(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")

    async def _in_thread(self, most: int, work: Callable[[], Result]) -> Result:
        # Made here, in the event loop that it belongs to.
        limiter = self._limiters.setdefault(most, anyio.CapacityLimiter(most))
        # What hangs is left behind when the server ends.
        return await anyio.to_thread.run_sync(work, limiter=limiter, abandon_on_cancel=True)

    def _response(self, reply: Reply, headers: dict[str, str], call: Call) -> Response:
        if reply.events is not None:
            call.events = 0
            events = self._stream(reply.events, reply.framing, call)
            return _EventStream(events, media_type="text/event-stream", headers=headers)
        if reply.content is not None:
            return Response(reply.content, reply.status, headers, reply.content_type)
        return Response(msgspec.json.encode(reply.body), reply.status, headers, "application/json")

    async def _stream(self, events: Iterator[Event], framing: Framing, call: Call) -> AsyncIterator[bytes]:
        """The events as they happen; a thread reads them to their end even if the client goes away.

        Raises:
            StreamDropped: A fault on demand cuts the connection.
        """
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes | None]()

        def pump() -> None:
            try:
                for number, event in enumerate(events, 1):
                    call.events = number
                    loop.call_soon_threadsafe(queue.put_nowait, _sse(event, framing))
                loop.call_soon_threadsafe(queue.put_nowait, framing.end)
            except StreamDropped:
                call.cut = True
            except ApiError as problem:
                failure = _sse(("error", problem.body()), framing)
                loop.call_soon_threadsafe(queue.put_nowait, failure + framing.end)
            finally:
                loop.call_soon_threadsafe(queue.put_nowait, None)

        task = asyncio.create_task(self._in_thread(_MOST_STREAMS_AT_ONCE, pump))
        self._pumps.add(task)
        task.add_done_callback(lambda done: self._pumped(done, call))
        last = False
        try:
            while not last:
                pieces = [await queue.get()]
                while not queue.empty():
                    pieces.append(queue.get_nowait())
                last = pieces[-1] is None
                yield b"".join(piece for piece in pieces if piece is not None)
        finally:
            if not last and isinstance(events, StoppableEvents):
                events.stop()
        if call.cut:
            raise StreamDropped

    def _pumped(self, task: asyncio.Task[None], call: Call) -> None:
        self._pumps.discard(task)
        self._note(call)


class _EventStream(StreamingResponse):
    """Server-sent events; when a fault on demand cuts them, the connection ends without the last part."""

    async def stream_response(self, send: Send) -> None:
        with contextlib.suppress(StreamDropped):
            await super().stream_response(send)


def _sent_key(http: HttpRequest) -> str:
    """The key of a call, in the header of the hosted API or in that of Azure; empty without one."""
    scheme, _, key = http.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    return http.headers.get("api-key", "").strip()


def _check_beta(http: HttpRequest, path: str) -> None:
    """Refuse calls of the Assistants API that do not say so, in the words of the hosted service.

    Raises:
        ApiError: The header is missing, or names another version.
    """
    said = [part.strip() for value in http.headers.getlist("openai-beta") for part in value.split(",")]
    if path.split("/")[1] in _BETA_NOUNS and "assistants=v2" not in said:
        raise ApiError(
            400,
            "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
            "Please try again by setting the header 'OpenAI-Beta: assistants=v2'.",
            code="invalid_beta",
        )


def _check_local(http: HttpRequest) -> None:
    """Let only programs on this machine at the admin endpoint; no page in a browser either.

    Raises:
        ApiError: The call comes from elsewhere.
    """
    client = http.client.host if http.client else ""
    if not _is_loopback(client) or "origin" in http.headers:
        raise ApiError(403, "This endpoint answers programs on the server's own machine only.")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _sse(event: Event, framing: Framing) -> bytes:
    name, data = event
    named = b"event: %b\n" % name.encode() if framing.named else b""
    return b"%bdata: %b\n\n" % (named, msgspec.json.encode(data))


async def _request(http: HttpRequest, place: Address, options: HttpOptions) -> Request:
    kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    uploads = kind == "multipart/form-data"
    most = options.most_upload_bytes if uploads else options.most_json_bytes
    limited = HttpRequest(http.scope, _limited(http, most, options.body_pause_s))
    query: dict[str, list[str]] = {}
    for name, value in http.query_params.multi_items():
        query.setdefault(name, []).append(value)
    body = None if uploads else _json_object(await limited.body())
    if body is not None and place.deployment is not None:
        body["model"] = place.deployment  # decides there, whatever the body says
    return Request(
        method=http.method,
        path=place.path,
        body=body,
        query=query,
        headers=dict(http.headers),
        upload=await _upload(limited) if uploads else None,
    )


def _limited(http: HttpRequest, most: int, pause_s: float) -> Receive:
    """The body as it arrives, up to ``most`` bytes, as long as it goes on arriving.

    Raises:
        ApiError: It is larger, or paused for too long; nothing more of it is read.
    """
    read = 0
    declared = http.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:18]) > most:
        raise _too_large(most)

    async def receive() -> Message:
        nonlocal read
        try:
            async with asyncio.timeout(pause_s):
                message = await http.receive()
        except TimeoutError as error:
            text = f"The body of the request paused for more than {pause_s:g} seconds."
            raise ApiError(408, text, code="request_timeout") from error
        read += len(message.get("body", b""))
        if read > most:
            raise _too_large(most)
        return message

    return receive


def _too_large(most: int) -> ApiError:
    return ApiError(413, f"The request is larger than the maximum of {most} bytes.", code="request_too_large")


def _json_object(content: bytes) -> dict[str, Any] | None:
    """The JSON object of a body; None for an empty one.

    Raises:
        ApiError: It is no JSON, or no object.
    """
    if not content.strip():
        return None
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"We could not parse the JSON body of your request: {error}") from error
    if not isinstance(value, dict):
        raise ApiError(400, "The body of the request must be a JSON object.")
    return value


async def _upload(http: HttpRequest) -> Upload | None:
    """The file of a multipart form with the fields beside it; None when there is no file.

    Raises:
        ApiError: The form cannot be read.
    """
    try:
        async with http.form(max_files=1, max_fields=16) as form:
            fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
            file = form.get("file")
            if not isinstance(file, UploadFile):
                return None
            return Upload(file.filename or "file", await file.read(), fields)
    except (MultiPartException, HTTPException, UnicodeDecodeError) as error:
        detail = getattr(error, "detail", None) or getattr(error, "message", None) or error
        raise ApiError(400, f"We could not parse the multipart form of your request: {detail}") from error


def serve(
    app: App,
    host: str,
    port: int,
    api_key: str | None = None,
    on_ready: Callable[[str], None] | None = None,
    options: HttpOptions = _DEFAULT_OPTIONS,
) -> None:
    """Serve until interrupted or terminated, then let open requests end, for so long as the options say.

    Args:
        app: What answers; it is closed at the end.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        api_key: The key that clients must send; None asks for none.
        on_ready: Called with the base_url once requests are answered.
        options: Limits and log.

    Raises:
        OSError: It cannot listen there.
    """
    try:
        with terminated_like_interrupted(), listening(host, port) as listener:
            _make_server(app, host, port, api_key, on_ready, options).run(sockets=[listener])
    finally:
        app.close()


@contextlib.contextmanager
def background(
    app: App,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    api_key: str | None = None,
    options: HttpOptions = _DEFAULT_OPTIONS,
) -> Iterator[str]:
    """A server in a thread of this process, for as long as the block lasts; gives its base_url.

    Raises:
        OSError: It cannot listen there.
    """
    ready = threading.Event()
    with listening(host, port) as listener:
        server = _make_server(app, host, port, api_key, lambda _: ready.set(), options)

        def run() -> None:
            try:
                server.run(sockets=[listener])
            finally:
                ready.set()

        thread = threading.Thread(target=run, name="harness-http", daemon=True)
        thread.start()
        ready.wait()
        try:
            yield base_url(listener.getsockname())
        finally:
            server.should_exit = True
            thread.join()
            app.close()


def _make_server(
    app: App,
    host: str,
    port: int,
    api_key: str | None,
    on_ready: Callable[[str], None] | None,
    options: HttpOptions,
) -> uvicorn.Server:
    listener = Listener(host, port, options.headers_s, options.shutdown_s)
    application = asgi(app, api_key=api_key, options=options)
    return make_server(application, listener, on_ready=on_ready, on_last_words=app.halt)
