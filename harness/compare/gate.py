"""A gate over stored runs: every rule gets a verdict, and the worst of them is the gate's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.compare.asked import RIGHT, Asked, Judged
from harness.compare.pairs import Pairs, pair, side
from harness.compare.quarantine import Quarantines
from harness.compare.rules import Rule, RuleFile
from harness.compare.sequential import Looks
from harness.compare.table import BASELINE, CANDIDATE, Trial
from harness.compare.verdict import Question, Verdict, Word, judge
from harness.errors import SettingsError
from harness.results import RESCORED, SCREEN, SCREENED_BY, Score, SuiteRun, TrialResult
from harness.stats.arms import Labels, Matrix, counts, labels, row_means, row_sums
from harness.stats.intervals import Interval, exact_bounds, mean_interval, population_interval, score_interval
from harness.text import did_you_mean

_ORDER: tuple[Word, ...] = ("fail", "inconclusive", "pass")
_CONFIDENCE = 0.95
_MOST_MISSING = 0.10
_JUDGES = {
    "judge_model": "the judge's model",
    "grounding_model": "the grounding model",
    "handover_model": "the hand-over model",
}


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What one rule says.

    Attributes:
        rule: The rule in a line.
        verdict: ``pass``, ``fail`` or ``inconclusive``.
        reasons: Sentences, the deciding one first.
        value: The mean or share that was looked at: of hand-overs the wrong ones, of a percentile the trials
            within the limit. None for a comparison or without data.
        low: Its lower bound, one-sided 95 %.
        high: Its upper bound, one-sided 95 %.
        compared: The comparison, for a rule with a margin.
    """

    rule: str
    verdict: Word
    reasons: tuple[str, ...]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    compared: Verdict | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        if self.compared is not None:
            return {"rule": self.rule, **self.compared.as_json()}
        bounds = {"value": self.value, "low": self.low, "high": self.high}
        return {"rule": self.rule, "verdict": self.verdict, "reasons": list(self.reasons), **bounds}


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What a gate says: fail if any rule does, else inconclusive if any is, else pass.

    Attributes:
        rules: What each rule says.
        candidate: The run that is judged.
        baseline: The runs that it is compared with.
        unfit: Why it can't pass, whatever the rules say.
        quarantines: What was left out.
    """

    rules: tuple[RuleVerdict, ...]
    candidate: str
    baseline: str | None
    unfit: tuple[str, ...] = ()
    quarantines: Quarantines = field(default_factory=Quarantines)

    @property
    def verdict(self) -> Word:
        """The worst of the rules; what can't be compared never passes."""
        words = {rule.verdict for rule in self.rules}
        found = next(word for word in _ORDER if word in words)
        return "inconclusive" if found == "pass" and self.unfit else found

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        reasons = [f"{rule.rule}: {rule.reasons[0]}" for rule in self.rules if rule.verdict == self.verdict]
        return {
            "verdict": self.verdict,
            "candidate": self.candidate,
            "baseline": self.baseline,
            "reasons": [*self.unfit, *self.quarantines.reasons(), *reasons],
            "quarantine": self.quarantines.as_json(),
            "rules": [rule.as_json() for rule in self.rules],
        }


def gate(
    rules: RuleFile, candidate: SuiteRun, baseline: SuiteRun | None = None, banked: Sequence[SuiteRun] = ()
) -> GateVerdict:
    """The verdict of a gate on a stored run; what was in quarantine in it is left out on both sides.

    Args:
        rules: What must hold.
        candidate: The run that is judged.
        baseline: The run that rules with a margin compare it with.
        banked: Further runs of the baseline's version, whose trials count as the baseline's too.

    Raises:
        SettingsError: One of them played a conversation with several variants.
    """
    after = _of_one_variant(candidate, CANDIDATE)
    before = [*_baseline_trials(baseline, banked)] if baseline else None
    quarantines = Quarantines.of(after)
    after = quarantines.counting(after, _itself)
    before = None if before is None else quarantines.counting(before, _itself)
    asked = Asked.of([*(before or ()), *after])
    found = tuple(_ruled(rule, rules, before, after, asked) for rule in rules.rule)
    unfit = tuple(why_no_pass(candidate, baseline))
    named = " + ".join(run.id for run in (baseline, *banked)) if baseline else None
    return GateVerdict(found, candidate.id, named, unfit, quarantines)


