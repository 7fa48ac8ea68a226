"""Python files become suites: imported, checked like YAML, with the line of every mistake.

Importing runs the top of the file; its conversations are played later, in the runner.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import Problem, SuiteError, Where
from harness.suite import authoring
from harness.suite.assistants import digest_of, digest_of_file
from harness.suite.authoring import WrittenConversation
from harness.suite.check import Facts, check_conversation, facts_of
from harness.suite.code import Code, keyword, methods_called, read_code
from harness.suite.expecting import plain, turn_mistakes
from harness.suite.foreach import read_table, typed_values
from harness.suite.naming import module_of_file
from harness.suite.quarantine import expired_quarantines, quarantine_mistakes
from harness.suite.records import (
    CodedConversation,
    CodedSuiteFile,
    Conversation,
    Expect,
    Rubric,
    Suite,
    Turn,
)
from harness.suite.rubrics import check_judged, check_rubrics
from harness.suite.stubs import check_stubs
from harness.yamlfile.mistakes import Mistake, mistakes_in
from harness.yamlfile.source import Place, kind_of

_MAKES_SUITES = re.compile(r"^\s*(?:from\s+harness\s+import\b.*|import\s+harness\b.*)$", re.MULTILINE)
_SUITE_CALL = re.compile(r"\bSuite\s*\(")
_SPEAKING = frozenset({"say", "until"})
_STAND_IN = "?"


def is_suite_file(path: Path) -> bool:
    """Whether a Python file makes a suite, so that it is one of a folder's."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return bool(_MAKES_SUITES.search(text) and _SUITE_CALL.search(text))


def suites_in(path: Path) -> list[authoring.Suite]:
    """The suites that a Python file makes, in its order.

    Raises:
        SuiteError: It can't be imported, or it makes none.
    """
    try:
        module = module_of_file(path)
    except (Exception, SystemExit) as error:
        raise SuiteError([_not_imported(path, error)]) from error
    own = str(path.resolve())
    found = {
        id(each): each
        for each in vars(module).values()
        if isinstance(each, authoring.Suite) and each.recipe.suite.file == own
    }
    if not found:
        hint = 'make one: support = harness.Suite("name", assistant="file.yaml")'
        raise SuiteError([Problem("this file makes no suite", Where(str(path)), hint)])
    return list(found.values())


def home_of(made: authoring.Suite) -> Path:
    """The file that a suite was made in; for a notebook a name in the working folder."""
    file = Path(made.recipe.suite.file)
    return file if kind_of(file) == "file" else Path("notebook")


def _not_imported(path: Path, error: BaseException) -> Problem:
    """What stopped the import, at the last line of the file that was under way."""
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path.resolve()):
            line = trace.tb_lineno
        trace = trace.tb_next
    told = error.msg if isinstance(error, SyntaxError) else error
    return Problem(f"cannot be imported: {type(error).__name__}: {told}", Where(str(path), line))


