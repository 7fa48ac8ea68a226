"""harness.toml, the environment and the command line's flags, made one record."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import SettingsError, Where
from harness.suite.records import MOST_REPEATS
from harness.targets.making import NAMES, TargetOptions
from harness.text import nearest

FILE_NAME = "harness.toml"
_PREFIX = "HARNESS_"


class Settings(BaseModel):
    """How suites are run; every field can stand in harness.toml, in the environment, or be a flag.

    Flags win over ``HARNESS_<NAME>`` variables, those over harness.toml, that over the defaults here.
    ``base_url`` and ``api_key`` are also read from ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    target: str = "embedded"
    """Where the assistant lives: embedded, or assistants."""
    base_url: str | None = None
    """Of an Assistants-compatible API, ending in /v1."""
    api_key: str | None = Field(default=None, repr=False)
    """For that API; better kept in the environment than in a file."""
    repeats: Annotated[int, Field(ge=1, le=MOST_REPEATS)] | None = None
    """How often each conversation is run; what the suite says when left out."""
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 8
    """How many trials run at the same time."""
    deadline_s: Annotated[float, Field(gt=0)] = 120.0
    """Longest a turn may take, in seconds."""
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
            models=Path(self.models) if self.models else None,
            faults=Path(self.faults) if self.faults else None,
            allow_unisolated_code=self.allow_unisolated_code,
        )


def load_settings(
    flags: Mapping[str, Any], *, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """The settings in force; flags that are None count as not given.

    Raises:
        SettingsError: A file or variable holds a value that can't be used; all are named at once.
    """
    file = (folder or Path.cwd()) / FILE_NAME
    in_file = _from_file(file)
    elsewhere = {
        **_from_environment(os.environ if environment is None else environment),
        **{name: value for name, value in flags.items() if value is not None},
    }
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


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    _refuse_misspelt(environment)
    aliases = {"base_url": "OPENAI_BASE_URL", "api_key": "OPENAI_API_KEY"}
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
    hints.append(f"settings: {', '.join(Settings.model_fields)}; targets: {', '.join(NAMES)}")
    return SettingsError("; ".join(lines), hint=" ".join(hints), where=where)
