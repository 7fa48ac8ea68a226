"""Where values stand in a Python file, so that a mistake in one is told with its line and column."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.errors import Where
from harness.yamlfile.source import Place

_SPELLING = {"as": "as_"}  # keys of a suite that are words of Python


@dataclass(frozen=True)
class Code:
    """One Python file, or a cell of a notebook, as far as its text is known."""

    file: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The file, parsed; empty when it can't be."""
        try:
            return ast.parse(self.text)
        except (SyntaxError, ValueError):
            return ast.Module([], [])

    def call_at(self, line: int) -> ast.Call | None:
        """The outermost call that begins in a line."""
        calls = [node for node in self._calls() if node.lineno == line]
        return min(calls, key=lambda node: node.col_offset, default=None)

    def _calls(self) -> Iterator[ast.Call]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))

    def where(self, line: int, place: Place, *, key: bool = False) -> Where:
        """Where a value of a call stands, or the nearest that is around it.

        Args:
            line: Of the call.
            place: The argument, and the way down into it.
            key: The key is meant, not its value.
        """
        node: ast.AST | None = self.call_at(line)
        return Where(self.file, line) if node is None else self.where_in(node, place, key=key)

    def where_in(self, node: ast.AST, place: Place, *, key: bool = False) -> Where:
        """The same for a call or value that is at hand."""
        at: ast.AST = node
        for step in place:
            pair = self._child(node, step)
            if pair is None:
                continue  # written in a shorter way, or somewhere else
            at, node = (pair[0] if key else pair[1]), pair[1]
        return Where(self.file, getattr(at, "lineno", 1), getattr(at, "col_offset", 0) + 1)

    def _child(self, node: ast.AST, step: str | int) -> tuple[ast.AST, ast.AST] | None:
        """The key and the value one step down."""
        node = self._meant(node)
        if isinstance(node, ast.Call):
            return _argument(node, step)
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            return next(((k, v) for k, v in pairs if isinstance(k, ast.Constant) and k.value == step), None)
        if isinstance(node, ast.List | ast.Tuple) and isinstance(step, int) and step < len(node.elts):
            return node.elts[step], node.elts[step]
        return None

    def _meant(self, node: ast.AST) -> ast.AST:
        """A name at the top of the file stands for what was assigned to it."""
        return self._assigned.get(node.id, node) if isinstance(node, ast.Name) else node

    @cached_property
    def _assigned(self) -> dict[str, ast.expr]:
        return {
            target.id: node.value
            for node in self.tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    # --- what a function says -------------------------------------------------------------------------

    def function_at(self, name: str, line: int) -> ast.AsyncFunctionDef | None:
        """The async function of this name whose first line, decorators included, is this one."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.AsyncFunctionDef) and node.name == name:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                if line in (first, node.lineno):
                    return node
        return None

    def literal(self, node: ast.AST) -> tuple[bool, Any]:
        """Whether a value is written out, and the value."""
        try:
            return True, ast.literal_eval(self._meant(node))
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return False, None

    def texts(self) -> set[str]:
        """Every text that is written in the file."""
        nodes = (node for node in ast.walk(self.tree) if isinstance(node, ast.Constant))
        return {node.value for node in nodes if isinstance(node.value, str)}

    def imported(self) -> set[str]:
        """The modules that the file imports by name."""
        names: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
        return names


def methods_called(function: ast.AsyncFunctionDef, names: frozenset[str]) -> Iterator[ast.Call]:
    """The calls of these methods of the function's first parameter, in the order of the file."""
    parameters = [*function.args.posonlyargs, *function.args.args]
    talk = parameters[0].arg if parameters else None
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        method = call.func
        if (
            isinstance(method, ast.Attribute)
            and method.attr in names
            and isinstance(method.value, ast.Name)
            and method.value.id == talk
        ):
            yield call


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of an argument that is given by name."""
    return next((each.value for each in call.keywords if each.arg == name), None)


def read_code(file: str, name: str) -> Code:
    """The code of a file or of a notebook's cell, under a name; without text when it is gone."""
    linecache.checkcache(file)
    return Code(name, "".join(linecache.getlines(file)))


def _argument(call: ast.Call, step: str | int) -> tuple[ast.AST, ast.AST] | None:
    name = _SPELLING.get(str(step), str(step))
    if step == "suite" and call.args:
        return call.args[0], call.args[0]
    return next(((each, each.value) for each in call.keywords if each.arg == name), None)