@dataclass(slots=True)
class CodedDraft:
    """A suite written in Python on its way to a record; knows the line of every value."""

    suite: authoring.Suite
    code: Code
    folder: Path
    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    _sources: list[WrittenConversation] = field(default_factory=list)
    _given: list[dict[str, Any]] = field(default_factory=list)

    def expand(self) -> Iterator[Problem]:
        """Write out rows and stubs as plain data; yields what can't be."""
        recipe = self.suite.recipe
        given = dict(recipe.suite.given)
        if "tools" in given:
            given["tools"] = self._stubs(given["tools"])
        conversations = []
        for written in recipe.conversations:
            rows, problems = self._rows(written)
            yield from problems
            for name, values in rows:
                self._sources.append(written)
                self._given.append(values)
                conversations.append({**written.written.given, "id": name})
        if not recipe.conversations:
            hint = f"decorate an async function with @{_STAND_IN}.conversation".replace(_STAND_IN, "suite")
            yield Problem("the suite has no conversations", self._where(()), hint)
        self.data, mistakes = plain({**given, "conversations": conversations})
        yield from map(self.problem, mistakes)

    def _stubs(self, tools: Any) -> Any:
        """The stubs with every function by a name; one stub, or a function, may stand without a list."""
        if not isinstance(tools, Mapping):
            return tools
        return {name: [self._stub(each) for each in _listed(answers)] for name, answers in tools.items()}

    def _stub(self, stub: Any) -> Any:
        if callable(stub):
            return {"call": self._named(stub)}
        if isinstance(stub, Mapping) and callable(stub.get("call")):
            return {**stub, "call": self._named(stub["call"])}
        return stub

    def _named(self, function: Callable[..., Any]) -> str:
        """The name of a function in reports: its own, with a number when another one has it."""
        name = getattr(function, "__qualname__", type(function).__qualname__)
        same = [key for key, each in self.functions.items() if key.partition("#")[0] == name]
        known = next((key for key in same if self.functions[key] is function), None)
        chosen = known or (f"{name}#{len(same) + 1}" if same else name)
        self.functions[chosen] = function
        return chosen

    # --- rows -----------------------------------------------------------------------------------------

    def _rows(self, written: WrittenConversation) -> tuple[list[tuple[Any, dict[str, Any]]], list[Problem]]:
        """The id and the values of each conversation that a function is played for."""
        name = written.written.given.get("id", _spelt(getattr(written.function, "__name__", _STAND_IN)))
        problems = list(self._shape(written))
        if problems:
            return [(name, {})], problems
        if written.rows is None:
            return [(name, {})], [*self._parameters(written, {})]
        try:
            rows = self._table(written)
        except SuiteError as error:
            return [(name, {})], list(error.problems)
        named = [(f"{name}-{row.get('id', number)}", row) for number, row in enumerate(rows, start=1)]
        problems = [problem for row in rows[:1] for problem in self._parameters(written, row)]
        for mistake in plain(rows)[1]:
            where = self._line_of(written, ("rows", *mistake.place))
            problems.append(Problem(mistake.message, where, mistake.hint))
        if not rows:
            problems.append(Problem("rows has no row", self._line_of(written, ("rows",)), "add a mapping"))
        wanted = set(inspect.signature(written.function).parameters)
        return [(each, {key: row[key] for key in row if key in wanted}) for each, row in named], problems

    def _shape(self, written: WrittenConversation) -> Iterator[Problem]:
        function = written.function
        if not inspect.iscoroutinefunction(function):
            told = getattr(function, "__name__", repr(function))
            message = f"{told!r} must be an async function that takes a talk"
            yield Problem(message, self._line_of(written, ()), f"write: async def {told}(talk)")
        elif not inspect.signature(function).parameters:
            message = f"{function.__name__!r} has no parameter for the talk"
            hint = f"write: async def {function.__name__}(talk)"
            yield Problem(message, self._line_of(written, ()), hint)

    def _table(self, written: WrittenConversation) -> list[dict[str, Any]]:
        if not isinstance(written.rows, str):
            return [dict(row) for row in written.rows or ()]
        path = Path(os.path.normpath(self.folder / written.rows))
        return typed_values(read_table(path, self._line_of(written, ("rows",))))

    def _parameters(self, written: WrittenConversation, row: Mapping[str, Any]) -> Iterator[Problem]:
        """Parameters that no column fills; columns without one are left out."""
        _, *others = inspect.signature(written.function).parameters.values()
        for each in others:
            if each.default is each.empty and each.kind not in _MANY and each.name not in row:
                has = f"the rows have no column {each.name!r}" if row else "there are no rows"
                message = f"{written.function.__name__!r} needs {each.name!r}, and {has}"
                hint = f"columns: {', '.join(map(str, row))}" if row else "give rows=[...], or a default"
                yield Problem(message, self._line_of(written, ("rows",)), hint)

    # --- records ----------------------------------------------------------------------------------------

    def validated(self, report: Callable[[Iterable[Problem]], None]) -> CodedSuiteFile | None:
        """The record; None with every mistake told when something does not fit."""
        try:
            file = CodedSuiteFile.model_validate_json(
                json.dumps(self.data), strict=True, by_alias=True, by_name=False
            )
        except ValidationError as error:
            report(map(self.problem, mistakes_in(error, CodedSuiteFile, self.data)))
            return None
        default = file.expect or Expect()
        coded = [
            each.model_copy(
                update={
                    "function": source.function,
                    "row": row,
                    "default": default,
                    "deadline_s": each.deadline_s or file.deadline_s,
                }
            )
            for each, source, row in zip(file.conversations, self._sources, self._given, strict=True)
        ]
        return file.model_copy(update={"conversations": tuple(coded)})

    def expired(self, suite: Suite, today: date) -> Iterator[Problem]:
        """Quarantines that are over."""
        return map(self.problem, expired_quarantines(suite, today))

    def check(self, suite: Suite, today: date) -> Iterator[Problem]:
        """What is wrong with the meaning of what was written, also in what the functions say."""
        facts = facts_of(suite.variant)
        yield from map(self.problem, quarantine_mistakes(suite, today))
        yield from map(self.problem, check_stubs(suite.stubs, suite.functions, facts, self.folder))
        yield from map(self.problem, check_rubrics(suite.rubrics))
        first: dict[str, int] = {}
        for index, conversation in enumerate(suite.conversations):
            if first.setdefault(conversation.id, index) != index:
                message = f"the conversation id {conversation.id!r} is used twice"
                hint = "give one of them an id of its own; with rows, a column id"
                yield Problem(message, self._where(("conversations", index, "id")), hint)
            if isinstance(conversation, CodedConversation):
                found = _of_conversation(conversation, facts, self.folder)
                for mistake in (*found, *check_judged(conversation, suite.rubrics)):
                    place = ("conversations", index, *mistake.place)
                    yield Problem(mistake.message, self._where(place, key=mistake.at_key), mistake.hint)
        default = suite.conversations[0] if suite.conversations else None
        if isinstance(default, CodedConversation):
            for written in self.suite.recipe.conversations:
                yield from self._said(written, default.default, facts, suite.rubrics)

    def _said(
        self,
        written: WrittenConversation,
        default: Expect,
        facts: Facts | None,
        rubrics: Mapping[str, Rubric],
    ) -> Iterator[Problem]:
        """Mistakes in the expectations that a function has written out."""
        code = inspect.unwrap(written.function).__code__
        function = self.code.function_at(written.function.__name__, code.co_firstlineno)
        for call in methods_called(function, _SPEAKING) if function is not None else ():
            for mistake in self._of_call(call, default, facts, rubrics):
                yield Problem(
                    mistake.message,
                    self._in_call(call, mistake),
                    mistake.hint,
                )

    def _of_call(
        self, call: ast.Call, default: Expect, facts: Facts | None, rubrics: Mapping[str, Rubric]
    ) -> Iterator[Mistake]:
        given: dict[str, Any] = {}
        for name in ("expect", "attach"):
            node = keyword(call, name)
            is_known, value = self.code.literal(node) if node is not None else (False, None)
            if is_known and value is not None:
                given[name] = value
        yield from turn_mistakes(given, default, facts, self.folder, rubrics=rubrics)

    def _in_call(self, call: ast.Call, mistake: Mistake) -> Where:
        """Where it stands; what a turn does not say itself it has from the suite's defaults."""
        top = keyword(call, str(mistake.place[0])) if mistake.place else None
        if top is None:
            return self._where(mistake.place, key=mistake.at_key)
        return self.code.where_in(call, mistake.place, key=mistake.at_key)

    # --- places -------------------------------------------------------------------------------------------

    def problem(self, mistake: Mistake) -> Problem:
        """The mistake with its place in the file."""
        return Problem(mistake.message, self._where(mistake.place, key=mistake.at_key), mistake.hint)

    def _where(self, place: Place, *, key: bool = False) -> Where:
        if len(place) > 1 and place[0] == "conversations" and isinstance(place[1], int):
            return self._line_of(self._sources[place[1]], place[2:], key=key)
        return self.code.where(self.suite.recipe.suite.line, place, key=key)

    def where(self, place: Place) -> Where:
        """Where a value of the suite stands."""
        return self._where(place)

    def _line_of(self, written: WrittenConversation, place: Place, *, key: bool = False) -> Where:
        return self.code.where(written.written.line, place, key=key)


