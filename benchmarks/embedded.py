"""CPU of the embedded server: a scripted three-turn conversation, handlers called directly; and a search.

    python -m benchmarks.embedded

A conversation is: create the thread; three times a message and a streamed run; list the steps of every run;
delete the thread. The same short texts are said again and again, so that their tokens are counted once. The
search runs over 10,000 invented chunks of 60 words, a fifth of them everyday words that stand in most chunks.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from harness.server import search
from harness.server.app import App, Request, ServerOptions
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted
from harness.server.search.chunk import Chunk

_CONVERSATIONS = 500
_CHUNKS = 10_000
_QUERIES = {
    "2 rare words": "quartz lantern",
    "1 rare, 3 everyday words": "quartz report export file",
    "8 everyday words": "report export file account plan team user data",
}
_RARE = ["quartz", "lantern", "granite", "meadow", "harvest", "copper", "velvet", "anchor"]
_EVERYDAY = ["report", "export", "file", "account", "plan", "team", "user", "data"]


def cpu_s(work: Callable[[], Any]) -> float:
    """CPU seconds of all threads of this process."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _converse(app: App, assistant: str) -> None:
    thread = _body(app, Request("POST", "/threads", body={}))["id"]
    for _ in range(3):
        message = {"role": "user", "content": "How long does an export take?"}
        _body(app, Request("POST", f"/threads/{thread}/messages", body=message))
        run = Request("POST", f"/threads/{thread}/runs", body={"assistant_id": assistant, "stream": True})
        events = list(app.handle(run).events or ())
        run_id = events[-1][1]["id"]
        _body(app, Request("GET", f"/threads/{thread}/runs/{run_id}/steps"))
    _body(app, Request("DELETE", f"/threads/{thread}"))


def _converse_often(app: App, assistant: str) -> None:
    for _ in range(_CONVERSATIONS):
        _converse(app, assistant)


def _body(app: App, request: Request) -> dict[str, Any]:
    reply = app.handle(request)
    assert reply.status == 200, reply.body
    return reply.body or {}


def _index() -> search.Index:
    words = random.Random(7)
    vocabulary = [f"word{number}" for number in range(20_000)]
    index = search.Index()
    for number in range(_CHUNKS):
        rare = words.choice(_RARE) if words.random() < 0.02 else words.choice(vocabulary)
        text = " ".join([rare, *words.choices(vocabulary, k=47), *words.choices(_EVERYDAY, k=12)])
        index.add(f"file-{number}", f"{number}.txt", [Chunk(text, None, 0, 60, 0)], {})
    return index


def main() -> None:
    """Print a Markdown table."""
    models = ModelTable(default=Scripted(["An export takes a minute."], cycle=True))
    print("| measured | CPU ms |\n| --- | ---: |")
    with App(ServerOptions(models=models)) as app:
        assistant = _body(app, Request("POST", "/assistants", body={"model": "scripted"}))["id"]
        _converse(app, assistant)
        each = cpu_s(lambda: _converse_often(app, assistant)) / _CONVERSATIONS
    print(f"| a scripted conversation of three turns | {1000 * each:.2f} |")
    index = _index()
    for name, query in _QUERIES.items():
        best = min(cpu_s(partial(index.search, [query])) for _ in range(5))
        print(f"| a search over {_CHUNKS:,} chunks: {name} | {1000 * best:.0f} |")
    index.close()


if __name__ == "__main__":
    main()
