"""Tool stubs: what the assistant's function calls are answered with."""

from __future__ import annotations

import math
import os
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.suite.matching import matches_object
from harness.suite.records import Stub
from harness.targets.calling import called
from harness.targets.interface import FunctionCall, FunctionOutput

_NOBODY = '{"error":"no answer came in time"}'


class StubBook:
    """The stubs of one trial; of those that match a call, the first with uses left answers it.

    Args:
        stubs: By function.
        functions: The Python functions that stubs call, by the name in ``call``.
    """

    def __init__(
        self, stubs: Mapping[str, Sequence[Stub]], functions: Mapping[str, Callable[..., Any]] | None = None
    ) -> None:
        self._stubs = stubs
        self._functions = functions or {}
        self._calls: Counter[str] = Counter()
        self._used: Counter[tuple[str, int]] = Counter()

    async def answer(self, call: FunctionCall) -> FunctionOutput:
        """The output for a call; a call that nothing answers gets an error output, and a finding."""
        self._calls[call.name] += 1
        try:
            arguments = msgspec.json.decode(call.arguments or "{}")
        except msgspec.DecodeError as error:
            return _refusal(f"the arguments of {call.name} are not JSON: {error}")
        place = self._choose(call.name, arguments)
        if place is None:
            return _refusal(f"no stub of {call.name!r} answers these arguments: {call.arguments}")
        use = self._used[call.name, place]
        self._used[call.name, place] += 1
        return await self._output(self._stubs[call.name][place], arguments, use)

    def _choose(self, name: str, arguments: Any) -> int | None:
        for place, stub in enumerate(self._stubs.get(name, ())):
            is_its_turn = stub.nth is None or stub.nth == self._calls[name]
            left = stub.most_uses is None or self._used[name, place] < stub.most_uses
            if is_its_turn and left and matches_object(stub.when, arguments) is None:
                return place
        return None

    async def _output(self, stub: Stub, arguments: Any, use: int) -> FunctionOutput:
        if stub.times_out:
            return FunctionOutput(_NOBODY, takes_s=math.inf)
        made = await self._made(stub, arguments, use)
        return FunctionOutput(made.output, made.error, stub.takes_s or 0.0)

    async def _made(self, stub: Stub, arguments: Any, use: int) -> FunctionOutput:
        if stub.call is not None:
            return await _output_of(stub.call, self._functions[stub.call], arguments)
        if stub.fails is not None:
            return FunctionOutput(_json({"error": stub.fails}))
        if stub.raw is not None:
            return FunctionOutput(stub.raw)
        value = stub.returns if stub.returns_each is None else stub.returns_each[use]
        return FunctionOutput(_text(value))


# --- functions of the suite's author -------------------------------------------------------------------


async def _output_of(name: str, function: Callable[..., Any], arguments: dict[str, Any]) -> FunctionOutput:
    """What a Python function makes of the arguments; what it raises is an error output, and a finding."""
    try:
        returned = await called(function, **arguments)
    except Exception as failure:  # noqa: BLE001 - of the suite's own code: it becomes data of the trial
        said = f"{type(failure).__name__}: {failure}"
        return FunctionOutput(_json({"error": said}), error=f"{place_of(failure, function)}: {said}")
    try:
        return FunctionOutput(_text(returned))
    except (TypeError, msgspec.MsgspecError, RecursionError) as failure:
        return _refusal(f"{name} returned a {type(returned).__name__}, which is no JSON: {failure}")


def place_of(failure: BaseException, function: Callable[..., Any]) -> str:
    """``file:line`` of what failed: the last line of the function's own file that was under way."""
    frames = traceback.extract_tb(failure.__traceback__)
    code = getattr(function, "__code__", None)
    own = [frame for frame in frames if code is not None and frame.filename == code.co_filename]
    frame = own[-1] if own else frames[-1]
    return f"{shown_path(frame.filename)}:{frame.lineno}"


def shown_path(file: str) -> str:
    """The path from the working folder, where it leads into it; else as it is."""
    try:
        relative = os.path.relpath(file)
    except ValueError:  # another drive
        return file
    return file if relative.startswith("..") else Path(relative).as_posix()


def _refusal(reason: str) -> FunctionOutput:
    return FunctionOutput(_json({"error": reason}), error=reason)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
