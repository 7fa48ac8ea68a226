"""Secrets leave nothing that is written; what only looks like one stays."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SettingsError
from harness.results import Score, TrialResult
from harness.trace.records import Message, RunStep, ToolCall, Trace, TurnTrace
from harness.trace.scrubbing import Scrubber, same_text, secrets_in

DAY = datetime(2026, 1, 2, tzinfo=UTC)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
SECRETS = [
    ("sk-proj-4f8h2k3l5m6n7p8q9r0s", "api key"),
    ("AKIA" + "IOSFODNN7EXAMPLE", "aws key"),
    ("ghp_" + "a1B2c3D4" * 5, "github token"),
    ("github_pat_" + "11ABCDEFG0123456789abc", "github token"),
    ("AIza" + "B" * 35, "google key"),
    ("xoxb-" + "123456789012-abcdef", "slack token"),
    (JWT, "web token"),
]


@pytest.mark.parametrize(("secret", "kind"), SECRETS)
@pytest.mark.parametrize("around", ["{}", "it is {}.", '{{"key": "{}"}}', "key={}&x=1", "\n{}\n"])
def test_keys_of_known_shapes_leave_a_mark_that_says_what_they_were(
    secret: str, kind: str, around: str
) -> None:
    clean = Scrubber().text(around.format(secret))
    assert secret not in clean
    assert clean == around.format(f"[redacted: {kind}]")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer 4f8h2k3l5m6n7p8q", "Authorization: Bearer [redacted: bearer token]"),
        (
            '{"authorization": "Basic dXNlcjpwYXNzd29yZDEy"}',
            '{"authorization": "Basic [redacted: authorization]"}',
        ),
        ("x-api-key: 4f8h2k3l5m6n7p8q9r", "x-api-key: [redacted: api key]"),
        ("postgresql://jo:hunter2@db/prod", "postgresql://jo:[redacted: password]@db/prod"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----!", "[redacted: private key]!"),
    ],
)
def test_values_are_taken_out_and_what_names_them_stays(text: str, clean: str) -> None:
    assert Scrubber().text(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer YOUR_API_KEY_GOES_HERE",
        "The risk-free task-force has a desk-bound sk-8 board.",
        "An API key: find it under Settings > Developer.",
        "Write to jo@example.com",
        "https://example.com:8080/a@b",
        "The password is shown once; tokens expire after 24 hours.",
        "eyJ is how it begins",
    ],
)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    assert Scrubber().text(text) == text


def test_the_configured_key_goes_wherever_it_stands_and_a_word_as_key_goes_nowhere() -> None:
    scrubber = Scrubber(["my own gateway key 7", "password", "short", "my own gateway key 77"])
    assert scrubber.text("a my own gateway key 77b") == "a [redacted: secret]b"
    assert scrubber.text("reset your password shortly") == "reset your password shortly"


def test_addresses_go_on_request_only() -> None:
    text = "Ask jo.doe+tag@mail.example.com, or @sam."
    assert Scrubber().text(text) == text
    assert Scrubber(emails=True).text(text) == "Ask [redacted: e-mail], or @sam."


def test_a_rule_of_ones_own_takes_out_its_group_or_all_it_matches() -> None:
    scrubber = Scrubber(patterns=[r"acme_[0-9a-f]{8}", r"customer (?P<secret>\d+)"])
    assert (
        scrubber.text("acme_0a1b2c3d of customer 4711") == "[redacted: secret] of customer [redacted: secret]"
    )


@pytest.mark.parametrize("pattern", ["(", "a*", "x|"])
def test_a_rule_that_cannot_be_used_is_named(pattern: str) -> None:
    with pytest.raises(SettingsError, match="scrub: ") as caught:
        Scrubber(patterns=[pattern])
    assert caught.value.hint


def test_secrets_are_read_from_variables_that_say_so() -> None:
    environment = {"GATEWAY_KEY": "a", "MY_TOKEN": "b", "DB_PASSWORD": "c", "KEYBOARD": "d", "PATH": "e"}
    assert secrets_in(environment) == ["a", "b", "c"]


def result(secret: str) -> TrialResult:
    """A trial that tells the secret in every place where text can stand."""
    call = ToolCall(
        id="1", type="function", name="f", arguments=f'{{"k": "{secret}"}}', output=secret, error=secret
    )
    turn = TurnTrace(
        user=Message(role="user", text=secret),
        status="failed",
        started_at=DAY,
        latency_s=1.5,
        messages=(Message(role="assistant", text=f"so: {secret}"),),
        steps=(RunStep(id="s", type="tool_calls", status="completed", tool_calls=(call,)),),
        error=secret,
    )
    score = Score(
        check="a", scorer="a", turn=0, value=0.5, passed=False, reason=secret, evidence={"found": [secret, 1]}
    )
    return TrialResult(
        trial_id="s/c@v#1",
        suite="s",
        conversation="c",
        variant="v",
        fingerprint="f",
        repeat=1,
        outcome="failed",
        started_at=DAY,
        ended_at=DAY,
        error=secret,
        scores=(score,),
        trace=Trace(trial_id="s/c@v#1", target="t", turns=(turn,)),
    )


@pytest.mark.parametrize("secret", [secret for secret, _ in SECRETS] + ['the "gateway"\\key 1'])
def test_a_result_is_written_without_secrets_in_any_of_its_texts(secret: str) -> None:
    clean = Scrubber(['the "gateway"\\key 1']).record(result(secret))
    told = str(msgspec.to_builtins(clean))
    assert secret not in told
    assert clean.trace is not None and clean.trace.turns[0].latency_s == 1.5
    assert clean.scores[0].value == 0.5 and clean.started_at == DAY


def test_a_result_without_secrets_is_the_very_same() -> None:
    whole = result("nothing secret")
    assert Scrubber(["0123456789"]).record(whole) is whole


@given(st.text(), st.sampled_from([secret for secret, _ in SECRETS]), st.text())
def test_a_text_is_the_same_as_what_was_written_of_it(before: str, secret: str, after: str) -> None:
    sent = f"{before} {secret} {after}"
    written = Scrubber(emails=True).text(sent)
    assert secret not in written
    assert same_text(written, sent)
    assert not same_text(written, f"{written.replace('[redacted: ', '')}!")


@given(st.text(), st.text())
def test_other_texts_are_told_apart(written: str, sent: str) -> None:
    assert same_text(written, sent) == (written == sent)
