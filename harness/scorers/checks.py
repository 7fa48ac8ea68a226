"""From expectations to scores: which checks a script makes, in which order, and what each came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from harness.cost.prices import token_cost
from harness.errors import ScorerError
from harness.judge.gating import NOTHING_JUDGED, Judging
from harness.results import Score
from harness.scorers.findings import stub_findings
from harness.scorers.interface import Check, Scene, Scorer, unscored
from harness.suite.records import AssistantFile, Conversation, Expect, Turn
from harness.trace.costs import TokenPrice
from harness.trace.records import Trace

_KEYS = tuple(key for key in Expect.model_fields if key != "requires")
_STATUS = "completed"
_PLUGINS = "scorers"
# A false here says "don't check", as null does: nobody wants an answer that is not grounded.
_OFF = {"grounded": False}


def checks_of(conversation: Conversation) -> list[Check]:
    """Every check of a conversation: turn by turn, then those of the conversation as a whole.

    Within a block the checks that others require come first, the rest follow in the order of the
    documentation. A turn's status must be ``completed`` unless it says otherwise.
    """
    of_turns = chain.from_iterable(_of_turn(turn, index) for index, turn in enumerate(conversation.turns))
    return [*of_turns, *_block(conversation.expect, None)]


def _of_turn(turn: Turn, index: int) -> Iterator[Check]:
    yield from _block(turn.expect, index)
    if turn.forget:  # who asks for it expects it to be done
        yield Check("forget", True, index)


def _block(expect: Expect, turn: int | None) -> Iterator[Check]:
    made = [key for key in _KEYS if _is_on(expect, key, turn)]
    for key in sorted(made, key=lambda key: key not in expect.requires):
        requires = () if key in expect.requires else expect.requires
        if key == _PLUGINS:
            yield from _by_plugins(expect.scorers or {}, turn, requires)
            continue
        value = _STATUS if key == "status" and expect.status is None else getattr(expect, key)
        yield Check(key, value, turn, requires)


def _by_plugins(asked: Mapping[str, Any], turn: int | None, requires: tuple[str, ...]) -> Iterator[Check]:
    for name, given in asked.items():
        if given is not False:
            yield Check(f"{_PLUGINS}.{name}", given, turn, requires)


def _is_on(expect: Expect, key: str, turn: int | None) -> bool:
    value = getattr(expect, key)
    if key == "status" and value is None:
        return turn is not None and "status" not in expect.model_fields_set
    return value is not None and value != () and not (key in _OFF and value is _OFF[key])


def score_trace(
    conversation: Conversation,
    assistant: AssistantFile,
    trace: Trace,
    scorers: Sequence[Scorer] | None = None,
    cost: TokenPrice = token_cost,
    judging: Judging = NOTHING_JUDGED,
    documents: tuple[Path, ...] = (),
) -> tuple[Score, ...]:
    """The scores of one trial: one or more for every check of its conversation, of arguments, findings.

    Args:
        conversation: What should have happened.
        assistant: The assistant as its file describes it: escalation, functions.
        trace: What did happen; turns that were never sent get scores without a value.
        scorers: Who judges; the built-in ones and installed plugins when left out.
        cost: The price of a model's usage.
        judging: What judges were asked, and how far they agree with people.
        documents: The assistant's knowledge files.
    """
    about_plugins: Sequence[Score] = ()
    if scorers is None:
        from harness.scorers.registry import all_scorers, plugin_findings

        scorers, about_plugins = all_scorers(), plugin_findings()
    scene = Scene(conversation, assistant, trace, cost, judging, documents)
    scores: list[Score] = []
    for check in checks_of(conversation):
        scores.extend(_scores(check, scene, scorers, scores))
    return (*scores, *_arguments(scene, scorers), *stub_findings(trace), *about_plugins)


def _arguments(scene: Scene, scorers: Sequence[Scorer]) -> Iterator[Score]:
    """What nobody has to ask for: that functions are called with arguments they can take."""
    called = any(call.type == "function" for turn in scene.trace.turns for call in turn.tool_calls)
    if called and any("calls" in scorer.keys for scorer in scorers):
        from harness.scorers.tools import argument_scores

        yield from argument_scores(scene)


def held_up(
    key: str,
    conversation: Conversation,
    assistant: AssistantFile,
    trace: Trace,
    documents: tuple[Path, ...] = (),
) -> frozenset[int | None]:
    """Turns, and None for the conversation, in which a check is skipped for one that did not pass."""
    checks = checks_of(conversation)
    needing = [check for check in checks if check.key == key and check.requires]
    if not needing:
        return frozenset()
    from harness.scorers.registry import all_scorers

    scene = Scene(conversation, assistant, trace, documents=documents)
    required = {(check.turn, name) for check in needing for name in check.requires}
    scores: list[Score] = []
    for check in checks:
        if (check.turn, check.key) in required:
            scores.extend(_scores(check, scene, all_scorers(), scores))
    return frozenset(check.turn for check in needing if _unmet(check, scores))


def _scores(check: Check, scene: Scene, scorers: Sequence[Scorer], earlier: Sequence[Score]) -> list[Score]:
    able = [scorer for scorer in scorers if check.key in scorer.keys]
    if not able:
        return [unscored(check, "none", f"no installed scorer answers {check.key!r}")]
    why_not = _unmet(check, earlier) or never_sent(check, scene)
    if why_not:
        return [unscored(check, scorer.name, why_not) for scorer in able]
    return list(chain.from_iterable(_by(scorer, check, scene) for scorer in able))


def _by(scorer: Scorer, check: Check, scene: Scene) -> Sequence[Score]:
    try:
        scores = scorer.score(check, scene)
    except ScorerError as error:
        return [unscored(check, scorer.name, str(error))]
    return scores or [unscored(check, scorer.name, f"the scorer {scorer.name!r} gave no score")]


def _unmet(check: Check, earlier: Sequence[Score]) -> str | None:
    """Why a check is skipped: the first of the checks it requires that did not pass."""
    for required in check.requires:
        mine = [score for score in earlier if score.turn == check.turn and _key(score) == required]
        failed = next((score for score in mine if score.passed is not True and _counts(score)), None)
        if failed or not mine:
            why = failed.reason if failed else "this block has no such check"
            return f"skipped: it requires {required!r}, which did not pass ({why})"
    return None


def _key(score: Score) -> str:
    return score.check.partition(".")[0]


def _counts(score: Score) -> bool:
    """An informational score has a value and no verdict; it neither passes nor fails anything."""
    return not (score.passed is None and score.value is not None)


def never_sent(check: Check, scene: Scene) -> str | None:
    """Why the turns of this check did not all happen, or None when they did."""
    sent, planned = len(scene.trace.turns), len(scene.conversation.turns)
    needed = planned if check.turn is None else check.turn + 1
    if sent >= needed:
        return _no_outcome(check, scene)
    if not sent:
        return (
            f"turn {needed if check.turn is not None else 1} was never sent: the conversation did not begin"
        )
    last = scene.trace.turns[-1]
    why = f"turn {sent} ended {last.status!r}" + (f": {last.error}" if last.error else "")
    missing = f"turn {check.turn + 1}" if check.turn is not None else f"turn {sent + 1} of {planned}"
    return f"{missing} was never sent: {why}"


def _no_outcome(check: Check, scene: Scene) -> str | None:
    """Turns whose outcome is not known can't be judged, save for their status and what comes after."""
    if check.key in {"status", "forget"}:
        return None
    for index, turn in enumerate(scene.trace.turns):
        if check.turn in (None, index) and turn.status in ("timed_out", "unknown"):
            detail = f": {turn.error}" if turn.error else ""
            return f"the outcome of turn {index + 1} is not known, it ended {turn.status!r}{detail}"
    return None
