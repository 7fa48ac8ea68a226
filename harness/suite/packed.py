"""Conversations kept as text and made records again when they are looked at: a few hundred bytes each.

A record of a conversation takes several thousand bytes, most of them for keys that nobody has written. A run
looks at one conversation at a time, so that a suite of 10,000 need not be in memory as records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, overload

from harness.suite.defaults import Defaults
from harness.suite.records import Conversation, Expect

_KEPT_EXPECTATIONS = 256  # as records, because most turns of a suite expect the same few things
_EXACTLY: dict[str, Any] = {"strict": True, "by_alias": True, "by_name": False}
_WITHOUT_EXPECTATIONS: dict[str, Any] = {"turns": {"__all__": {"expect": True}}}


class PackedConversations(Sequence[Conversation]):
    """Conversations with the suite's defaults filled in; each look at one makes it anew.

    Args:
        conversations: Filled in already; looked at one by one and not kept.
        defaults: What they were filled in with.
    """

    def __init__(self, conversations: Iterable[Conversation], defaults: Defaults) -> None:
        self._defaults = defaults
        self._texts: list[bytes] = []
        self._expected: list[tuple[int, ...]] = []
        numbers = _Numbers()
        shared: dict[tuple[int, ...], tuple[int, ...]] = {}
        for each in conversations:
            expected = tuple(numbers.of(turn.expect) for turn in each.turns)
            self._texts.append(_text_of(each))
            self._expected.append(shared.setdefault(expected, expected))
        self._expectations = numbers.texts
        self._expectation = lru_cache(_KEPT_EXPECTATIONS)(self._read_expectation)

    def _read_expectation(self, number: int) -> Expect:
        return Expect.model_validate_json(self._expectations[number], **_EXACTLY)

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[Conversation]:
        return map(self._unpacked, range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Conversation: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Conversation, ...]: ...

    def __getitem__(self, index: int | slice) -> Conversation | tuple[Conversation, ...]:
        if isinstance(index, slice):
            return tuple(map(self._unpacked, range(*index.indices(len(self)))))
        return self._unpacked(range(len(self))[index])

    def _unpacked(self, place: int) -> Conversation:
        made = Conversation.model_validate_json(self._texts[place], **_EXACTLY)
        for turn, number in zip(made.turns, self._expected[place], strict=True):
            turn.__dict__["expect"] = self._expectation(number)  # nobody else has the frozen record yet
            turn.__pydantic_fields_set__.add("expect")
        self._defaults.fill_in_beside_turns(made)
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(
            mine == theirs for mine, theirs in zip(self, other, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]  # it equals lists and tuples of the same conversations

    def __repr__(self) -> str:
        return f"<{len(self)} conversations>"

    def some(self, wanted: Callable[[Conversation], bool]) -> PackedConversations:
        """Those that are wanted, in their order, packed as these are."""
        return PackedConversations(filter(wanted, self), self._defaults)


class _Numbers:
    """Numbers for the different expectations of a suite, given out while its conversations are packed."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self._by_text: dict[bytes, int] = {}
        self._recent: dict[int, tuple[Expect, int]] = {}  # holds the record, so that its id stays its own

    def of(self, expect: Expect) -> int:
        """The place of these expectations among the texts; spelt out once if many turns share the record."""
        if id(expect) not in self._recent:
            if len(self._recent) >= _KEPT_EXPECTATIONS:
                self._recent.clear()
            self._recent[id(expect)] = expect, self._new(expect)
        return self._recent[id(expect)][1]

    def _new(self, expect: Expect) -> int:
        text = expect.model_dump_json(exclude_unset=True, by_alias=True).encode()
        number = self._by_text.setdefault(text, len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        return number


def _text_of(conversation: Conversation) -> bytes:
    """What is written of a conversation, without its turns' expectations."""
    return conversation.model_dump_json(
        exclude_unset=True, exclude=_WITHOUT_EXPECTATIONS, by_alias=True
    ).encode()
