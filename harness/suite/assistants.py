"""Assistant files become variants: checked, documents found, fingerprint taken.

An assistant file may be a patch over another one: ``base: other.yaml`` and the keys that are replaced (null
puts a key back to its default); ``add_tools`` and ``remove_tools`` change single tools. With ``id: asst_...``
it describes an assistant that exists at the target.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import Problem, SuiteError, Where
from harness.suite.check import check_assistant
from harness.suite.records import AssistantFile, Variant
from harness.yamlfile.mistakes import Mistake, did_you_mean, mistakes_in, shown
from harness.yamlfile.source import (
    Place,
    Source,
    kind_of,
    missing_file,
    read_source,
    unreadable_file,
)

_ID = re.compile(r"asst_\w+\Z")
_UNKNOWN_MODEL = "unknown"  # of an assistant that exists already; the target says which it is when it runs
_FILE_KEYS = ("base", "add_tools", "remove_tools", "id")
_OF_THE_FILE = ("base", "add_tools", "remove_tools")  # and not of the assistant
_DECIDING = {
    "instructions",
    "model",
    "tools",
    "temperature",
    "top_p",
    "reasoning_effort",
    "response_format",
    "max_prompt_tokens",
    "max_completion_tokens",
    "tool_choice",
    "parallel_tool_calls",
    "truncation_strategy",
}


def load_variant(path: Path, *, name: str | None = None) -> Variant:
    """The assistant of a file, ready to be provisioned.

    Args:
        path: A YAML file, complete or a patch over another (``base:``).
        name: What the variant is called; the file's name without its ending by default.

    Raises:
        SuiteError: With every mistake of the file, its base, and the documents it names.
    """
    layers = _Layers(_sources(path))
    data = layers.merged()
    assistant_id = data.pop("id", None)
    if assistant_id is not None:
        data = {"name": str(assistant_id), "model": _UNKNOWN_MODEL, **data}
    problems = [*layers.problems(), *layers.patch_problems(), *_id_problems(assistant_id, layers)]
    assistant = _validated(data, layers, problems)
    if assistant is None:
        raise SuiteError(_in_order(problems))
    problems += [layers.problem(mistake) for mistake in check_assistant(assistant)]
    documents = _found(assistant.knowledge, "knowledge", layers, problems)
    code_documents = _found(assistant.code_files, "code_files", layers, problems)
    digests = [
        _digests(documents, layers.where("knowledge"), problems),
        _digests(code_documents, layers.where("code_files"), problems),
    ]
    if problems:
        raise SuiteError(_in_order(problems))
    return Variant(
        name=name or path.stem,
        assistant=assistant,
        source=path,
        documents=documents,
        code_documents=code_documents,
        assistant_id=assistant_id,
        fingerprint=_fingerprint(assistant, assistant_id, *digests),
    )


def is_assistant_id(text: str) -> bool:
    """Whether this is the id of an assistant that exists (``asst_...``), not a file."""
    return _ID.match(text) is not None


def existing_assistant(assistant_id: str) -> Variant:
    """The variant that stands for an assistant which exists at the target already.

    Nothing is known of it but its id: checks that need its tools or documents are left to the run.
    """
    assistant = AssistantFile(name=assistant_id, model=_UNKNOWN_MODEL)
    return Variant(
        name=assistant_id,
        assistant=assistant,
        assistant_id=assistant_id,
        fingerprint=_fingerprint(assistant, assistant_id, [], []),
    )


_SORTED = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def sorted_json(content: Any) -> bytes:
    """Plain JSON data as what digests are taken of: the same for every order of keys."""
    return _SORTED.encode(content).encode("utf-8", "surrogatepass")


def digest_of(content: Any) -> str:
    """SHA-256 over plain JSON data, the same for every order of keys."""
    return hashlib.sha256(sorted_json(content)).hexdigest()


def digest_of_file(path: Path) -> str:
    """SHA-256 over the bytes of a file.

    Raises:
        OSError: It can't be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_of(variant: Variant) -> dict[str, Any]:
    """What the fingerprint covers, as plain JSON: what a person is shown when two versions differ.

    Raises:
        OSError: A document can't be read any more.
    """
    return _content(
        variant.assistant,
        variant.assistant_id,
        [(path.name, digest_of_file(path)) for path in variant.documents],
        [(path.name, digest_of_file(path)) for path in variant.code_documents],
    )


def _fingerprint(
    assistant: AssistantFile,
    assistant_id: str | None,
    documents: list[tuple[str, str]],
    code_documents: list[tuple[str, str]],
) -> str:
    return digest_of(_content(assistant, assistant_id, documents, code_documents))


def _content(
    assistant: AssistantFile,
    assistant_id: str | None,
    documents: list[tuple[str, str]],
    code_documents: list[tuple[str, str]],
) -> dict[str, Any]:
    return {
        "assistant": assistant.model_dump(mode="json", include=_DECIDING, exclude_none=True),
        "assistant_id": assistant_id,
        "documents": [list(pair) for pair in sorted(documents)],
        "code_documents": [list(pair) for pair in sorted(code_documents)],
    }


