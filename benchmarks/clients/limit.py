"""The limit: the same requests as ``harness run`` makes, by aiohttp alone, with nothing kept of them.

    python -m benchmarks.clients.limit chat|threads BASE_URL QUESTIONS OUT CONCURRENCY

No client of this server can be much faster; what is over it in wall time is the client's own doing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.clients.suites import MODEL, WANTED

_BETA = {"OpenAI-Beta": "assistants=v2", "Authorization": "Bearer any"}


async def _post(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> bytes:
    async with session.post(url, json=body) as answer:
        return await answer.read()


async def chat(session: aiohttp.ClientSession, base_url: str, turns: list[str]) -> bool:
    """One question, one completion."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": turns[0]}]}
    return WANTED.encode() in await _post(session, f"{base_url}/chat/completions", body)


async def conversation(session: aiohttp.ClientSession, base_url: str, turns: list[str]) -> bool:
    """A thread, for each turn a message and a streamed run, and the thread is deleted."""
    thread = f"{base_url}/threads/{json.loads(await _post(session, f'{base_url}/threads', {}))['id']}"
    passed = True
    for turn in turns:
        await _post(session, f"{thread}/messages", {"role": "user", "content": turn})
        run = await _post(session, f"{thread}/runs", {"assistant_id": "asst_1", "stream": True})
        passed &= WANTED.encode() in run
    async with session.delete(thread) as answer:
        await answer.read()
    return passed


async def run(kind: str, base_url: str, questions: list[list[str]], concurrency: int) -> bool:
    """All samples; whether all passed."""
    free = asyncio.Semaphore(concurrency)
    play = chat if kind == "chat" else conversation
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, headers=_BETA) as session:

        async def sample(turns: list[str]) -> bool:
            async with free:
                return await play(session, base_url, turns)

        return all(await asyncio.gather(*(sample(turns) for turns in questions)))


def main() -> None:
    """Run the samples, and say whether all passed."""
    kind, base_url, file, _, concurrency = sys.argv[1:]
    questions = [json.loads(line)["turns"] for line in Path(file).read_text("utf-8").splitlines()]
    sys.exit(0 if asyncio.run(run(kind, base_url, questions, int(concurrency))) else 1)


if __name__ == "__main__":
    main()
