"""Looks at a comparison before all its passes are in, which together err no more often than asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from harness.compare.pairs import pair
from harness.compare.table import Trial
from harness.compare.verdict import Question, Verdict, judge
from harness.errors import SettingsError
from harness.stats.looks import spending_levels

Method = Literal["group-sequential", "always-valid"]
METHODS: tuple[Method, ...] = get_args(Method)
_FIRST: dict[Method, int] = {"group-sequential": 2, "always-valid": 1}
"""After which pass the first look is taken: a bound from the spread of passes needs two, a bet none."""


@dataclass(frozen=True, slots=True)
class Looks:
    """A plan of looks, fixed before the first.

    *group-sequential*: after passes 2 to K, each at a level of its own, used for both verdicts: worse at p of
    at most the level, not worse where the bound of confidence 1 - level is above -margin. Alpha (t/K)² is
    spent by look t (Lan and DeMets 1983). *always-valid*: after every pass at alpha itself, with p and bounds
    that hold at all looks together however many there will be (:mod:`harness.stats.evidence`).

    Attributes:
        passes: K, the most passes.
        margin: The drop that is not wanted.
        alpha: The level of all looks together.
        method: How they keep to it.
    """

    passes: int
    margin: float = 0.05
    alpha: float = 0.05
    method: Method = "group-sequential"

    def __post_init__(self) -> None:
        Question(margin=self.margin, alpha=self.alpha)
        if self.passes < 2:
            raise SettingsError(
                f"--max-repeats {self.passes} leaves nothing to look at twice", hint="Usual is 8."
            )

    @classmethod
    def kept(cls, settings: Mapping[str, Any]) -> Looks | None:
        """The plan that a stored run began with; None when it had none."""
        said = settings.get("looks")
        return cls(**said) if said else None

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, from which :meth:`kept` makes it again."""
        return asdict(self)

    @property
    def first(self) -> int:
        """After which pass the first look is taken."""
        return _FIRST[self.method]

    def question(self, passes: int) -> Question:
        """What is asked after so many passes."""
        if self.method == "always-valid":
            return Question(margin=self.margin, alpha=self.alpha, confidence=1 - self.alpha, lasting=True)
        level = spending_levels(self.passes, self.alpha)[passes - self.first]
        return Question(margin=self.margin, alpha=level, confidence=1 - level)

    def look(self, trials: Iterable[Trial], passes: int) -> Look:
        """The verdict over the first so many passes."""
        question = self.question(passes)
        some = [trial for trial in trials if int(trial.trial) <= passes]
        return Look(passes, self.passes, judge(pair(some, question.metric), question))

    def taken(self, trials: Sequence[Trial]) -> list[Look]:
        """All looks up to the first that decided, over the passes that are complete."""
        found: list[Look] = []
        for passes in range(self.first, min(complete_passes(trials), self.passes) + 1):
            found.append(self.look(trials, passes))
            if found[-1].decided:
                break
        return found


@dataclass(frozen=True, slots=True)
class Look:
    """One look.

    Attributes:
        passes: After how many passes.
        of: How many there may be at most.
        found: The verdict at this look's level.
    """

    passes: int
    of: int
    found: Verdict

    @property
    def decided(self) -> bool:
        """Whether no further pass is needed."""
        return self.found.verdict != "inconclusive"

    def __str__(self) -> str:
        word = {"pass": "not worse", "fail": "worse", "inconclusive": "undecided"}[self.found.verdict]
        level = f"at level {self.found.question.alpha:.4f}"
        return f"after {self.passes} of {self.of} passes, {level}: {word}: {self.found.reasons[0]}"

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"passes": self.passes, "of": self.of, **self.found.as_json()}


def complete_passes(trials: Iterable[Trial]) -> int:
    """How many passes, from the first on, hold as many trials as the first; errored ones count too."""
    ended = Counter(int(trial.trial) for trial in trials)
    passes = 0
    while ended[passes + 1] and ended[passes + 1] >= ended[1]:
        passes += 1
    return passes
