"""The embedded server: every method and path beside its handler, and the one function that answers.

The handlers are plain functions on requests and the server's memory; HTTP is a thin layer over ``handle``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import SettingsError
from harness.server.engine.machine import Engine
from harness.server.engine.recovery import recover
from harness.server.engine.workshop import unisolated_sandbox
from harness.server.errors import ApiError
from harness.server.idempotency import Repetitions
from harness.server.llms.models import ModelTable
from harness.server.resources import (
    assistants,
    chat,
    completions,
    containers,
    conversations,
    embeddings,
    files,
    messages,
    models,
    responses,
    run_steps,
    runs,
    threads,
    vector_stores,
)
from harness.server.state import State, open_state
from harness.server.wire import Event, IdFactory, Reply, Request, Upload

if TYPE_CHECKING:
    from harness.server.faults import Fault, FaultFile, Faults
    from harness.server.sandbox import Sandbox

__all__ = ["ADMIN_PATH", "ROUTES", "App", "Event", "Reply", "Request", "ServerOptions", "Upload"]

Handler = Callable[..., "Reply | dict[str, Any]"]

# Words in braces are ids; a route with a fixed word in the same place comes first.
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/models", models.list_all),
    ("GET", "/models/{model}", models.retrieve),
    ("DELETE", "/models/{model}", models.delete),
    ("GET", "/assistants", assistants.list_all),
    ("POST", "/assistants", assistants.create),
    ("GET", "/assistants/{assistant}", assistants.retrieve),
    ("POST", "/assistants/{assistant}", assistants.update),
    ("DELETE", "/assistants/{assistant}", assistants.delete),
    ("POST", "/threads", threads.create),
    ("POST", "/threads/runs", runs.create_with_thread),
    ("GET", "/threads/{thread}", threads.retrieve),
    ("POST", "/threads/{thread}", threads.update),
    ("DELETE", "/threads/{thread}", threads.delete),
    ("GET", "/threads/{thread}/messages", messages.list_all),
    ("POST", "/threads/{thread}/messages", messages.create),
    ("GET", "/threads/{thread}/messages/{message}", messages.retrieve),
    ("POST", "/threads/{thread}/messages/{message}", messages.update),
    ("DELETE", "/threads/{thread}/messages/{message}", messages.delete),
    ("GET", "/threads/{thread}/runs", runs.list_all),
    ("POST", "/threads/{thread}/runs", runs.create),
    ("GET", "/threads/{thread}/runs/{run}", runs.retrieve),
    ("POST", "/threads/{thread}/runs/{run}", runs.update),
    ("POST", "/threads/{thread}/runs/{run}/cancel", runs.cancel),
    ("POST", "/threads/{thread}/runs/{run}/submit_tool_outputs", runs.submit_tool_outputs),
    ("GET", "/threads/{thread}/runs/{run}/steps", run_steps.list_all),
    ("GET", "/threads/{thread}/runs/{run}/steps/{step}", run_steps.retrieve),
    ("GET", "/files", files.list_all),
    ("POST", "/files", files.create),
    ("GET", "/files/{file}", files.retrieve),
    ("DELETE", "/files/{file}", files.delete),
    ("GET", "/files/{file}/content", files.content),
    ("GET", "/vector_stores", vector_stores.list_all),
    ("POST", "/vector_stores", vector_stores.create),
    ("GET", "/vector_stores/{store}", vector_stores.retrieve),
    ("POST", "/vector_stores/{store}", vector_stores.update),
    ("DELETE", "/vector_stores/{store}", vector_stores.delete),
    ("POST", "/vector_stores/{store}/search", vector_stores.search),
    ("GET", "/vector_stores/{store}/files", vector_stores.list_files),
    ("POST", "/vector_stores/{store}/files", vector_stores.add_file),
    ("GET", "/vector_stores/{store}/files/{file}", vector_stores.retrieve_file),
    ("POST", "/vector_stores/{store}/files/{file}", vector_stores.update_file),
    ("DELETE", "/vector_stores/{store}/files/{file}", vector_stores.remove_file),
    ("GET", "/vector_stores/{store}/files/{file}/content", vector_stores.file_content),
    ("POST", "/vector_stores/{store}/file_batches", vector_stores.create_batch),
    ("GET", "/vector_stores/{store}/file_batches/{batch}", vector_stores.retrieve_batch),
    ("POST", "/vector_stores/{store}/file_batches/{batch}/cancel", vector_stores.cancel_batch),
    ("GET", "/vector_stores/{store}/file_batches/{batch}/files", vector_stores.list_batch_files),
    ("POST", "/responses", responses.create),
    ("POST", "/responses/input_tokens", responses.input_tokens),
    ("GET", "/responses/{response}", responses.retrieve),
    ("DELETE", "/responses/{response}", responses.delete),
    ("GET", "/responses/{response}/input_items", responses.input_items),
    ("POST", "/responses/{response}/cancel", responses.cancel),
    ("POST", "/conversations", conversations.create),
    ("GET", "/conversations/{conversation}", conversations.retrieve),
    ("POST", "/conversations/{conversation}", conversations.update),
    ("DELETE", "/conversations/{conversation}", conversations.delete),
    ("GET", "/conversations/{conversation}/items", conversations.list_items),
    ("POST", "/conversations/{conversation}/items", conversations.add_items),
    ("GET", "/conversations/{conversation}/items/{item}", conversations.retrieve_item),
    ("DELETE", "/conversations/{conversation}/items/{item}", conversations.delete_item),
    ("GET", "/containers", containers.list_all),
    ("POST", "/containers", containers.create),
    ("GET", "/containers/{container}", containers.retrieve),
    ("DELETE", "/containers/{container}", containers.delete),
    ("GET", "/containers/{container}/files", containers.list_files),
    ("POST", "/containers/{container}/files", containers.add_file),
    ("GET", "/containers/{container}/files/{file}", containers.retrieve_file),
    ("DELETE", "/containers/{container}/files/{file}", containers.delete_file),
    ("GET", "/containers/{container}/files/{file}/content", containers.file_content),
    ("POST", "/chat/completions", chat.create),
    ("POST", "/completions", completions.create),
    ("POST", "/embeddings", embeddings.create),
)

ADMIN_PATH = "/admin/faults"
"""Not of the API: GET, POST and DELETE of the faults on demand; over HTTP for this machine alone."""
DOCUMENT_PATH = "/openapi.json"
"""Not of the API either: GET of the description of everything that is."""
FAULT_HEADER = "x-harness-fault"


class ServerOptions(msgspec.Struct, frozen=True):
    """How a server is set up.

    Attributes:
        models: Which model answers to which name.
        clock: Where time comes from.
        api_key: The key that clients must send; only HTTP asks for it. None asks for none.
        seed: The same seed gives the same ids; None gives random ones.
        eager: Runs without stream and indexing are done before their request is answered, in the
            caller's thread; otherwise by the server's own threads.
        workers: How many runs are executed at once when nobody streams them.
        context_tokens: The window that truncation fits prompts into.
        make_sandbox: Makes the sandbox of code_interpreter; None for the ordinary one.
        allow_unisolated_code: Run code also where this machine has no isolation for it: it can then reach
            the network and every file that this process can.
        faults: Faults on demand that calls meet from the start; None for none.
        sleep: How an answer is held back when a fault wants it late.
        state: The file that everything is kept in, made if there is none; None keeps it in memory.
    """

    models: ModelTable = msgspec.field(default_factory=ModelTable)
    clock: Clock = SYSTEM_CLOCK
    api_key: str | None = None
    seed: int | None = None
    eager: bool = False
    workers: int = 16
    context_tokens: int = 128_000
    make_sandbox: Callable[[], Sandbox] | None = None
    allow_unisolated_code: bool = False
    faults: FaultFile | None = None
    sleep: Callable[[float], None] = time.sleep
    state: Path | None = None


class App:
    """A server in this process; ``handle`` may be called from many threads at once.

    Args:
        options: How it is set up.

    Raises:
        SettingsError: The state file cannot be used.
    """

    def __init__(self, options: ServerOptions | None = None) -> None:
        self.options = options or ServerOptions()
        self._engine = Engine(
            _state(self.options),
            models=self.options.models,
            clock=self.options.clock,
            eager=self.options.eager,
            workers=self.options.workers,
            context_tokens=self.options.context_tokens,
            make_sandbox=_sandbox_maker(self.options),
        )
        self._recover()
        self._request_ids = IdFactory()
        self._repetitions = Repetitions(self.options.clock)
        self._faults: Faults | None = None
        if self.options.faults is not None:
            self._set_faults(self.options.faults)

    def _recover(self) -> None:
        """Bring what an earlier server left unfinished to an end.

        Raises:
            SettingsError: The state file is damaged.
        """
        try:
            recover(self._engine)
        except ApiError as problem:
            self._engine.close()
            raise SettingsError(
                problem.message, code="state-unusable", hint="restore the file from a copy, or name a new one"
            ) from problem

    def handle(self, request: Request) -> Reply:
        """The answer to a call; what is wrong with the call is answered, never raised.

        A stream's events drive its run as they are read; ``close`` on them leaves the rest to the server.
        """
        try:
            beside = self._beside_the_api(request.path)
            reply = beside(request) if beside else self._met(request)
        except ApiError as error:
            reply = error_reply(error, request.path)
        return reply.with_headers({"x-request-id": self.new_request_id(), **reply.headers})

    def _beside_the_api(self, path: str) -> Callable[[Request], Reply] | None:
        """What answers calls that are not of the API, which never meet a fault."""
        if path == ADMIN_PATH:
            return self._administered
        return _described if path == DOCUMENT_PATH else None

    def _met(self, request: Request) -> Reply:
        """The answer, after what faults on demand do to the call."""
        faults = self._faults  # another thread may replace them meanwhile
        if faults is None:
            return self._once(request)
        fault = faults.next(request)
        if fault.delay_s:
            self.options.sleep(fault.delay_s)
        reply = fault.refusal
        if reply is None or fault.after_work:
            reply = self._lost(self._once(replace(request, fate=fault.fate)), fault)
        if reply.events is not None and fault.drop_after is not None:
            from harness.server.faults import DroppedStream

            reply = replace(reply, events=DroppedStream(reply.events, fault.drop_after))
        return replace(reply, headers={**reply.headers, FAULT_HEADER: fault.label}) if fault.label else reply

    def _lost(self, reply: Reply, fault: Fault) -> Reply:
        """The answer, or the refusal in its place where a fault on demand loses it after the work."""
        if fault.refusal is None:
            return reply
        close = getattr(reply.events, "close", None)
        if close is not None:
            close()
        return fault.refusal

    def _once(self, request: Request) -> Reply:
        """The answer; a call that was made before with the same key is not made again."""
        return self._repetitions.answer(request, lambda: self._answer(request))

    def _answer(self, request: Request) -> Reply:
        try:
            self._engine.end_left_open()
            handler, ids = _route(request)
            answer = handler(self._engine, request, *ids)
        except ApiError as error:
            answer = error_reply(error, request.path)
        finally:
            self._engine.settle()
        return answer if isinstance(answer, Reply) else Reply(200, answer)

    def _administered(self, request: Request) -> Reply:
        """The answer to a call of the admin endpoint."""
        if request.method == "DELETE":
            self._faults = None
        elif request.method == "POST":
            from harness.server.faults import parse_faults

            self._set_faults(parse_faults(request.body, called_paths()))
        elif request.method != "GET":
            raise _not_allowed(request, _METHODS)
        faults = self._faults
        return Reply(200, faults.body() if faults else {"object": "faults", "faults": []})

    def _set_faults(self, file: FaultFile) -> None:
        from harness.server.faults import Faults

        self._faults = Faults(file)

    @property
    def has_faults(self) -> bool:
        """Whether calls may meet faults on demand."""
        return self._faults is not None

    def new_request_id(self) -> str:
        """The next ``x-request-id``."""
        return self._request_ids.new("req_")

    def halt(self) -> None:
        """End what still goes on at its next step: runs and responses fail, their streams are told."""
        self._engine.halt()

    def close(self) -> None:
        """Let runs in progress end, for a moment, stop the server's threads and close its sandbox."""
        self._engine.close()

    def __enter__(self) -> App:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _state(options: ServerOptions) -> State:
    return State(options.seed) if options.state is None else open_state(options.state, options.seed)


