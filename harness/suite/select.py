"""Some of the conversations: by tag, by id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from harness.errors import SettingsError
from harness.suite.packed import PackedConversations
from harness.suite.records import Conversation, Suite
from harness.yamlfile.mistakes import did_you_mean


def select(suites: Sequence[Suite], *, tags: Sequence[str] = (), ids: Sequence[str] = ()) -> list[Suite]:
    """The suites with only the conversations that are asked for; suites without any are left out.

    Args:
        suites: Loaded suites.
        tags: Conversations with any of these; all when empty.
        ids: Conversations whose ``id`` or ``suite/id`` fits any of these patterns (``*``, ``?``, ``[...]``);
            all when empty. With tags given too, both must hold.

    Raises:
        SettingsError: No conversation has one of the tags, or none fits one of the patterns.
    """
    for tag in tags:
        _check_tag(tag, suites)
    for pattern in ids:
        _check_pattern(pattern, suites)
    chosen = [_selected(suite, tags, ids) for suite in suites]
    return [suite for suite in chosen if suite.conversations]


def _selected(suite: Suite, tags: Sequence[str], ids: Sequence[str]) -> Suite:
    if not tags and not ids:
        return suite

    def wanted(conversation: Conversation) -> bool:
        tagged = not tags or not set(tags).isdisjoint(conversation.tags)
        return tagged and (not ids or any(_fits(suite, conversation, pattern) for pattern in ids))

    every = suite.conversations
    some = every.some(wanted) if isinstance(every, PackedConversations) else tuple(filter(wanted, every))
    return suite.model_copy(update={"conversations": some})


def _fits(suite: Suite, conversation: Conversation, pattern: str) -> bool:
    names = (conversation.id, f"{suite.name}/{conversation.id}")
    return any(name == pattern or fnmatchcase(name, pattern) for name in names)


def _check_tag(tag: str, suites: Iterable[Suite]) -> None:
    known = sorted({tag for suite in suites for each in suite.conversations for tag in each.tags})
    if tag not in known:
        raise SettingsError(
            f"no conversation has the tag {tag!r}",
            code="unknown-tag",
            hint=did_you_mean(tag, known, label="tags"),
        )


def _check_pattern(pattern: str, suites: Sequence[Suite]) -> None:
    known = []
    for suite in suites:
        for conversation in suite.conversations:
            if _fits(suite, conversation, pattern):
                return
            known.append(conversation.id)
    shown = did_you_mean(pattern, known[:_SHOWN], label="ids")
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    raise SettingsError(f"no conversation fits {pattern!r}", code="unknown-id", hint=shown + more)


_SHOWN = 20  # ids that a hint lists
