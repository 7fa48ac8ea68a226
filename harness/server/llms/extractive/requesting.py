"""Tools that the reference assistant asks for: what it looks for, and calls with their arguments."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from harness.server.llms.extractive import answer
from harness.server.llms.extractive.arguments import fill
from harness.server.llms.extractive.functions import Call, Function
from harness.server.llms.extractive.question import term_stems
from harness.server.llms.extractive.scene import Scene
from harness.server.llms.extractive.strings import without_contact
from harness.server.llms.extractive.talk import (
    aside_of,
    context_of,
    is_follow_up,
    known_facts_for,
    questions_in,
    topic_of_last_answer,
)
from harness.server.llms.interface import ModelReply, ToolRequest
from harness.text import content_stems


def tool_requests(scene: Scene, wanted: Sequence[tuple[str, str, dict[str, Any]]]) -> ModelReply:
    """Tool requests ``(kind, name, arguments)`` with ids that the talk so far determines."""
    if scene.request.options.get("parallel_tool_calls") is False:
        wanted = wanted[:1]
    seed = json.dumps([[m.role, m.content] for m in scene.request.messages], ensure_ascii=False)
    requests = []
    for index, (kind, name, arguments) in enumerate(wanted):
        digest = hashlib.sha256(f"{len(scene.request.messages)}/{index}/{name}/{seed}".encode()).hexdigest()
        requests.append(ToolRequest(f"call_{digest[:24]}", kind, name, arguments))  # type: ignore[arg-type]
    return ModelReply(tool_requests=tuple(requests))


def function_calls(scene: Scene, calls: Sequence[Call]) -> ModelReply:
    """Functions are called with what was filled in."""
    return tool_requests(scene, [("function", call.function.name, call.filled.arguments) for call in calls])


def search(scene: Scene) -> ModelReply:
    """The documents are searched for what the message asks."""
    return tool_requests(scene, [("file_search", "file_search", {"queries": _queries(scene)})])


def _queries(scene: Scene) -> list[str]:
    """What to look for: each question of the message, with the words that it leans on."""
    queries = []
    for asked in asked_in(scene):
        around = " ".join(_telling_words(asked.context, 12)) if asked.lean >= _LEAN_ON_ASIDE else ""
        queries.append(" ".join(part for part in (asked.text, asked.facts, around) if part))
    return [query[:500] for query in queries if query.strip()] or [scene.talk.said[:500] or "help"]


class Asked(msgspec.Struct, frozen=True):
    """One question of the message with what it leans on.

    Attributes:
        text: Its words.
        context: What the message tells beside it, and the earlier questions that it points at.
        facts: What the user told about themselves and means by "my ...".
        follows: Whether it cannot be understood without the context.
        lean: How much the context counts for ranking.
    """

    text: str
    context: str
    facts: str
    follows: bool
    lean: float


_LEAN_ON_ASIDE = 0.35


def asked_in(scene: Scene) -> list[Asked]:
    """The questions of the message; a report of trouble is one, whole."""
    subject = without_contact(scene.subject).strip() or scene.subject
    whole = scene.situation.trouble
    aside = "" if whole else aside_of(subject)
    texts = [subject] if whole else questions_in(subject)
    return [_one_asked(scene, text, aside, texts[:place]) for place, text in enumerate(texts)]


def _one_asked(scene: Scene, text: str, aside: str, before: Sequence[str]) -> Asked:
    """One question of a message, with those that stand ``before`` it there."""
    follows = not scene.expanded and is_follow_up(text) and bool(aside or before or scene.talk.earlier)
    earlier = (before[-1] if before else context_of(scene.talk, text)) if follows else ""
    facts = known_facts_for(scene.talk, text, aside)
    if follows:
        few = len(term_stems(f"{text} {earlier}")) < 2
        topic = topic_of_last_answer(scene.talk) if few and not aside else ""
        return Asked(text, "\n".join(part for part in (aside, earlier, topic) if part), facts, True, 0.5)
    if aside:
        return Asked(text, aside, facts, False, _LEAN_ON_ASIDE)
    last = scene.talk.earlier[-1].user if scene.talk.earlier else ""
    return Asked(text, last, facts, False, 0.12)


def _telling_words(text: str, most: int) -> list[str]:
    stems = term_stems(text)
    found = [word for word in re.findall(r"[\w'’.@-]+", text) if set(content_stems(word)) & stems]
    return list(dict.fromkeys(found))[:most]


def filled_call(scene: Scene, function: Function) -> Call:
    """A call of the function with the arguments that the user's words hold."""
    texts = [scene.subject, *reversed(scene.talk.user_texts[:-1])]
    return Call(function, fill(function.schema, texts, recent=1 + _turns_since_a_call(scene)))


def _turns_since_a_call(scene: Scene) -> int:
    """How many earlier turns belong to the matter at hand: those after the last call that was reported."""
    count = 0
    for turn in reversed(scene.talk.earlier):
        if turn.called or answer.DONE in turn.assistant:
            break
        count += 1
    return count
