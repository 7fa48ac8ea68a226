"""Targets by name, as the command line and harness.toml spell them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import SettingsError
from harness.targets.interface import Target
from harness.text import nearest

if TYPE_CHECKING:
    from harness.server.app import ServerOptions

NAMES = ("embedded", "assistants")


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """Where the assistant lives.

    Attributes:
        name: ``embedded`` or ``assistants``.
        base_url: Of an Assistants-compatible API, ending in /v1; needed by ``assistants``.
        api_key: For that API.
        models: Model table of the embedded server, a YAML file.
        faults: Faults on demand of the embedded server, a YAML file.
        allow_unisolated_code: Whether the embedded server runs code where nothing keeps it apart.
    """

    name: str = "embedded"
    base_url: str | None = None
    api_key: str | None = None
    models: Path | None = None
    faults: Path | None = None
    allow_unisolated_code: bool = False


def make_target(options: TargetOptions) -> Target:
    """A target, not yet connected to anything.

    Raises:
        SettingsError: No target has this name, it lacks a base_url, or the files of the embedded
            server have mistakes.
    """
    from harness.targets.assistants import AssistantsTarget

    if options.name == "embedded":
        from harness.targets.embedded import EmbeddedWire

        chosen = server_options(
            options.models, options.faults, allow_unisolated_code=options.allow_unisolated_code
        )
        return AssistantsTarget("embedded", EmbeddedWire(chosen), poll_s=0.02)
    if options.faults is not None:
        raise SettingsError(
            f"the target {options.name!r} has no faults on demand",
            hint="leave faults out; a server of yours meets them with: harness serve --faults FILE",
        )
    if options.name == "assistants":
        from harness.targets.http import HttpWire

        return AssistantsTarget("assistants", HttpWire(*_address(options)))
    known = nearest(options.name, NAMES)
    raise SettingsError(
        f"there is no target {options.name!r}",
        hint=f"{f'did you mean {known!r}? ' if known else ''}targets: {', '.join(NAMES)}",
    )


def server_options(
    models: Path | None, faults: Path | None, *, allow_unisolated_code: bool = False
) -> ServerOptions:
    """How an embedded server is set up that uses these files.

    Raises:
        SettingsError: With every mistake of the first file that has some.
    """
    from harness.server.app import ServerOptions, called_paths

    chosen = ServerOptions(allow_unisolated_code=allow_unisolated_code)
    if models is not None:
        from harness.server.llms.table import read_models

        chosen = replace(chosen, models=read_models(models, os.environ))
    if faults is not None:
        from harness.server.faults import read_faults

        chosen = replace(chosen, faults=read_faults(faults, called_paths()))
    return chosen


def _address(options: TargetOptions) -> tuple[str, str]:
    if not options.base_url:
        raise SettingsError(
            "the target 'assistants' needs a base_url",
            hint="give --base-url https://host/v1, or set OPENAI_BASE_URL; harness serve starts a local one",
        )
    # A server without keys ignores it; one with keys answers 401, which is reported as such.
    return options.base_url, options.api_key or "no-key"