def _described(request: Request) -> Reply:
    if request.method != "GET":
        raise _not_allowed(request, ["GET"])
    from harness.server.description import document

    return Reply(200, document())


def _sandbox_maker(options: ServerOptions) -> Callable[[], Sandbox] | None:
    if options.make_sandbox is None and options.allow_unisolated_code:
        return unisolated_sandbox
    return options.make_sandbox


def called_paths() -> list[tuple[str, str]]:
    """Method and path of every route, ids in braces."""
    return [(method, path) for method, path, _ in ROUTES]


def error_reply(error: ApiError, path: str) -> Reply:
    """The error envelope; errors about /files repeat their message beside it (recorded)."""
    answer = error.body()
    if path == "/files" or path.startswith("/files/"):
        answer["detail"] = {"message": error.message, "code": error.code}
    return Reply(error.status, answer, headers=error.headers)


def _index(routes: tuple[tuple[str, str, Handler], ...]) -> dict[tuple[str, int, str], list[Any]]:
    """Routes by method, number of parts and first part: a handful of candidates each."""
    table: dict[tuple[str, int, str], list[Any]] = {}
    for method, path, handler in routes:
        parts = path.split("/")[1:]
        fixed = [(i, part) for i, part in enumerate(parts) if not part.startswith("{")]
        places = [i for i, part in enumerate(parts) if part.startswith("{")]
        table.setdefault((method, len(parts), parts[0]), []).append((fixed, places, handler))
    return table


