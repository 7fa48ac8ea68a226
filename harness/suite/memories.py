"""Facts that an assistant is to remember: each must have been told in an earlier turn."""

from __future__ import annotations

from collections.abc import Iterator

from harness.suite.records import Conversation, Remembered
from harness.text import fold
from harness.yamlfile.mistakes import Mistake
from harness.yamlfile.source import Place


def fact_mistakes(
    fact: Remembered, place: Place, conversation: Conversation, before: int | None
) -> Iterator[Mistake]:
    """Mistakes in one fact.

    Args:
        fact: What is to be remembered.
        place: Where it stands.
        conversation: The one it belongs to.
        before: How many of its turns come before the expectation; None when they are not known.
    """
    if not fact.used and not fact.not_asked:
        message = f"nothing is expected of {fact.value!r}: it need not be used and may be asked for again"
        yield Mistake(place, message, "write used: true, or name under not_asked what it is called")
    if before is not None:
        yield from _teller_mistakes(fact, place, conversation, before)


def _teller_mistakes(
    fact: Remembered, place: Place, conversation: Conversation, before: int
) -> Iterator[Mistake]:
    """The turn that is to tell a fact must be an earlier one, and say it."""
    said = {number: turn.user for number, turn in enumerate(conversation.turns[:before], start=1)}
    said[0] = "\n".join(message.content for message in conversation.history if message.role == "user")
    if fact.from_ is not None and fact.from_ not in said:
        allowed = f"allowed: 0 (the history) to {before}" if before else "allowed: 0 (the history)"
        yield Mistake((*place, "from"), f"turn {fact.from_} is no earlier turn", allowed)
        return
    heard = [text for number, text in said.items() if fact.from_ in (None, number)]
    if not any(fold(form) in fold(text) for text in heard for form in (fact.value, *fact.also)):
        hint = "write the fact as the user tells it there, or other ways to say it under also"
        yield Mistake((*place, "value"), f"{_where(fact)} {fact.value!r}", hint)


def _where(fact: Remembered) -> str:
    if fact.from_ is None:
        return "in no earlier turn does the user say"
    return (
        f"in turn {fact.from_} the user does not say"
        if fact.from_
        else "in the history the user does not say"
    )
