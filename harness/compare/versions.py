"""What differs in two versions of an assistant: instructions, model, tools, documents, line by line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_CONTEXT = 2
_DIGITS = 12
_TYPES = {"documents": "documents", "code_documents": "documents for code"}


@dataclass(frozen=True, slots=True)
class Change:
    """One part of an assistant that differs, line by line as ``diff -u`` writes it."""

    part: str
    lines: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"part": self.part, "diff": list(self.lines)}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """The parts that differ, in the order in which one reads an assistant file.

    Args:
        before: What the baseline consists of, as a run keeps it.
        after: What the candidate consists of.
    """
    sides = _parts(before), _parts(after)
    names = dict.fromkeys(name for side in sides for name in side)
    found = [Change(name, _diff(*(side.get(name, []) for side in sides))) for name in names]
    return tuple(change for change in found if change.lines)


def _parts(content: Mapping[str, Any]) -> dict[str, list[str]]:
    """The lines of each part."""
    assistant = dict(content.get("assistant") or {})
    instructions = str(assistant.pop("instructions", "")).splitlines()
    model, tools = assistant.pop("model", None), assistant.pop("tools", [])
    documents = {
        told: [f"{name} (sha256 {digest[:_DIGITS]})" for name, digest in content.get(key, ())]
        for key, told in _TYPES.items()
    }
    return {
        "instructions": instructions,
        "model": [str(model)] if model else [],
        "tools": [line for tool in tools for line in _pretty(tool)],
        "options": [line for key in sorted(assistant) for line in _option(key, assistant[key])],
        "assistant id": [str(found)] if (found := content.get("assistant_id")) else [],
        **documents,
    }


def _option(key: str, value: Any) -> list[str]:
    return [f"{key}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}"]


def _pretty(value: Any) -> list[str]:
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True).splitlines()


def _diff(before: list[str], after: list[str]) -> tuple[str, ...]:
    lines = difflib.unified_diff(before, after, n=_CONTEXT, lineterm="")
    return tuple(lines)[2:]  # without the two lines that name files
