"""A file of rules with mistakes is refused, each mistake in words; none is read as something else."""

from __future__ import annotations

import pytest

from harness.compare.rules import read_rules
from harness.errors import SettingsError

LIMIT = "[[rule]]\nat_least = 0.9\n"
MISTAKES = {
    "an expectation as metric": (
        "[[rule]]\nmetric = 'ungrounded'\nat_most = 0.1",
        'One expectation of a suite is a check instead of a metric: check = "grounded".',
    ),
    "margin 0": ("[[rule]]\nmargin = 0", "rule 1: margin must be more than 0, not 0"),
    "margin 1": ("[[rule]]\nmargin = 1", "margin must be less than 1, not 1"),
    "margin below 0": ("[[rule]]\nmargin = -0.1", "margin must be more than 0, not -0.1"),
    "margin nan": ("[[rule]]\nmargin = nan", "margin must be a finite number, not nan"),
    "alpha 0.5": (f"alpha = 0.5\n{LIMIT}", "alpha must be less than 0.5, not 0.5"),
    "no end": ("[[rule]]\nmetric = 'cost_usd'\nat_most = inf", "at_most must be a finite number, not inf"),
    "text": ("[[rule]]\nat_least = '0.9'", "at_least must be a number, not '0.9'"),
    "truth": ("[[rule]]\nat_least = true", "at_least must be a number, not true"),
    "day": ("[[rule]]\nat_least = 2026-01-01", "at_least must be a number, not 2026-01-01"),
    "long": ("[[rule]]\nat_least = 0x" + "f" * 9999, "not a number of some 11,9"),
    "too long": ("[[rule]]\nat_least = " + "9" * 9999, "a number in it has thousands of digits"),
    "deep": ("rule = " + "[" * 9999, "nested too deeply"),
    "block": ("[rule]\nmargin = 0.1", "Begin each rule with a line [[rule]]."),
    "no suite": (f"{LIMIT}suite = ''", "suite must not be empty"),
    "no check": (f"{LIMIT}check = ''", "check must not be empty"),
    "no tag": (f"{LIMIT}tags = ['']", "an entry of tags must not be empty"),
    "always": ("[[rule]]\nat_least = 0", "at_least 0 of passed always holds, so it says nothing"),
    "always too": (
        "[[rule]]\nmetric = 'missed_escalations'\nat_most = 1",
        "at_most 1 of missed_escalations always holds",
    ),
    "share": (
        "[[rule]]\nmetric = 'latency_s'\npercentile = 0.95\nat_most = 2",
        "percentile must be at least 1, not 0.95",
    ),
    "twice": (LIMIT + LIMIT.replace("0.9", "0.8"), "rule 2: rule 1 has at_least 0.9 for the same already"),
    "two margins": (
        "[[rule]]\nmargin = 0.1\n[[rule]]\nmetric = 'passed'\nmargin = 0.05",
        "rule 2: rule 1 has margin 0.1 for the same already",
    ),
    "other order": (
        f"{LIMIT}tags = ['a', 'b']\n[[rule]]\nat_most = 0.5\ntags = ['b', 'a', 'a']",
        "rule 1: at_least 0.9 and the at_most 0.5 of rule 2 can't both hold",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(tmp_path, name):
    text, told = MISTAKES[name]
    file = tmp_path / "gate.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(SettingsError) as refused:
        read_rules(file)
    assert refused.value.code == "rules-invalid"
    assert told in str(refused.value)


def test_another_encoding_is_named_with_its_line(tmp_path):
    file = tmp_path / "gate.toml"
    file.write_bytes(f"{LIMIT}# caf\u00e9".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"gate\.toml:3: this is not UTF-8"):
        read_rules(file)


def test_different_questions_about_the_same_stand_side_by_side(tmp_path):
    file = tmp_path / "gate.toml"
    file.write_text(
        LIMIT
        + "[[rule]]\nmargin = 0.05\n"
        + "[[rule]]\nat_least = 0.8\ntags = ['smoke']\n"
        + "".join(
            f"[[rule]]\r\nmetric = 'latency_s'\r\npercentile = {p}\r\nat_most = 2\r\n" for p in (50, 95)
        ),
        "utf-8",
        newline="",
    )
    assert len(read_rules(file).rule) == 5
