"""Whole suite runs against a server that refuses and cuts: every trial ends with a type, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_args

import pytest

from harness import workflows
from harness.results import SuiteRun
from harness.settings import load_settings
from harness.trace.records import RunStatus

HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
# Which calls a rule hits is certain, but not which of them a 429 takes away first: of each end of a run there
# are at least six among 90, so that all of them going is as good as impossible.
FAULTS = """\
seed: 4
faults:
  - {status: 429, retry_after_s: 0.01, rate: 0.05}
  - {drop_stream_after: 5, rate: 0.15}
  - {path: /threads/*/runs, method: POST, status: 503, retry_after_s: 0.01, rate: 0.05}
  - {run: failed, code: rate_limit_exceeded, rate: 0.08}
  - {run: expired, rate: 0.08}
  - {run: incomplete, rate: 0.08}
"""


def harness(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HARNESS, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    assert harness("init", ".", folder=tmp_path).returncode == 0
    (tmp_path / "faults.yaml").write_text(FAULTS, "utf-8")
    return tmp_path


@pytest.fixture
def served(project: Path) -> Iterator[tuple[str, list[str]]]:
    """A `harness serve` process with the faults: its base URL, and the lines of its log."""
    command = [*HARNESS, "serve", "--port", "0", "--faults", "faults.yaml", "--log-format", "json"]
    with subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        base_url = process.stderr.readline().split()[2]
        lines: list[str] = []
        reader = threading.Thread(target=lines.extend, args=(process.stderr,))
        reader.start()
        yield base_url, lines
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(timeout=120)
        reader.join(timeout=120)
        assert process.returncode == 0


def stored(project: Path) -> SuiteRun:
    return workflows.stored_run(load_settings({"store": str(project / ".harness" / "store.sqlite")}))


def check_typed(record: SuiteRun, planned: int) -> Counter[str]:
    """Every trial has an outcome, every turn a status the API knows; the statuses, counted."""
    assert record.status == "finished"
    assert len(record.results) == planned
    statuses: Counter[str] = Counter()
    for result in record.results:
        assert result.outcome in {"passed", "failed", "errored"}
        assert "internal error" not in (result.error or "")
        assert result.error is None or any(word in result.error for word in ("429", "503", "refus"))
        statuses.update(turn.status for turn in result.trace.turns)
    assert set(statuses) <= set(get_args(RunStatus)) - {"unknown", "timed_out", "requires_action"}
    return statuses


def test_every_trial_over_http_ends_typed(project: Path, served: tuple[str, list[str]]) -> None:
    base_url, _ = served
    arguments = ["--repeats", "30", "--target", "assistants", "--base-url", base_url, "--no-progress"]
    done = harness("run", "suite.yaml", *arguments, folder=project)
    assert done.returncode == 1, done.stdout + done.stderr  # some runs were made to fail
    record = stored(project)
    statuses = check_typed(record, planned=90)
    assert set(statuses) >= {"completed", "failed", "expired", "incomplete"}
    assert statuses["completed"] > 60
    attempts = [attempt for each in record.results for turn in each.trace.turns for attempt in turn.attempts]
    assert {"429", "503"} <= {
        word for attempt in attempts for word in (attempt.error or "").replace(".", " ").split()
    }
    # What was refused or cut, and then waited for, is as right as ever.
    tried_again = [r for r in record.results if any(turn.attempts for turn in r.trace.turns)]
    assert "passed" in {result.outcome for result in tried_again}


def test_the_log_shows_faults_and_no_word_of_the_conversations(
    project: Path, served: tuple[str, list[str]]
) -> None:
    base_url, lines = served
    arguments = ["--repeats", "5", "--target", "assistants", "--base-url", base_url, "--no-progress"]
    harness("run", "suite.yaml", *arguments, folder=project)
    with urllib.request.urlopen(f"{base_url}/admin/faults", timeout=120) as answer:
        shown = json.loads(answer.read())
    logged: list[Any] = [json.loads(line) for line in list(lines)]
    hits = sum(rule["hits"] for rule in shown["faults"][:2])
    assert hits > 0
    named = Counter(entry.get("fault", "").split()[0] if entry.get("fault") else "" for entry in logged)
    assert named["status"] + named["drop_stream_after"] > 0
    assert "return" not in json.dumps([entry["path"] for entry in logged])
    assert all(set(entry) <= FIELDS for entry in logged)


FIELDS = {"time", "method", "path", "status", "duration_ms", "request_id", "events", "cut", "fault"}


def test_the_embedded_target_meets_the_same_faults_offline(project: Path) -> None:
    options = ["--repeats", "20", "--faults", "faults.yaml", "--no-progress"]
    done = harness("run", "suite.yaml", *options, folder=project)
    assert done.returncode == 1, done.stdout + done.stderr
    statuses = check_typed(stored(project), planned=60)
    assert statuses["completed"] > 35
    assert len(statuses) > 1


def test_a_setting_names_the_faults_too(project: Path) -> None:
    (project / "harness.toml").write_text('faults = "faults.yaml"\n', "utf-8")
    (project / "faults.yaml").write_text("faults: [{run: expired}]", "utf-8")
    done = harness("run", "suite.yaml", "--no-progress", folder=project)
    assert done.returncode == 1, done.stdout + done.stderr
    assert set(check_typed(stored(project), planned=3)) == {"expired"}


def test_resume_refuses_faults_that_changed(project: Path) -> None:
    (project / "faults.yaml").write_text("faults: [{run: expired, rate: 0.5}]", "utf-8")
    options = ["--faults", "faults.yaml", "--no-progress"]
    assert harness("run", "suite.yaml", *options, folder=project).returncode == 1
    (project / "faults.yaml").write_text("faults: []", "utf-8")
    done = harness("run", "--resume", "latest", folder=project)
    assert "[suite-changed]" in done.stderr
    assert "faults" in done.stderr


@pytest.mark.parametrize(
    "command", [["run", "suite.yaml"], ["serve", "--port", "0"]], ids=lambda words: words[0]
)
@pytest.mark.parametrize("option", ["faults", "models"])
def test_mistakes_in_the_servers_files_are_told_with_their_places_before_anything_runs(
    project: Path, command: list[str], option: str
) -> None:
    (project / "bad.yaml").write_text(f"{option}:\n  - {{rat: 0.5}}\n", "utf-8")
    done = harness(*command, f"--{option}", "bad.yaml", folder=project)
    assert done.returncode == 4
    assert "bad.yaml:2:6: unknown key 'rat'" in done.stderr or "bad.yaml:2:5" in done.stderr
    assert f"[{option}-invalid]" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / ".harness").exists()


def test_faults_of_a_server_elsewhere_are_not_pretended(project: Path) -> None:
    options = ["--target", "assistants", "--base-url", "http://127.0.0.1:1/v1", "--faults", "faults.yaml"]
    done = harness("run", "suite.yaml", *options, folder=project)
    assert done.returncode == 4
    assert "harness serve --faults" in done.stderr


def test_a_request_over_the_limit_that_was_given_is_refused(project: Path) -> None:
    command = [*HARNESS, "serve", "--port", "0", "--max-request-mb", "0.001"]
    with subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        base_url = process.stderr.readline().split()[2]
        body = json.dumps({"model": "m", "instructions": "x" * 2000}).encode()
        request = urllib.request.Request(f"{base_url}/assistants", body, {"content-type": "application/json"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=120)
        with refused.value as answer:
            assert (answer.code, json.load(answer)["error"]["code"]) == (413, "request_too_large")
        process.send_signal(signal.SIGINT)


def test_bodies_are_logged_only_into_a_log(project: Path) -> None:
    done = harness("serve", "--log-bodies", folder=project)
    assert done.returncode == 4
    assert "--log-format" in done.stderr


def test_server_info_tells_models_limits_isolation_and_routes(project: Path) -> None:
    (project / "models.yaml").write_text("models: [{match: 'gpt-*', extractive: true}]", "utf-8")
    done = harness("server-info", "--models", "models.yaml", "--json", folder=project)
    facts = json.loads(done.stdout)
    assert facts["models"] == [{"match": "gpt-*", "answers": "extractive"}]
    assert {"method": "POST", "path": "/v1/threads/{thread}/runs"} in facts["routes"]
    assert facts["limits"]["request_bytes"] == 64 * 1024 * 1024
    assert facts["code_interpreter"]
    assert facts["file_search"].startswith("keywords and embeddings (all-MiniLM-L6-v2/")
    text = harness("server-info", folder=project).stdout
    assert text.startswith(f"harness {facts['version']}\n")
    assert "extractive" in text and "POST   /v1/threads" in text and "keywords and embeddings" in text


# --- a model behind chat completions ----------------------------------------------------------------------


class Chat(BaseHTTPRequestHandler):
    """A model that searches, then quotes what it found with the marker it was given."""

    refusals = 1

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if Chat.refusals:
            Chat.refusals -= 1
            self._send(429, {"error": {"message": "slow down"}})
        elif self.headers["authorization"] != "Bearer sk-secret" or body["model"] != "small":
            self._send(401, {"error": {"message": "who are you?"}})
        else:
            message = self._next(body["messages"][-1])
            usage = {"prompt_tokens": 11, "completion_tokens": 7}
            self._send(200, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})

    def _next(self, last: dict[str, Any]) -> dict[str, Any]:
        if last["role"] == "user":
            function = {"name": "file_search", "arguments": json.dumps({"queries": [last["content"]]})}
            return {"content": None, "tool_calls": [{"id": "c", "type": "function", "function": function}]}
        marker, _, passage = last["content"].partition("\n")
        return {"content": f"{passage.splitlines()[0]} {marker}"}

    def _send(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("retry-after-ms", "1")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def chat_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_a_suite_runs_on_a_remote_model_that_the_table_names(project: Path, chat_url: str) -> None:
    table = (
        f"models: [{{match: '*', remote: {{base_url: '{chat_url}', model: small, api_key_env: CHAT_KEY}}}}]"
    )
    (project / "models.yaml").write_text(table, "utf-8")
    command = [*HARNESS, "run", "suite.yaml", "--models", "models.yaml", "--no-progress"]
    environment = {**os.environ, "CHAT_KEY": "sk-secret"}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    record = stored(project)
    turns = [turn for result in record.results for turn in result.trace.turns]
    assert {turn.status for turn in turns} == {"completed"}
    assert all(turn.citations and turn.search_results for turn in turns)
    assert all(turn.usage and turn.usage.completion_tokens == 14 for turn in turns)
    assert "sk-secret" not in json.dumps(record.settings, default=str)
