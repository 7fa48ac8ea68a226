"""A model table in YAML: which model answers to which name.

models:
  - match: "gpt-*"
    remote: {base_url: "http://127.0.0.1:11434/v1", model: llama3.1, api_key_env: GATEWAY_KEY}
  - match: "*"
    extractive: true
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from harness.server.llms.chat_format import Dialect
from harness.server.llms.interface import LanguageModel, ModelError, ModelReply, ModelRequest
from harness.server.llms.models import ModelTable, extractive
from harness.server.llms.remote import (
    DEFAULT_CONNECT_S,
    DEFAULT_PAUSE_S,
    DEFAULT_TIMEOUT_S,
    DEFAULT_TRIES,
    Remote,
)
from harness.server.llms.scripted import Scripted
from harness.yamlfile.checked import Checked, FileRecord, read_checked, refusal
from harness.yamlfile.mistakes import Mistake
from harness.yamlfile.source import Place

CODE = "models-invalid"


Option = Literal[
    "temperature",
    "top_p",
    "reasoning_effort",
    "parallel_tool_calls",
    "response_format",
    "stream",
    "stream_options",
]


class RemoteEntry(FileRecord):
    """A chat-completions endpoint."""

    base_url: str
    """Of the endpoint, mostly ending in /v1."""
    model: str | None = None
    """The name the endpoint knows the model by; the name the run asked for when left out."""
    api_key_env: Annotated[str, Field(min_length=1)] | None = None
    """The environment variable that holds the key; keys never stand in the file."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = DEFAULT_TIMEOUT_S
    """Longest one try may take, in seconds; of a stream, longest until it begins."""
    connect_s: Annotated[float, Field(gt=0, le=3600)] = DEFAULT_CONNECT_S
    """Longest until the connection stands, in seconds."""
    pause_s: Annotated[float, Field(gt=0, le=3600)] = DEFAULT_PAUSE_S
    """Longest pause between two parts of a stream, in seconds."""
    tries: Annotated[int, Field(ge=1, le=10)] = DEFAULT_TRIES
    """How often one completion is asked for at most."""
    token_limit: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    """How the endpoint calls the limit on what the model writes."""
    omit: tuple[Option, ...] = ()
    """Options that the endpoint refuses and that are therefore never sent; stream: it sends whole answers."""


class Entry(FileRecord):
    """Model names and what answers for them."""

    match: Annotated[str, Field(min_length=1)]
    """A model name, or a pattern with * and ?; the first entry that fits answers."""
    remote: RemoteEntry | None = None
    """The endpoint that answers."""
    extractive: bool | None = None
    """true: the offline reference assistant answers."""
    scripted: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Lines that are said one after the other, and again from the first: whoever asks gets the next."""
    context_tokens: Annotated[int, Field(ge=1_024)] | None = None
    """How many tokens it can read; the server's own window when left out."""


class ModelFile(FileRecord):
    """The whole file."""

    models: Annotated[tuple[Entry, ...], Field(min_length=1)]
    """Entries in order."""


def read_models(path: Path, environment: Mapping[str, str]) -> ModelTable:
    """The model table of a file; runs that name a model which no entry fits will fail.

    Args:
        path: The file.
        environment: Where the keys are.

    Raises:
        SettingsError: With every mistake of the file (code ``models-invalid``).
    """
    checked = read_checked(path, ModelFile, code=CODE)
    entries = checked.record.models
    mistakes = [mistake for i, entry in enumerate(entries) for mistake in _mistakes(i, entries, environment)]
    if mistakes:
        raise refusal([checked.problem(mistake) for mistake in mistakes], code=CODE)
    made = [(entry.match, _model(entry, environment)) for entry in entries]
    unknown = NoModel(_file_name(checked), [entry.match for entry in entries])
    windows = [(entry.match, entry.context_tokens) for entry in entries]
    return ModelTable(made, default=unknown, windows=windows)


