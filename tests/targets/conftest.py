"""Assistants written on the spot, and whole sessions with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.suite.assistants import load_variant
from harness.suite.records import Variant
from harness.targets.interface import FunctionCall, FunctionOutput, OutgoingTurn, Target
from harness.trace.records import TurnTrace

MakeVariant = Callable[..., Variant]
Answer = Callable[[FunctionCall], Awaitable[FunctionOutput]]
Talk = Callable[..., list[TurnTrace]]


class Quoting(yaml.SafeDumper):
    """Every text in quotes: a text such as 0E0 is a number to some readers."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@pytest.fixture
def make_variant(tmp_path: Path) -> MakeVariant:
    """An assistant with these fields in its file."""

    def make(**fields: Any) -> Variant:
        path = tmp_path / "assistant.yaml"
        path.write_text(yaml.dump({"name": "Tester", "model": "scripted", **fields}, Dumper=Quoting))
        return load_variant(path)

    return make


async def _fine(call: FunctionCall) -> FunctionOutput:
    return FunctionOutput("fine")


@pytest.fixture
def talk() -> Talk:
    """One whole session: its turns, each a text or ready to be sent."""

    def play(
        target: Target,
        variant: Variant,
        turns: Sequence[str | OutgoingTurn],
        *,
        answer: Answer = _fine,
        deadline_s: float = 30.0,
    ) -> list[TurnTrace]:
        async def go() -> list[TurnTrace]:
            try:
                await target.provision(variant)
                session = await target.open(variant)
                sent = [OutgoingTurn(turn) if isinstance(turn, str) else turn for turn in turns]
                traces = [await session.send(turn, answer, deadline_s=deadline_s) for turn in sent]
                await session.close()
                return traces
            finally:
                await target.tear_down()

        return asyncio.run(go())

    return play
