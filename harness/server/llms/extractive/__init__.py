"""The offline reference assistant: answers by quoting documents, by rules, always the same way.

It is **not a language model** and does not pretend to be one. It reads the instructions for what can be
read with patterns (escalation phrases and their conditions, scope, tone), quotes sentences of retrieved
chunks with their markers, says so when they do not answer, fills function arguments with what the user
said, and writes pandas code for tabular files. It exists so that suites, servers and reports can be tried
and tested without a key, a network or chance. It knows English only.
"""

from __future__ import annotations

from harness.server.llms.extractive.flow import complete
from harness.server.llms.interface import ModelReply, ModelRequest


class Extractive:
    """A model that answers in sentences of the retrieved documents: a pure function of the request."""

    def complete(self, request: ModelRequest) -> ModelReply:
        """The next message or tool calls; the same request always gives the same reply."""
        return complete(request)


__all__ = ["Extractive"]
