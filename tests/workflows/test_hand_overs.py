"""Hand-overs of a whole run: each kind of error is told, counted and weighed in every report."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from harness import workflows
from harness.settings import load_settings

SUITE = """
suite: desk
assistant: assistant.yaml
escalation:
  ticket:
    email: email
    summary: summary
    priority:
      rules:
        - {mentions: [lost], is: [high, urgent]}
        - {is: low}
  costs: {missed: 50, wrong_arguments: 4.5}
tools: {open_ticket: [{returns: {ticket_id: T-1}}]}
conversations:
  - id: kept
    turns:
      - {user: My data is lost since Monday. I am jo@example.com., expect: {escalates: {evidence: both}}}
  - id: missed
    turns: [{user: help, expect: {escalates: true}}]
  - id: false-alarm
    turns: [{user: promise me something, expect: {escalates: false}}]
  - id: promised
    turns: [{user: promise me something, expect: {escalates: {evidence: both}}}]
  - id: silent
    turns: [{user: silent jo@example.com, expect: {escalates: {evidence: both}}}]
  - id: careless
    turns: [{user: careless jo@example.com, expect: {escalates: {with: {priority: low}}}}]
  - id: open
    turns: [{user: help, expect: {escalates: may}}]
  - id: late
    turns: [{user: help}, {user: promise me something}]
    expect: {escalates: {by_turn: 1}}
  - id: early
    turns: [{user: promise me something}, {user: help}]
    expect: {escalates: {not_before: 2}}
  - id: twice
    turns: [{user: silent jo@example.com}, {user: silent jo@example.com}]
    expect: {escalates: {at_most: 1}}
"""
ASSISTANT = """
name: Desk
model: m
tools:
  - type: function
    function:
      name: open_ticket
      parameters:
        type: object
        properties: {email: {type: string}, summary: {type: string}, priority: {enum: [low, high, urgent]}}
        required: [email, summary, priority]
escalation: {phrases: ["I'll get a colleague for you"], tools: [open_ticket]}
"""
APPLICATION = """
TICKET = {"email": "jo@example.com", "summary": "Data is lost since Monday.", "priority": "high"}

async def answer(question):
    said = question.text
    if "lost" in said:
        await question.call("open_ticket", TICKET)
        return "I'll get a colleague for you."
    if "silent" in said:
        await question.call("open_ticket", TICKET | {"summary": "silent", "priority": "low"})
        return "Done."
    if "careless" in said:
        await question.call("open_ticket", TICKET | {"email": "someone@else.example"})
        return "I'll get a colleague for you."
    return "I'll get a colleague for you." if "promise" in said else "Have you tried it again?"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("desk")


@pytest.fixture(scope="module")
def run(folder: Path) -> Any:
    (folder / "suite.yaml").write_text(SUITE)
    (folder / "assistant.yaml").write_text(ASSISTANT)
    (folder / "app.py").write_text(APPLICATION)
    store = str(folder / "store.sqlite")
    workflows.evaluate(
        str(folder / "suite.yaml"),
        target="function",
        target_function=f"{folder / 'app.py'}:answer",
        store=store,
    )
    return workflows.stored_run(load_settings({"store": store}), "latest")


LABELS = {
    "kept": "escalated",
    "missed": "missed",
    "false-alarm": "false_alarm",
    "promised": "promise_without_action",
    "silent": "wrong_arguments",
    "careless": "wrong_arguments",
    "open": "none",
    "late": "late",
    "early": "early",
    "twice": "wrong_arguments",
}


def test_every_conversation_has_the_label_of_its_gravest_error(run: Any) -> None:
    labels = {
        result.conversation: score.value
        for result in run.results
        for score in result.scores
        if score.scorer == "escalation"
    }
    assert labels == LABELS


def test_json_holds_matrix_intervals_errors_and_points(run: Any) -> None:
    told = json.loads(workflows.render(run, "json"))["escalation"]
    assert (told["right"], told["missed"], told["false_alarms"], told["rightly_none"]) == (5, 3, 1, 0)
    assert told["recall"] == 0.625
    low, high = told["recall_interval"]
    assert low < told["recall"] < high
    assert told["errors"]["promise_without_action"] == 1
    assert told["points"]["missed"] == 50
    assert told["cost"] == sum(told["points"].values())


@pytest.mark.parametrize("kind", ["console", "markdown", "html"])
def test_reports_tell_the_errors_with_their_points(run: Any, kind: str) -> None:
    text = " ".join(workflows.render(run, kind).split())
    assert "promise without action" in text
    assert "95% interval" in text
    assert "wrong arguments" in text


def test_another_price_of_errors_needs_no_new_answers(folder: Path, run: Any) -> None:
    suite = folder / "suite.yaml"
    suite.write_text(SUITE.replace("missed: 50", "missed: 80"))
    settings = load_settings({"store": str(folder / "store.sqlite")})
    again = asyncio.run(workflows.rescore(run.id, settings))
    told = json.loads(workflows.render(again.run, "json"))["escalation"]
    assert (told["points"]["missed"], told["errors"]["missed"]) == (80, 1)
