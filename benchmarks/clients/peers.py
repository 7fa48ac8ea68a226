"""The same questions for other tools, where they are installed: promptfoo and inspect-ai.

promptfoo has no conversations with threads of its own: each turn is a test, and a provider here goes on with
the thread of the turn before, so tests come one at a time, as promptfoo plays those that need each other.
inspect-ai asks chat completions in every workload, turn after turn by a solver.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.clients.suites import MODEL, WANTED, questions

QUIET = {
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
}
"""Settings by which they ask nobody else."""
_CHAT = [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": "{{ question }}"}]
_THREADS = """const threads = new Map();

export default class Threads {
  constructor({ config }) { this.config = config; }

  id() { return 'threads'; }

  async ask(path, body) {
    const headers = { 'Content-Type': 'application/json', 'OpenAI-Beta': 'assistants=v2' };
    const how = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers };
    return (await fetch(this.config.base_url + path, how)).json();
  }

  async callApi(question, { test }) {
    const talk = test.metadata.conversation;
    if (!threads.has(talk)) threads.set(talk, (await this.ask('/threads', {})).id);
    const thread = `/threads/${threads.get(talk)}`;
    await this.ask(`${thread}/messages`, { role: 'user', content: question });
    let run = await this.ask(`${thread}/runs`, { assistant_id: 'asst_1' });
    do run = await this.ask(`${thread}/runs/${run.id}`); while (run.status === 'queued');
    const messages = await this.ask(`${thread}/messages?run_id=${run.id}`);
    await this.ask(`${thread}/runs/${run.id}/steps`);
    return { output: messages.data[0].content[0].text.value };
  }
}
"""
_TASK = """import json
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import includes
from inspect_ai.solver import solver


@solver
def talk():
    async def solve(state, generate):
        state.messages.insert(0, ChatMessageSystem(content="Answer briefly."))
        for turn in state.metadata["further"]:
            state = await generate(state)
            state.messages.append(ChatMessageUser(content=turn))
        return await generate(state)

    return solve


@task
def questions():
    rows = json.loads(Path(__file__).with_name("questions.json").read_text("utf-8"))
    return Task(dataset=[sample(row) for row in rows], solver=talk(), scorer=includes())


def sample(row):
    first, *further = row["turns"]
    return Sample(id=row["id"], input=first, target=WANTED, metadata={"further": further})
"""


def promptfoo(
    program: str, kind: str, samples: int, base_url: str, folder: Path, concurrency: int
) -> list[str]:
    """The command by which promptfoo asks them, its files written."""
    tests = [
        {"vars": {"question": turn}, "metadata": {"conversation": row["id"]}}
        for row in questions(kind, samples)
        for turn in row["turns"]
    ]
    chat = {"id": f"openai:chat:{MODEL}", "config": {"apiBaseUrl": base_url, "apiKey": "any"}}
    threads = {"id": f"file://{folder / 'threads.mjs'}", "config": {"base_url": base_url}}
    (folder / "threads.mjs").write_text(_THREADS, "utf-8")
    config = {
        "prompts": [json.dumps(_CHAT) if kind == "chat" else "{{ question }}"],
        "providers": [chat if kind == "chat" else threads],
        "defaultTest": {"assert": [{"type": "contains", "value": WANTED}]},
        "tests": tests,
    }
    file = folder / "promptfoo.json"
    file.write_text(json.dumps(config), "utf-8")
    at_once = concurrency if kind == "chat" else 1
    shown = ("--no-cache", "--no-progress-bar", "--no-table")
    return [
        *(program, "eval", "-c", str(file), "-j", str(at_once), *shown),
        *("-o", "results.json", "-o", "report.html"),
    ]


def inspect(
    program: str, kind: str, samples: int, base_url: str, folder: Path, concurrency: int
) -> list[str]:
    """The command by which inspect-ai asks them from a folder beside its task, its files written."""
    (folder / "questions.json").write_text(json.dumps(questions(kind, samples)), "utf-8")
    task = folder / "task.py"
    task.write_text(_TASK.replace("WANTED", repr(WANTED)), "utf-8")
    limits = ("--max-connections", str(concurrency), "--max-samples", str(concurrency))
    return [
        *(program, "eval", f"../{task.name}", "--model", f"openai/{MODEL}", "--model-base-url", base_url),
        *("-M", "responses_api=false", *limits, "--display", "none", "--log-dir", "."),
    ]
