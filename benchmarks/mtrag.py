"""Real conversations over real documentation: the MTRAG-UN set replayed as a suite.

The passages of one collection are uploaded as the knowledge base, every conversation is put on a thread
with its history, and its last message is sent. Measured: whether a passage that people labelled as relevant
is among the search results, whether the assistant abstains on what the passages can't answer, and whether
answers are grounded.

    python -m benchmarks.mtrag PATH/TO/conversations.jsonl.gz --collection ibmcloud --out build/mtrag

writes the suite and the report into the folder; ``harness run FOLDER/suite.yaml`` then repeats the run.
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path
from typing import Any

import yaml

import harness
from harness import workflows
from harness.results import SuiteRun, TrialResult

INSTRUCTIONS = """\
You are the documentation assistant of a cloud platform. Answer questions from the documents, and cite them.
Use only what the documents say. If they do not hold the answer, say: "I don't have that information."
If a question is too vague to answer, ask what exactly is meant.
"""

_SUITE: dict[str, Any] = {
    "suite": "mtrag",
    "assistant": "assistant.yaml",
    "conversations": [
        {
            "foreach": "conversations.jsonl",
            "id": "{{ id }}",
            "tags": ["{{ answerability }}"],
            "history": "{{ history }}",
            "turns": [
                {
                    "user": "{{ question }}",
                    "expect": {"status": "completed", "grounded": {"min": 0.7}, "abstains": "{{ abstains }}"},
                }
            ],
        }
    ],
}


def write_suite(rows: list[dict[str, Any]], folder: Path) -> Path:
    """The suite, its assistant and its documents, as files a user could have written."""
    documents = folder / "documents"
    documents.mkdir(parents=True, exist_ok=True)
    for row in rows:
        for passage in row["documents"]:
            (documents / f"{passage['id']}.txt").write_text(passage["text"], "utf-8")
    assistant = {
        "name": "Documentation assistant",
        "model": "gpt-5.4",
        "instructions": INSTRUCTIONS,
        "tools": [{"type": "file_search"}],
        "knowledge": ["documents/*.txt"],
    }
    (folder / "assistant.yaml").write_text(yaml.safe_dump(assistant), "utf-8")
    (folder / "suite.yaml").write_text(yaml.safe_dump(_SUITE, sort_keys=False), "utf-8")
    lines = [json.dumps(_conversation(row)) for row in rows]
    (folder / "conversations.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "suite.yaml"


def _conversation(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the foreach file: what can be answered must be; the rest is only held to grounding."""
    return {
        "id": row["conversation_id"],
        "answerability": row["answerability"].lower(),
        "history": row["messages"][:-1],
        "question": row["messages"][-1]["content"],
        "abstains": False if row["answerability"] == "ANSWERABLE" else None,
    }


def figures(run: SuiteRun, rows: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    """``(what, hits, of)`` for each measured share."""
    by_id = {row["conversation_id"]: row for row in rows}
    turns = [(result, by_id[result.conversation]) for result in run.results if result.trace]
    labelled = [(result, row) for result, row in turns if row["documents"]]
    answerable = [result for result, row in turns if row["answerability"] == "ANSWERABLE"]
    unanswerable = [result for result, row in turns if row["answerability"] == "UNANSWERABLE"]
    return [
        (
            "labelled passage among the first 5 results",
            sum(_found(r, row, 5) for r, row in labelled),
            len(labelled),
        ),
        ("labelled passage among the results", sum(_found(r, row, 50) for r, row in labelled), len(labelled)),
        ("answerable: answered", sum(not _abstained(r) for r in answerable), len(answerable)),
        (
            "answerable: answered and grounded",
            sum(_answered_grounded(r) for r in answerable),
            len(answerable),
        ),
        ("unanswerable: abstained", sum(_abstained(r) for r in unanswerable), len(unanswerable)),
        (
            "unanswerable: no ungrounded claim",
            sum(not _ungrounded(r) for r in unanswerable),
            len(unanswerable),
        ),
    ]


def _found(result: TrialResult, row: dict[str, Any], first: int) -> bool:
    wanted = {f"{passage['id']}.txt" for passage in row["documents"]}
    assert result.trace
    return any(hit.filename in wanted for turn in result.trace.turns for hit in turn.search_results[:first])


def _abstained(result: TrialResult) -> bool:
    from harness.scorers.claims import sorted_out

    assert result.trace
    said = [sentence for turn in result.trace.turns for sentence in sorted_out(turn.answer)]
    return any(sentence.kind == "abstention" for sentence in said)


def _ungrounded(result: TrialResult) -> bool:
    return any(score.check == "grounded" and score.passed is False for score in result.scores)


def _answered_grounded(result: TrialResult) -> bool:
    return not _abstained(result) and any(
        score.check == "grounded" and score.passed for score in result.scores
    )


def main() -> None:
    """Write the suite, run it, print the figures as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--collection", default="ibmcloud")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    with gzip.open(arguments.data, "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["collection"] == arguments.collection]
    suite = write_suite(rows, arguments.out)
    run = harness.evaluate(suite, store=str(arguments.out / "store.sqlite"), concurrency=2)
    report = workflows.write_html(run, str(arguments.out / "report.html"))
    print(f"{len(run.results)} conversations, report: {report}\n")
    print("| measured | n | share |\n| --- | ---: | ---: |")
    for what, hits, of in figures(run, rows):
        print(f"| {what} | {hits} / {of} | {hits / of:.2f} |")


if __name__ == "__main__":
    main()
