"""What the server takes and gives, said once more and independently of its handlers: its OpenAPI document.

The handlers do not read it; tests hold both equal. It is served at ``/openapi.json``, and the page of what is
and is not done is made from it.
"""

from __future__ import annotations

from harness.server.description.document import EVENTS, SECTIONS, document, operations
from harness.server.description.records import Operation, Section

__all__ = ["EVENTS", "SECTIONS", "Operation", "Section", "document", "operations"]
