"""Reports as they should be, letter by letter, under tests/gold/.

After a wanted change: ``HARNESS_RENEW_GOLD=1 pytest tests/reporters/test_gold.py``, then read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.reporters.interface import reporter

GOLD = Path(__file__).parents[1] / "gold" / "reporters"


@pytest.mark.parametrize("name", ["console", "csv", "junit", "markdown"])
def test_the_report_is_as_it_should_be(name, run):
    made = reporter(name)
    path = GOLD / f"report{made.suffix}"
    text = made.render(run)
    if os.environ.get("HARNESS_RENEW_GOLD"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    assert path.read_bytes().decode() == text
