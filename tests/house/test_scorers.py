"""Every scorer is defined, and the documents say of it what explanations of its scores say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.perturb.invariants import SCORER as PERTURBATION
from harness.scorers.definitions import DEFINITIONS, PARTS, with_tables
from harness.scorers.findings import STUBS
from harness.scorers.plugins import FINDINGS
from harness.scorers.registry import builtin_scorers

DOCS = Path(__file__).parents[2] / "docs" / "scorers.md"


NAMES = sorted({scorer.name for scorer in builtin_scorers()} | {STUBS, FINDINGS, PERTURBATION})


def test_every_scorer_that_gives_scores_is_defined() -> None:
    assert set(NAMES) - DEFINITIONS.keys() == set(), "add it to harness/scorers/definitions.py"


@pytest.mark.parametrize("name", NAMES)
def test_a_definition_says_everything(name: str) -> None:
    assert all(getattr(DEFINITIONS[name], part) for part in PARTS)


def test_the_documents_say_of_every_scorer_what_its_definition_says() -> None:
    text = DOCS.read_text("utf-8")
    headings = set(re.findall(r"^## (.+)$", text, re.MULTILINE))
    assert set(NAMES) - headings == set(), "write a section of it"
    assert with_tables(text) == text, "run: python -m harness.scorers.definitions docs/scorers.md"
