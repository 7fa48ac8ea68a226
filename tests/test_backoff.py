"""Waiting as the server asks, otherwise longer each time, and not for what will never go through."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.backoff import LONGEST_WAIT_S, wait_before_retry

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", [None, 408, 409, 429, 500, 502, 503, 529])
def test_what_may_pass_is_tried_again_after_half_a_second_first(status: int | None) -> None:
    assert wait_before_retry(1, status, {}, NOW) == 0.5


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_is_wrong_with_the_request_is_not_tried_again(status: int) -> None:
    assert wait_before_retry(1, status, {}, NOW) is None
    assert wait_before_retry(1, status, {"x-should-retry": "true"}, NOW) == 0.5


def test_a_server_that_says_never_is_believed() -> None:
    assert wait_before_retry(1, 503, {"x-should-retry": "false"}, NOW) is None


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after-ms": "250", "retry-after": "2"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:07 GMT"}, 7.0),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "whenever"}, 0.5),
        ({"retry-after": "-1"}, 0.5),
        ({"retry-after": "nan"}, 0.5),
        ({"retry-after": "3600"}, None),
    ],
)
def test_the_wait_is_what_the_answer_asks_for(headers: dict[str, str], wait_s: float | None) -> None:
    assert wait_before_retry(1, 429, headers, NOW) == wait_s


@given(st.integers(1, 1000), st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms"]), st.text()))
def test_no_wait_is_ever_negative_or_longer_than_the_longest(number: int, headers: dict[str, str]) -> None:
    wait_s = wait_before_retry(number, 429, headers, NOW)
    assert wait_s is None or 0 <= wait_s <= LONGEST_WAIT_S
