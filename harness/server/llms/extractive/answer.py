"""The final message: quotations with their markers, hand-overs, honest ignorance, findings of code."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from harness.server.llms.extractive import schema
from harness.server.llms.extractive.escalations import Escalation
from harness.server.llms.extractive.evidence import Evidence
from harness.server.llms.extractive.passages import Unit
from harness.server.llms.extractive.policy import Policy
from harness.server.llms.interface import SearchHit
from harness.text import fold

#: How a missing value is asked for; an earlier answer that holds it is known to wait for one.
STILL_NEEDED = "I still need"
#: What the report of a call that worked begins with.
DONE = "Done."


def quoted_answer(evidence: Evidence, hits: Sequence[SearchHit], policy: Policy, *, trouble: bool) -> str:
    """The quotations with their markers; steps as numbered lines."""
    quotes = evidence.quotes
    if evidence.as_steps:
        lines = [
            f"{number}. {_cited(unit, hits[hit], policy)}" for number, (unit, hit) in enumerate(quotes, 1)
        ]
        first = _paragraph(evidence.lead, hits, policy)
        sorry = "I'm sorry about the trouble." if trouble else ""
        steps = "Please try these steps:" if trouble else "Here are the steps:"
        return "\n".join([" ".join(part for part in (sorry, first, steps) if part), *lines])
    body = _paragraph(quotes, hits, policy)
    if trouble:
        return f"I'm sorry about the trouble. {body}"
    return f"Happy to help! {body}" if policy.friendly else body


def quoted(evidence: Evidence, hits: Sequence[SearchHit], policy: Policy) -> str:
    """The quotations with their markers and nothing else."""
    return _paragraph(evidence.quotes, hits, policy)


def _paragraph(quotes: Sequence[tuple[Unit, int]], hits: Sequence[SearchHit], policy: Policy) -> str:
    parts: list[str] = []
    listed = bool(quotes) and quotes[0][0].text.endswith(":")
    for index, (unit, hit) in enumerate(quotes):
        bullet = "- " if listed and index else ""
        parts.append(bullet + _cited(unit, hits[hit], policy))
    return ("\n" if listed else " ").join(parts)


def _cited(unit: Unit, hit: SearchHit, policy: Policy) -> str:
    """The unit's text as a sentence, followed by the marker of its hit."""
    text = unit.text if re.search(r"[.!?:…]['\"”’)]*$", unit.text) else f"{unit.text}."
    return f"{text} {hit.marker}" if policy.cites and hit.marker else text


def unknown_answer(policy: Policy, *, documents: bool = True) -> str:
    """Honest words for what the documents do not say: the prescribed ones when there are some."""
    if policy.abstention:
        return policy.abstention
    if not documents:
        return "I'm sorry, I don't have that information."
    return "I'm sorry, I don't have that information in my documents."


def forbidden_answer(subject: str, policy: Policy) -> str:
    """Declines a subject that the instructions forbid."""
    offer = f" I can help with {policy.topics}." if policy.topics else ""
    return f"I'm sorry, I can't help with {subject} here.{offer}"


def elsewhere_answer(where: str) -> str:
    """Says where to turn with what cannot be done here."""
    return f"I'm sorry, I don't have that information here. For this, please turn to {where}."


_EMPATHY = {
    "wish": "Of course.",
    "severe": "I'm sorry, that sounds serious.",
    "tried": "I'm sorry that the problem is still there.",
    "condition": "I understand, and I'm sorry for the inconvenience.",
    "unsolved": "I'm sorry about this problem. My documents hold no solution for it.",
    "unanswered": "I'm sorry, I don't have that information in my documents.",
    "call": "Thank you for telling me.",
}


def handover_words(escalation: Escalation | None, reason: str) -> str:
    """Empathy and the prescribed words of handing over."""
    empathy = _EMPATHY.get(reason, _EMPATHY["condition"])
    phrase = escalation.phrase if escalation else None
    if phrase is None:
        return f"{empathy} This is something for our team." if escalation else empathy
    return f"{empathy} {phrase}" if phrase[-1] in ".!?…" else f"{empathy} {phrase}."


def asking_for(labels: Sequence[str]) -> str:
    """Asks in plain words for what is missing."""
    named = [_with_article(label) for label in labels]
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return f"To do this, {STILL_NEEDED} {listed}. Could you tell me, please?"


def _with_article(label: str) -> str:
    if re.search(r"summary|description|issue|problem|details|message", label):
        return "a short description of what it is about"
    own = ("e-mail address", "phone", "phone number", "name", "full name", "address")
    return f"your {label}" if label in own else f"the {label}"


def findings(output: str, *, image: bool, failed: bool) -> str:
    """The printed findings of code, word for word, and whether a chart was made."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if failed:
        reason = _reason_of(lines)
        return f"I'm sorry, I could not analyse the data: the code ended with an error{reason}."
    chart = "I have made the chart for you." if image else ""
    told = "\n".join(lines[:20])
    if not told and not chart:
        return "The code ran, but it printed no result."
    return "\n".join(part for part in (told, chart) if part)


def _reason_of(lines: Sequence[str]) -> str:
    last = next(
        (
            line
            for line in reversed(lines)
            if re.match(r"[\w.]*(?:Error|Exception|Timeout|Interrupt)\b", line)
        ),
        "",
    )
    return f" ({last[:200]})" if last else ""


def code_failed(output: str) -> bool:
    """Whether the output of code is a traceback or says that it was stopped."""
    return bool(
        re.search(
            r"Traceback \(most recent call last\)|^[\w.]*(?:Error|Exception)(?::|$)|timed out|was stopped|"
            r"Killed",
            output,
            re.MULTILINE,
        )
    )


def dressed(text: str, policy: Policy) -> str:
    """The answer between the words that the instructions want every answer to begin and end with."""
    if policy.opening and not fold(text).startswith(fold(policy.opening)):
        text = f"{policy.opening} {text}"
    if policy.closing and not fold(text).endswith(fold(policy.closing)):
        text = f"{text} {policy.closing}"
    return text


# --- JSON answers ---------------------------------------------------------------------------------


def as_json(
    text: str, response_format: dict[str, Any], *, escalated: bool, found: bool, sources: Sequence[str]
) -> str:
    """The answer as JSON: for a schema its properties, without one ``{"answer": ...}``."""
    wanted = (response_format.get("json_schema") or {}).get("schema")
    if not isinstance(wanted, dict):
        return json.dumps({"answer": text}, ensure_ascii=False)
    context = schema.Context(escalated, found, sources)
    return json.dumps(schema.value_for("answer", schema.plain(wanted), text, context), ensure_ascii=False)
