"""Known prices are computed, unknown ones stay unknown."""

from __future__ import annotations

from decimal import Decimal

from harness.cost.prices import Cost, code_interpreter_cost, fees, token_cost
from harness.cost.usage import Usage, from_api, total


def test_tokens_are_billed_at_list_price_with_cached_ones_at_their_own_rate() -> None:
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=100_000, cached_tokens=400_000)
    # gpt-4o: 2.50 in, 1.25 cached, 10.00 out per million
    assert token_cost("gpt-4o", usage).usd == Decimal("3.00")


def test_an_unknown_model_has_an_unknown_price_and_says_so() -> None:
    cost = token_cost("no-such-model", Usage(prompt_tokens=5))
    assert cost.usd is None
    assert "no-such-model" in cost.reason


def test_missing_usage_is_unknown_not_free() -> None:
    assert token_cost("gpt-4o", None).usd is None


def test_unknown_plus_known_is_unknown() -> None:
    assert (Cost(None, "why") + Cost(Decimal(1))) == Cost(None, "why")


def test_every_fee_has_a_source_and_a_date() -> None:
    assert code_interpreter_cost(2).usd == Decimal("0.06")
    assert all(fee.source and fee.date for fee in fees().values())


def test_both_spellings_of_cached_tokens_are_read() -> None:
    wire = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_token_details": {"cached_tokens": 4}}
    documented = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}}
    assert (
        from_api(wire) == from_api(documented) == Usage(prompt_tokens=9, completion_tokens=1, cached_tokens=4)
    )


def test_no_usage_at_all_is_none() -> None:
    assert from_api(None) is None
    assert total([None, None]) is None
    assert total([Usage(prompt_tokens=1), None, Usage(completion_tokens=2)]) == Usage(
        prompt_tokens=1, completion_tokens=2
    )