def gate_by_looks(run: SuiteRun, looks: Looks) -> GateVerdict:
    """The verdict of the look that decided, or of the last one, on a run of two variants side by side.

    Args:
        run: A baseline and a candidate, run until it was decided which of both verdicts holds.
        looks: The plan that it was begun with.
    """
    trials, quarantines = _side_by_side(run)
    taken = looks.taken(trials)
    asked = f"pass rate: margin {looks.margin:g}, {looks.method} over at most {looks.passes} passes"
    unfit = tuple(why_no_pass(run))
    found = RuleVerdict(asked, "inconclusive", ("no look was taken yet: too few passes are complete",))
    if taken:
        last = taken[-1].found
        found = RuleVerdict(asked, last.verdict, last.reasons, compared=last)
    before, after = run.settings["variants"]
    return GateVerdict((found,), f"{run.id} ({after})", before, unfit, quarantines)


def gate_of_screen(run: SuiteRun) -> GateVerdict:
    """The verdict of a screen: fresh trials prove that what got worse in one pass is worse, or they do not.

    It never passes, for what did not get worse in a single pass was not looked at again.

    Args:
        run: The run of the fresh trials, or the one pass that it confirms.
    """
    before, after = run.settings["variants"]
    asked = run.settings.get(SCREEN, {})
    question = Question(margin=asked.get("margin", 0.05), alpha=asked.get("alpha", 0.05))
    trials, quarantines = _side_by_side(run)
    first = run.settings.get(SCREENED_BY)
    if first is None:
        told = (
            "one pass proves nothing: what got worse in it is judged by fresh trials, in a run of their own"
        )
        found = RuleVerdict("pass rate: one pass of a screen", "inconclusive", (told,))
    else:
        found = _confirmed(f"pass rate: fresh trials of what got worse in the run {first}", trials, question)
    return GateVerdict((found,), f"{run.id} ({after})", before, tuple(why_no_pass(run)), quarantines)


def _confirmed(rule: str, trials: Sequence[Trial], question: Question) -> RuleVerdict:
    found = judge(pair(trials, question.metric), question)
    if found.verdict == "pass":
        told = "what got worse in one pass did not do so again; of the rest a screen proves nothing"
        found = replace(found, verdict="inconclusive", reasons=(told, *found.reasons))
    return RuleVerdict(rule, found.verdict, found.reasons, compared=found)


def _side_by_side(run: SuiteRun) -> tuple[list[Trial], Quarantines]:
    """The trials of a run of a baseline and a candidate that count, and what was left out."""
    before, after = run.settings["variants"]
    sides = {before: BASELINE, after: CANDIDATE}
    trials = [judged(result, sides[result.variant]) for result in run.results]
    quarantines = Quarantines.of(each for each in trials if each.trial.variant == CANDIDATE)
    return [each.trial for each in quarantines.counting(trials, _itself)], quarantines


def _baseline_trials(baseline: SuiteRun, banked: Sequence[SuiteRun]) -> Iterable[Judged]:
    """All trials of the baseline's version; those of the same pass of the same run have the same label."""
    yield from _of_one_variant(baseline, BASELINE)
    for run in banked:
        for each in _of_one_variant(run, BASELINE):
            yield each._replace(trial=each.trial._replace(trial=f"{run.id} {each.trial.trial}"))


