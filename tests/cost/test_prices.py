"""Known prices are computed, unknown ones stay unknown."""

from __future__ import annotations

import re
from decimal import Decimal

import genai_prices
import pytest
from genai_prices import calc_price
from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st

from harness.cost.prices import Cost, ModelPrice, PriceBook, code_interpreter_cost, fees, token_cost
from harness.cost.usage import Usage, from_api, total


def _words_of_the_book() -> list[str]:
    """Every model the book lists, as written and without all that a plain word has not."""
    (book,) = (provider for provider in providers if provider.id == "openai")
    ids = [model.id for model in book.models]
    return sorted({*ids, *(re.sub(r"[\d-]", "", each) for each in ids)})


def test_tokens_are_billed_at_list_price_with_cached_ones_at_their_own_rate() -> None:
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=100_000, cached_tokens=400_000)
    # gpt-4o: 2.50 in, 1.25 cached, 10.00 out per million
    assert token_cost("gpt-4o", usage).usd == Decimal("3.00")


def test_an_unknown_model_has_an_unknown_price_and_says_so() -> None:
    cost = token_cost("no-such-model", Usage(prompt_tokens=5))
    assert cost.usd is None
    assert "no-such-model" in cost.reason


@given(st.text("abcdefghijklmnopqrstuvwxyz_ .:/ADMO", max_size=12) | st.sampled_from(_words_of_the_book()))
def test_a_name_that_the_book_is_not_asked_for_has_no_price_in_it(name: str) -> None:
    if token_cost(name, Usage(prompt_tokens=5)).usd is None:
        with pytest.raises(LookupError):
            calc_price(genai_prices.Usage(input_tokens=5), model_ref=name, provider_id="openai")


@pytest.mark.parametrize("name", ["ada", "davinci", "Curie", "babbage", "omni-moderation-latest"])
def test_listed_models_named_by_a_plain_word_keep_their_price(name: str) -> None:
    assert token_cost(name, Usage(prompt_tokens=5)).usd is not None


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


OWN = PriceBook({"my-model": ModelPrice(Decimal("1.10"), Decimal("4.40"), Decimal("0.55"))})


def test_a_price_of_ones_own_holds_before_the_list_and_for_dated_names() -> None:
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=100_000, cached_tokens=400_000)
    expected = Decimal("0.66") + Decimal("0.22") + Decimal("0.44")
    assert OWN.token_cost("my-model", usage).usd == expected
    assert OWN.token_cost("my-model-2026-03-05", usage).usd == expected
    assert OWN.token_cost("gpt-4o", usage) == token_cost("gpt-4o", usage)
    assert OWN.token_cost("my-model-large", usage).usd is None


def test_a_price_of_the_model_that_was_asked_for_holds_whatever_name_is_reported() -> None:
    usage = Usage(prompt_tokens=1_000_000)
    assert OWN.asked_for("my-model")("gpt-4o", usage).usd == Decimal("1.10")
    assert OWN.asked_for("gpt-4o")("my-model", usage).usd == Decimal("1.10")
    assert OWN.asked_for("my-model")("gpt-4o", None).usd is None


def test_usage_that_can_not_be_has_an_unknown_cost() -> None:
    cost = token_cost("gpt-4o", Usage(prompt_tokens=1, cached_tokens=2))
    assert cost.usd is None and "can't be" in cost.reason


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**5), st.integers(0, 10**5))
def test_more_tokens_never_cost_less(prompt: int, more: int, wrote: int, cached: int) -> None:
    for model in ("gpt-5.4", "gpt-4o-mini", "my-model"):
        less = Usage(prompt_tokens=prompt, completion_tokens=wrote, cached_tokens=min(cached, prompt))
        most = Usage(prompt_tokens=prompt + more, completion_tokens=wrote + more)
        assert (OWN.token_cost(model, less).usd or 0) <= (OWN.token_cost(model, most).usd or 0)
