"""What the clients are asked: the same questions as lines of JSON, and as a suite for ``harness run``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WANTED = "ten minutes"
"""What every answer must mention."""
MODEL = "gpt-5.4-mini"
"""What the mock server calls itself: a model whose price is known, so that costs are worked out too."""
TURNS = {"chat": 1, "threads": 3}
_ASSISTANT = f"name: Mock\nmodel: {MODEL}\ninstructions: Answer briefly.\n"


def write_questions(folder: Path, kind: str, samples: int) -> Path:
    """A line for each sample: its id and the user's messages."""
    file = folder / f"questions-{kind}-{samples}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in questions(kind, samples)), "utf-8")
    return file


def questions(kind: str, samples: int) -> list[dict[str, Any]]:
    """For each sample its ``id`` and its ``turns``, the user's messages."""
    return [{"id": f"q{number}", "turns": _turns(number, TURNS[kind])} for number in range(samples)]


def _turns(number: int, turns: int) -> list[str]:
    return [f"Question {number}.{turn}: how long does an export take?" for turn in range(turns)]


def write_suite(folder: Path, kind: str, samples: int) -> Path:
    """A suite of the same messages: one template over a table, each answer tested for one string."""
    (folder / "mock.yaml").write_text(_ASSISTANT, "utf-8")
    table = folder / f"rows-{kind}-{samples}.jsonl"
    rows = ({"id": f"q{number}", **_columns(number, TURNS[kind])} for number in range(samples))
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    turns = "".join(f'      - user: "{{{{ turn_{turn} }}}}"\n' for turn in range(TURNS[kind]))
    suite = folder / f"suite-{kind}-{samples}.yaml"
    suite.write_text(
        f"suite: clients\nassistant: mock.yaml\nexpect: {{answer: {{mentions: [{WANTED}]}}}}\n"
        "conversations:\n"
        f'  - foreach: {table.name}\n    id: "{{{{ id }}}}"\n    turns:\n{turns}',
        "utf-8",
    )
    return suite


def _columns(number: int, turns: int) -> dict[str, str]:
    return {f"turn_{turn}": text for turn, text in enumerate(_turns(number, turns))}
