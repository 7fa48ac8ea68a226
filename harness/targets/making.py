"""Targets by name, as the command line and harness.toml spell them.

A package adds targets by entry points of the group ``harness.targets``: the entry's name is the target's, and
what it names is called with the ``TargetOptions`` and gives a ``Target``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from harness.errors import SettingsError, StoreError, TargetError
from harness.targets.interface import Target
from harness.text import did_you_mean

if TYPE_CHECKING:
    from harness.server.app import ServerOptions
    from harness.targets.http import Address, HttpWire
    from harness.targets.ledger import Place, RunLedger
    from harness.targets.provisioning import Keeping
    from harness.targets.traffic import Traffic
    from harness.targets.wire import Wire

GROUP = "harness.targets"
_EMBEDDED_POLL_S = 0.02
_POLL_S = 1.0


class TargetOptions(msgspec.Struct, frozen=True):
    """Where the assistant lives.

    Attributes:
        name: One of ``names()``.
        base_url: Of a compatible API, ending in /v1; needed by ``assistants``. ``responses`` and ``chat``
            ask the embedded server without one.
        api_key: For that API.
        azure_endpoint: Of a resource of Azure, instead of a base_url.
        api_version: Of Azure's dated API.
        function: What the target ``function`` calls: ``module:callable`` or ``path.py:callable``.
        recording: The file that the target ``recording`` answers from.
        models: Model table of the embedded server, a YAML file.
        faults: Faults on demand of the embedded server, a YAML file.
        allow_unisolated_code: Whether the embedded server runs code where nothing keeps it apart.
        ledger: Where everything is written down that is made at an address; None writes nothing.
        run: Id of the suite run that makes it.
        keep_assistants: Whether assistants and documents at an address are kept for later runs.
        keep_users: Whether threads of users at an address are kept for later runs.
        vector_store_days: How many days after its last use a vector store expires.
        traffic: The limits that all requests keep to; None for limits of the target's own.
    """

    name: str = "embedded"
    base_url: str | None = None
    api_key: str | None = None
    azure_endpoint: str | None = None
    api_version: str | None = None
    function: str | None = None
    recording: Path | None = None
    models: Path | None = None
    faults: Path | None = None
    allow_unisolated_code: bool = False
    ledger: Path | None = None
    run: str = ""
    keep_assistants: bool = False
    keep_users: bool = False
    vector_store_days: int = 7
    traffic: Traffic | None = None

    @property
    def is_remote(self) -> bool:
        """Whether an address is given."""
        return bool(self.base_url or self.azure_endpoint)

    @property
    def place(self) -> Place | None:
        """Where things are made that outlive this process; None where there is no address."""
        from harness.targets.ledger import Place

        url = self.azure_endpoint or self.base_url
        account = hashlib.sha256((self.api_key or "").encode()).hexdigest()[:12]
        return (
            Place(url.rstrip("/"), account, self.api_version if self.azure_endpoint else None)
            if url
            else None
        )


MakeTarget = Callable[[TargetOptions], Target]


def names() -> tuple[str, ...]:
    """The names of all targets: the built-in ones, then those of installed packages."""
    return (*_BUILT_IN, *sorted(_installed().keys() - _BUILT_IN.keys()))


def make_target(options: TargetOptions) -> Target:
    """A target, not yet connected to anything.

    Raises:
        SettingsError: No target has this name, it lacks an address or a function, or the files of the
            embedded server have mistakes.
        TargetError: An installed target can't be used (code ``target-plugin``).
    """
    if options.name in _BUILT_IN:
        return _BUILT_IN[options.name](options)
    if options.name in _installed():
        return load_target(_installed()[options.name], options)
    hint = did_you_mean(options.name, names(), label="targets")
    raise SettingsError(f"there is no target {options.name!r}", hint=hint)


@cache
def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def load_target(entry: EntryPoint, options: TargetOptions) -> Target:
    """The target that an entry point makes.

    Raises:
        TargetError: It can't be loaded or is no target (code ``target-plugin``).
    """
    try:
        target: Target = entry.load()(options)
    except (ImportError, AttributeError, TypeError) as error:
        raise _unusable(entry, f"it cannot be loaded: {error}") from error
    if not all(hasattr(target, name) for name in ("name", "provision", "open", "tear_down")):
        raise _unusable(entry, "what it makes has no name, provision, open and tear_down")
    return target


def _unusable(entry: EntryPoint, why: str) -> TargetError:
    return TargetError(
        f"the installed target {entry.name!r} ({entry.value}) cannot be used: {why}",
        code="target-plugin",
        hint=f"update or uninstall the package that declares it in the entry-point group {GROUP!r}",
    )


# --- the built-in targets ------------------------------------------------------------------------------


def _embedded(options: TargetOptions) -> Target:
    from harness.targets.assistants import AssistantsTarget

    wire = _embedded_wire(options)
    return AssistantsTarget(options.name, wire, poll_s=_EMBEDDED_POLL_S, keeping=_keeping(options))


def _assistants(options: TargetOptions) -> Target:
    from harness.targets.assistants import AssistantsTarget

    wire = _http_wire(options)
    return AssistantsTarget(
        options.name, wire, poll_s=_POLL_S, ledger=_run_ledger(options), keeping=_keeping(options)
    )


def _responses(options: TargetOptions) -> Target:
    from harness.targets.responses import ResponsesTarget

    poll_s = _POLL_S if options.is_remote else _EMBEDDED_POLL_S
    wire = _wire(options)
    return ResponsesTarget(
        options.name, wire, poll_s=poll_s, ledger=_run_ledger(options), keeping=_keeping(options)
    )


def _chat(options: TargetOptions) -> Target:
    from harness.targets.chat import LONGEST_COMPLETION_S, ChatTarget

    return ChatTarget(options.name, _wire(options, timeout_s=LONGEST_COMPLETION_S))


def _function(options: TargetOptions) -> Target:
    from harness.suite.naming import named_function
    from harness.targets.function import FunctionTarget

    _refuse_faults(options)
    if not options.function:
        raise SettingsError(
            "the target 'function' needs a function",
            hint="give --target-function MODULE:FUNCTION or PATH.py:FUNCTION",
        )
    return FunctionTarget(options.name, named_function(options.function))


def _recording(options: TargetOptions) -> Target:
    from harness.targets.recording import RecordingTarget
    from harness.trace.recording_file import load_recording

    _refuse_faults(options)
    if options.recording is None:
        raise SettingsError(
            "the target 'recording' needs a recording",
            hint="give --replay FILE, a file that was made with: harness run ... --record FILE",
        )
    return RecordingTarget(options.name, load_recording(options.recording))


_BUILT_IN: dict[str, MakeTarget] = {
    "embedded": _embedded,
    "assistants": _assistants,
    "responses": _responses,
    "chat": _chat,
    "function": _function,
    "recording": _recording,
}


def _wire(options: TargetOptions, *, timeout_s: float = 60.0) -> Wire:
    return _http_wire(options, timeout_s=timeout_s) if options.is_remote else _embedded_wire(options)


def _run_ledger(options: TargetOptions) -> RunLedger | None:
    """The ledger of what is made at an address; a server in this process takes all with it when it ends."""
    from harness.targets.ledger import Ledger, RunLedger

    if options.place is None or options.ledger is None:
        return None
    ledger = Ledger(options.ledger)
    try:
        return RunLedger(ledger, options.run, options.place)
    except StoreError:
        ledger.close()
        raise


def _keeping(options: TargetOptions) -> Keeping:
    from harness.targets.provisioning import Keeping

    kept = options.is_remote and options.ledger is not None
    return Keeping(
        assistants=kept and options.keep_assistants,
        users=kept and options.keep_users,
        store_days=options.vector_store_days,
    )


def wire_to(options: TargetOptions) -> Wire:
    """Requests to an address, with no target around them.

    Raises:
        SettingsError: There is no address.
    """
    return _http_wire(options)


def chat_wire(options: TargetOptions) -> Wire:
    """Requests of chat completions to an address, or to an embedded server where there is none."""
    from harness.targets.chat import LONGEST_COMPLETION_S

    return _wire(options, timeout_s=LONGEST_COMPLETION_S)


def _embedded_wire(options: TargetOptions) -> Wire:
    from harness.targets.embedded import EmbeddedWire

    return EmbeddedWire(
        server_options(options.models, options.faults, allow_unisolated_code=options.allow_unisolated_code),
        traffic=options.traffic,
    )


def _http_wire(options: TargetOptions, *, timeout_s: float = 60.0) -> HttpWire:
    from harness.targets.http import Address, HttpWire

    _refuse_faults(options)
    # A server without keys ignores it; one with keys answers 401, which is reported as such.
    key = options.api_key or "no-key"
    if options.azure_endpoint:
        address = _azure(options, options.azure_endpoint, key)
        return HttpWire(address, timeout_s=timeout_s, traffic=options.traffic)
    if not options.base_url:
        raise SettingsError(
            f"the target {options.name!r} needs a base_url",
            hint="give --base-url https://host/v1, or set OPENAI_BASE_URL; harness serve starts a local one",
        )
    return HttpWire(Address(options.base_url, key), timeout_s=timeout_s, traffic=options.traffic)


def _azure(options: TargetOptions, endpoint: str, key: str) -> Address:
    from harness.targets.http import Address

    if options.base_url:
        raise SettingsError(
            "azure_endpoint and base_url are both given, and the target has one address",
            hint="leave one of them out; Azure's undated API is a base_url ending in /openai/v1/",
        )
    if not options.api_version:
        raise SettingsError(
            "an azure_endpoint needs an api_version",
            hint="give --api-version, such as 2025-04-01-preview, or set OPENAI_API_VERSION",
        )
    return Address(endpoint, key, options.api_version)


def _refuse_faults(options: TargetOptions) -> None:
    if options.faults is not None:
        raise SettingsError(
            f"the target {options.name!r} has no faults on demand",
            hint="leave faults out; a server of yours meets them with: harness serve --faults FILE",
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
