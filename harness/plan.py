"""Suite x variants x repeats: the trials, in order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from harness.suite.records import CodedConversation, Conversation, Suite, Variant


@dataclass(frozen=True, slots=True)
class Trial:
    """One conversation, one variant, one repeat.

    Attributes:
        position: Place in the whole plan, from 0.
    """

    suite: Suite
    conversation: Conversation
    variant: Variant
    repeat: int
    position: int = 0

    @property
    def id(self) -> str:
        """``suite/conversation@variant#repeat``: stable from run to run."""
        return f"{self.suite.name}/{self.conversation.id}@{self.variant.name}#{self.repeat}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a suite run will do: whole passes over the suites, one repeat after the other."""

    trials: Sequence[Trial]

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Every variant once, in order of first use."""
        return tuple({trial.variant.fingerprint: trial.variant for trial in self.trials}.values())

    @property
    def turns(self) -> int:
        """How many messages will be sent, as far as it is written down."""
        return sum(len(trial.conversation.turns) for trial in self.trials)

    @property
    def played_by_functions(self) -> int:
        """How many trials a Python function plays, so that nobody can count their turns beforehand."""
        return sum(isinstance(trial.conversation, CodedConversation) for trial in self.trials)

    def without(self, finished: Collection[str]) -> Plan:
        """The same plan without the trials of these ids."""
        if not finished:
            return self
        return Plan(tuple(trial for trial in self.trials if trial.id not in finished))


@dataclass(frozen=True, slots=True)
class _Pass:
    """Repeats in which the same conversations are played, and what is played in each of them."""

    repeats: range
    played: tuple[tuple[Suite, Conversation, Variant], ...]
    first: int

    @property
    def end(self) -> int:
        return self.first + len(self.repeats) * len(self.played)

    def trial(self, position: int) -> Trial:
        repeat, place = divmod(position - self.first, len(self.played))
        return Trial(*self.played[place], self.repeats[repeat], position)


class Trials(Sequence[Trial]):
    """The trials of a plan, each made when it is looked at: a plan of 100,000 is as small as one of ten."""

    def __init__(self, passes: Iterable[_Pass]) -> None:
        self._passes = tuple(passes)

    def __len__(self) -> int:
        return self._passes[-1].end if self._passes else 0

    @overload
    def __getitem__(self, index: int) -> Trial: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Trial, ...]: ...

    def __getitem__(self, index: int | slice) -> Trial | tuple[Trial, ...]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(*index.indices(len(self))))
        place = range(len(self))[index]
        return next(each for each in self._passes if place < each.end).trial(place)


def make_plan(
    suites: Sequence[Suite],
    *,
    variants: Sequence[Variant] = (),
    repeats: int | None = None,
) -> Plan:
    """The trials of these suites.

    Args:
        suites: Loaded and already selected (tags, ids).
        variants: Assistants to run; each suite's own when empty.
        repeats: Overrides what suites and conversations say.
    """
    return Plan(Trials(_passes(suites, tuple(variants), repeats)))


def _passes(suites: Sequence[Suite], variants: tuple[Variant, ...], repeats: int | None) -> Iterator[_Pass]:
    played = [
        (_repeats(suite, conversation, repeats), (suite, conversation, variant))
        for suite in suites
        for variant in variants or _own(suite)
        for conversation in suite.conversations
    ]
    first, done = 0, 0
    for last in sorted({often for often, _ in played}):
        each = _Pass(range(done + 1, last + 1), tuple(what for often, what in played if often >= last), first)
        yield each
        first, done = each.end, last


def _own(suite: Suite) -> Iterable[Variant]:
    return (suite.variant, *suite.more_variants) if suite.variant else ()


def _repeats(suite: Suite, conversation: Conversation, override: int | None) -> int:
    return override or conversation.repeats or suite.repeats
