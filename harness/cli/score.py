"""harness score."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from harness.cli import options, suggestions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.results import Score
    from harness.workflows.explaining import Explained, Explanation

_LONGEST = 300
_INDENT = "    "
_MOST_SENTENCES = 20  # that are shown without being asked for
_VERDICTS = {"not_retrieved": "supported by the documents, but not retrieved"}
_WORST_FIRST = ("not supported", "not measured", "others", *_VERDICTS.values(), "supported", "no claim")


@click.command("score")
@click.argument("trial", required=False, shell_complete=suggestions.trials)
@click.option(
    "--run",
    "run_id",
    default="latest",
    metavar="RUN",
    shell_complete=suggestions.runs,
    help="The suite run. Default: latest.",
)
@click.option("--explain", is_flag=True, help="Say what each score measures, looked at and rests on.")
@click.option("--check", "checks", multiple=True, metavar="CHECK", help="Only this check. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with nothing shortened.")
@click.option("--all", "in_full", is_flag=True, help="With --explain: every sentence, not only the worst.")
@options.store
def command(
    trial: str | None,
    run_id: str,
    explain: bool,
    checks: tuple[str, ...],
    as_json: bool,
    in_full: bool,
    store: str | None,
) -> None:
    """Show the scores of a stored TRIAL: its id, or the name of a conversation that was played once.

    \b
    Examples:
      harness score export-then-format
      harness score acme-knowledge/export-formats@acme_support#1 --explain
      harness score export-formats --explain --check grounded
      harness score export-formats --run 20260102-030405-ab12 --explain --json
    """
    from harness.settings import load_settings
    from harness.workflows.explaining import explain as explained_trial

    explained = explained_trial(load_settings({"store": store}), trial, run_id)
    if checks:
        explained = _only(explained, checks)
    if as_json:
        click.echo(json.dumps(explained.as_json(), indent=2, ensure_ascii=False))
        return
    for line in _lines(explained, explain=explain, most=None if in_full else _MOST_SENTENCES):
        click.echo(line)


def _only(explained: Explained, checks: tuple[str, ...]) -> Explained:
    """Of the scores those that are asked for, by check or by the part of it before the point."""
    from dataclasses import replace

    from harness.text import did_you_mean

    known = list(dict.fromkeys(each.score.check for each in explained.scores))
    for check in checks:
        if not any(_is_of(name, check) for name in known):
            raise click.UsageError(f"the trial has no score {check!r}; {did_you_mean(check, known)}")
    kept = (each for each in explained.scores if any(_is_of(each.score.check, check) for check in checks))
    return replace(explained, scores=tuple(kept))


def _is_of(name: str, check: str) -> bool:
    return name == check or name.startswith(f"{check}.")


def _lines(explained: Explained, *, explain: bool, most: int | None) -> Iterator[str]:
    from harness.reporters.wording import quarantine

    result = explained.result
    yield _safe(f"{result.trial_id} of run {explained.run_id}: {result.outcome}")
    if result.quarantine:
        yield _safe(f"quarantine {quarantine(result.quarantine)}")
    if result.error:
        yield _safe(f"error: {result.error}")
    for each in explained.scores:
        if explain:
            yield ""
        yield _safe(_headline(each.score))
        if explain:
            yield from (f"{_INDENT}{_safe(line)}" for line in _explained(each, most))


def _headline(score: Score) -> str:
    from harness.reporters import wording

    value = "no value" if score.value is None else _value(score.value)
    why = f": {score.reason}" if score.reason else ""
    told = f"{wording.turn(score.turn)}, {score.check} ({score.scorer})"
    return f"{told}: {value}, {wording.verdict(score)}{why}"


def _value(value: bool | float | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _explained(each: Explanation, most: int | None) -> Iterator[str]:
    yield f"measures: {each.definition.definition}"
    yield f"formula: {each.definition.formula}"
    yield f"range: {each.definition.range}"
    for name, value in each.inputs.items():
        shown = [_passages(value)] if name == "passages" else map(_plain, value)
        yield from (f"looked at, {name}: {one}" for one in shown)
    evidence = dict(each.score.evidence)
    yield from _sentences(evidence.pop("sentences", ()), most)
    for name, value in evidence.items():
        yield f"evidence, {name}: {_plain(value)}"
    yield f"accuracy: {each.definition.accuracy}"
    yield f"blind spots: {each.definition.blind_spots}"


def _passages(found: Sequence[dict[str, Any]]) -> str:
    """How many passages there were, and of which pages; their texts are in the JSON."""
    pages = Counter(f"{each['filename']}{_page(each)}" for each in found)
    told = (f"{where} ({count} of them)" if count > 1 else where for where, count in pages.items())
    return f"{len(found)}, of {'; '.join(told)}"


def _page(passage: dict[str, Any]) -> str:
    return f", page {passage['page']}" if passage.get("page") else ""


def _sentences(found: Sequence[Any], most: int | None) -> Iterator[str]:
    """All sentences in their order, or of very many the worst, the worst first, and how many are left."""
    if most is None or len(found) <= most:
        for sentence in found:
            yield from _sentence(sentence)
        return
    worst = sorted(found, key=_badness)
    for sentence in worst[:most]:
        yield from _sentence(sentence)
    left = Counter(_kind_of_verdict(sentence) for sentence in worst[most:])
    told = ", ".join(f"{count} {name}" for name, count in left.items())
    yield f"and {len(found) - most:,} more sentences ({told}): --all shows every one in the answer's order"


def _badness(sentence: Any) -> tuple[int, float]:
    """Sorts what is not supported first, then what was not measured, what is, and what is no claim."""
    name = _kind_of_verdict(sentence)
    probability = sentence.get("unsupported_probability") if isinstance(sentence, dict) else None
    return _WORST_FIRST.index(name), -(probability or 0.0)


def _kind_of_verdict(sentence: Any) -> str:
    if not isinstance(sentence, dict) or "supported" not in sentence:
        return "others"
    return "no claim" if not sentence.get("claim") else _verdict(sentence).partition(" (")[0]


def _sentence(sentence: Any) -> Iterator[str]:
    """A sentence with its verdict, and the passage it rests on."""
    if not isinstance(sentence, dict) or "supported" not in sentence:
        yield f"sentence: {_plain(sentence)}"
        return
    yield f"sentence, {_verdict(sentence)}: {sentence.get('text', '')!r}"
    if passage := sentence.get("evidence"):
        yield f"{_INDENT}{passage.get('filename')}{_page(passage)}: {passage.get('text', '')!r}"
    if sentence.get("why"):
        yield f"{_INDENT}{sentence['why']}"


def _verdict(sentence: dict[str, Any]) -> str:
    if not sentence.get("claim"):
        return f"no claim ({sentence.get('kind', 'other')})"
    if sentence["supported"] is None:
        return "not measured"
    told = _VERDICTS.get(
        str(sentence.get("label")), "supported" if sentence["supported"] else "not supported"
    )
    share = sentence.get("support")
    return f"{told} ({share:.2f})" if isinstance(share, int | float) else told


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _safe(line: str) -> str:
    from harness.reporters.wording import one_line, printable

    indent = line[: len(line) - len(line.lstrip())]
    return indent + one_line(printable(line.strip()), _LONGEST)