def _of_one_variant(run: SuiteRun, called: str) -> list[Judged]:
    """The trials of a run; those of two versions of the assistant would stand in for each other."""
    played: dict[str, str] = {}
    found = []
    for result in run.results:
        each = judged(result, called)
        variant = played.setdefault(each.trial.case_id, result.variant)
        if variant != result.variant:
            raise _several_variants(run, variant, result.variant)
        found.append(each)
    return found


def _several_variants(run: SuiteRun, one: str, other: str) -> SettingsError:
    table = f"harness export {run.id} --out trials.csv"
    hint = f"{table}, then: harness gate --csv trials.csv --baseline {one} --candidate {other}"
    if "looks" in run.settings:  # a gate at the whole level, after a run that ended when it looked decided
        hint = f"It went on until it was decided; by its plan, without other rules: harness gate {run.id}"
    elif SCREEN in run.settings:
        hint = f"It is of a screen, judged without other rules: harness gate {run.id}"
    return SettingsError(
        f"run {run.id} has trials of several variants, {one!r} and {other!r}, and a gate judges one",
        hint=hint,
    )


def _itself(trial: Judged) -> Judged:
    return trial


def why_no_pass(candidate: SuiteRun, baseline: SuiteRun | None = None) -> Iterator[str]:
    """Why nothing good can be proven of a candidate, whatever the numbers say."""
    for run in (candidate, baseline):
        if run is not None and (replayed := _replayed(run)):
            told = f"{replayed} of {len(run.results)} trials of the run {run.id}"
            yield f"{told} were answered from a recording: no new evidence, so nothing passes"
        if run is not None and _is_cut_short(run):
            yield (
                f"the run {run.id} is not finished ({run.status.replace('_', ' ')}: {len(run.results)} of "
                f"{run.planned} trials), so nothing passes"
            )
    if baseline is not None:
        yield from _not_comparable(baseline, candidate)


def _is_cut_short(run: SuiteRun) -> bool:
    """Whether more of its trials are missing than may be, because they were never made."""
    ended_by_plan = run.status in ("finished", "decided")
    return not ended_by_plan and len(run.results) < (1 - _MOST_MISSING) * run.planned


def _replayed(run: SuiteRun) -> int:
    """Trials that repeat what is known; a run that was scored anew stands for the trials of the first."""
    return 0 if RESCORED in run.settings else sum(result.replayed for result in run.results)


def _not_comparable(baseline: SuiteRun, candidate: SuiteRun) -> Iterator[str]:
    first = {run.settings.get(RESCORED, run.id) for run in (baseline, candidate)}
    if len(first) == 1:
        yield f"both sides are the trials of the run {first.pop()}, so nothing passes"
    yield from changed_judgement(baseline, candidate)


def changed_judgement(baseline: SuiteRun, candidate: SuiteRun) -> Iterator[str]:
    """What is asked of the assistant, or who judges its answers, and is not the same in both runs."""
    before, after = (run.settings.get("fingerprints", {}) for run in (baseline, candidate))
    for name in sorted(before.keys() & after.keys()):
        if name.startswith("suite ") and before[name] != after[name]:
            yield f"{name} has changed between the runs, so nothing passes"
    for name, told in _JUDGES.items():
        one, other = baseline.settings.get(name), candidate.settings.get(name)
        if one and other and one != other:
            yield f"{told} has changed between the runs ({one}, then {other}), so nothing passes"


def _ruled(
    rule: Rule, rules: RuleFile, before: Sequence[Judged] | None, after: Sequence[Judged], asked: Asked
) -> RuleVerdict:
    chosen = list(_chosen(after, rule, asked))
    if not chosen:
        return RuleVerdict(rule.name, "inconclusive", (_why_nothing(rule, after),))
    if rule.margin is None:
        return _absolute(rule, chosen)
    if before is None:
        reason = "there is no baseline run to compare with; --against RUN names one"
        return RuleVerdict(rule.name, "inconclusive", (reason,))
    metric = rule.metric if rule.metric in ("score", "cost_usd", "latency_s") else "passed"
    pairs: Pairs = pair([*_chosen(before, rule, asked), *chosen], metric)
    found = judge(pairs, Question(metric, rule.margin, rule.alpha or rules.shared_alpha))
    return RuleVerdict(rule.name, found.verdict, found.reasons, compared=found)


