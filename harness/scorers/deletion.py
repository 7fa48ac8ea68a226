"""Whether a user who asked to be forgotten was: nothing is left at the target when it is asked for again."""

from __future__ import annotations

from collections.abc import Sequence

from harness.results import Score
from harness.scorers.interface import Check, Scene, scored, unscored


class DeletionScorer:
    """Judges ``forget`` of a turn: only what the target says is not there counts as deleted."""

    name = "deletion"
    keys = frozenset({"forget"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """True when all there was of the user is confirmed to be gone."""
        [turn] = scene.turns(check)
        done = turn.deletion
        if done is None:
            return [unscored(check, self.name, "the trial broke off before the user was forgotten")]
        gone, why = done.confirmed, f"not all there is of the user is deleted: {done.error}"
        return [scored(check, self.name, gone, gone, why, deleted=list(done.deleted), error=done.error)]
