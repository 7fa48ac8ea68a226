"""The floor: the least that a script needs which uses the openai package as its documentation shows.

    python -m benchmarks.clients.floor chat|threads BASE_URL QUESTIONS OUT CONCURRENCY

One ``AsyncOpenAI`` with its default settings, a semaphore, one string looked for in each answer, and one line
of JSON appended as each sample ends. A conversation is a thread with three turns; each is a message, a run, a
poll, the list of messages and the list of run steps.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from pathlib import Path
from typing import Any, TextIO

from openai import AsyncOpenAI

from benchmarks.clients.suites import MODEL, WANTED

_SYSTEM = {"role": "system", "content": "Answer briefly."}
_DONE = ("completed", "failed", "expired", "cancelled", "incomplete")
Json = dict[str, Any]


async def chat(client: AsyncOpenAI, turns: list[str], _: str) -> Json:
    """One question, one completion."""
    answer = await client.chat.completions.create(
        model=MODEL,
        messages=[_SYSTEM, {"role": "user", "content": turns[0]}],  # type: ignore[list-item]
    )
    text = answer.choices[0].message.content or ""
    tokens = answer.usage.total_tokens if answer.usage else None
    return {"passed": WANTED in text, "answers": [text], "tokens": tokens}


async def conversation(client: AsyncOpenAI, turns: list[str], assistant: str) -> Json:
    """One thread, a run for each turn."""
    thread = await client.beta.threads.create()
    told = [await _turn(client, thread.id, assistant, turn) for turn in turns]
    return {
        "passed": all(WANTED in text for text, _, _ in told),
        "answers": [text for text, _, _ in told],
        "tokens": sum(tokens for _, tokens, _ in told),
        "steps": sum(steps for _, _, steps in told),
    }


async def _turn(client: AsyncOpenAI, thread: str, assistant: str, text: str) -> tuple[str, int, int]:
    await client.beta.threads.messages.create(thread, role="user", content=text)
    run = await client.beta.threads.runs.create(thread, assistant_id=assistant)
    while (run := await client.beta.threads.runs.retrieve(run.id, thread_id=thread)).status not in _DONE:
        await asyncio.sleep(1)
    messages = await client.beta.threads.messages.list(thread, run_id=run.id)
    steps = await client.beta.threads.runs.steps.list(run.id, thread_id=thread)
    block = messages.data[0].content[0]
    answer = block.text.value if block.type == "text" else ""
    return answer, run.usage.total_tokens if run.usage else 0, len(steps.data)


async def run(kind: str, base_url: str, questions: list[Json], out: TextIO, concurrency: int) -> int:
    """All samples; how many passed."""
    client = AsyncOpenAI(base_url=base_url, api_key="any")
    free = asyncio.Semaphore(concurrency)
    assistant = ""
    if kind == "threads":
        made = await client.beta.assistants.create(model=MODEL, instructions="Answer briefly.")
        assistant = made.id

    async def sample(row: Json) -> bool:
        async with free:
            result = await (chat if kind == "chat" else conversation)(client, row["turns"], assistant)
        out.write(json.dumps({"id": row["id"], **result}) + "\n")
        out.flush()
        return bool(result["passed"])

    passed = await asyncio.gather(*(sample(row) for row in questions))
    await client.close()
    return sum(passed)


def main() -> None:
    """Run the samples, and say whether all passed."""
    kind, base_url, file, out, concurrency = sys.argv[1:]
    warnings.simplefilter("ignore")
    questions = [json.loads(line) for line in Path(file).read_text("utf-8").splitlines()]
    with Path(out, "results.jsonl").open("w", encoding="utf-8") as lines:
        passed = asyncio.run(run(kind, base_url, questions, lines, int(concurrency)))
    sys.exit(0 if passed == len(questions) else 1)


if __name__ == "__main__":
    main()
