"""How the server and its reading processes part their messages on a pipe."""

from __future__ import annotations

import struct

REQUEST = struct.Struct(">IQ")
"""Before a request: bytes of the document's name, bytes of its content; both follow in this order."""

ANSWER = struct.Struct(">Q")
"""Before an answer: its bytes."""
