"""code_interpreter: a separate process with limits, and its files."""

from harness.server.sandbox.isolation import APART, DATA_PATH, ISOLATIONS, IsolationName
from harness.server.sandbox.limits import Limits
from harness.server.sandbox.sandbox import Sandbox
from harness.server.sandbox.session import MadeFile, Outcome, SandboxSession

__all__ = [
    "APART",
    "DATA_PATH",
    "ISOLATIONS",
    "IsolationName",
    "Limits",
    "MadeFile",
    "Outcome",
    "Sandbox",
    "SandboxSession",
]
