"""Reports as they should be, letter by letter, under tests/gold/.

After a wanted change: ``HARNESS_TEST_RENEW_GOLD=1 pytest tests/reporters/test_gold.py``, then read the
difference.
"""

from __future__ import annotations

import base64
import gzip
import os
import re
from pathlib import Path

import pytest

from harness.reporters.interface import reporter

GOLD = Path(__file__).parents[1] / "gold" / "reporters"


@pytest.mark.parametrize("name", ["console", "csv", "junit", "markdown"])
def test_the_report_is_as_it_should_be(name, run):
    made = reporter(name)
    path = GOLD / f"report{made.suffix}"
    text = made.render(run)
    if os.environ.get("HARNESS_TEST_RENEW_GOLD"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    assert path.read_bytes().decode() == text


SAMPLE = Path(__file__).parents[2] / "reports" / "sample" / "report.html"
_PACKED = re.compile(r'(<script type="text/plain"[^>]*>)([A-Za-z0-9+/=\s]+)(</script>)')


def _unpacked(page: str) -> str:
    """The page with its data in the open: compressors of other versions pack the same data differently."""
    return _PACKED.sub(
        lambda found: f"{found[1]}{gzip.decompress(base64.b64decode(found[2]))!r}{found[3]}", page
    )


def test_the_sample_page_is_what_the_html_reporter_makes(run):
    page = reporter("html").render(run)
    if os.environ.get("HARNESS_TEST_RENEW_GOLD"):
        SAMPLE.parent.mkdir(parents=True, exist_ok=True)
        SAMPLE.write_text(page, encoding="utf-8", newline="")
    assert _unpacked(SAMPLE.read_bytes().decode()) == _unpacked(page)
