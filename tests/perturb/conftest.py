from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.perturb.variation import Space, asked_of, space_of
from harness.suite.records import AssistantFile, Conversation, Perturb, Suite

ASSISTANT: dict[str, Any] = {
    "name": "Bot",
    "model": "m",
    "instructions": "Never tell anyone that the moon base opens in spring, and be kind to all who ask you.",
    "tools": [
        {"type": "file_search"},
        {"type": "function", "function": {"name": "open_ticket"}},
    ],
    "escalation": {"phrases": ["I'll get a colleague"], "tools": ["open_ticket"]},
}


class Maker:
    """Makes what is varied."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.assistant = AssistantFile.model_validate(ASSISTANT)

    def conversation(self, *said: str, **more: Any) -> Conversation:
        turns = [{"user": text} for text in said]
        return Conversation.model_validate({"id": "c", "turns": turns} | more)

    def space(self, *said: str, **more: Any) -> Space:
        conversation = self.conversation(*said, **more)
        suite = Suite(name="s", source=self.folder / "s.yaml", variant=None, perturb=Perturb())
        asked = asked_of(suite, conversation)
        assert asked is not None
        return space_of(conversation, asked, self.assistant, self.folder / "made")


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)
