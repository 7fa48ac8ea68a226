"""What the turns of a trace cost: tokens, sessions, and what only some APIs charge for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from harness.cost.prices import fees
from harness.cost.usage import Usage
from harness.trace.costs import turns_cost
from harness.trace.records import Message, RunStep, ToolCall, TurnTrace

SEARCHES = RunStep(
    id="s",
    type="tool_calls",
    status="completed",
    tool_calls=tuple(ToolCall(id=name, type="file_search", name="file_search") for name in ("a", "b")),
)


def _turn(**fields: Any) -> TurnTrace:
    return TurnTrace(
        user=Message(role="user", text="?"),
        status="completed",
        started_at=datetime(2026, 11, 1, tzinfo=UTC),
        latency_s=1.0,
        usage=Usage(prompt_tokens=0, completion_tokens=0),
        **fields,
    )


@pytest.mark.parametrize(("api", "calls"), [("responses", 2), ("assistants", 0), ("function", 0), (None, 0)])
def test_only_responses_charge_for_each_search(api: Any, calls: int) -> None:
    cost = turns_cost([_turn(api=api, steps=(SEARCHES,))], "gpt-5.4")
    assert cost.usd == fees()["responses.file_search"].usd * calls


@pytest.mark.parametrize("tier", [None, "default", "auto"])
def test_the_standard_tier_is_priced(tier: str | None) -> None:
    assert turns_cost([_turn(service_tier=tier)], "gpt-5.4").usd == Decimal(0)


@pytest.mark.parametrize("tier", ["flex", "priority", "scale"])
def test_another_tier_is_unknown_and_never_the_standard_price(tier: str) -> None:
    cost = turns_cost([_turn(service_tier=tier)], "gpt-5.4")
    assert cost.usd is None and tier in cost.reason


CODE = RunStep(
    id="c",
    type="tool_calls",
    status="completed",
    tool_calls=(ToolCall(id="c", type="code_interpreter", name="code_interpreter"),),
)


@pytest.mark.parametrize(
    ("api", "minutes", "sessions"),
    [("assistants", 59, 1), ("assistants", 60, 2), ("responses", 19, 1), ("responses", 20, 2)],
)
def test_a_session_of_code_lasts_as_long_as_its_api_lets_it(api: Any, minutes: int, sessions: int) -> None:
    first = _turn(api=api, steps=(CODE,))
    later = msgspec.structs.replace(first, started_at=first.started_at + timedelta(minutes=minutes))
    assert turns_cost([first, later], "gpt-5.4").usd == Decimal("0.03") * sessions
