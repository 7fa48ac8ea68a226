"""Targets by name, as the command line and harness.toml spell them."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import SettingsError
from harness.targets.interface import Target
from harness.text import nearest

NAMES = ("embedded", "assistants")


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """Where the assistant lives.

    Attributes:
        name: ``embedded`` or ``assistants``.
        base_url: Of an Assistants-compatible API, ending in /v1; needed by ``assistants``.
        api_key: For that API.
    """

    name: str = "embedded"
    base_url: str | None = None
    api_key: str | None = None


def make_target(options: TargetOptions) -> Target:
    """A target, not yet connected to anything.

    Raises:
        SettingsError: No target has this name, or it lacks a base_url or key.
    """
    from harness.targets.assistants import AssistantsTarget

    if options.name == "embedded":
        from harness.targets.embedded import EmbeddedWire

        return AssistantsTarget("embedded", EmbeddedWire(), poll_s=0.02)
    if options.name == "assistants":
        from harness.targets.http import HttpWire

        return AssistantsTarget("assistants", HttpWire(*_address(options)))
    known = nearest(options.name, NAMES)
    raise SettingsError(
        f"there is no target {options.name!r}",
        hint=f"{f'did you mean {known!r}? ' if known else ''}targets: {', '.join(NAMES)}",
    )


def _address(options: TargetOptions) -> tuple[str, str]:
    if not options.base_url:
        raise SettingsError(
            "the target 'assistants' needs a base_url",
            hint="give --base-url https://host/v1, or set OPENAI_BASE_URL; harness serve starts a local one",
        )
    # A server without keys ignores it; one with keys answers 401, which is reported as such.
    return options.base_url, options.api_key or "no-key"
