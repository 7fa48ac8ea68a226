"""Deadlines of turns, and what follows them at a target that hangs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.clock import SYSTEM_CLOCK
from harness.errors import TargetUnavailable
from harness.server.app import ServerOptions
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted
from harness.targets import turns
from harness.targets.assistants import AssistantsTarget
from harness.targets.embedded import EmbeddedWire
from harness.targets.interface import FunctionCall, FunctionOutput, OutgoingTurn
from harness.targets.responses import ResponsesTarget
from harness.trace.records import Message, OutputFile, TurnTrace


async def _forever() -> None:
    await asyncio.Event().wait()


def test_a_deadline_ends_the_work_and_says_so() -> None:
    timing = asyncio.run(turns.timed(_forever(), SYSTEM_CLOCK, 0.01))
    assert timing.timed_out


def test_a_timeout_of_the_work_itself_is_no_deadline() -> None:
    async def fails() -> None:
        raise TimeoutError("upstream")

    with pytest.raises(TimeoutError, match="upstream"):
        asyncio.run(turns.timed(fails(), SYSTEM_CLOCK, 30))


class HangsAtTheEnd(EmbeddedWire):
    """A server that answers until the talk is over, and then nothing any more."""

    def __init__(self) -> None:
        super().__init__(ServerOptions(models=ModelTable(default=Scripted(["Hello."]))))
        self.hangs = False

    async def call(self, *arguments: Any, **named: Any) -> Any:
        if self.hangs:
            await _forever()
        return await super().call(*arguments, **named)


@pytest.mark.parametrize("target_of", [AssistantsTarget, ResponsesTarget])
def test_giving_a_thread_back_does_not_wait_for_a_target_that_hangs(
    target_of: Any, make_variant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "GRACE_S", 0.01)
    wire = HangsAtTheEnd()
    target, variant = target_of("target", wire), make_variant()

    async def answer(call: FunctionCall) -> FunctionOutput:
        raise AssertionError

    async def go() -> TurnTrace:
        await target.provision(variant)
        session = await target.open(variant)
        trace = await session.send(OutgoingTurn("Hi"), answer, deadline_s=30)
        wire.hangs = True
        await session.close()
        wire.hangs = False
        await target.tear_down()
        return trace

    assert asyncio.run(go()).answer == "Hello."


@pytest.mark.parametrize("refuses", [True, False])
def test_an_image_that_can_not_be_fetched_keeps_its_place_in_the_message(
    refuses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "GRACE_S", 0.01)

    class Wire(EmbeddedWire):
        async def download(self, path: str) -> bytes:
            if not refuses:
                await _forever()
            raise TargetUnavailable("gone")

    message = Message(role="assistant", text="", files=(OutputFile(file_id="file-1", kind="image"),))
    assert asyncio.run(turns.with_images(Wire(), [message])) == (message,)
