"""A model that says a test's own lines."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from harness.server.llms.interface import ModelError, ModelReply, ModelRequest, ToolRequest

Line = str | ModelReply
_REMEMBERED_REQUESTS = 1_000


class Scripted:
    """Answers with the given lines in order, or with what a function makes of each request.

    One line is one completion: a text, or a ``ModelReply`` with tool calls. With many threads at once the
    lines go to whoever asks first; give a function where that matters.

    Attributes:
        requests: What the model was asked, oldest first; the latest of them, 1,000 by default.
        at_once: Whether nobody ever waits for an answer; what a function makes may take its time.
    """

    def __init__(
        self,
        lines: Sequence[Line] | Callable[[ModelRequest], Line],
        *,
        cycle: bool = False,
        remembered: int = _REMEMBERED_REQUESTS,
    ) -> None:
        self.requests: deque[ModelRequest] = deque(maxlen=remembered)
        self.at_once = not callable(lines)
        self._lines = lines
        self._cycle = cycle
        self._said = 0
        self._lock = threading.Lock()

    def complete(self, request: ModelRequest) -> ModelReply:
        """The next line.

        Raises:
            ModelError: Every line has been said and the script does not cycle.
        """
        self.requests.append(request)
        line = self._lines(request) if callable(self._lines) else self._next(self._lines)
        return ModelReply(content=line) if isinstance(line, str) else line

    def _next(self, lines: Sequence[Line]) -> Line:
        with self._lock:
            position = self._said
            self._said += 1
        if lines and (self._cycle or position < len(lines)):
            return lines[position % len(lines)]
        raise ModelError(
            "server_error",
            f"The script has {len(lines)} lines and was asked for line {position + 1}; "
            "add a line, or let the script cycle.",
        )


def calls(*requests: ToolRequest, content: str = "") -> ModelReply:
    """A line that asks for tools."""
    return ModelReply(content=content, tool_requests=requests)


def function_call(name: str, /, **arguments: Any) -> ToolRequest:
    """A call of one of the assistant's functions."""
    return ToolRequest(id="", kind="function", name=name, arguments=arguments)


def file_search(*queries: str) -> ToolRequest:
    """A look into the vector stores."""
    return ToolRequest(id="", kind="file_search", name="file_search", arguments={"queries": list(queries)})


def run_code(source: str) -> ToolRequest:
    """A piece of Python for code_interpreter."""
    return ToolRequest(id="", kind="code_interpreter", name="code_interpreter", arguments={"input": source})
