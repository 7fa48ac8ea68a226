"""How many bad trials a suite run may have before it ends early."""

from __future__ import annotations

import msgspec

from harness.results import TrialResult


class FailureLimit(msgspec.Struct):
    """Counts bad trials until there are as many as a run may have.

    Attributes:
        most_failures: Failed and errored trials together: either keeps a run from passing. None: any number.
        most_errors: Errored trials alone, for a target that is down rather than wrong; None: any number.
    """

    most_failures: int | None = None
    most_errors: int | None = None
    _failed: int = 0
    _errored: int = 0

    def is_reached_by(self, result: TrialResult) -> bool:
        """Count a trial that ended; whether it is the last that the run may go wrong with.

        One in quarantine decides nothing, and so it doesn't end the run either.
        """
        if result.quarantined or result.outcome not in ("failed", "errored"):
            return False
        self._failed += result.outcome == "failed"
        self._errored += result.outcome == "errored"
        bad = self._failed + self._errored
        return _is_reached(bad, self.most_failures) or _is_reached(self._errored, self.most_errors)


def _is_reached(count: int, most: int | None) -> bool:
    return most is not None and 0 < count >= most