def _chosen(trials: Iterable[Judged], rule: Rule, asked: Asked) -> Iterable[Trial]:
    """The trials that a rule looks at, ``passed`` being what it asks about."""
    for each in trials:
        if (rule.suite and each.suite != rule.suite) or (rule.tags and not set(rule.tags) & set(each.tags)):
            continue
        if rule.check is None and rule.metric not in RIGHT:
            yield each.trial
            continue
        passed = asked.met(each, rule.check) if rule.check else asked.right(each, rule.metric)
        if passed is not None:
            yield each.trial._replace(passed=passed)


def _why_nothing(rule: Rule, trials: Sequence[Judged]) -> str:
    """Why a rule has no trial to look at: the first of its words that none of them fits."""
    if not trials:
        return "there is no trial to judge"
    parts = [
        ("is of the suite", [rule.suite] if rule.suite else [], {each.suite for each in trials}),
        ("has the tag", rule.tags, {tag for each in trials for tag in each.tags}),
        ("has the check", [rule.check] if rule.check else [], {name for each in trials for name in each.met}),
    ]
    for fits, words, known in parts:
        if words and not known & set(words):
            hint = did_you_mean(words[0], sorted(known), label="there are")
            told = " or ".join(map(repr, words))
            return f"no trial {fits} {told}, so nothing was judged; {hint}"
    return "no trial has a value that this rule looks at, so nothing was judged"


# --- limits -----------------------------------------------------------------------------------------------


def _absolute(rule: Rule, trials: Sequence[Trial]) -> RuleVerdict:
    share = rule.metric not in ("score", "cost_usd", "latency_s") or rule.percentile is not None
    if rule.percentile is not None:
        trials = [_within(trial, rule) for trial in trials]
    ids = sorted({trial.case_id for trial in trials})
    whole = side(trials, ids, "passed" if share else rule.metric)
    there = counts(whole) > 0
    if not there.any():
        reason = "no trial has a value that this rule looks at, so nothing was judged"
        return RuleVerdict(rule.name, "inconclusive", (reason,))
    cluster_of = {trial.case_id: trial.cluster for trial in trials}
    kept = [cluster_of[case] for case, has in zip(ids, there, strict=True) if has]
    values, clusters = whole[there], labels(kept, len(kept))
    interval = _share_bounds(values, clusters) if share else _mean_bounds(rule.metric, values, clusters)
    missing = 1 - float(counts(whole).sum()) / len(trials)
    return _limited(rule, float(row_means(values).mean()), interval, missing)


def _within(trial: Trial, rule: Rule) -> Trial:
    """A trial that passes within the limit: a percentile is a share of such trials."""
    value = getattr(trial, rule.metric)
    return trial._replace(passed=value if math.isnan(value) else float(value <= rule.at_most))


def _share_bounds(values: Matrix, clusters: Labels) -> Interval | None:
    """Two one-sided bounds: exact where every case was tried once and shares no cluster."""
    if int(clusters.max()) + 1 == len(values) == int(counts(values).sum()):
        return exact_bounds(int(row_sums(values).sum()), len(values), _CONFIDENCE)
    return population_interval(values, clusters, 2 * _CONFIDENCE - 1)


def _mean_bounds(metric: str, values: Matrix, clusters: Labels) -> Interval | None:
    bounds = score_interval if metric == "score" else mean_interval
    return bounds(row_means(values), clusters, 2 * _CONFIDENCE - 1)


