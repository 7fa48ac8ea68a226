"""A server that is killed again and again while many clients do everything at once.

Each client keeps a ledger of what it was told. After every kill the next server on the same file must know
all of it, hold nothing half made, and go on working. ``make kills`` does that for longer, in other orders.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import openai
import pytest

SEEDS = int(os.environ.get("KILL_SEEDS", "0"))
CLIENTS = 6
HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
AFTER_CALLS = (12, 60, 130)
"""After so many answers each server is killed."""
Json = dict[str, Any]
CODE = "open('/mnt/data/made.txt', 'a').write('line'); print(6 * 7)"


# what answers: a model that does what the question says


def answer(asked: Json) -> Json:
    """Calls the tool that the question names; with its outcome, or without a tool, it says something."""
    last = asked["messages"][-1]
    question = next(each["content"] for each in reversed(asked["messages"]) if each["role"] == "user")
    offered = [each["function"]["name"] for each in asked.get("tools", ())]
    wanted = {"search": "file_search", "code": "code_interpreter", "function": "look_up"}
    name = next((tool for word, tool in wanted.items() if f"<{word}>" in question and tool in offered), None)
    if name is None or last["role"] == "tool":
        return {"content": "It is said and done. " * 5}
    given = {"file_search": {"queries": ["zebra"]}, "code_interpreter": {"input": CODE}, "look_up": {}}[name]
    function = {"name": name, "arguments": json.dumps(given)}
    return {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}


class Endpoint(http.server.BaseHTTPRequestHandler):
    """A chat-completions endpoint that streams where it is asked to."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = {"role": "assistant", **answer(asked)}
        content = streamed(message) if asked.get("stream") else json.dumps(whole(message)).encode()
        self.send_response(200)
        kind = "text/event-stream" if asked.get("stream") else "application/json"
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def whole(message: Json) -> Json:
    return {"id": "c", "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}


def streamed(message: Json) -> bytes:
    words = (message.get("content") or "").split(" ")
    deltas = [{"content": f"{word} "} for word in words if word]
    calls = [{**call, "index": 0} for call in message.get("tool_calls", ())]
    deltas += [{"tool_calls": calls}] if calls else []
    chunks = [{"id": "c", "choices": [{"index": 0, "delta": each}]} for each in deltas]
    chunks.append({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in chunks) + b"data: [DONE]\n\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        remote = {"base_url": f"http://127.0.0.1:{server.server_port}/v1", "tries": 1}
        path = tmp_path_factory.mktemp("models") / "models.yaml"
        table = [{"match": "*", "remote": remote, "context_tokens": 3000}]
        path.write_text(json.dumps({"models": table}))
        yield path
        server.shutdown()


@contextlib.contextmanager
def serving(state: Path, models: Path) -> Iterator[tuple[subprocess.Popen[str], Api]]:
    command = [*HARNESS, "serve", "--port", "0", "--state", str(state), "--models", str(models)]
    log = state.with_suffix(".log")
    with (
        log.open("a") as complaints,
        subprocess.Popen(command, stdout=complaints, stderr=complaints, text=True) as process,
    ):
        known = log.stat().st_size
        try:
            while "serving on " not in (said := log.read_text()[known:]):
                assert process.poll() is None, log.read_text()
            base_url = said.split("serving on ")[1].split()[0]
            with httpx.Client(base_url=base_url, timeout=120) as client:
                yield process, Api(client)
        finally:
            process.kill()
    assert "Traceback" not in log.read_text(), log.read_text()


@dataclass
class Api:
    """Calls by path."""

    client: httpx.Client

    def _done(self, answered: httpx.Response) -> Json:
        assert answered.status_code == 200, (str(answered.request.url), answered.text)
        return answered.json()  # type: ignore[no-any-return]

    def get(self, path: str, **query: Any) -> Json:
        return self._done(self.client.get(path, params=query))

    def post(self, path: str, **body: Any) -> Json:
        return self._done(self.client.post(path, json=body))

    def delete(self, path: str) -> Json:
        return self._done(self.client.delete(path))

    def upload(self, path: str, name: str, content: bytes, **fields: str) -> Json:
        return self._done(self.client.post(path, files={"file": (name, content)}, data=fields))

    def is_gone(self, path: str) -> bool:
        return self.client.get(path).status_code == 404

    def stream(self, path: str, **body: Any) -> list[Json]:
        """The events of a streamed call."""
        with self.client.stream("POST", path, json={**body, "stream": True}) as answered:
            return events(answered)

    def stream_again(self, path: str) -> list[Json]:
        with self.client.stream("GET", path, params={"stream": "true"}) as answered:
            return events(answered)

    def rows(self, path: str, **query: Any) -> list[Json]:
        """A whole list, oldest first."""
        found: list[Json] = []
        after: Json = {}
        while True:
            page = self.get(path, order="asc", limit=100, **query, **after)
            found += page["data"]
            if not page["has_more"]:
                return found
            after = {"after": page["last_id"]}


def events(answered: httpx.Response) -> list[Json]:
    assert answered.status_code == 200, answered.read()
    sent = [line[6:] for line in answered.iter_lines() if line.startswith("data: ")]
    return [json.loads(each) for each in sent if each != "[DONE]"]


# what clients do, and what they were told


@dataclass
class Ledger:
    """What one client was told, of objects that nobody else touches.

    Attributes:
        texts: Messages by path, as they were said.
        runs: Paths of runs with the status that they ended in; None while nobody was told of an end.
        contents: Bytes of uploads by path.
        stores: The files of vector stores by the store's path, with a word that stands in each.
        responses: Ids of responses and the status that they ended in.
        items: Paths of items of conversations.
        gone: Paths of what was deleted.
        threads: Paths of threads.
    """

    texts: dict[str, str] = field(default_factory=dict)
    runs: dict[str, str | None] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    stores: dict[str, dict[str, str]] = field(default_factory=dict)
    responses: dict[str, str | None] = field(default_factory=dict)
    items: set[str] = field(default_factory=set)
    conversations: list[str] = field(default_factory=list)
    containers: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    threads: list[str] = field(default_factory=list)

    def forget(self, path: str) -> None:
        """What lies at or below a path was deleted, or may have been."""
        for kept in (self.texts, self.runs, self.contents, self.stores, self.responses):
            for each in [each for each in kept if f"{each}/".startswith(f"{path}/")]:
                del kept[each]
        for listed in (self.threads, self.conversations, self.containers):
            listed[:] = [each for each in listed if each != path]
        self.items = {each for each in self.items if not each.startswith(f"{path}/")}


class Client(threading.Thread):
    """One client that does this and that until the server is gone.

    Args:
        api: The server.
        assistant: With every tool.
        ledger: What it was told so far; it goes on from there.
        choice: Decides what it does.
        told: Called after every answer.
    """

    def __init__(
        self, api: Api, assistant: str, ledger: Ledger, choice: random.Random, told: Callable[[], None]
    ) -> None:
        super().__init__(daemon=True)
        self.api, self.assistant, self.ledger = api, assistant, ledger
        self.choice, self.told = choice, told
        self.wrong: Exception | None = None

    def run(self) -> None:
        doings = [
            self.talk, self.talk, self.stream, self.function, self.create_and_run, self.upload, self.index,
            self.batch, self.respond, self.converse, self.background, self.contain, self.drop_message,
            self.drop_thread, self.drop_store, self.drop_file, self.drop_conversation, self.again,
        ]  # fmt: skip
        try:
            while True:
                self.choice.choice(doings)()
        except httpx.TransportError:
            return
        except Exception as problem:  # noqa: BLE001 - told by the thread that made this one
            self.wrong = problem

    def call(self, what: Callable[..., Any], *given: Any, **more: Any) -> Any:
        answered = what(*given, **more)
        self.told()
        return answered

    def question(self) -> str:
        word = self.choice.choice(["plain", "search", "search", "code", "plain"])
        return f"<{word}> " + self.text()

    def text(self) -> str:
        return f"Ticket {self.choice.getrandbits(60)}: the export hangs. " * self.choice.choice([1, 1, 40])

    def said(self) -> Json:
        return {"role": "user", "content": self.question()}

    def thread(self) -> str:
        if self.ledger.threads and self.choice.random() < 0.7:
            return self.choice.choice(self.ledger.threads)
        made = self.call(self.api.post, "/threads", metadata={"for": "kills"})
        self.ledger.threads.append(f"/threads/{made['id']}")
        return self.ledger.threads[-1]

    def say(self, thread: str, text: str) -> None:
        made = self.call(self.api.post, f"{thread}/messages", role="user", content=text)
        self.ledger.texts[f"{thread}/messages/{made['id']}"] = text

    def ended(self, run: str) -> str:
        """How a run ends."""
        while (status := self.call(self.api.get, run)["status"]) in ("queued", "in_progress"):
            pass
        if status != "requires_action":
            self.ledger.runs[run] = status
        return str(status)

    def started(self, thread: str, **body: Any) -> str:
        made = self.call(self.api.post, f"{thread}/runs", assistant_id=self.assistant, **body)
        self.ledger.runs[run := f"{thread}/runs/{made['id']}"] = None
        return run

    def talk(self) -> None:
        thread = self.thread()
        self.say(thread, self.question())
        assert self.ended(self.started(thread)) == "completed"

    def stream(self) -> None:
        thread = self.thread()
        self.say(thread, self.question())
        told = self.call(self.api.stream, f"{thread}/runs", assistant_id=self.assistant)
        last = next(each for each in reversed(told) if each["object"] == "thread.run")
        assert last["status"] == "completed", last
        self.ledger.runs[f"{thread}/runs/{last['id']}"] = "completed"

    def function(self) -> None:
        thread = self.thread()
        self.say(thread, "<function> " + self.text())
        run = self.started(thread)
        assert self.ended(run) == "requires_action"
        if self.choice.random() < 0.3:
            self.call(self.api.post, f"{run}/cancel")
            assert self.ended(run) == "cancelled"
        else:
            self.submit(run)

    def submit(self, run: str) -> None:
        action = self.call(self.api.get, run)["required_action"]
        ids = [each["id"] for each in action["submit_tool_outputs"]["tool_calls"]]
        outputs = [{"tool_call_id": each, "output": "42"} for each in ids]
        self.call(self.api.post, f"{run}/submit_tool_outputs", tool_outputs=outputs)
        assert self.ended(run) == "completed"

    def create_and_run(self) -> None:
        thread = {"messages": [self.said(), self.said()]}
        made = self.call(self.api.post, "/threads/runs", assistant_id=self.assistant, thread=thread)
        path = f"/threads/{made['thread_id']}"
        self.ledger.threads.append(path)
        self.ledger.runs[f"{path}/runs/{made['id']}"] = None
        self.ended(f"{path}/runs/{made['id']}")

    def upload(self) -> str:
        word = f"zebra{self.choice.getrandbits(50)}"
        content = f"The code of the room is {word}. ".encode() * self.choice.choice([1, 30, 8_000])
        made = self.call(self.api.upload, "/files", f"{word}.txt", content, purpose="user_data")
        self.ledger.contents[path := f"/files/{made['id']}"] = content
        return path

    def word(self, file: str) -> str:
        return self.ledger.contents[file].split(b" is ")[1].split(b".")[0].decode()

    def store(self) -> str:
        if self.ledger.stores and self.choice.random() < 0.7:
            return self.choice.choice(list(self.ledger.stores))
        made = self.call(self.api.post, "/vector_stores", name="rooms")
        self.ledger.stores[path := f"/vector_stores/{made['id']}"] = {}
        return path

    def index(self) -> None:
        store, file = self.store(), self.upload()
        self.call(self.api.post, f"{store}/files", file_id=file.removeprefix("/files/"))
        self.ledger.stores[store][file] = self.word(file)

    def batch(self) -> None:
        store, files = self.store(), [self.upload() for _ in range(self.choice.randint(1, 5))]
        ids = [file.removeprefix("/files/") for file in files]
        self.call(self.api.post, f"{store}/file_batches", file_ids=ids)
        self.ledger.stores[store] |= {file: self.word(file) for file in files}

    def again(self) -> None:
        """A file is put into its store once more."""
        store = self.store()
        for file in list(self.ledger.stores[store])[:1]:
            self.call(self.api.post, f"{store}/files", file_id=file.removeprefix("/files/"))

    def respond(self) -> None:
        made = self.call(self.api.post, "/responses", **self.asked())
        self.ledger.responses[f"/responses/{made['id']}"] = made["status"]
        more = {"previous_response_id": made["id"], **self.asked()}
        told = self.call(self.api.stream, "/responses", **more)
        self.ledger.responses[f"/responses/{told[-1]['response']['id']}"] = told[-1]["response"]["status"]

    def asked(self) -> Json:
        code = {"type": "code_interpreter", "container": {"type": "auto"}}
        return {"model": "m", "input": self.question(), "tools": [code], "truncation": "auto"}

    def background(self) -> None:
        made = self.call(self.api.post, "/responses", **self.asked(), background=True, stream=False)
        self.ledger.responses[path := f"/responses/{made['id']}"] = None
        told = self.call(self.api.stream_again, path)
        assert told[-1]["type"] == "response.completed", told[-1]
        self.ledger.responses[path] = "completed"

    def converse(self) -> None:
        if not self.ledger.conversations or self.choice.random() < 0.3:
            made = self.call(self.api.post, "/conversations", metadata={})
            self.ledger.conversations.append(f"/conversations/{made['id']}")
        path = self.choice.choice(self.ledger.conversations)
        item = {"type": "message", "role": "user", "content": self.text()}
        [added] = self.call(self.api.post, f"{path}/items", items=[item])["data"]
        self.ledger.items.add(f"{path}/items/{added['id']}")
        named = {"conversation": path.removeprefix("/conversations/"), **self.asked()}
        made = self.call(self.api.post, "/responses", **named)
        self.ledger.responses[f"/responses/{made['id']}"] = made["status"]
        self.ledger.items |= {f"{path}/items/{each['id']}" for each in made["output"]}

    def contain(self) -> None:
        if not self.ledger.containers:
            made = self.call(self.api.post, "/containers", name="box")
            self.ledger.containers.append(f"/containers/{made['id']}")
        path = self.choice.choice(self.ledger.containers)
        content = self.text().encode()
        made = self.call(self.api.upload, f"{path}/files", "a.txt", content)
        self.ledger.contents[f"{path}/files/{made['id']}"] = content

    def drop(self, path: str) -> None:
        self.ledger.forget(path)
        self.call(self.api.delete, path)
        self.ledger.gone.add(path)

    def drop_message(self) -> None:
        if self.ledger.texts:
            self.drop(self.choice.choice(list(self.ledger.texts)))

    def drop_thread(self) -> None:
        if self.ledger.threads:
            self.drop(self.choice.choice(self.ledger.threads))

    def drop_store(self) -> None:
        if self.ledger.stores and self.choice.random() < 0.5:
            self.drop(self.choice.choice(list(self.ledger.stores)))

    def drop_file(self) -> None:
        files = [each for each in self.ledger.contents if each.startswith("/files/")]
        if files:
            file = self.choice.choice(files)
            for known in self.ledger.stores.values():
                known.pop(file, None)
            self.drop(file)

    def drop_conversation(self) -> None:
        if self.ledger.conversations and self.choice.random() < 0.5:
            self.drop(self.choice.choice(self.ledger.conversations))


# what must be true after every restart


def check(api: Api, ledgers: list[Ledger]) -> None:
    """Everything that was told is there, and nothing is half there."""
    for ledger in ledgers:
        check_told(api, ledger)
        for thread in ledger.threads:
            check_thread(api, thread)
    files = {each["id"]: each for each in api.rows("/files")}
    for store in api.rows("/vector_stores"):
        check_store(api, store["id"], files)
    for ledger in ledgers:
        check_searches(api, ledger)


def check_told(api: Api, ledger: Ledger) -> None:
    for path, text in ledger.texts.items():
        assert api.get(path)["content"][0]["text"]["value"] == text
    for path, status in ledger.runs.items():
        found = api.get(path)["status"]
        assert found == status or (status is None and found != "queued"), (path, found, status)
    for path, content in ledger.contents.items():
        assert api.client.get(f"{path}/content").content == content
    for path, status in ledger.responses.items():
        check_response(api, path, status)
    for path in (*ledger.items, *ledger.conversations, *ledger.containers, *ledger.threads):
        assert api.get(path)["id"]
    for path in ledger.conversations:
        assert {each["status"] for each in api.rows(f"{path}/items")} <= {"completed", "incomplete"}
    for path in ledger.gone:
        assert api.is_gone(path), path


def check_response(api: Api, path: str, status: str | None) -> None:
    found = api.get(path)
    assert found["status"] == status or (status is None and found["status"] in ("completed", "failed"))
    assert all(each["status"] != "in_progress" for each in found["output"]), found
    if found["background"]:
        told = api.stream_again(path)
        assert told[-1]["type"] == f"response.{found['status']}"
        assert [each["sequence_number"] for each in told] == list(range(len(told)))


def check_thread(api: Api, thread: str) -> None:
    runs = api.rows(f"{thread}/runs")
    ends = {"completed", "failed", "cancelled", "incomplete", "expired"}
    assert {each["status"] for each in runs[:-1]} <= ends
    assert {each["status"] for each in runs} <= {*ends, "requires_action"}
    for run in runs:
        waits = run["status"] == "requires_action"
        steps = api.rows(f"{thread}/runs/{run['id']}/steps")
        open_steps = [each for each in steps if each["status"] == "in_progress"]
        assert len(open_steps) == waits, run
        assert (run["usage"] is None, run["required_action"] is not None) == (waits, waits), run
    for message in api.rows(f"{thread}/messages"):
        assert message["status"] in ("completed", "incomplete"), message
        assert message["run_id"] is None or message["run_id"] in {run["id"] for run in runs}


def check_store(api: Api, store: str, files: dict[str, Json]) -> None:
    path = f"/vector_stores/{store}"
    while (found := api.get(path))["status"] == "in_progress":
        pass
    rows = api.rows(f"{path}/files")
    statuses = [each["status"] for each in rows]
    counts = {each: statuses.count(each) for each in ("in_progress", "completed", "failed", "cancelled")}
    assert found["file_counts"] == {**counts, "total": len(rows)}
    assert found["usage_bytes"] == sum(each["usage_bytes"] for each in rows)
    assert {each["id"] for each in rows} <= set(files), "a store has a file that is not there"
    hits = api.post(f"{path}/search", query="room zebra", max_num_results=50)["data"]
    assert {each["file_id"] for each in hits} <= {
        each["id"] for each in rows if each["status"] == "completed"
    }


def check_searches(api: Api, ledger: Ledger) -> None:
    for store, known in ledger.stores.items():
        for file, word in known.items():
            assert api.get(f"{store}/{file.lstrip('/')}")["status"] == "completed"
            [first, *_] = api.post(f"{store}/search", query=word)["data"]
            assert f"/files/{first['file_id']}" == file


def check_file(state: Path) -> None:
    """No row of the file is left over, and it is sound."""
    with contextlib.closing(sqlite3.connect(state)) as database:
        nothing = {
            "rows in no list": "server_rows WHERE serial NOT IN (SELECT row FROM server_places)",
            "places without a row": "server_places WHERE row NOT IN (SELECT serial FROM server_rows)",
            "lists without an owner": "server_places WHERE owner AND owner NOT IN"
            " (SELECT serial FROM server_rows)",
            "bytes without a row": "server_contents WHERE serial NOT IN (SELECT serial FROM server_rows)",
            "chunks without a file": "search_chunks WHERE file NOT IN (SELECT id FROM search_files)",
            "files without a store": "search_files WHERE store NOT IN (SELECT id FROM search_stores)",
        }
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for what, source in nothing.items():
            assert database.execute(f"SELECT * FROM {source}").fetchall() == [], what


@pytest.mark.parametrize("seed", range(SEEDS) if SEEDS else [1])
def test_nothing_told_is_lost_and_nothing_is_half_there_however_often_a_server_is_killed(
    tmp_path: Path, models: Path, seed: int
) -> None:
    state, ledgers = tmp_path / "state.db", [Ledger() for _ in range(CLIENTS)]
    choice = random.Random(seed)
    for number in range(len(AFTER_CALLS) + 1):
        with serving(state, models) as (process, api):
            check(api, ledgers)
            check_file(state)
            if number < len(AFTER_CALLS):
                kill_at_work(process, api, ledgers, choice, AFTER_CALLS[number])
            else:
                check_sdk(str(api.client.base_url))


def kill_at_work(
    process: subprocess.Popen[str], api: Api, ledgers: list[Ledger], choice: random.Random, after: int
) -> None:
    enough = threading.Semaphore(0)
    tools = [{"type": "file_search"}, {"type": "code_interpreter"}]
    look_up = {"type": "function", "function": {"name": "look_up"}}
    assistant = api.post("/assistants", model="m", tools=[*tools, look_up])["id"]
    clients = [
        Client(api, assistant, ledger, random.Random(choice.getrandbits(64)), enough.release)
        for ledger in ledgers
    ]
    for each in clients:
        each.start()
    for _ in range(after * choice.randint(1, 3)):
        assert enough.acquire(timeout=120), [each.wrong for each in clients]
    process.send_signal(signal.SIGKILL)
    process.wait()
    for each in clients:
        each.join()
        assert each.wrong is None, each.wrong


def check_sdk(base_url: str) -> None:
    """The openai client works as on the first day."""
    with openai.OpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
        response = client.responses.create(model="m", input="Well?")
        assert response.output_text.startswith("It is said and done.")
