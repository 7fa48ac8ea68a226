"""What file_search finds: recall of passages that people labelled, by words, by meaning and by both.

    python -m benchmarks.recall PATH/TO/conversations.jsonl.gz

All passages of a collection of the MTRAG-UN set are uploaded to one index. Each conversation that has
labelled passages asks once with its last message as it stands, and once with the queries that the reference
assistant makes of the whole conversation. Recall at 5 (at 20) is the share of a conversation's labelled
passages among the first 5 (20) results, averaged over conversations.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.mtrag import INSTRUCTIONS
from harness.server.llms.extractive import Extractive
from harness.server.llms.interface import ChatMessage, ModelRequest
from harness.server.search import Document, Hit, Index, Page, chunk

RANKINGS: dict[str, Callable[[Hit], float]] = {
    "keywords": lambda hit: hit.keyword,
    "embeddings": lambda hit: hit.similarity or 0.0,
    "both": lambda hit: hit.score,
}
DEPTHS = (5, 20)


def filled(rows: Sequence[dict[str, Any]]) -> Index:
    """An index of all passages that any of the conversations rests on."""
    index = Index()
    passages = {passage["id"]: passage["text"] for row in rows for passage in row["documents"]}
    for identifier, text in passages.items():
        document = Document(f"{identifier}.txt", (Page(None, text),))
        index.add(identifier, document.filename, chunk(document))
    return index


def last_message(row: dict[str, Any]) -> list[str]:
    """The message under test alone."""
    return [row["messages"][-1]["content"]]


def in_context(row: dict[str, Any]) -> list[str]:
    """What the reference assistant looks for when it is given the whole conversation."""
    messages = [ChatMessage(each["role"], each["content"]) for each in row["messages"]]
    tool = {"type": "file_search"}
    request = ModelRequest("gpt-5.4", INSTRUCTIONS, messages, tools=[tool], tool_choice=tool)
    [call] = Extractive().complete(request).tool_requests
    return list(call.arguments["queries"])


ASKED = {"the last message": last_message, "queries in context": in_context}


def recalls(
    index: Index, queries: Sequence[str], row: dict[str, Any], worth: Callable[[Hit], float]
) -> list[float]:
    """The share of a conversation's labelled passages that is found at each depth."""
    wanted = {passage["id"] for passage in row["documents"]}
    best: dict[str, float] = {}
    for query in queries:
        for hit in index.search(query, max_num_results=len(index)):
            best[hit.file_id] = max(worth(hit), best.get(hit.file_id, -1.0))
    order = sorted(best, key=lambda identifier: -best[identifier])
    return [len(wanted.intersection(order[:depth])) / len(wanted) for depth in DEPTHS]


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The lines of a Markdown table: a row for each way of asking and ranking."""
    collections = sorted({row["collection"] for row in rows})
    indexes = {name: filled([row for row in rows if row["collection"] == name]) for name in collections}
    labelled = [row for row in rows if row["documents"]]
    sizes = {name: sum(row["collection"] == name for row in labelled) for name in collections}
    heads = [f"{name} ({sizes[name]})" for name in collections]
    yield f"| asked | ranked by | {' | '.join(heads)} | all ({len(labelled)}) |"
    yield "| --- | --- |" + " ---: |" * (len(collections) + 1)
    for asked, queries in ASKED.items():
        for ranking, worth in RANKINGS.items():
            found = [recalls(indexes[row["collection"]], queries(row), row, worth) for row in labelled]
            named = list(zip((row["collection"] for row in labelled), found, strict=True))
            cells = [_mean([pair for name, pair in named if name == one]) for one in collections]
            yield f"| {asked} | {ranking} | {' | '.join(cells)} | {_mean(found)} |"


def _mean(pairs: Sequence[Sequence[float]]) -> str:
    means = (sum(each) / len(pairs) for each in zip(*pairs, strict=True))
    return " / ".join(f"{mean:.3f}" for mean in means)


def main() -> None:
    """Print a Markdown table of recall at 5 / at 20."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    with gzip.open(parser.parse_args().data, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for line in table(rows):
        print(line)


if __name__ == "__main__":
    main()
