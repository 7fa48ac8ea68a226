"""Variations that broke something are kept as a suite, to be run from now on like any other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.errors import SettingsError
from harness.perturb.invariants import Observed
from harness.perturb.words import CANARY
from harness.reporters.interface import write_report
from harness.suite.records import Expect, Stub, Suite, Turn
from harness.workflows.perturbing import Broken
from harness.yamlfile.checked import FileRecord

_HEADER = "# Kept by harness perturb: the smallest variations of users' words that broke something.\n"


def refuse_save(path: Path) -> None:
    """What can't be saved to is known before anything is played.

    Raises:
        SettingsError: The file is there, and was written by somebody.
    """
    if path.suffix and path.suffix not in (".yaml", ".yml"):
        raise SettingsError(
            f"regressions are kept in YAML, not in {path.name!r}",
            hint="give --save a file ending in .yaml, or a folder",
        )
    if path.is_file() and not path.read_text("utf-8", errors="replace").startswith(_HEADER):
        raise SettingsError(
            f"{str(path)!r} is there, and was not written by harness perturb",
            hint="give --save another file; what people have written is left alone",
        )


def save_regressions(found: Sequence[Broken], path: Path) -> list[Path]:
    """The suite files that hold what was found: one for each suite and assistant.

    Conversations that such a file has already stay; those of the same id are replaced.

    Args:
        found: What broke.
        path: A file, or a folder for files named after their suites; with several suites a file's name is
            begun like the one given.

    Raises:
        SettingsError: A file is there, and was not written by this.
        ReportError: A file can't be written.
    """
    groups: dict[tuple[str, str], list[Broken]] = {}
    for broken in found:
        groups.setdefault((broken.suite.name, broken.variant.name), []).append(broken)
    written = []
    for (suite, variant), some in groups.items():
        several = len({name for name, _ in groups}) < len(groups)
        name = f"{suite}-{variant}" if several else suite
        file = _file(path, name, alone=len(groups) == 1)
        refuse_save(file)
        written.append(write_report(_HEADER + _yaml(_suite(some, file)), file))
    return written


def _file(path: Path, name: str, *, alone: bool) -> Path:
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
    if not path.suffix:
        return path / f"{safe}-regressions.yaml"
    return path if alone else path.with_name(f"{path.stem}-{safe}{path.suffix}")


def _yaml(data: dict[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110))


# --- a suite as it stands in a file ---------------------------------------------------------------------


def _suite(found: Sequence[Broken], file: Path) -> dict[str, Any]:
    suite, variant = found[0].suite, found[0].variant
    assistant = variant.assistant_id or (str(variant.source) if variant.source else None)
    if assistant and not variant.assistant_id:
        assistant = _from(file, Path(assistant))
    new = {each["id"]: each for each in (_conversation(broken, file) for broken in found)}
    body: dict[str, Any] = {
        "suite": f"{suite.name}-regressions",
        "assistant": assistant,
        "tools": {name: [_stub(stub, suite, file) for stub in stubs] for name, stubs in suite.stubs.items()},
        "rubrics": {name: _written(rubric) for name, rubric in suite.rubrics.items()},
        "faults": _from(file, suite.faults) if suite.faults else None,
        "conversations": list({**_kept(file), **new}.values()),
    }
    return {key: value for key, value in body.items() if value}


def _kept(file: Path) -> dict[str, Any]:
    """The conversations that the file has already, by id."""
    import yaml

    if not file.is_file():
        return {}
    data = yaml.safe_load(file.read_text("utf-8"))
    return {each["id"]: each for each in data.get("conversations", ())}


def _from(file: Path, path: Path) -> str:
    """A path as a file names it that lies elsewhere."""
    return Path(os.path.relpath(path.resolve(), file.resolve().parent)).as_posix()


def _stub(stub: Stub, suite: Suite, file: Path) -> dict[str, Any]:
    written: dict[str, Any] = stub.model_dump(mode="json", by_alias=True, exclude_unset=True)
    code, colon, function = (stub.call or "").rpartition(":")
    if code.endswith(".py"):
        written["call"] = f"{_from(file, suite.source.parent / code)}{colon}{function}"
    return written


def _conversation(broken: Broken, file: Path) -> dict[str, Any]:
    script, source = broken.variation.script, broken.suite.source
    kinds = "-".join(dict.fromkeys(each.kind for each in broken.variation.applied))
    body: dict[str, Any] = {
        "id": f"{broken.conversation.id}-{kinds}"[:200],
        "cluster": script.cluster or broken.conversation.id,
        "tags": [*script.tags, "regression"],
        "as": script.as_,
        "escalation": _written(script.escalation) if script.escalation else None,
        "history": [each.model_dump() for each in script.history],
        "turns": [_turn(turn, place, broken, source, file) for place, turn in enumerate(script.turns)],
        "expect": _expect(script.expect) | _calls(broken),
        "perturb": False,
    }
    return {key: value for key, value in body.items() if value or value is False}


def _turn(turn: Turn, place: int, broken: Broken, source: Path, file: Path) -> dict[str, Any]:
    body: dict[str, Any] = {"user": turn.user}
    if turn.attach:
        body["attach"] = [
            {"file": _from(file, source.parent / each.file), "tools": list(each.tools)}
            for each in turn.attach
        ]
    body |= {key: True for key in ("returning", "forget") if getattr(turn, key)}
    if turn.deadline_s:
        body["deadline_s"] = turn.deadline_s
    return body | {"expect": _expect(turn.expect) | _stays(place, broken)}


def _written(record: FileRecord) -> dict[str, Any]:
    """A part of a suite as its author wrote it."""
    return record.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _expect(expect: Expect) -> dict[str, Any]:
    """What is expected, defaults of the suite merged in."""
    return {
        key: value
        for key, value in expect.model_dump(mode="json", by_alias=True, exclude_unset=True).items()
        if value is not None and value != []
    }


def _stays(place: int, broken: Broken) -> dict[str, Any]:
    """What must stay in a turn, where the suite expects nothing of the kind."""
    own, lost = broken.variation.script.turns[place].expect, broken.broken
    found: dict[str, Any] = {}
    if "escalation" in lost and own.escalates is None:
        found |= _agreed("escalates", broken, lambda each: _at(each.handed_over, place))
    if "grounded" in lost and own.grounded is None and _at(broken.before[0].grounded, place):
        found["grounded"] = True
    if "instructions" in lost:
        answer = _expect(own).get("answer", {})
        found["answer"] = answer | {"omits": [*answer.get("omits", ()), CANARY]}
    return found


def _calls(broken: Broken) -> dict[str, Any]:
    """Of the conversation: the functions that the user's own words had called, each as often."""
    own, before = broken.variation.script.expect, broken.before[0].calls
    if "tools" not in broken.broken or own.calls is not None or own.never_calls is not None:
        return {}
    functions = [function.name for function in broken.variant.assistant.functions]
    calls = [{"tool": name, "times": before[name]} for name in functions if before[name]]
    never = [name for name in functions if not before[name]]
    return {key: value for key, value in (("calls", calls), ("never_calls", never)) if value}


def _at(states: Sequence[bool | None], place: int) -> bool | None:
    return states[place] if place < len(states) else None


def _agreed(key: str, broken: Broken, state: Callable[[Observed], bool | None]) -> dict[str, bool]:
    states = [state(each) for each in broken.before]
    first = states[0]
    return {key: first} if first is not None and all(each == first for each in states) else {}
