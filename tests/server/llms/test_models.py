"""The model table: first match answers, everything else goes to the default."""

from __future__ import annotations

from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted


def test_the_first_matching_pattern_answers() -> None:
    exact, family, rest = Scripted([]), Scripted([]), Scripted([])
    table = ModelTable([("gpt-5.4", exact), ("gpt-*", family)], default=rest)
    assert table.find("gpt-5.4") is exact
    assert table.find("gpt-5.4-mini") is family
    assert table.find("anything") is rest


def test_patterns_mind_upper_and_lower_case() -> None:
    rest = Scripted([])
    assert ModelTable([("GPT-*", Scripted([]))], default=rest).find("gpt-5.4") is rest


def test_names_lists_what_is_spelt_out_once() -> None:
    table = ModelTable([("a", Scripted([])), ("b-*", Scripted([])), ("a", Scripted([]))])
    assert table.names() == ["a", "extractive"]
    assert table.knows("b-1")
    assert not table.knows("c")
