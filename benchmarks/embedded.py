"""CPU of the embedded server: a scripted three-turn conversation, handlers called directly.

    python -m benchmarks.embedded

A conversation is: create the thread; three times a message and a streamed run; list the steps of every run;
delete the thread. The same short texts are said again and again, so that their tokens are counted once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from harness.server.app import App, Request, ServerOptions
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted

_CONVERSATIONS = 500


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


def main() -> None:
    """Print a Markdown table."""
    models = ModelTable(default=Scripted(["An export takes a minute."], cycle=True))
    print("| measured | CPU ms |\n| --- | ---: |")
    with App(ServerOptions(models=models)) as app:
        assistant = _body(app, Request("POST", "/assistants", body={"model": "scripted"}))["id"]
        _converse(app, assistant)
        each = cpu_s(lambda: _converse_often(app, assistant)) / _CONVERSATIONS
    print(f"| a scripted conversation of three turns | {1000 * each:.2f} |")


if __name__ == "__main__":
    main()
