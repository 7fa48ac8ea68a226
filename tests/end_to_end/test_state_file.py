"""harness serve --state: real servers are killed, and what they had answered is still there."""

from __future__ import annotations

import http.server
import itertools
import json
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
# The SDK marks every typed Assistants method as deprecated since the hosted API is gone.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
QUESTION = "What is the refund period?"


@dataclass
class Server:
    """A server in a process of its own, and a client of it that never tries anything twice."""

    process: subprocess.Popen[str]
    client: openai.OpenAI

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def serving(state: Path, *options: str) -> Iterator[Server]:
    command = [*HARNESS, "serve", "--port", "0", "--state", str(state), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "serving on " in line, line + process.stderr.read()
        base_url = line.split("serving on ")[1].split()[0]
        try:
            with openai.OpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
                yield Server(process, client)
        finally:
            process.kill()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "assistants.db"


Answers = Callable[[dict[str, Any]], dict[str, Any] | None]


@contextmanager
def model_table(folder: Path, answer: Answers) -> Iterator[Path]:
    """A model table with one model of the test's own; it hangs where ``answer`` gives None."""
    ended = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            message = answer(asked)
            if message is None:
                ended.wait()
                return
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}
            body = json.dumps({"id": "c", "object": "chat.completion", "choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        remote = {"base_url": f"http://127.0.0.1:{server.server_port}/v1", "tries": 1}
        path = folder / "models.yaml"
        path.write_text(json.dumps({"models": [{"match": "*", "remote": remote}]}))
        try:
            yield path
        finally:
            ended.set()
            server.shutdown()


def hangs_once(then: str) -> tuple[Answers, threading.Event]:
    """A model that does not answer the first time, and the event of its being asked."""
    asked, turns = threading.Event(), itertools.count()

    def answer(_: dict[str, Any]) -> dict[str, Any] | None:
        asked.set()
        return None if next(turns) == 0 else {"content": then}

    return answer, asked


def document(client: openai.OpenAI, name: str, text: str) -> str:
    return client.files.create(file=(name, text.encode()), purpose="assistants").id


def test_a_server_that_is_stopped_and_started_again_knows_everything(state: Path) -> None:
    with serving(state) as server:
        client = server.client
        file_id = document(client, "refunds.txt", "The refund period is 14 days.")
        store = client.vector_stores.create(name="shop", file_ids=[file_id])
        assistant = client.beta.assistants.create(
            model="gpt-5.4",
            tools=[{"type": "file_search"}],
            tool_resources={"file_search": {"vector_store_ids": [store.id]}},
        )
        thread = client.beta.threads.create(messages=[{"role": "user", "content": QUESTION}])
        while client.vector_stores.retrieve(store.id).status == "in_progress":
            pass
        run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        before = seen(client, assistant.id, thread.id, run.id, store.id)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait() == 0
    with serving(state) as server:
        assert seen(server.client, assistant.id, thread.id, run.id, store.id) == before
        found = server.client.vector_stores.search(store.id, query=QUESTION)
        assert [row.file_id for row in found] == [file_id]


def seen(client: openai.OpenAI, assistant: str, thread: str, run: str, store: str) -> list[Any]:
    threads = client.beta.threads
    objects = [
        client.beta.assistants.retrieve(assistant),
        threads.retrieve(thread),
        threads.runs.retrieve(run, thread_id=thread),
        client.vector_stores.retrieve(store),
        *threads.messages.list(thread),
        *threads.runs.steps.list(run, thread_id=thread),
        *client.files.list(),
        *client.vector_stores.files.list(store),
    ]
    return [each.to_dict() for each in objects]


def test_a_run_that_was_being_worked_on_has_failed_after_a_kill_and_its_thread_is_free(
    state: Path, tmp_path: Path
) -> None:
    answer, asked = hangs_once("Fourteen days.")
    with model_table(tmp_path, answer) as models:
        with serving(state, "--models", str(models)) as server:
            assistant = server.client.beta.assistants.create(model="m")
            thread = server.client.beta.threads.create(messages=[{"role": "user", "content": QUESTION}])
            run = server.client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
            assert asked.wait(60)
            server.kill()
        with serving(state, "--models", str(models)) as server:
            runs = server.client.beta.threads.runs
            ended = runs.retrieve(run.id, thread_id=thread.id)
            assert (ended.status, ended.expires_at) == ("failed", None)
            assert ended.last_error is not None
            assert ended.last_error.code == "server_error"
            assert ended.usage is not None
            again = runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
            assert again.status == "completed"


def test_a_stream_ends_with_the_server_and_its_run_has_failed_after_the_restart(
    state: Path, tmp_path: Path
) -> None:
    answer, asked = hangs_once("Fourteen days.")
    with model_table(tmp_path, answer) as models:
        with serving(state, "--models", str(models)) as server:
            assistant = server.client.beta.assistants.create(model="m")
            thread = server.client.beta.threads.create(messages=[{"role": "user", "content": QUESTION}])
            stream = server.client.beta.threads.runs.create(
                thread_id=thread.id, assistant_id=assistant.id, stream=True
            )
            first = next(stream)
            assert asked.wait(60)
            server.kill()
            with pytest.raises(openai.APIConnectionError):
                list(stream)
        with serving(state, "--models", str(models)) as server:
            ended = server.client.beta.threads.runs.retrieve(first.data.id, thread_id=thread.id)  # type: ignore[union-attr, arg-type]
            assert ended.status == "failed"


def test_a_run_that_waits_for_outputs_goes_on_waiting_over_a_kill(state: Path, tmp_path: Path) -> None:
    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        if asked["messages"][-1]["role"] == "tool":
            return {"content": f"It says {asked['messages'][-1]['content']}."}
        call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
        return {"content": None, "tool_calls": [call]}

    with model_table(tmp_path, answer) as models:
        with serving(state, "--models", str(models)) as server:
            assistant = server.client.beta.assistants.create(
                model="m", tools=[{"type": "function", "function": {"name": "look_up"}}]
            )
            run = server.client.beta.threads.create_and_run_poll(
                assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": QUESTION}]}
            )
            assert run.status == "requires_action"
            server.kill()
        with serving(state, "--models", str(models)) as server:
            threads = server.client.beta.threads
            assert threads.runs.retrieve(run.id, thread_id=run.thread_id).status == "requires_action"
            ended = threads.runs.submit_tool_outputs_and_poll(
                run_id=run.id,
                thread_id=run.thread_id,
                tool_outputs=[{"tool_call_id": "call_1", "output": "42"}],
            )
            assert ended.status == "completed"
            [latest, _] = threads.messages.list(run.thread_id).data
            assert latest.content[0].text.value == "It says 42."  # type: ignore[union-attr]


def test_a_background_response_that_was_being_worked_on_has_failed_after_a_kill(
    state: Path, tmp_path: Path
) -> None:
    answer, asked = hangs_once("Fourteen days.")
    with model_table(tmp_path, answer) as models:
        with serving(state, "--models", str(models)) as server:
            made = server.client.responses.create(model="m", input=QUESTION, background=True)
            assert asked.wait(60)
            server.kill()
        with serving(state, "--models", str(models)) as server:
            ended = server.client.responses.retrieve(made.id)
            assert ended.status == "failed"
            assert ended.error is not None
            assert ended.error.code == "server_error"
            told = list(server.client.responses.retrieve(made.id, stream=True))
            assert told[-1].type == "response.failed"
            after = server.client.responses.create(model="m", input="And?", previous_response_id=made.id)
            assert after.output_text == "Fourteen days."


def test_half_an_upload_leaves_nothing_behind(state: Path) -> None:
    with serving(state) as server:
        address = urlsplit(str(server.client.base_url))
        with socket.create_connection((str(address.hostname), int(address.port or 0))) as connection:
            head = (
                "POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
                "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
                'Content-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n--b\r\n'
                'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
            )
            connection.sendall(head.encode() + b"x" * 50_000)
            server.client.models.list()  # the server has had its turn
            server.kill()
    with serving(state) as server:
        assert server.client.files.list().data == []


def test_a_batch_is_indexed_to_its_end_by_the_next_server(state: Path) -> None:
    count = 60
    with serving(state) as server:
        ids = [
            document(server.client, f"doc{number}.txt", f"The code of room {number} is zebra{number}. " * 20)
            for number in range(count)
        ]
        store = server.client.vector_stores.create(name="rooms")
        batch = server.client.vector_stores.file_batches.create(store.id, file_ids=ids)
        server.kill()
    with serving(state) as server:
        stores = server.client.vector_stores
        ended = stores.file_batches.poll(batch.id, vector_store_id=store.id, poll_interval_ms=5)
        assert (ended.status, ended.file_counts.completed) == ("completed", count)
        for number in (0, count // 2, count - 1):
            found = stores.search(store.id, query=f"zebra{number}", max_num_results=1).data
            assert [row.file_id for row in found] == [ids[number]]


@pytest.mark.parametrize("acknowledged", [3, 20, 57])
def test_nothing_that_was_acknowledged_is_lost_to_a_kill_at_any_moment(
    state: Path, acknowledged: int
) -> None:
    """Four clients write as fast as they can; the server is killed in the midst of that."""
    done: queue.Queue[tuple[str, str, str]] = queue.Queue()

    def write(client: openai.OpenAI, name: str) -> None:
        thread = client.beta.threads.create(metadata={"writer": name})
        for number in itertools.count():
            text = f"{name} {number}"
            made = client.beta.threads.messages.create(thread.id, role="user", content=text)
            done.put((thread.id, made.id, text))

    def write_until_the_end(client: openai.OpenAI, name: str) -> None:
        with pytest.raises(openai.APIConnectionError):
            write(client, name)

    with serving(state) as server:
        writers = [
            threading.Thread(target=write_until_the_end, args=(server.client, f"writer {number}"))
            for number in range(4)
        ]
        for writer in writers:
            writer.start()
        written = [done.get(timeout=120) for _ in range(acknowledged)]
        server.kill()
        for writer in writers:
            writer.join()
    while not done.empty():
        written.append(done.get())
    with serving(state) as server:
        for thread_id, message_id, text in written:
            found = server.client.beta.threads.messages.retrieve(message_id, thread_id=thread_id)
            assert found.content[0].text.value == text  # type: ignore[union-attr]
        for thread_id in {each[0] for each in written}:
            texts = [
                each.content[0].text.value  # type: ignore[union-attr]
                for each in server.client.beta.threads.messages.list(thread_id, order="asc")
            ]
            # One message at most was written whose answer never came; nothing is there twice or half.
            assert [int(text.rsplit(" ", 1)[1]) for text in texts] == list(range(len(texts)))


def test_two_servers_on_one_file_are_refused_with_what_to_do(state: Path) -> None:
    with serving(state):
        command = [*HARNESS, "serve", "--port", "0", "--state", str(state)]
        second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 4
    assert "is in use by another server" in second.stderr
    assert "hint:" in second.stderr
    assert "Traceback" not in second.stderr
