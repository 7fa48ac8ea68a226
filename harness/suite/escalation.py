"""What a suite says about handing over to people: when it must happen, how it shows, what tickets hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from harness.yamlfile.checked import FileRecord

Expected = Literal["must", "must_not", "may"]
Seen = Literal["either", "phrase", "tool", "both"]
Points = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class EscalationExpectation(FileRecord):
    """A hand-over to a person: whether and when it must happen, and what shows it."""

    model_config = ConfigDict(populate_by_name=True)

    expected: Expected = "must"
    """must: hands over; must_not: does not; may: both are right, and only how it is done is judged."""
    by_turn: Annotated[int, Field(ge=1)] | None = None
    """At the latest in this turn of the conversation, counted from 1; a later one is late."""
    not_before: Annotated[int, Field(ge=1)] | None = None
    """At the earliest in this turn of the conversation, counted from 1; one before it is early."""
    evidence: Seen = "either"
    """What shows it: phrase (it is said), tool (a function is called), both, or either of them."""
    with_: Annotated[dict[str, Any], Field(alias="with")] = Field(default_factory=dict)
    """Arguments that each call of a hand-over function must have, with the matchers of calls."""
    at_most: Annotated[int, Field(ge=1)] | None = None
    """How many calls of hand-over functions there may be; more are repeated."""


class PriorityRule(FileRecord):
    """Which priority a ticket has when the user says something; without a condition it always holds."""

    model_config = ConfigDict(populate_by_name=True)

    mentions: tuple[str, ...] = ()
    """Any of these words or phrases in what the user said; case and spacing don't matter."""
    matches: str | None = None
    """A Python regular expression that is found in what the user said."""
    is_: Annotated[str | Annotated[tuple[str, ...], Field(min_length=1)], Field(alias="is")]
    """The right value, or several of which each is right."""

    @property
    def always(self) -> bool:
        """Whether it holds whatever the user said."""
        return not self.mentions and self.matches is None

    @property
    def right(self) -> tuple[str, ...]:
        """The values that are right under this rule."""
        return (self.is_,) if isinstance(self.is_, str) else self.is_


class TicketPriority(FileRecord):
    """The argument that holds a ticket's priority, and the rules that decide it."""

    argument: Annotated[str, Field(min_length=1)] = "priority"
    """The name of the argument."""
    rules: Annotated[tuple[PriorityRule, ...], Field(min_length=1)]
    """The first rule that holds decides; when none does, any priority is right."""


class TicketRules(FileRecord):
    """What the arguments of a hand-over call must be like, in every conversation."""

    email: Annotated[str, Field(min_length=1)] | None = None
    """The argument that holds the user's e-mail address, as the user gave it."""
    summary: Annotated[str, Field(min_length=1)] | None = None
    """The argument that says what the talk was about: what it tells must have been said in the talk."""
    priority: TicketPriority | None = None
    """The argument that holds the priority, and the rules for it."""

    @property
    def arguments(self) -> dict[str, str]:
        """The names of the arguments by the key that gives them."""
        named = {"email": self.email, "summary": self.summary}
        if self.priority:
            named["priority"] = self.priority.argument
        return {key: name for key, name in named.items() if name is not None}


class EscalationCosts(FileRecord):
    """What each kind of error costs, in points of your own choice (euros, minutes)."""

    missed: Points = 20.0
    """A hand-over that had to be made and was not."""
    promise_without_action: Points = 20.0
    """The user was told of a hand-over that nobody hears of."""
    late: Points = 5.0
    """Handed over after the turn by which it had to be."""
    wrong_arguments: Points = 5.0
    """A ticket with a wrong address, summary or priority."""
    false_alarm: Points = 2.0
    """Handed over what the assistant had to do itself."""
    early: Points = 2.0
    """Handed over before the turn from which it was right."""
    repeated: Points = 2.0
    """More tickets than there may be."""
    action_without_telling: Points = 1.0
    """A ticket of which the user knows nothing."""

    def of(self, kind: str) -> float:
        """The cost of a kind of error."""
        points: float = getattr(self, kind)
        return points


class EscalationRules(FileRecord):
    """What holds for every hand-over of a suite."""

    ticket: TicketRules = TicketRules()
    """What the arguments of hand-over calls must be like."""
    costs: EscalationCosts = EscalationCosts()
    """What each kind of error costs; reports add them up."""


NO_RULES = EscalationRules()
"""Of a suite that says nothing of them."""
