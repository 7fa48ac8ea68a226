"""The same questions for other tools, where they are installed: promptfoo and inspect-ai.

They ask chat completions in every workload. promptfoo carries a conversation on by its ``_conversation``
variable, which lets it play one at a time; inspect-ai by a solver that asks turn after turn.
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
_ONE_TURN = [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": "{{ question }}"}]
_TURNS = """[
  {"role": "system", "content": "Answer briefly."},
  {% for said in _conversation %}
  {"role": "user", "content": {{ said.input | dump }}},
  {"role": "assistant", "content": {{ said.output | dump }}},
  {% endfor %}
  {"role": "user", "content": {{ question | dump }}}
]
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
    rows = questions(kind, samples)
    tests = [
        {"vars": {"question": turn}, "metadata": {"conversationId": row["id"]}}
        for row in rows
        for turn in row["turns"]
    ]
    prompt = folder / "prompt.json"
    prompt.write_text(json.dumps(_ONE_TURN) if kind == "chat" else _TURNS, "utf-8")
    config = {
        "prompts": [f"file://{prompt}"],
        "providers": [{"id": f"openai:chat:{MODEL}", "config": {"apiBaseUrl": base_url, "apiKey": "any"}}],
        "defaultTest": {"assert": [{"type": "contains", "value": WANTED}]},
        "tests": tests,
    }
    file = folder / "promptfoo.json"
    file.write_text(json.dumps(config), "utf-8")
    shown = ("--no-cache", "--no-progress-bar", "--no-table")
    return [
        *(program, "eval", "-c", str(file), "-j", str(concurrency), *shown),
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