# --- layers: a file over its base -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layers:
    """An assistant file and the files below it, top first."""

    sources: tuple[Source, ...]

    def merged(self) -> dict[str, Any]:
        """The data: each key from the topmost file that has it, tools changed one by one."""
        data: dict[str, Any] = {}
        for source in reversed(self.sources):
            data |= {key: value for key, value in source.data.items() if key not in _OF_THE_FILE}
        if self.tools is not None:
            data["tools"] = [_value_at(*origin) for origin in self.tools]
        if len(self.sources) > 1:
            return {key: value for key, value in data.items() if value is not None}
        return data

    @cached_property
    def tools(self) -> list[tuple[Source, Place]] | None:
        """Where each tool of the assistant stands; None when no file changes single ones."""
        changed = any(key in source.data for source in self.sources for key in ("add_tools", "remove_tools"))
        usable = all(isinstance(source.data.get("tools"), list | None) for source in self.sources)
        if not (changed and usable):
            return None
        found: list[tuple[Source, Place]] = []
        for source in reversed(self.sources):
            if "tools" in source.data:
                found = [(source, ("tools", index)) for index in range(_length(source, "tools"))]
            found = _without(found, source)
            for index in range(_length(source, "add_tools")):
                found = _with(found, (source, ("add_tools", index)))
        return found

    def at(self, place: Place) -> tuple[Source, Place]:
        """The file in which the value at a place of the assistant stands, and where."""
        if self.tools is not None and len(place) > 1 and place[0] == "tools" and isinstance(place[1], int):
            source, own = self.tools[place[1]]
            return source, (*own, *place[2:])
        return self.of(place), place

    def patch_problems(self) -> Iterator[Problem]:
        """Mistakes in what is to be done with single tools."""
        for depth, source in enumerate(self.sources):
            below = _Layers(self.sources[depth + 1 :])
            for key in ("add_tools", "remove_tools"):
                if key in source.data:
                    yield from _patch_problems(source, key, below)

    def of(self, place: Place) -> Source:
        """The file in which the value at a place stands."""
        return next((source for source in self.sources if source.has(place[:1])), self.sources[0])

    def where(self, key: str) -> Where:
        """Where a key of the assistant stands."""
        return self.of((key,)).where((key,))

    def problem(self, mistake: Mistake) -> Problem:
        source, place = self.at(mistake.place)
        return Problem(mistake.message, source.where(place, key=mistake.at_key), mistake.hint)

    def problems(self) -> Iterator[Problem]:
        for source in self.sources:
            yield from source.problems


def _length(source: Source, key: str) -> int:
    value = source.data.get(key)
    return len(value) if isinstance(value, list) else 0


def _value_at(source: Source, place: Place) -> Any:
    value: Any = source.data
    for step in place:
        value = value[step]
    return value


def _tool_name(source: Source, place: Place) -> str | None:
    return _name_of(_value_at(source, place))


def _name_of(tool: Any) -> str | None:
    """The name of a function, the type of another tool; None for what is neither."""
    if not isinstance(tool, dict):
        return None
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else tool.get("type")
    return name if isinstance(name, str) else None


def _without(tools: list[tuple[Source, Place]], source: Source) -> list[tuple[Source, Place]]:
    """The tools that a file does not remove."""
    removed = source.data.get("remove_tools")
    names = {name for name in removed if isinstance(name, str)} if isinstance(removed, list) else set()
    return [origin for origin in tools if _tool_name(*origin) not in names]


def _with(tools: list[tuple[Source, Place]], added: tuple[Source, Place]) -> list[tuple[Source, Place]]:
    """The tools with one more; it takes the place of one with its name."""
    name = _tool_name(*added)
    there = next((n for n, each in enumerate(tools) if name and _tool_name(*each) == name), None)
    return [*tools, added] if there is None else [*tools[:there], added, *tools[there + 1 :]]


def _patch_problems(source: Source, key: str, below: _Layers) -> Iterator[Problem]:
    """Mistakes in ``add_tools`` or ``remove_tools`` of a file over those below it."""
    value = source.data[key]
    if not below.sources:
        hint = "name the other file with base, or write tools"
        yield Problem(
            f"{key} changes the tools of another file, and there is none", source.where((key,)), hint
        )
    elif not isinstance(value, list):
        what = "tools, as tools has them" if key == "add_tools" else "names of functions and tools"
        yield Problem(f"{key} must be a list of {what}, not {shown(value)}", source.where((key,)))
    elif key == "remove_tools":
        names = _tool_names(below)
        for index, name in enumerate(value):
            if name not in names:
                where = source.where((key, index))
                hint = did_you_mean(str(name), names, label="tools")
                yield Problem(f"there is no tool {shown(name)} to remove", where, hint)


