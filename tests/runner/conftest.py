"""A small real suite, and a real embedded server whose model says what the test wants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.plan import Plan, make_plan
from harness.server.app import ServerOptions
from harness.server.llms.interface import ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted
from harness.suite.load import load_suite
from harness.targets.assistants import AssistantsTarget
from harness.targets.embedded import EmbeddedWire
from harness.targets.interface import Target

ASSISTANT = """
name: Tester
model: gpt-5.4
instructions: Be exact.
tools:
  - type: function
    function: {name: open_ticket, parameters: {type: object, properties: {subject: {type: string}}}}
"""


@pytest.fixture
def make_suite_plan(tmp_path: Path) -> Callable[..., Plan]:
    def make(suite: str, repeats: int = 1) -> Plan:
        (tmp_path / "assistant.yaml").write_text(ASSISTANT)
        (tmp_path / "suite.yaml").write_text(f"suite: s\nassistant: assistant.yaml\n{suite}")
        return make_plan([load_suite(tmp_path / "suite.yaml")], repeats=repeats)

    return make


@pytest.fixture
def make_target() -> Callable[[Callable[[ModelRequest], str | ModelReply]], Target]:
    def make(model: Callable[[ModelRequest], str | ModelReply]) -> Target:
        options = ServerOptions(models=ModelTable(default=Scripted(model)))
        return AssistantsTarget("embedded", EmbeddedWire(options), poll_s=0.01)

    return make
