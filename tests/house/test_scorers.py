"""Every scorer is defined, and the documents say of it what explanations of its scores say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.perturb.invariants import SCORER as PERTURBATION
from harness.scorers.definitions import DEFINITIONS, PARTS
from harness.scorers.findings import STUBS
from harness.scorers.plugins import FINDINGS
from harness.scorers.registry import builtin_scorers

DOCS = Path(__file__).parents[2] / "docs" / "scorers.md"


def test_every_scorer_that_gives_scores_is_defined() -> None:
    names = {scorer.name for scorer in builtin_scorers()} | {STUBS, FINDINGS, PERTURBATION}
    assert names - DEFINITIONS.keys() == set(), "add it to harness/scorers/definitions.py and docs/scorers.md"
    assert DEFINITIONS.keys() - names == set()


@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_documents_say_of_a_scorer_what_its_definition_says(name: str) -> None:
    section = DOCS.read_text("utf-8").split(f"## {name}\n")[1].split("\n## ")[0]
    told = dict(re.findall(r"^\| ([a-z ]+) \| (.+) \|$", section, re.MULTILINE))
    expected = {part.replace("_", " "): getattr(DEFINITIONS[name], part) for part in PARTS}
    assert {part: told.get(part) for part in expected} == expected
    assert all(expected.values())
