"""Expectations of whole answers and talks, from the suite file to the scores, on the sample assistant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.results import Score, SuiteRun

ROOT = Path(__file__).parents[2]
ACME = ROOT / "fixtures" / "assistants" / "acme_support.yaml"

YAML = f"""
suite: manners
assistant: {ACME}
tools: {{create_support_ticket: [{{returns: {{ticket_id: T-1001}}}}]}}
expect:
  answer: {{language: en, characters: {{max: 2000}}, sentences: {{max: 15}}}}
  tone: {{clear: true, sentence_words: {{max: 25}}}}
conversations:
  - id: export
    turns:
      - user: How do I export my data from the dashboard?
        expect:
          cites: {{documents: [getting_started.pdf], claims: {{min: 0.8}}, supported: {{min: 0.8}}}}
          answer: {{similar: {{to: Open the dashboard and choose Export., min: 0.5}}}}
          tone: {{friendly: {{min: 0.4}}, jargon: {{allowed: [JSON], terms: [dashlet]}}}}
          trajectory: {{steps: [file_search], others: false}}
          tool_calls: {{min: 1, max: 2}}
      - user: Tell me a joke about politicians.
        expect: {{redirects: true, tone: {{clear: null}}}}
  - id: crash
    turns:
      - user: The desktop app crashes on start. I am jo@example.com.
        expect: {{tone: null}}
      - user: I have tried all of these steps and it still crashes.
        expect: {{tone: null}}
    expect:
      remembers: [{{value: jo@example.com, from: 1, used: false, not_asked: [e-mail, email]}}]
      trajectory:
        order: set
        steps: [{{tool: create_support_ticket, with: {{user_email: jo@example.com, priority: {{not: low}}}}}}]
  - foreach: questions.jsonl
    id: "faq-{{{{ id }}}}"
    turns:
      - user: "{{{{ question }}}}"
        expect:
          answer: {{language: "{{{{ language }}}}"}}
          cites: {{documents: ["{{{{ document }}}}"], supported: {{min: "{{{{ share }}}}"}}}}
          prompt_tokens: {{min: "{{{{ tokens }}}}"}}
"""
ROWS = [
    {"id": 1, "question": "What does EXP-102 mean?", "document": "troubleshooting.pdf"},
    {"id": 2, "question": "Which plan includes telephone support?", "document": "faq.pdf"},
]


@pytest.fixture
def suite_file(tmp_path: Path) -> Path:
    common = {"language": "en", "share": 0.5, "tokens": 10}
    lines = [json.dumps(row | common) for row in ROWS]
    (tmp_path / "questions.jsonl").write_text("\n".join(lines), "utf-8")
    (tmp_path / "manners.yaml").write_text(YAML, "utf-8")
    return tmp_path / "manners.yaml"


def run(suite: Any, folder: Path, **more: Any) -> SuiteRun:
    return harness.evaluate(suite, store=str(folder / "s.sqlite"), reports=str(folder), **more)


def told(scores: tuple[Score, ...]) -> dict[tuple[int | None, str], Any]:
    return {(score.turn, score.check): score.value for score in scores}


@pytest.mark.parametrize("target", ["embedded", "responses"])
def test_a_suite_with_every_kind_of_expectation_passes_on_both_apis(
    suite_file: Path, tmp_path: Path, target: str
) -> None:
    results = {result.conversation: result for result in run(suite_file, tmp_path, target=target).results}
    unmet = [(name, score) for name, r in results.items() for score in r.scores if score.passed is False]
    assert unmet == []
    export = told(results["export"].scores)
    assert export[0, "answer.language"] == "en"
    assert export[0, "cites.supported"] == export[0, "trajectory"] == 1
    assert 0.8 <= export[0, "cites.claims"] < 1  # a lead-in stands without a citation
    assert export[1, "redirects.polite"] is True
    crash = told(results["crash"].scores)
    assert crash[None, "remembers.not_asked"] is True
    assert crash[None, "trajectory"] == 1
    assert any(check == "calls.schema" and value for (_, check), value in crash.items())
    assert {f"faq-{row['id']}" for row in ROWS} < set(results)


def test_a_suite_in_python_takes_the_same_expectations(tmp_path: Path) -> None:
    suite = harness.Suite("talks", assistant=str(ACME), expect={"answer": {"language": ["en"]}})

    @suite.conversation(expect={"trajectory": {"steps": ["file_search"], "others": False}})
    async def export(talk: harness.Talk) -> None:
        await talk.say(
            "How do I export my data from the dashboard?",
            expect={
                "cites": {"claims": {"min": 0.8}, "per": "paragraph"},
                "tone": {"clear": {"min": 0.5}},
                "remembers": [{"value": "dashboard"}],
            },
        )

    scores = told(run(suite, tmp_path).results[0].scores)
    assert scores[0, "answer.language"] == "en"
    assert scores[0, "cites.claims"] == 1
    assert scores[0, "remembers.used"] is None  # nobody had told it before
    assert scores[None, "trajectory"] == 1