_MANY = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def _listed(answers: Any) -> list[Any]:
    return list(answers) if isinstance(answers, list | tuple) else [answers]


def _spelt(name: str) -> str:
    return name.strip("_").replace("_", "-") or _STAND_IN


def _of_conversation(conversation: CodedConversation, facts: Facts | None, folder: Path) -> Iterator[Mistake]:
    """Mistakes in what must hold for the whole; its turns are as many as it may take."""
    stand_in = Conversation(
        id=_STAND_IN,
        turns=(Turn(user=_STAND_IN, expect=Expect()),) * conversation.most_turns,
        expect=conversation.expect,
        escalation=conversation.escalation,
    )
    yield from check_conversation(stand_in, facts, folder)


# --- fingerprint --------------------------------------------------------------------------------------------


def digests_of_code(code: Code, folder: Path) -> list[str]:
    """Of what decides what a Python suite does: its text, what it imports beside it, the files it names."""
    files: set[Path] = set()
    _gather(code, folder, files)
    return [digest_of(code.text), *(digest_of_file(path) for path in sorted(files))]


def _gather(code: Code, folder: Path, files: set[Path]) -> None:
    """Add the files that code names or imports from a folder, and what these import in turn."""
    named = {Path(os.path.normpath(folder / text)) for text in code.texts() if _may_be_a_path(text)}
    files |= {path for path in named if kind_of(path) == "file"}
    for name in code.imported():
        stem = folder.joinpath(*name.split("."))
        for path in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py"):
            if path not in files and kind_of(path) == "file":
                files.add(path)
                _gather(read_code(str(path), str(path)), folder, files)


def _may_be_a_path(text: str) -> bool:
    return 0 < len(text) < 300 and "\n" not in text and "\0" not in text and "." in text
