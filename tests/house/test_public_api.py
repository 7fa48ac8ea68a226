"""The names of the package are there, load on demand, and are the ones the documents show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import harness

DOCS = Path(__file__).parents[2] / "docs" / "python-api.md"


@pytest.mark.parametrize("name", harness.__all__)
def test_every_public_name_loads(name: str) -> None:
    assert getattr(harness, name) is not None


def test_every_name_the_documents_show_is_public() -> None:
    shown = set(re.findall(r"\bharness\.([A-Za-z_]+)", DOCS.read_text("utf-8"))) - {"toml"}
    assert shown <= set(harness.__all__)
    assert {"evaluate", "trials_frame"} <= shown


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = harness.no_such_name
