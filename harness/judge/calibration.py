"""A judge measured against people: what both said of the same rows becomes one record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from harness.judge.agreement import Pair, kappa, kappa_with_interval, share
from harness.judge.labels import LabelledRow
from harness.judge.verdict import Verdict
from harness.results import Calibration
from harness.suite.records import Rubric

MET, UNMET = "met", "unmet"


def calibration_of(
    rows: Sequence[LabelledRow],
    verdicts: Sequence[Verdict],
    rubric: Rubric,
    *,
    name: str,
    fingerprint: str,
    model: str,
    made_at: datetime,
) -> Calibration:
    """How far the verdicts agree with the labels.

    Args:
        rows: What people said.
        verdicts: What the judge said, row by row.
        rubric: What was decided.
        name: Its name.
        fingerprint: Of all that the judge was asked by it.
        model: The version that answered.
        made_at: Now.
    """
    judged = [(row.label, said.label) for row, said in zip(rows, verdicts, strict=True) if said.label]
    sides = [(_side(one, rubric), _side(other, rubric)) for one, other in judged]
    met = [pair for pair in sides if pair[0] == MET]
    unmet = [pair for pair in sides if pair[0] == UNMET]
    return Calibration(
        rubric=name,
        fingerprint=fingerprint,
        model=model,
        made_at=made_at,
        rows=len(rows),
        judged=len(judged),
        met=len(met),
        unmet=len(unmet),
        kappa=kappa_with_interval(sides, (MET, UNMET)) if sides else None,
        sensitivity=share(_same(unmet), len(unmet)),
        specificity=share(_same(met), len(met)),
        agreement=share(_same(sides), len(sides)),
        label_kappa=kappa(judged, rubric.names, weighted=rubric.scale is not None) if judged else None,
        confusion=_confusion(judged, rubric.names),
        unjudged=dict(Counter(said.reason for said in verdicts if said.label is None).most_common()),
    )


def _side(label: str, rubric: Rubric) -> str:
    return MET if label in rubric.passing else UNMET


def _same(pairs: Sequence[Pair]) -> int:
    return sum(one == other for one, other in pairs)


def _confusion(pairs: Sequence[Pair], names: Sequence[str]) -> dict[str, dict[str, int]]:
    found = Counter(pairs)
    return {one: {other: found[one, other] for other in names if found[one, other]} for one in names}