_TABLE = _index(ROUTES)
_METHODS = ("GET", "POST", "DELETE")


def _route(request: Request) -> tuple[Handler, list[str]]:
    """The handler of a request and the ids in its path.

    Raises:
        ApiError: No such path, or not with this method.
    """
    parts = request.path.split("/")[1:]
    found = _match(request.method, parts)
    if found is not None:
        return found
    allowed = _allowed(parts)
    if allowed:
        raise _not_allowed(request, allowed)
    raise ApiError(404, f"Invalid URL ({request.method} /v1{request.path})", code="unknown_url")


def _not_allowed(request: Request, allowed: Iterable[str]) -> ApiError:
    return ApiError(
        405,
        f"Not allowed to {request.method} on /v1{request.path}.",
        code="method_not_allowed",
        headers={"allow": ", ".join(allowed)},
    )


def _allowed(parts: list[str]) -> list[str]:
    """The methods of a path; where a fixed word could also be an id, those of the fixed word."""
    found = {method: match for method in _METHODS if (match := _match(method, parts))}
    fewest_ids = min((len(ids) for _, ids in found.values()), default=0)
    return [method for method, (_, ids) in found.items() if len(ids) == fewest_ids]


def _match(method: str, parts: list[str]) -> tuple[Handler, list[str]] | None:
    for fixed, places, handler in _TABLE.get((method, len(parts), parts[0] if parts else ""), ()):
        if all(parts[i] == word for i, word in fixed):
            return handler, [parts[i] for i in places]
    return None
