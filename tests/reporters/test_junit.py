"""JUnit XML that every reader can parse."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.reporters.junit import JunitReporter


def cases(run) -> dict[str, ET.Element]:
    root = ET.fromstring(JunitReporter().render(run))
    return {f"{case.get('classname')}/{case.get('name')}": case for case in root.iter("testcase")}


def test_each_trial_is_a_test_case_with_its_outcome(run):
    found = cases(run)
    assert len(found) == 9
    assert found["lending/renew-a-loan#1"].find("failure") is None
    assert found["lending/renew-a-loan#2"].find("failure") is not None
    assert found["lending/printer#1"].find("error") is not None
    assert found["service/weather"].find("failure") is None


def test_counts_agree_with_the_cases(run):
    root = ET.fromstring(JunitReporter().render(run))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("9", "3", "1")
    assert sum(int(suite.get("tests", 0)) for suite in root) == 9


def test_a_failure_tells_every_reason_and_the_transcript(run):
    failure = cases(run)["service/blocked-card"].find("failure")
    assert failure is not None
    text = failure.text or ""
    assert "escalates: Expected a hand-over" in text
    assert "calls: open_ticket was called with urgency 'low'" in text
    assert "user: My card is blocked" in text
    assert 'open_ticket({"email"' in text
    assert "no stub answers send_sms" in text


def test_cost_and_tokens_are_properties_and_the_unknown_is_called_so(run):
    properties = {
        name: {item.get("name"): item.get("value") for item in case.iter("property")}
        for name, case in cases(run).items()
    }
    assert properties["service/weather"]["cost_usd"] == "0.000913"
    assert properties["service/weather"]["prompt_tokens"] == "1180"
    assert properties["lending/printer#1"]["cost_usd"] == "unknown (the target reported no usage)"


def test_skipped_trials_are_skipped(run):
    skipped = replace(run.results[8], outcome="skipped", error="the budget is used up", trace=None, scores=())
    case = cases(replace(run, results=(skipped,)))["service/weather"]
    assert case.find("skipped").get("message") == "the budget is used up"


def test_two_variants_have_names_of_their_own(run):
    other = replace(run.results[8], variant="candidate")
    found = cases(replace(run, results=(run.results[8], other)))
    assert set(found) == {"service/weather@main", "service/weather@candidate"}


@given(st.text(st.characters()))
def test_any_text_makes_well_formed_xml(run, text):
    odd = replace(run.results[4], error=text, conversation=text, suite=text, cost_reason=text, tags=(text,))
    assert len(cases(replace(run, results=(odd,)))) == 1
