"""Tool stubs: what the assistant's function calls are answered with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from harness.suite.matching import matches_object
from harness.suite.records import Stub
from harness.targets.interface import FunctionCall, FunctionOutput


class StubBook:
    """The stubs of one trial; of those that match a call, the first with uses left answers it."""

    def __init__(self, stubs: Mapping[str, Sequence[Stub]]) -> None:
        self._stubs = stubs
        self._used: Counter[int] = Counter()

    async def answer(self, call: FunctionCall) -> FunctionOutput:
        """The output for a call; a call that nothing answers gets an error output, and a finding."""
        try:
            arguments = msgspec.json.decode(call.arguments or "{}")
        except msgspec.DecodeError as error:
            return _refusal(f"the arguments of {call.name} are not JSON: {error}")
        stub = self._choose(call.name, arguments)
        if stub is None:
            return _refusal(f"no stub of {call.name!r} answers these arguments: {call.arguments}")
        self._used[id(stub)] += 1
        if stub.fails is not None:
            return FunctionOutput(_json({"error": stub.fails}))
        return FunctionOutput(stub.returns if isinstance(stub.returns, str) else _json(stub.returns))

    def _choose(self, name: str, arguments: Any) -> Stub | None:
        for stub in self._stubs.get(name, ()):
            left = stub.times is None or self._used[id(stub)] < stub.times
            if left and matches_object(stub.when, arguments) is None:
                return stub
        return None


def _refusal(reason: str) -> FunctionOutput:
    return FunctionOutput(_json({"error": reason}), error=reason)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
