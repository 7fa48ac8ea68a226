"""How near sentences come to a question in meaning, whatever their words."""

from __future__ import annotations

from collections.abc import Sequence

from harness.embedding import encoder
from harness.server.llms.extractive.passages import Unit

MOST_COMPARED = 20
"""Sentences that are compared with a question; each takes about a millisecond when it is first seen."""


def nearness(question: str, units: Sequence[Unit]) -> list[float] | None:
    """Cosine of a question and each unit under its headings; None where texts cannot be compared."""
    model = encoder.default() if units and question.strip() else None
    if model is None:
        return None
    vectors = model.embed([question, *(_with_title(unit) for unit in units)])
    return [float(cosine) for cosine in vectors[1:] @ vectors[0]]


def _with_title(unit: Unit) -> str:
    return f"{unit.title}: {unit.text}" if unit.title else unit.text
