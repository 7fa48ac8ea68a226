"""What a suite says for all of its conversations, filled in where they say nothing of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.suite.escalation import EscalationRules
from harness.suite.expecting import merged
from harness.suite.quarantine import SuiteQuarantine, put_in_quarantine
from harness.suite.records import Conversation, Expect, SuiteFile

_MOST_KNOWN = 1000  # merged expectations that are kept at hand; most suites expect the same few things


@dataclass(frozen=True, slots=True)
class Defaults:
    """A suite's expectations, deadline, rules for hand-overs, and quarantine."""

    expect: Expect
    deadline_s: float | None
    escalation: EscalationRules | None
    quarantine: SuiteQuarantine | None
    _known: dict[bytes | str, Expect] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, file: SuiteFile) -> Defaults:
        """Those that a suite file gives."""
        return cls(file.expect or Expect(), file.deadline_s, file.escalation, file.quarantine)

    def fill_in(self, conversation: Conversation) -> None:
        """Merge the suite's expectations into those of every turn, and all else that it leaves open.

        Frozen as they are, the records are changed in place: they were made a moment ago, and nobody else
        has them.
        """
        said = [turn.expect.model_dump_json(exclude_unset=True, by_alias=True) for turn in conversation.turns]
        self.fill_in_with(conversation, said)

    def fill_in_with(self, conversation: Conversation, said: Sequence[bytes | str]) -> None:
        """The same where what each turn expects by itself is still JSON.

        Raises:
            pydantic.ValidationError: One of them is no such expectation.
        """
        self.fill_in_beside_turns(conversation)
        for turn, own in zip(conversation.turns, said, strict=True):
            turn.__dict__["expect"] = self.expected(own)
            turn.__pydantic_fields_set__.add("expect")

    def fill_in_beside_turns(self, conversation: Conversation) -> None:
        """Give turns and talks the nearest deadline, and talks what else the suite says for them."""
        conversation.__dict__["deadline_s"] = conversation.deadline_s or self.deadline_s
        conversation.__dict__["escalation"] = conversation.escalation or self.escalation
        put_in_quarantine((conversation,), self.quarantine)
        for turn in conversation.turns:
            turn.__dict__["deadline_s"] = turn.deadline_s or conversation.deadline_s

    def expected(self, own: bytes | str) -> Expect:
        """What must hold for a turn that says this of it, as JSON; turns that say the same share the record.

        Raises:
            pydantic.ValidationError: It is no such expectation.
        """
        found = self._known.get(own)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            said = Expect.model_validate_json(own, strict=True, by_alias=True, by_name=False)
            found = self._known[own] = merged(self.expect, said)
        return found
