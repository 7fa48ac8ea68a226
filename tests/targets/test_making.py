"""Targets by name: what each needs, and those that packages bring."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from harness.errors import SettingsError, TargetError
from harness.settings import load_settings
from harness.targets import making
from harness.targets.chat import ChatTarget
from harness.targets.embedded import EmbeddedWire
from harness.targets.making import TargetOptions, load_target, make_target, names
from harness.targets.responses import ResponsesTarget


def make_chat(options: TargetOptions) -> ChatTarget:
    """An installed target."""
    return ChatTarget(options.name, EmbeddedWire())


def _entry(value: str) -> EntryPoint:
    return EntryPoint("mine", value, making.GROUP)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loadable:
        name, value = "mine", "somewhere:make"

        def load(self) -> Any:
            return make_chat

    monkeypatch.setattr(making, "_installed", lambda: {"mine": Loadable()})


@pytest.mark.usefixtures("installed")
def test_an_installed_target_is_found_by_its_name() -> None:
    assert "mine" in names()
    assert make_target(TargetOptions("mine")).name == "mine"


@pytest.mark.usefixtures("installed")
def test_a_misspelt_target_is_told_which_there_are() -> None:
    with pytest.raises(SettingsError, match="'respones'") as caught:
        make_target(TargetOptions("respones"))
    assert "did you mean 'responses'?" in str(caught.value.hint)
    assert "mine" in str(caught.value.hint)


@pytest.mark.parametrize("value", ["no_such_module:make", "json:no_such_thing", "json:dumps"])
def test_an_installed_target_that_can_not_be_used_is_told_with_its_package(value: str) -> None:
    with pytest.raises(TargetError, match="mine") as caught:
        load_target(_entry(value), TargetOptions("mine"))
    assert caught.value.code == "target-plugin"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (TargetOptions("assistants"), "needs a base_url"),
        (TargetOptions("function"), "needs a function"),
        (TargetOptions("responses", azure_endpoint="https://x.example"), "needs an api_version"),
        (
            TargetOptions("chat", "https://x.example/v1", azure_endpoint="https://x.example"),
            "both given",
        ),
    ],
)
def test_what_a_target_lacks_is_told_before_anything_is_run(options: TargetOptions, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        make_target(options)
    assert caught.value.hint


def test_responses_and_chat_ask_the_embedded_server_without_an_address() -> None:
    assert isinstance(make_target(TargetOptions("responses")), ResponsesTarget)
    assert isinstance(make_target(TargetOptions("chat")), ChatTarget)


def test_with_an_azure_endpoint_the_key_and_version_are_those_of_azure() -> None:
    environment = {
        "HARNESS_AZURE_ENDPOINT": "https://mine.example",
        "OPENAI_BASE_URL": "https://other.example/v1",
        "OPENAI_API_KEY": "other",
        "AZURE_OPENAI_API_KEY": "azure",
        "OPENAI_API_VERSION": "2025-04-01-preview",
    }
    options = load_settings({"target": "assistants"}, environment=environment).target_options()
    assert (options.azure_endpoint, options.api_key) == ("https://mine.example", "azure")
    assert (options.api_version, options.base_url) == ("2025-04-01-preview", None)


def test_without_one_the_variables_of_azure_mean_nothing() -> None:
    environment = {"AZURE_OPENAI_API_KEY": "azure", "OPENAI_API_KEY": "plain"}
    assert load_settings({}, environment=environment).api_key == "plain"
