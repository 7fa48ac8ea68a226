"""Ids of new objects."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from harness.server.wire import IdFactory


def test_ids_that_nobody_chose_are_all_different_and_have_the_shape_of_the_api() -> None:
    factory = IdFactory()
    made = [factory.new("msg_") for _ in range(2_000)]
    assert len(set(made)) == 2_000
    assert all(re.fullmatch(r"msg_[0-9a-f]{24}", each) for each in made)


def test_threads_that_draw_ids_at_the_same_time_never_get_the_same_one() -> None:
    factory = IdFactory()
    with ThreadPoolExecutor(4) as pool:
        drawn = pool.map(lambda _: [factory.new("") for _ in range(1_000)], range(8))
        assert len({each for some in drawn for each in some}) == 8_000


def test_the_same_seed_gives_the_same_ids() -> None:
    ones, others = IdFactory(3), IdFactory(3)
    assert [ones.new("run_") for _ in range(10)] == [others.new("run_") for _ in range(10)]