def _tool_names(layers: _Layers) -> list[str]:
    tools = layers.merged().get("tools")
    named = map(_name_of, tools if isinstance(tools, list) else [])
    return [name for name in named if name is not None]


def _sources(path: Path) -> tuple[Source, ...]:
    """The file and its bases, top first."""
    sources: list[Source] = []
    seen: set[Path] = set()
    named_at: Where | None = None
    while True:
        if named_at is not None and kind_of(path) is None:
            raise SuiteError([missing_file(path, named_at)])
        source = read_source(path)
        if not isinstance(source.data, dict):
            raise SuiteError([_not_an_assistant(source)])
        sources.append(source)
        seen.add(path.resolve())
        base = source.data.get("base")
        if base is None:
            return tuple(sources)
        named_at = source.where(("base",))
        path = _base_path(path, base, named_at, seen)


def _base_path(path: Path, base: Any, named_at: Where, seen: set[Path]) -> Path:
    if not isinstance(base, str):
        raise SuiteError(
            [Problem(f"base must be the path of an assistant file, not {shown(base)}", named_at)]
        )
    found = Path(os.path.normpath(path.parent / base))
    if found.resolve() in seen:
        raise SuiteError(
            [Problem(f"{base!r} is based on this file", named_at, "a file cannot be its own base")]
        )
    return found


def _not_an_assistant(source: Source) -> Problem:
    message = (
        f"an assistant file is a block with name, model, instructions and tools, not {shown(source.data)}"
    )
    return Problem(message, source.where(()))


def _id_problems(assistant_id: Any, layers: _Layers) -> Iterator[Problem]:
    if assistant_id is not None and not (isinstance(assistant_id, str) and is_assistant_id(assistant_id)):
        message = f"id must be the id of an assistant (asst_...), not {shown(assistant_id)}"
        yield layers.problem(Mistake(("id",), message))


def _validated(data: dict[str, Any], layers: _Layers, problems: list[Problem]) -> AssistantFile | None:
    try:
        return AssistantFile.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        found = mistakes_in(
            error,
            AssistantFile,
            data,
            spelling=lambda place: _spelling(layers, place),
            more_keys={AssistantFile: _FILE_KEYS},
        )
        problems += [layers.problem(mistake) for mistake in found]
        return None


def _spelling(layers: _Layers, place: Place) -> str | None:
    source, own = layers.at(place)
    return source.text(own)


def _in_order(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(dict.fromkeys(problems), key=place_in_files)


def place_in_files(problem: Problem) -> tuple[str, int, int, str]:
    """For sorting: by file, line and column."""
    where = problem.where or Where("")
    return where.file, where.line or 0, where.column or 0, problem.message


# --- documents --------------------------------------------------------------------------------------------


def _found(patterns: tuple[str, ...], key: str, layers: _Layers, problems: list[Problem]) -> tuple[Path, ...]:
    """The files that paths and globs name, once each, in the order of their names."""
    source = layers.of((key,))
    folder = Path(source.file).parent
    found: dict[Path, None] = {}
    for index, pattern in enumerate(patterns):
        where = source.where((key, index))
        paths = _matching(folder, pattern)
        problems += _document_problems(folder, pattern, paths, where)
        found |= dict.fromkeys(paths)
    return tuple(sorted(found, key=lambda path: (path.name, str(path))))


def _matching(folder: Path, pattern: str) -> list[Path]:
    literal = Path(os.path.normpath(folder / pattern))
    if kind_of(literal) in ("file", "empty"):
        return [literal]
    try:
        found = glob.glob(os.path.join(glob.escape(str(folder)), pattern), recursive=True)  # noqa: PTH118, PTH207
    except (OSError, ValueError, re.error):
        return []
    paths = (Path(os.path.normpath(path)) for path in found)
    return [path for path in paths if kind_of(path) in ("file", "empty")]


def _document_problems(folder: Path, pattern: str, paths: list[Path], where: Where) -> Iterator[Problem]:
    literal = Path(os.path.normpath(folder / pattern))
    if not paths and kind_of(literal) == "folder":
        hint = f"write {pattern.rstrip('/')}/* for the files in it"
        yield Problem(f"{str(literal)!r} is a folder", where, hint)
    elif not paths and glob.has_magic(pattern):
        yield Problem(f"no file matches {pattern!r}", where, f"it is looked up from {str(folder)!r}")
    elif not paths:
        yield missing_file(literal, where)
    for path in paths:
        if kind_of(path) == "empty":
            yield Problem(f"{str(path)!r} is empty", where, "fill the document, or leave it out")


def _digests(paths: Iterable[Path], where: Where, problems: list[Problem]) -> list[tuple[str, str]]:
    """Name and SHA-256 of each document."""
    digests: list[tuple[str, str]] = []
    for path in paths:
        try:
            digests.append((path.name, digest_of_file(path)))
        except OSError as error:
            problems.append(unreadable_file(path, error, where))
    return digests
