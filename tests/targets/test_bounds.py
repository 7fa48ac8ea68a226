"""What a request can cost at most is never less than what the embedded server then counts."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cost import tokens
from harness.cost.charges import Charge
from harness.server.app import ServerOptions
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, file_search, function_call, run_code
from harness.suite.records import HistoryMessage
from harness.targets import bounds
from harness.targets.assistants import AssistantsTarget
from harness.targets.chat import ChatTarget
from harness.targets.embedded import EmbeddedWire
from harness.targets.interface import FunctionCall, FunctionOutput, OutgoingTurn
from harness.targets.responses import ResponsesTarget
from harness.targets.spending import Caps, spending_from

TICKET = {
    "type": "function",
    "function": {
        "name": "open_ticket",
        "description": "Opens a ticket.",
        "parameters": {"type": "object", "properties": {"subject": {"type": "string", "enum": ["a", "b"]}}},
    },
}
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=200)


class Held:
    """Notes what was held back and what was charged."""

    def __init__(self, most: Charge) -> None:
        self.most = most
        self.charge: Charge | None = None

    def settle(self, charge: Charge) -> None:
        self.charge = charge

    def give_back(self) -> None:
        raise AssertionError("nothing is refused here")

    def lose(self) -> None:
        raise AssertionError("everything is answered here")


class Purse:
    """Pays for everything and remembers it."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self.held: list[Held] = []

    async def hold(self, most: Charge) -> Held:
        return self.hold_now(most)

    def hold_now(self, most: Charge) -> Held:
        self.held.append(Held(most))
        return self.held[-1]


def played(target: Any, variant: Any, users: list[str], *, history: tuple[str, ...] = ()) -> Purse:
    purse = Purse(Caps(prompt_tokens=6_000, completion_tokens=400, tool_calls=3))

    async def fine(call: FunctionCall) -> FunctionOutput:
        return FunctionOutput(json.dumps({"told": call.arguments * 5}))

    async def go() -> None:
        try:
            await target.provision(variant)
            said = [HistoryMessage(role="user", content=text) for text in history]
            session = await target.open(variant, history=said)
            with spending_from(purse):
                for user in users:
                    await session.send(OutgoingTurn(user), fine, deadline_s=30)
        finally:
            await target.tear_down()

    asyncio.run(go())
    return purse


def hold_true(purse: Purse) -> None:
    """No charge is more than what was held back for it, in any of its parts."""
    assert purse.held
    for held in purse.held:
        most, charge = held.most.usage, held.charge
        assert most and charge and charge.usage
        assert charge.usage.prompt_tokens <= most.prompt_tokens
        assert charge.usage.completion_tokens <= most.completion_tokens
        assert charge.searches <= held.most.searches
        assert held.most.runs_code or not charge.runs_code


class Model:
    """Calls a function, or its hosted tools again and again, and then answers in the user's words."""

    def __init__(self, hosted: list[Any]) -> None:
        self._hosted = hosted

    def __call__(self, request: Any) -> Any:
        used = sum(message.role == "tool" for message in request.messages)
        wanted = self._hosted[used % len(self._hosted)] if self._hosted and used < 6 else None
        if wanted and wanted.kind in {tool["type"] for tool in request.tools}:
            return calls(wanted)
        last = request.messages[-1]
        if last.role == "user" and not self._hosted:
            return calls(function_call("open_ticket", subject=last.content[:50]))
        return "So it is: " + " ".join(message.content for message in request.messages)[:3000]


def wire(*hosted: Any) -> EmbeddedWire:
    return EmbeddedWire(ServerOptions(models=ModelTable(default=Scripted(Model(list(hosted))))))


@pytest.mark.parametrize("model", ["gpt-5.4", "gpt-4-turbo", "mistral-large"])
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(users=st.lists(TEXTS, min_size=1, max_size=3), history=st.lists(TEXTS, max_size=2), instructions=TEXTS)
def test_completions_and_responses_with_functions_never_count_more(
    make_variant: Any, model: str, users: list[str], history: list[str], instructions: str
) -> None:
    variant = make_variant(model=model, instructions=instructions, tools=[TICKET])
    for target in (ChatTarget("chat", wire()), ResponsesTarget("responses", wire(), poll_s=0.01)):
        hold_true(played(target, variant, users, history=tuple(history)))


def test_searches_and_code_in_a_response_never_count_more(make_variant: Any, tmp_path: Any) -> None:
    for number in range(3):
        (tmp_path / f"guide{number}.md").write_text("# Guide\n\n" + "Warranty, exports and returns. " * 3000)
    tools = [{"type": "file_search"}, {"type": "code_interpreter"}, TICKET]
    variant = make_variant(model="gpt-5.4", tools=tools, knowledge=["guide*.md"])
    hosted = [file_search("exports"), run_code("print('a line of text ' * 2000)"), file_search("warranty")]
    target = ResponsesTarget("responses", wire(*hosted), poll_s=0.01)
    purse = played(target, variant, ["How?", "And then?", "Why?"])
    hold_true(purse)
    counted = [held.charge.usage.prompt_tokens for held in purse.held if held.charge and held.charge.usage]
    assert max(counted) > 30_000  # the tools do fill the prompt


def test_a_run_never_counts_more_than_its_limits(make_variant: Any, tmp_path: Any) -> None:
    (tmp_path / "guide.md").write_text("# Guide\n\n" + "Warranty, exports and returns. " * 3000)
    variant = make_variant(model="gpt-5.4", tools=[{"type": "file_search"}, TICKET], knowledge=["guide.md"])
    target = AssistantsTarget("embedded", wire(file_search("exports")), poll_s=0.01)
    hold_true(played(target, variant, ["How?", "And then?"]))


def test_limits_of_the_assistant_hold_before_those_of_a_budget(make_variant: Any) -> None:
    variant = make_variant(model="gpt-5.4", max_completion_tokens=256, max_prompt_tokens=300)
    [held] = played(AssistantsTarget("embedded", wire(), poll_s=0.01), variant, ["How?"]).held
    assert held.most.usage and (held.most.usage.prompt_tokens, held.most.usage.completion_tokens) == (
        300,
        256,
    )


@given(TEXTS)
@settings(deadline=None)
def test_bytes_are_never_fewer_than_tokens(text: str) -> None:
    assert tokens.count(text) <= bounds.most_tokens(text, "somebody/unheard-of")
    assert tokens.count(text, "gpt-4o") == bounds.most_tokens(text, "gpt-4o")
