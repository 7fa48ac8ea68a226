"""What a gate or a comparison leaves out because it is in quarantine, and what counts again: told by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from harness.results import Quarantine

if TYPE_CHECKING:
    from harness.compare.asked import Judged

Each = TypeVar("Each")
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Quarantines:
    """The quarantines of a candidate, by conversation (``suite/conversation``).

    Attributes:
        left_out: In force when it was run, in each of its trials: these decide nothing.
        over: Over when it was run: these count again.
    """

    left_out: Mapping[str, Quarantine] = field(default_factory=dict)
    over: Mapping[str, Quarantine] = field(default_factory=dict)

    @classmethod
    def of(cls, candidate: Iterable[Judged]) -> Quarantines:
        """What the trials of a candidate say; those of a baseline have no say."""
        counting: set[str] = set()
        said: dict[str, Quarantine] = {}
        for each in candidate:
            if each.quarantine is not None:
                said[each.trial.case_id] = each.quarantine
            if each.quarantine is None or not each.quarantine.in_force:
                counting.add(each.trial.case_id)
        return cls(
            {case: each for case, each in said.items() if case not in counting},
            {case: each for case, each in said.items() if case in counting},
        )

    def counting(self, trials: Iterable[Each], judged: Callable[[Each], Judged]) -> list[Each]:
        """The trials that count, of the candidate or of what it is compared with."""
        return [each for each in trials if judged(each).trial.case_id not in self.left_out]

    def reasons(self) -> Iterator[str]:
        """Sentences that name what was left out and what counts again, with until when and why."""
        for are, found in (
            ("in quarantine and left out", self.left_out),
            ("back from quarantine", self.over),
        ):
            if found:
                count = f"{len(found)} conversation{' is' if len(found) == 1 else 's are'}"
                yield f"{count} {are}: {_named(found)}"

    def as_json(self) -> dict[str, Any]:
        """Plain JSON: every conversation, with the last day and the reason of its quarantine."""
        told = {"left_out": self.left_out, "over": self.over}
        return {name: [_plain(*each) for each in found.items()] for name, found in told.items()}


def _named(found: Mapping[str, Quarantine]) -> str:
    told = [f"{case} ({_when(each)}: {each.reason})" for case, each in list(found.items())[:_NAMED]]
    more = len(found) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def _when(quarantine: Quarantine) -> str:
    return f"{'until' if quarantine.in_force else 'over on'} {quarantine.until}"


def _plain(case: str, quarantine: Quarantine) -> dict[str, str]:
    return {"conversation": case, "until": quarantine.until.isoformat(), "reason": quarantine.reason}
