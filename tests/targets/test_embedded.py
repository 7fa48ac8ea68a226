"""Runs that come at once leave room for others."""

from __future__ import annotations

import asyncio

from harness.server.app import ServerOptions
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted
from harness.targets.embedded import EmbeddedWire


def test_others_have_their_turn_between_runs_that_come_at_once() -> None:
    async def program() -> int:
        wire = EmbeddedWire(ServerOptions(models=ModelTable(default=Scripted(["Fine."], cycle=True))))
        assistant = await wire.call("POST", "/assistants", {"model": "m"})
        turns: list[int] = []

        async def other() -> None:
            while True:
                turns.append(1)
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        for _ in range(5):
            thread = await wire.call("POST", "/threads", {"messages": [{"role": "user", "content": "Well?"}]})
            body = {"assistant_id": assistant["id"], "stream": True}
            names = [name async for name, _ in wire.stream(f"/threads/{thread['id']}/runs", body)]
            assert names[-1] == "thread.run.completed"
        task.cancel()
        await wire.close()
        return len(turns)

    assert asyncio.run(program()) >= 5
