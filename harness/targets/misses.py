"""Misses explained: what was asked of a recording, the nearest that it has, and what differs."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.errors import TargetError
from harness.plan import Trial
from harness.suite.records import HistoryMessage
from harness.text import nearest
from harness.trace.recording import RecordedTrial, RecordedVariant, Recording
from harness.trace.records import Message, ToolCall

_WHAT_TO_DO = "Take the change back, or run it anew against the assistant (and record it again)"
_SHOWN = 300
_LINES_SHOWN = 12


def of_trial(
    recording: Recording, here: Sequence[RecordedTrial], trial: Trial, content: Mapping[str, Any]
) -> TargetError:
    """Nothing was recorded for this trial: is it the assistant, the repeat, or the conversation?

    Args:
        recording: All that was recorded.
        here: What was recorded of this conversation.
        trial: The trial.
        content: What its assistant consists of now.
    """
    if not here:
        return _miss(_no_conversation(recording, trial))
    same = [each for each in here if each.fingerprint == trial.variant.fingerprint]
    if same:
        repeats = ", ".join(str(each.repeat) for each in same)
        return _miss(f"repeat {trial.repeat} was not recorded; recorded repeats: {repeats}")
    known = [recording.variants[each.fingerprint] for each in here if each.fingerprint in recording.variants]
    return _miss(_other_assistant(known, trial, content))


def of_history(recorded: Sequence[Message], now: Sequence[HistoryMessage]) -> TargetError:
    """Other messages stood before the first turn."""
    told = different_words(
        "\n".join(f"{each.role}: {each.text}" for each in recorded),
        "\n".join(f"{each.role}: {each.content}" for each in now),
    )
    return _miss(f"the history before the first turn has changed: {told}")


def of_turn(number: int, difference: str) -> TargetError:
    """The user says something else in this turn (counted from 0)."""
    return _miss(f"turn {number + 1} is another than was recorded: {difference}")


def of_further_turn(recorded: RecordedTrial, said: Message) -> TargetError:
    """The talk goes on where the recording ends."""
    count = len(recorded.turns)
    turns = f"{count} turn{'' if count == 1 else 's'}"
    verb = "was" if count == 1 else "were"
    return _miss(f"{turns} {verb} recorded, and there is another: {_cut(said.text)!r}")


def of_output(number: int, call: ToolCall, output: str) -> TargetError:
    """The suite's stubs answer a function call otherwise than when it was recorded."""
    told = different_words(call.output or "", output)
    return _miss(f"in turn {number + 1} the stub of {call.name!r} answers otherwise now: {told}")


def _miss(why: str) -> TargetError:
    return TargetError(f"no recorded answer: {why}. {_WHAT_TO_DO}", code="recording-miss")


def _no_conversation(recording: Recording, trial: Trial) -> str:
    of_suite = [each for each in recording.trials.values() if each.suite == trial.suite.name]
    if of_suite:
        near = nearest(trial.conversation.id, {each.conversation for each in of_suite})
        told = (
            f"the nearest is {near!r}"
            if near
            else f"{_some(each.conversation for each in of_suite)} are there"
        )
        return f"this conversation was not recorded; {told}"
    suites = {each.suite for each in recording.trials.values()}
    near = nearest(trial.suite.name, suites)
    told = f"the nearest is {near!r}" if near else f"recorded suites: {_some(suites)}"
    return f"no conversation of the suite {trial.suite.name!r} was recorded; {told}"


def _some(names: Iterable[str]) -> str:
    ordered = sorted(set(names))
    return ", ".join(ordered[:5]) + (f" and {len(ordered) - 5} more" if len(ordered) > 5 else "") or "none"


# --- another assistant ------------------------------------------------------------------------------------


def _other_assistant(known: Sequence[RecordedVariant], trial: Trial, content: Mapping[str, Any]) -> str:
    """The recorded version that is most like this one, and how they differ."""
    if not known:
        return f"the assistant {trial.variant.name!r} has changed since then"
    differences = [(list(_differences(each.content, content)), each) for each in known]
    told, version = min(differences, key=lambda pair: (pair[1].name != trial.variant.name, len(pair[0])))
    name = "" if version.name == trial.variant.name else f" (the nearest is {version.name!r})"
    shown = "\n".join(told[:_LINES_SHOWN])
    more = f"\n  and {len(told) - _LINES_SHOWN} lines more" if len(told) > _LINES_SHOWN else ""
    return f"another version of the assistant was recorded{name}. What differs:\n{shown}{more}\n"


def _differences(then: Any, now: Any, path: str = "") -> Iterator[str]:
    """One line for each value that differs, with its way there."""
    if then == now:
        return
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*then, *now]):
            below = str(key) if path in ("", "assistant") else f"{path}.{key}"
            yield from _differences(then.get(key), now.get(key), below)
    elif _are_named(then) and _are_named(now):
        yield from _differences(_by_name(then), _by_name(now), path)
    elif isinstance(then, str) and isinstance(now, str) and "\n" in then + now:
        yield from (f"  {path}: {line}" for line in _changed_lines(then, now))
    elif _is_document(then) and _is_document(now):
        yield f"  {path}: its content has changed"
    else:
        yield f"  {path}: {_shown(then)} then, {_shown(now)} now"


def _are_named(value: Any) -> bool:
    """Whether this is a list of pairs (documents with digests) or of tools, which are known by name."""
    return isinstance(value, list) and all(_name_of(each) is not None for each in value)


def _name_of(entry: Any) -> str | None:
    match entry:
        case [str() as name, str()]:
            return name
        case {"type": "function", "function": {"name": str() as name}}:
            return name
        case {"type": str() as kind}:
            return kind
        case _:
            return None


def _by_name(entries: Sequence[Any]) -> dict[str, Any]:
    return {str(_name_of(each)): each for each in entries}


def _shown(value: Any) -> str:
    return "none" if value is None else _cut(repr(value))


def _is_document(value: Any) -> bool:
    """A name with a digest, of which a reader has nothing."""
    return isinstance(value, list) and len(value) == 2


def _changed_lines(then: str, now: str) -> Iterator[str]:
    """Lines that went and came."""
    lines = difflib.ndiff(then.splitlines(), now.splitlines())
    yield from (_cut(line) for line in lines if line[:2] in ("- ", "+ "))


# --- other words ------------------------------------------------------------------------------------------

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


def different_words(then: str, now: str) -> str:
    """One text with the words that went as ``[-...-]`` and those that came as ``{+...+}``."""
    before, after = _WORDS.findall(then[:20_000]), _WORDS.findall(now[:20_000])
    parts = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone, come = "".join(before[a:b]), "".join(after[c:d])
        if kind == "equal":
            parts.append(gone if len(gone) <= 80 else f"{gone[:30]} … {gone[-30:]}")
        else:
            parts.append((f"[-{_cut(gone)}-]" if gone else "") + (f"{{+{_cut(come)}+}}" if come else ""))
    return _cut("".join(parts), 4 * _SHOWN)


def _cut(text: str, most: int = _SHOWN) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
