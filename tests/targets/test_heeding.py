"""What is said expressly of a target, and changes nothing there, is refused."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import SettingsError
from harness.targets.heeding import heeds, refuse_unheeded
from harness.targets.making import TargetOptions

URL = "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("base_url", {"name": "embedded", "base_url": URL}, "'embedded' has no address"),
        ("azure_endpoint", {"name": "function"}, "'function' has no address"),
        ("api_version", {"name": "embedded"}, "'embedded' has no address"),
        ("target_function", {"name": "chat"}, "calls no function"),
        ("models", {"name": "responses", "base_url": URL}, "has models of its own"),
        ("keep_assistants", {"name": "embedded"}, "leaves nothing behind"),
        ("keep_users", {"name": "responses"}, "leaves nothing behind"),
    ],
)
def test_what_changes_nothing_is_refused_and_says_what_to_do(
    name: str, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        refuse_unheeded(["concurrency", name], TargetOptions(**options))
    assert str(caught.value).startswith(f"{name} is given") and caught.value.hint


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("base_url", {"name": "assistants", "base_url": URL}),
        ("models", {"name": "responses"}),
        ("models", {"name": "function"}),  # judges of an embedded server heed it
        ("keep_users", {"name": "assistants", "base_url": URL}),
        ("base_url", {"name": "of-a-package", "base_url": URL}),
        ("keep_users", {"name": "of-a-package"}),
        ("target_function", {"name": "recording"}),
        ("base_url", {"name": "recording"}),
    ],
)
def test_what_may_change_something_is_heeded(name: str, options: dict[str, Any]) -> None:
    assert heeds(name, TargetOptions(**options))
    refuse_unheeded([name], TargetOptions(**options))
