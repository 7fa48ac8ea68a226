"""Annotations: which parts of an answer cite a found chunk or link a made file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.server.llms.interface import SearchHit

_MARKER = re.compile(r"【(\d+):(\d+)†([^【】]*)】")
_LINK = "sandbox:"
_NOT_IN_MARKER = str.maketrans({"【": "(", "】": ")", "\n": " ", "\r": " "})


def marker(number: int, index: int, filename: str) -> str:
    """The text that cites a result: search number, result index, file name."""
    return f"【{number}:{index}†{filename.translate(_NOT_IN_MARKER)}】"


def annotate(text: str, hits: Iterable[SearchHit], paths: Mapping[str, str]) -> list[dict[str, Any]]:
    """The annotations of an answer, in order; offsets count characters, not bytes.

    Markers that match no hit of this run stay in the text and are not annotated.

    Args:
        text: The answer, with markers and links as the model wrote them.
        hits: What file_search found in this run.
        paths: Files that code_interpreter made: where the code sees them, and their ids.
    """
    found = [*_citations(text, hits), *_file_paths(text, paths)]
    return sorted(found, key=lambda annotation: int(annotation["start_index"]))


def wholes(hits: Iterable[SearchHit], paths: Iterable[str]) -> set[str]:
    """Every text that ``annotate`` may annotate."""
    markers = {hit.marker for hit in hits}
    unnamed = {f"【{first}:{second}†source】" for first, second in map(_numbers, markers) if first}
    return markers | unnamed | {_LINK + path for path in paths}


def _citations(text: str, hits: Iterable[SearchHit]) -> Iterator[dict[str, Any]]:
    if "【" not in text:
        return
    cited = {_numbers(hit.marker): hit for hit in hits}
    for match in _MARKER.finditer(text):
        hit = cited.get((match[1], match[2]))
        if hit is None or match.group() not in (hit.marker, f"【{match[1]}:{match[2]}†source】"):
            continue
        yield {
            "type": "file_citation",
            "text": match.group(),
            "start_index": match.start(),
            "end_index": match.end(),
            "file_citation": {"file_id": hit.file_id},
        }


def _numbers(text: str) -> tuple[str, str]:
    match = _MARKER.fullmatch(text)
    return (match[1], match[2]) if match else ("", "")


def _file_paths(text: str, paths: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    taken: set[int] = set()
    for path in sorted(paths, key=len, reverse=True):  # a longer path first: its start may be a shorter one
        for match in re.finditer(re.escape(_LINK + path), text):
            if match.start() in taken:
                continue
            taken.add(match.start())
            yield {
                "type": "file_path",
                "text": match.group(),
                "start_index": match.start(),
                "end_index": match.end(),
                "file_path": {"file_id": paths[path]},
            }


def without_markers(
    text: str, annotations: Iterable[dict[str, Any]]
) -> tuple[str, list[tuple[int, int, dict[str, Any]]]]:
    """The text with its citation markers cut out, and where each annotation begins and ends in it.

    The space before a marker goes with it where that leaves no two words joined. A citation is a position;
    everything else keeps its range.

    Args:
        text: The answer, with markers.
        annotations: What ``annotate`` found in it.
    """
    kept: list[str] = []
    places: list[tuple[int, int, dict[str, Any]]] = []
    position = length = 0
    for annotation in annotations:
        if annotation["start_index"] < position:
            continue  # a link inside a marker
        before = text[position : annotation["start_index"]]
        position = annotation["end_index"]
        inside = annotation["text"]
        if annotation["type"] == "file_citation":
            inside = ""
            if before.endswith(" ") and not text[position : position + 1].isalnum():
                before = before[:-1]
        kept += [before, inside]
        places.append((length + len(before), length + len(before) + len(inside), annotation))
        length += len(before) + len(inside)
    return "".join([*kept, text[position:]]), places
