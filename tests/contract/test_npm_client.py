"""The real openai client from npm, as programs in Node use it, against the embedded server on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.server.app import App, ServerOptions
from harness.server.http import background
from harness.server.llms.interface import ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, file_search, function_call, run_code

HERE = Path(__file__).with_name("npm")
OLDEST_NODE = 20
"""Earlier ones lack what the client needs to upload files."""
KEY = "sk-only-for-this-test"
CHART = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('/mnt/data/chart.png')"
Play = Callable[..., dict[str, Any]]


def assistant_model(request: ModelRequest) -> ModelReply:
    """Searches for questions, draws charts, opens tickets; otherwise repeats what it heard."""
    last = request.messages[-1]
    if last.role == "tool":
        said = f"{last.hits[0].text}{last.hits[0].marker}" if last.hits else last.content
        return ModelReply(f"Found: {said}")
    if last.content.endswith("?"):
        return calls(file_search(last.content))
    if "chart" in last.content:
        return calls(run_code(CHART))
    if "ticket" in last.content:
        wanted = ("one", "two") if "two" in last.content else ("one",)
        return calls(*(function_call("create_ticket", summary=summary) for summary in wanted))
    return ModelReply(f"You said: {last.content}")


def _node() -> str | None:
    node = shutil.which("node")
    if node is None:
        return None
    told = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=120, check=True)
    return node if int(told.stdout.lstrip("v").split(".")[0]) >= OLDEST_NODE else None


@pytest.fixture(scope="module")
def play() -> Iterator[Play]:
    """Plays a scenario of the npm folder against a server and gives what it saw."""
    node = _node()
    if node is None or not (HERE / "node_modules" / "openai").is_dir():
        pytest.skip(f"needs Node.js {OLDEST_NODE} or newer and its openai package: npm ci --prefix {HERE}")

    def played(name: str, **given: str) -> dict[str, Any]:
        done = subprocess.run(
            [node, HERE / "play.mjs", name, json.dumps(given)],
            env={**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": KEY},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        seen: dict[str, Any] = json.loads(done.stdout)
        return seen

    app = App(ServerOptions(models=ModelTable(default=Scripted(assistant_model))))
    with background(app, api_key=KEY) as url:
        yield played


@pytest.fixture
def moon(tmp_path: Path) -> str:
    """A document to upload."""
    path = tmp_path / "moon.txt"
    path.write_text("The moon is made of cheese.", "utf-8")
    return str(path)


def test_assistants_and_files_are_made_paged_and_deleted(play: Play, moon: str) -> None:
    assert play("assistants", path=moon) == {
        "renamed": ["first", {"team": "a"}, "first"],
        "paged": ["three", "two", "first"],
        "firstPage": [2, True],
        "deleted": True,
        "left": 2,
        "sameBytes": True,
        "streamed": ["moon.txt", 27, "processed"],
        "listed": ["moon.txt"],
        "gone": True,
    }


def test_uploaded_documents_are_searched_and_cited(play: Play, moon: str) -> None:
    assert play("knowledge", path=moon) == {
        "batch": ["completed", 1, 1],
        "rows": ["completed", "failed"],
        "hit": "moon.txt",
        "run": ["completed", True],
        "answer": "Found: The moon is made of cheese.【4:0†moon.txt】",
        "marked": True,
        "cited": "moon.txt",
        "found": "The moon is made of cheese.",
        "deleted": True,
    }


def test_streamed_runs_reach_every_handler(play: Play) -> None:
    seen = play("runs")
    message = ["runStepCreated", "messageCreated", "textCreated"]
    done = ["textDone", "messageDone", "runStepDone", "end"]
    code = ["runStepCreated", "toolCallCreated", "toolCallDone", "runStepDone"]
    two = ["runStepCreated", *["toolCallCreated", "toolCallDone"] * 2, "end"]
    assert seen == {
        "said": ["completed", "You said: Hello.", [*message, *done]],
        "drawn": ["completed", True, [*code, *message, "imageFileDone", *done]],
        "png": "PNG",
        "asked": ["requires_action", '{"summary":"one"}{"summary":"two"}', two],
        "answered": ["completed", 'Found: {"summary":"two"}'],
        "waiting": "requires_action",
        "polled": "completed",
        "raw": ["thread.created", "thread.run.completed"],
    }


def test_errors_arrive_as_the_client_s_own_classes(play: Play) -> None:
    too_warm = "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 9 instead."
    assert play("errors") == {
        "missing": ["NotFoundError", 404, None, None, "No assistant found with id 'asst_none'."],
        "invalid": ["BadRequestError", 400, "decimal_above_max_value", "temperature", too_warm],
        "locked": ["BadRequestError", 400, "Can't add messages to T while a run R is active."],
        "ended": ["cancelling", "cancelled"],
        "stranger": ["AuthenticationError", 401, "invalid_api_key"],
    }


def test_responses_conversations_chat_completions_and_embeddings(play: Play) -> None:
    assert play("responses") == {
        "plain": ["completed", "You said: Hello."],
        "functions": [2, 'Found: {"summary":"two"}'],
        "documents": {
            "text": "Found: The moon is made of cheese.",
            "cited": "moon.txt",
            "types": ["response.created", True, "response.completed"],
        },
        "conversation": [["One.", "You said: One.", "Two.", "You said: Two."], True],
        "chat": ["You said: Hello.", "You said: Hello.", True, "Found: done: one"],
        "embeddings": True,
    }
