"""Talks that no fixed script can hold: what is said next depends on what was answered."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness import Answer, Suite, Talk
from harness.trace.records import Message


def open_ticket(user_email: str, issue_summary: str, priority: str) -> dict[str, str]:
    """A ticket system that refuses what no person could read, and numbers the rest by their priority."""
    if len(issue_summary.split()) < 2:
        raise ValueError("a summary needs words")
    return {"ticket_id": {"urgent": "T-9001", "high": "T-5001"}.get(priority, "T-1001")}


support = Suite(
    "acme-scripts",
    assistant="../../fixtures/assistants/acme_support.yaml",
    tools={"create_support_ticket": open_ticket},
    expect={"latency_s": {"max": 30}},
)


@support.conversation(tags=["script", "knowledge"], cluster="exports")
async def asks_on_until_every_format_has_its_limit(talk: Talk) -> None:
    """A loop: the formats are read from the first answer, and each is asked for."""
    answer = await talk.say("In which formats can I export?", expect={"cites": ["getting_started.pdf"]})
    formats = [name for name in ("CSV", "XLSX", "JSON") if name in answer.text.upper()]
    assert len(formats) == 3, f"only {formats} are offered"
    for name in formats:
        answer = await talk.say(f"How many rows fit into a {name} export?", expect={"grounded": True})
        talk.check(f"rows of {name}", bool(re.search(r"\d{3},?000", answer.text)), answer.text)


@support.conversation(tags=["script", "tickets", "hand-over"], cluster="desktop-app")
async def gives_what_it_is_asked_for_until_there_is_a_ticket(talk: Talk) -> None:
    """A turn that depends on the last answer: the address is told when it is asked for, not before."""
    answer = await talk.say("I need a human. The app still crashes on start after all the steps.")
    while not _has_ticket(answer) and answer.turn < 4:
        asked = re.search(r"(?i)e-?mail", answer.text)
        answer = await talk.say("it's baker@warm-oven.example" if asked else "Please open a ticket.")
    assert _has_ticket(answer), "four turns and no ticket"
    assert answer.escalated


@support.conversation(
    tags=["script", "followup"],
    cluster="plans",
    rows=[{"id": "owner", "plan": "Starter"}, {"id": "team", "plan": "Team"}],
    expect={"escalates": False},
)
async def a_customer_with_questions(talk: Talk, plan: str) -> None:
    """A simulated user: it asks one thing after the other, and is content when all are answered."""
    questions = [
        f"How long is imported history kept on the {plan} plan?",
        "Who can change the plan of our workspace?",
    ]

    def customer(history: Sequence[Message]) -> str | None:
        asked = sum(message.role == "user" for message in history)
        return questions[asked] if asked < len(questions) else None

    answers = await talk.until(customer, most_turns=5, expect={"cites": ["faq.pdf"]})
    talk.check("every question was answered", len(answers) == len(questions))
    assert "Owner" in answers[-1].text


def _has_ticket(answer: Answer) -> bool:
    return any(call.name == "create_support_ticket" for call in answer.tool_calls)