def described(table: ModelTable) -> list[tuple[str, str]]:
    """Every pattern of a table and what answers, in words without keys."""
    rows = [(pattern, _in_words(model)) for pattern, model in table.entries]
    return rows if isinstance(table.default, NoModel) else [*rows, ("*", _in_words(table.default))]


class NoModel:
    """What stands for names that no entry fits: a failed run that says so.

    Args:
        file: The file of the table.
        patterns: What stands in it.
    """

    def __init__(self, file: str, patterns: list[str]) -> None:
        self._file = file
        self._patterns = patterns

    def complete(self, request: ModelRequest) -> ModelReply:
        """Nothing.

        Raises:
            ModelError: Always.
        """
        known = ", ".join(repr(pattern) for pattern in self._patterns)
        raise ModelError(
            "server_error", f"No entry of {self._file} fits the model {request.model!r}; there are {known}."
        )


def _file_name(checked: Checked[ModelFile]) -> str:
    return Path(checked.source.file).name


def _model(entry: Entry, environment: Mapping[str, str]) -> LanguageModel:
    if entry.scripted is not None:
        return Scripted(entry.scripted, cycle=True, remembered=0)
    if entry.remote is None:
        return extractive()
    given = entry.remote
    return Remote(
        given.base_url,
        api_key=environment[given.api_key_env] if given.api_key_env else None,
        dialect=Dialect(given.model, given.token_limit, given.omit),
        timeout_s=given.timeout_s,
        connect_s=given.connect_s,
        pause_s=given.pause_s,
        tries=given.tries,
    )


def _in_words(model: LanguageModel | None) -> str:
    if not isinstance(model, Remote):
        return "extractive" if model is None else type(model).__name__.lower()
    return f"remote: {model.dialect.model or 'the same name'} at {model.base_url}"


# --- what is wrong with an entry --------------------------------------------------------------------------


def _mistakes(index: int, entries: tuple[Entry, ...], environment: Mapping[str, str]) -> Iterator[Mistake]:
    entry, place = entries[index], ("models", index)
    if sum(answers is not None for answers in (entry.remote, entry.extractive, entry.scripted)) != 1:
        yield Mistake(
            place,
            f"the entry for {entry.match!r} must have exactly one of remote, extractive and scripted",
            "add remote: {base_url: ...} for an endpoint, extractive: true for the offline assistant, "
            "or scripted: [...] with the lines it says",
        )
    if entry.extractive is False:
        yield Mistake(
            (*place, "extractive"), "extractive: false says nothing", "write true, or remote: {...}"
        )
    hidden = next((other.match for other in entries[:index] if other.match in ("*", entry.match)), None)
    if hidden is not None:
        message = f"no name ever gets to {entry.match!r}: the entry {hidden!r} stands before it"
        yield Mistake((*place, "match"), message, "the first entry that fits answers: put it further up")
    if entry.remote is not None:
        yield from _remote_mistakes(entry.remote, (*place, "remote"), environment)


def _remote_mistakes(remote: RemoteEntry, place: Place, environment: Mapping[str, str]) -> Iterator[Mistake]:
    if _has_key(remote.base_url):
        message = "base_url holds a user name or password"  # which is not repeated here
        yield Mistake((*place, "base_url"), message, _KEYS)
    elif not _is_address(remote.base_url):
        message = f"base_url must be an address such as http://127.0.0.1:8000/v1, not {remote.base_url!r}"
        yield Mistake((*place, "base_url"), message)
    name = remote.api_key_env
    if name and not _VARIABLE.fullmatch(name):
        yield Mistake((*place, "api_key_env"), "api_key_env must be the name of a variable", _KEYS)
    elif name and not environment.get(name):
        yield Mistake((*place, "api_key_env"), f"the environment variable {name!r} is not set", _KEYS)


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEYS = "keys stand in the environment: api_key_env names the variable that holds one"


def _has_key(address: str) -> bool:
    try:
        return "@" in urlsplit(address).netloc
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
