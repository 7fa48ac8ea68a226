"""What fields mean is told where it is written, and nothing is told where it can't be read."""

from __future__ import annotations

from pydantic import create_model

from harness.suite.records import Limit, TrajectoryExpectation
from harness.yamlfile.described import descriptions


def test_the_text_beneath_a_field_says_what_it_means() -> None:
    assert descriptions(TrajectoryExpectation)["min"] == "Smallest score, 0 to 1; 1 asks for all of it."
    assert descriptions(Limit) == {}


def test_a_record_without_source_says_nothing_and_breaks_nothing() -> None:
    assert descriptions(create_model("Made", most=(int, ...))) == {}
