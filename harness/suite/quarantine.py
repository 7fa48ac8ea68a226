"""Quarantine: a conversation still runs and is shown, but decides nothing until a day that is written down.

It is for what is known to be flaky or broken and is being looked at. So it ends by itself, soon, and says
why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harness.yamlfile.checked import FileRecord
from harness.yamlfile.mistakes import Mistake, did_you_mean
from harness.yamlfile.source import Place

if TYPE_CHECKING:
    from harness.suite.records import Conversation, Suite

MOST_DAYS = 90
"""How far ahead a quarantine may end: what nobody looked at in a quarter is no longer under repair."""

_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"


class Quarantine(FileRecord):
    """Until when a conversation decides nothing, and why."""

    until: date
    """The last day on which it is in force, at most 90 days ahead, such as 2026-12-31."""
    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=_ONE_LINE)]
    """Why, in one line that a reader of a report understands."""


class SuiteQuarantine(Quarantine):
    """The same for all conversations of a suite, or for those with some tag."""

    tags: tuple[str, ...] = ()
    """Only conversations with one of these tags; all of the suite when left out."""

    def covers(self, conversation: Conversation) -> bool:
        """Whether it is meant for this conversation."""
        return not self.tags or bool(set(self.tags) & set(conversation.tags))


def put_in_quarantine(conversations: Iterable[Conversation], quarantine: SuiteQuarantine | None) -> None:
    """Gives the suite's quarantine to the conversations it covers that have none of their own.

    As other defaults it is filled in place, into records that were made a moment ago.
    """
    if quarantine is None:
        return
    for conversation in conversations:
        if conversation.quarantine is None and quarantine.covers(conversation):
            conversation.__dict__["quarantine"] = quarantine


def quarantine_mistakes(suite: Suite, today: date) -> Iterator[Mistake]:
    """Quarantines that are too long, say no reason, or are meant for nothing."""
    for place, each in _written(suite):
        if each.until > (latest := today + timedelta(days=MOST_DAYS)):
            yield Mistake(
                (*place, "until"),
                f"a quarantine until {each.until} is longer than {MOST_DAYS} days",
                f"name a day up to {latest}, and look at it again then",
            )
        if not each.reason.strip():
            yield Mistake((*place, "reason"), "the reason is empty", "say in one line why it decides nothing")
    if suite.quarantine is not None:
        yield from _unknown_tags(suite, suite.quarantine)


def _unknown_tags(suite: Suite, quarantine: SuiteQuarantine) -> Iterator[Mistake]:
    known = sorted({tag for conversation in suite.conversations for tag in conversation.tags})
    for index, tag in enumerate(quarantine.tags):
        if tag not in known:
            hint = did_you_mean(tag, known, label="tags")
            yield Mistake(("quarantine", "tags", index), f"no conversation has the tag {tag!r}", hint)


def expired_quarantines(suite: Suite, today: date) -> Iterator[Mistake]:
    """Quarantines that are over: they do nothing, and whoever reads the file may think that they do."""
    for place, each in _written(suite):
        if each.until < today:
            yield Mistake(
                (*place, "until"),
                f"the quarantine was over on {each.until}: what it covers counts again",
                "remove it, or name a later day and say why it takes longer",
            )


def _written(suite: Suite) -> Iterator[tuple[Place, Quarantine]]:
    """Every quarantine where it is written, that of the suite once."""
    if suite.quarantine is not None:
        yield ("quarantine",), suite.quarantine
    for index, conversation in enumerate(suite.conversations):
        if conversation.quarantine is not None and conversation.quarantine is not suite.quarantine:
            yield ("conversations", index, "quarantine"), conversation.quarantine