def _limited(rule: Rule, value: float, interval: Interval | None, missing: float) -> RuleVerdict:
    if interval is None:
        reason = "all trials are of one cluster, so nothing is known beyond it"
        return RuleVerdict(rule.name, "inconclusive", (reason,), value)
    lowest = _lowest_allowed(rule)
    if lowest is None:
        assert rule.at_most is not None
        holds, broken = interval.high <= rule.at_most, interval.low > rule.at_most
    else:
        holds, broken = interval.low >= lowest, interval.high < lowest
    told = _measured(rule, value, interval)
    if rule.metric in RIGHT:  # what is limited is the share of the wrong ones
        value, interval = 1 - value, Interval(1 - interval.high, 1 - interval.low)
    gap = f"{missing:.0%} of the trials have no value" if missing > _MOST_MISSING else ""
    if broken:
        return RuleVerdict(rule.name, "fail", (f"{told}: it does not hold",), value, *interval)
    if holds and not gap:
        return RuleVerdict(rule.name, "pass", (f"{told}: it holds",), value, *interval)
    return RuleVerdict(rule.name, "inconclusive", (f"{told}: {gap or 'not proven'}",), value, *interval)


def _measured(rule: Rule, value: float, interval: Interval) -> str:
    """What was found, in the words of the limit."""
    low, high = interval
    if rule.percentile is not None:
        found = f"{value:.1%} of the trials are within {rule.at_most:g}, and {rule.percentile:g} % must be"
        return f"{found}; 95 % bounds {low:.1%} and {high:.1%}"
    if rule.metric in RIGHT:
        value, low, high = 1 - value, 1 - high, 1 - low
    return f"{value:.4g}, 95 % bounds {low:.4g} and {high:.4g}"


def _lowest_allowed(rule: Rule) -> float | None:
    """The least share of right trials; None where the rule limits a mean from above."""
    if rule.percentile is not None:
        return rule.percentile / 100
    if rule.metric in RIGHT:
        assert rule.at_most is not None
        return 1 - rule.at_most
    if rule.at_most is not None and rule.metric == "passed":
        return None
    return rule.at_least


# --- trials of a stored run -------------------------------------------------------------------------------


def judged(result: TrialResult, variant: str) -> Judged:
    """A stored trial as rules and comparisons look at it; what was not judged is NaN.

    One that ended in an error is missing as a whole: what it did before says nothing of the rest.
    """
    errored = result.outcome == "errored"
    return Judged(
        _missing_trial(result, variant) if errored else _trial(result, variant),
        result.suite,
        result.tags,
        _met(result.scores),
        math.nan if errored else _right(result.scores, expected=True),
        math.nan if errored else _right(result.scores, expected=False),
        result.quarantine,
        errored,
    )


def _missing_trial(result: TrialResult, variant: str) -> Trial:
    case = f"{result.suite}/{result.conversation}"
    return Trial(case, result.cluster or result.conversation, variant, str(result.repeat))


def _trial(result: TrialResult, variant: str) -> Trial:
    seen = [score.passed for score in result.scores if score.passed is not None]
    return _missing_trial(result, variant)._replace(
        passed={"passed": 1.0, "failed": 0.0}.get(result.outcome, math.nan),
        score=sum(seen) / len(seen) if seen else math.nan,
        cost_usd=math.nan if result.cost_usd is None else float(result.cost_usd),
        latency_s=result.latency_s,
    )


def _met(scores: Iterable[Score]) -> dict[str, float]:
    """For each expectation whether every judgement of it in this trial was good; NaN where there is none."""
    found: dict[str, float] = {}
    for score in scores:
        before = found.get(score.check, math.nan)
        if score.passed is None:
            found[score.check] = before
        else:
            found[score.check] = float(score.passed) if math.isnan(before) else before * score.passed
    return found


def _right(scores: Iterable[Score], *, expected: bool) -> float:
    """1 when every turn that should (or should not) hand over was right, NaN when there is no such turn."""
    observed = [
        bool(score.evidence.get("observed"))
        for score in scores
        if score.scorer == "escalation"
        and score.value is not None
        and score.evidence.get("expected") is expected
    ]
    return float(all(seen is expected for seen in observed)) if observed else math.nan
