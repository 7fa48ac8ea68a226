"""Suite x variants x repeats: the trials, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.suite.records import CodedConversation, Conversation, Suite, Variant


@dataclass(frozen=True, slots=True)
class Trial:
    """One conversation, one variant, one repeat."""

    suite: Suite
    conversation: Conversation
    variant: Variant
    repeat: int

    @property
    def id(self) -> str:
        """``suite/conversation@variant#repeat``: stable from run to run."""
        return f"{self.suite.name}/{self.conversation.id}@{self.variant.name}#{self.repeat}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a suite run will do: whole passes over the suites, one repeat after the other."""

    trials: tuple[Trial, ...]

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
    return Plan(tuple(_trials(suites, tuple(variants), repeats)))


def _trials(suites: Sequence[Suite], variants: tuple[Variant, ...], repeats: int | None) -> Iterator[Trial]:
    most = max((_repeats(suite, c, repeats) for suite in suites for c in suite.conversations), default=0)
    for repeat in range(1, most + 1):
        for suite in suites:
            for variant in variants or _own(suite):
                for conversation in suite.conversations:
                    if repeat <= _repeats(suite, conversation, repeats):
                        yield Trial(suite, conversation, variant, repeat)


def _own(suite: Suite) -> Iterable[Variant]:
    return (suite.variant,) if suite.variant else ()


def _repeats(suite: Suite, conversation: Conversation, override: int | None) -> int:
    return override or conversation.repeats or suite.repeats
