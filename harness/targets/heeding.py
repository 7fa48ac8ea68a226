"""What a target heeds of what can be said of one: an option that does nothing would be a run not meant."""

from __future__ import annotations

from collections.abc import Collection

from harness.errors import SettingsError
from harness.targets.making import TargetOptions

_ADDRESS = frozenset({"base_url", "azure_endpoint", "api_version"})
_KEPT = frozenset({"keep_assistants", "keep_users"})
_WITH_ADDRESS = frozenset({"assistants", "responses", "chat"})
_KEEPING = frozenset({"assistants", "responses"})
_NONE = frozenset({"embedded", "function"})


def refuse_unheeded(given: Collection[str], options: TargetOptions) -> None:
    """Refuse what was said expressly of a target that pays no heed to it.

    Args:
        given: Settings that were named on the command line or in a call; what a file or the environment
            says may be meant for other targets.
        options: Where the assistant lives by all of them.

    Raises:
        SettingsError: It would be another run than was meant.
    """
    for name in sorted(given):
        if why := _unheeded(name, options):
            raise SettingsError(f"{name} is given, and {why[0]}", hint=why[1])


def heeds(name: str, options: TargetOptions) -> bool:
    """Whether what a setting says can change anything at the target."""
    return _unheeded(name, options) is None


def _unheeded(name: str, options: TargetOptions) -> tuple[str, str] | None:
    """Why a setting changes nothing, and what to do; installed targets may heed all of them.

    A recording answers a run that is told as it was recorded: what was said of its target stays said.
    """
    if name in _ADDRESS and options.name in _NONE:
        return f"the target {options.name!r} has no address", (
            "give --target assistants, responses or chat with it; where judges are asked, judge_base_url says"
        )
    if name in _KEPT and not _keeps(options):
        return (
            f"the target {options.name!r} leaves nothing behind here",
            "leave it out; 'assistants' and 'responses' at an address can keep what they made",
        )
    if name == "target_function" and options.name in _NONE | _WITH_ADDRESS and options.name != "function":
        return f"the target {options.name!r} calls no function", "give --target function with it"
    if name == "models" and options.name in _WITH_ADDRESS and options.is_remote:
        return (
            f"the target {options.name!r} asks a server that has models of its own",
            "leave it out; a server of yours takes it with: harness serve --models FILE",
        )
    return None


def _keeps(options: TargetOptions) -> bool:
    is_ours = options.name in _NONE | _WITH_ADDRESS
    return not is_ours or (options.name in _KEEPING and options.is_remote)
