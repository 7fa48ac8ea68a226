"""harness.toml, the environment and the command line's flags, made one record."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from harness.errors import SettingsError, Where
from harness.suite.records import MOST_REPEATS
from harness.targets.interface import MOST_ROUNDS
from harness.targets.making import TargetOptions, names
from harness.text import nearest
from harness.trace.scrubbing import Scrubber, secrets_in

FILE_NAME = "harness.toml"
_PREFIX = "HARNESS_"
_OF_OPENAI = {"base_url": "OPENAI_BASE_URL", "api_key": "OPENAI_API_KEY"}
_OF_AZURE = {"api_key": "AZURE_OPENAI_API_KEY", "api_version": "OPENAI_API_VERSION"}


def _as_list(value: Any) -> Any:
    """A variable of the environment holds one text."""
    return (value,) if isinstance(value, str) else value


class Settings(BaseModel):
    """How suites are run; every field can stand in harness.toml, in the environment, or be a flag.

    Flags win over ``HARNESS_<NAME>`` variables, those over harness.toml, that over the defaults here.
    ``base_url`` and ``api_key`` are also read from ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY``; with an
    ``azure_endpoint`` the key from ``AZURE_OPENAI_API_KEY``, and ``api_version`` from ``OPENAI_API_VERSION``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    target: str = "embedded"
    """Where the assistant lives: embedded, assistants, responses, chat, function, recording, or an installed
    one."""
    base_url: str | None = None
    """Of a compatible API, ending in /v1."""
    api_key: str | None = Field(default=None, repr=False)
    """For that API; better kept in the environment than in a file."""
    azure_endpoint: str | None = None
    """Of a resource of Azure, instead of a base_url."""
    api_version: str | None = None
    """Of Azure's dated API."""
    target_function: str | None = None
    """What the target function calls: module:callable or path.py:callable."""
    recording: str | None = None
    """The file that the target recording answers from."""
    record: str | None = None
    """The file to keep every trial's trace in, to answer from later."""
    scrub: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    """Regular expressions of further secrets, which are taken out of all that is written."""
    scrub_emails: bool = False
    """Whether e-mail addresses are taken out too."""
    repeats: Annotated[int, Field(ge=1, le=MOST_REPEATS)] | None = None
    """How often each conversation is run; what the suite says when left out."""
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 8
    """How many trials run at the same time."""
    deadline_s: Annotated[float, Field(gt=0)] = 120.0
    """Longest a turn may take, in seconds."""
    most_rounds: Annotated[int, Field(ge=1, le=1000)] = MOST_ROUNDS
    """How often an assistant may ask for functions in one turn; more end the turn."""
    models: str | None = None
    """Model table of the embedded server, a YAML file; the offline reference assistant when left out."""
    faults: str | None = None
    """Faults on demand of the embedded server, a YAML file, to try resilience with."""
    allow_unisolated_code: bool = False
    """Whether the embedded server runs code on a machine that has no isolation for it."""
    store: str = ".harness/store.sqlite"
    """The database of suite runs: a path, or an SQLAlchemy URL."""
    reports: str = "reports"
    """Folder for HTML reports."""

    def target_options(self) -> TargetOptions:
        """What the targets room needs of this."""
        return TargetOptions(
            self.target,
            self.base_url,
            self.api_key,
            azure_endpoint=self.azure_endpoint,
            api_version=self.api_version,
            function=self.target_function,
            recording=Path(self.recording) if self.recording else None,
            models=Path(self.models) if self.models else None,
            faults=Path(self.faults) if self.faults else None,
            allow_unisolated_code=self.allow_unisolated_code,
        )

    def scrubber(self) -> Scrubber:
        """What takes the key and other secrets out of all that is written.

        Raises:
            SettingsError: A pattern of ``scrub`` can't be used.
        """
        known = [*secrets_in(os.environ), *([self.api_key] if self.api_key else [])]
        return Scrubber(known, patterns=self.scrub, emails=self.scrub_emails)


def load_settings(
    flags: Mapping[str, Any], *, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """The settings in force; flags that are None count as not given.

    Raises:
        SettingsError: A file or variable holds a value that can't be used; all are named at once.
    """
    file = (folder or Path.cwd()) / FILE_NAME
    in_file = _from_file(file)
    given = {name: value for name, value in flags.items() if value is not None}
    set_outside = os.environ if environment is None else environment
    is_azure = bool((in_file | _from_environment(set_outside, {}) | given).get("azure_endpoint"))
    elsewhere = {**_from_environment(set_outside, _OF_AZURE if is_azure else _OF_OPENAI), **given}
    values = in_file | elsewhere
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        wrong = {str(each["loc"][0]) for each in error.errors()}
        where = Where(str(file)) if wrong & (in_file.keys() - elsewhere.keys()) else None
        raise _explained(error, values, where) from error


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot be read: {error}", where=Where(str(file))) from error


def _from_environment(environment: Mapping[str, str], aliases: Mapping[str, str]) -> dict[str, Any]:
    """Settings from ``HARNESS_...`` variables, else from those that other programs know too."""
    _refuse_misspelt(environment)
    found: dict[str, Any] = {}
    for name in Settings.model_fields:
        value = environment.get(f"{_PREFIX}{name.upper()}") or environment.get(aliases.get(name, ""))
        if value:
            found[name] = value
    return found


def _refuse_misspelt(environment: Mapping[str, str]) -> None:
    """Only what is very like a setting: other programs have variables of this prefix too."""
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name in sorted(environment.keys() - known):
        if name.startswith(_PREFIX) and (near := difflib.get_close_matches(name, known, 1, cutoff=0.9)):
            raise SettingsError(f"there is no setting {name}", hint=f"did you mean {near[0]}?")


def _explained(error: ValidationError, values: Mapping[str, Any], where: Where | None) -> SettingsError:
    lines, hints = [], []
    for each in error.errors():
        name = str(each["loc"][0])
        if each["type"] == "extra_forbidden":
            lines.append(f"there is no setting {name!r}")
            if known := nearest(name, Settings.model_fields):
                hints.append(f"did you mean {known!r}?")
        else:
            lines.append(f"{name} = {values.get(name)!r}: {each['msg'].lower()}")
    hints.append(f"settings: {', '.join(Settings.model_fields)}; targets: {', '.join(names())}")
    return SettingsError("; ".join(lines), hint=" ".join(hints), where=where)
