"""Suite x variants x repeats: the trials, in order."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import overload

import msgspec

from harness.suite.records import CodedConversation, Conversation, Suite, Variant


class Trial(msgspec.Struct, frozen=True):
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


class Extent(msgspec.Struct, frozen=True):
    """How much a plan says.

    Attributes:
        turns: How many messages will be sent, as far as it is written down.
        played_by_functions: How many trials a Python function plays, so that nobody can count their turns
            beforehand.
    """

    turns: int
    played_by_functions: int


class Plan(msgspec.Struct, frozen=True):
    """What a suite run will do: whole passes over the suites, one repeat after the other."""

    trials: Sequence[Trial]

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Every variant once, in order of first use."""
        used = (
            self.trials.variants
            if isinstance(self.trials, Trials)
            else [each.variant for each in self.trials]
        )
        return tuple({variant.fingerprint: variant for variant in used}.values())

    @property
    def first_repeats(self) -> Iterator[Trial]:
        """Every conversation with every variant, once."""
        if isinstance(self.trials, Trials):
            return map(self.trials.__getitem__, range(self.trials.in_one_repeat))
        return (trial for trial in self.trials if trial.repeat == 1)

    def extent(self) -> Extent:
        """How much will be said, each trial looked at once."""
        turns = by_functions = 0
        for trial in self.trials:
            turns += len(trial.conversation.turns)
            by_functions += isinstance(trial.conversation, CodedConversation)
        return Extent(turns, by_functions)

    def without(self, finished: Collection[str]) -> Plan:
        """The same plan without the trials of these ids."""
        if not finished:
            return self
        left = (place for place, trial in enumerate(self.trials) if trial.id not in finished)
        return Plan(_Some(self.trials, array("q", left)))


class _Some(Sequence[Trial]):
    """Some of the trials of a plan, each looked up there."""

    def __init__(self, trials: Sequence[Trial], places: Sequence[int]) -> None:
        self._trials = trials
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Trial: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Trial, ...]: ...

    def __getitem__(self, index: int | slice) -> Trial | tuple[Trial, ...]:
        if isinstance(index, slice):
            return tuple(self._trials[place] for place in self._places[index])
        return self._trials[self._places[index]]


class _Part(msgspec.Struct, frozen=True):
    """The conversations of a suite that one variant plays, by their places in the suite."""

    suite: Suite
    variant: Variant
    places: Sequence[int]
    end: int  # of its trials among those of a pass

    def trial(self, place: int, repeat: int, position: int) -> Trial:
        conversation = self.suite.conversations[self.places[place - self.end]]
        return Trial(self.suite, conversation, self.variant, repeat, position)


class _Pass(msgspec.Struct, frozen=True):
    """Repeats in which the same conversations are played, and what is played in each of them."""

    repeats: range
    parts: tuple[_Part, ...]
    first: int

    @property
    def end(self) -> int:
        return self.first + len(self.repeats) * self.parts[-1].end

    def trial(self, position: int) -> Trial:
        repeat, place = divmod(position - self.first, self.parts[-1].end)
        part = next(each for each in self.parts if place < each.end)
        return part.trial(place, self.repeats[repeat], position)


class Trials(Sequence[Trial]):
    """The trials of a plan, each made when it is looked at: a plan of 100,000 is as small as one of ten."""

    def __init__(self, passes: Iterable[_Pass]) -> None:
        self._passes = tuple(passes)

    @property
    def variants(self) -> Iterable[Variant]:
        """Those of the trials, in order of first use; some may come more than once."""
        return [part.variant for each in self._passes for part in each.parts]

    @property
    def in_one_repeat(self) -> int:
        """How many trials the first repeat has; they come first."""
        return self._passes[0].parts[-1].end if self._passes else 0

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
    often = [
        array("q", (_repeats(suite, conversation, repeats) for conversation in suite.conversations))
        for suite in suites
    ]
    first, done = 0, 0
    for last in sorted(set().union(*often)):
        parts = tuple(_parts(suites, variants, often, last))
        if not parts:
            continue  # none of these suites has a variant
        each = _Pass(range(done + 1, last + 1), parts, first)
        yield each
        first, done = each.end, last


def _parts(
    suites: Sequence[Suite], variants: tuple[Variant, ...], often: Sequence[Sequence[int]], least: int
) -> Iterator[_Part]:
    """What is played in the repeats up to a number: the conversations that are run as often as that."""
    end = 0
    for suite, repeats in zip(suites, often, strict=True):
        places = array("q", (place for place, number in enumerate(repeats) if number >= least))
        for variant in (variants or _own(suite)) if places else ():
            end += len(places)
            yield _Part(suite, variant, places, end)


def _own(suite: Suite) -> Iterable[Variant]:
    return (suite.variant, *suite.more_variants) if suite.variant else ()


def _repeats(suite: Suite, conversation: Conversation, override: int | None) -> int:
    return override or conversation.repeats or suite.repeats
