"""harness.toml, the environment and the command line's flags, made one record."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from harness.backoff import LONGEST_WAIT_S, MOST_TRIES
from harness.cost.prices import ModelPrice, PriceBook
from harness.errors import Problem, SettingsError, in_order, mistakes_told
from harness.judge.asking import JudgeOptions
from harness.judge.gating import LEAST_KAPPA
from harness.suite.records import MOST_REPEATS, Deadline
from harness.targets.interface import MOST_ROUNDS
from harness.targets.limits import Limits
from harness.targets.making import TargetOptions
from harness.trace.scrubbing import Scrubber, secrets_in

if TYPE_CHECKING:
    from harness.tomlfile import TomlFile

FILE_NAME = "harness.toml"
_PREFIX = "HARNESS_"
_OF_OPENAI = {"base_url": "OPENAI_BASE_URL", "api_key": "OPENAI_API_KEY"}
_OF_AZURE = {"api_key": "AZURE_OPENAI_API_KEY", "api_version": "OPENAI_API_VERSION"}


_Usd = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
_ADDRESS = "write it whole, such as http://127.0.0.1:8080/v1, with a port from 1 to 65535 after the colon"
_PRICE = "write MODEL=INPUT/OUTPUT or MODEL=INPUT/OUTPUT/CACHED in USD per million tokens"


class Price(BaseModel):
    """What somebody pays for a model, in USD per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: _Usd
    output: _Usd
    cached: _Usd | None = None


def _as_list(value: Any) -> Any:
    """A variable of the environment holds one text."""
    return (value,) if isinstance(value, str) else value


class Settings(BaseModel):
    """How suites are run; every field can stand in harness.toml, in the environment, or be a flag.

    Flags win over ``HARNESS_<NAME>`` variables, those over harness.toml, that over the defaults here.
    ``base_url`` and ``api_key`` are also read from ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY``; with an
    ``azure_endpoint`` the key from ``AZURE_OPENAI_API_KEY``, and ``api_version`` from ``OPENAI_API_VERSION``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Most requests in any minute, all trials together."""
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Most tokens in any minute, all trials together, as far as they can be known before."""
    max_tries: Annotated[int, Field(ge=1, le=100)] = MOST_TRIES
    """How often one request is tried."""
    max_wait_s: Annotated[float, Field(ge=0, le=86_400)] = LONGEST_WAIT_S
    """The longest wait that the server may ask for before the next try, in seconds."""
    most_rounds: Annotated[int, Field(ge=1, le=1000)] = MOST_ROUNDS
    """How often an assistant may ask for functions in one turn; more end the turn."""
    deadline_s: Deadline | None = None
    """Longest a turn may take, in seconds; when left out what the suite says, and 120 where it does not."""
    provision_deadline_s: Deadline = 900.0
    """Longest making an assistant ready may take, with its documents uploaded and indexed, in seconds."""
    max_failures: Annotated[int, Field(ge=1)] | None = None
    """End the run early after so many failed or errored trials."""
    max_errors: Annotated[int, Field(ge=1)] | None = None
    """End the run early after so many errored trials."""
    budget_usd: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)] | None = None
    """The most that a run may cost, in USD; a request that could cost more is not sent."""
    budget_per_trial_usd: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)] | None = None
    """The most that one trial may cost, in USD."""
    most_per_turn_usd: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)] | None = None
    """Under a budget: the most that a turn can cost at a target that can't be limited, such as function."""
    cap_prompt_tokens: Annotated[int, Field(ge=256)] = 50_000
    """Under a budget: max_prompt_tokens of a run whose assistant has none."""
    cap_completion_tokens: Annotated[int, Field(ge=256)] = 8_192
    """Under a budget: the most that a run, response or completion may write, unless its assistant says."""
    cap_tool_calls: Annotated[int, Field(ge=1)] = 4
    """Under a budget: calls of hosted tools in one response."""
    prices: dict[str, Price] = Field(default_factory=dict)
    """Prices of models by name, before the list prices: input, output and cached, USD per million tokens."""
    judge_model: Annotated[str, Field(min_length=1)] | None = None
    """The chat model that judges by rubrics which name none."""
    judge_base_url: str | None = None
    """Of the chat completions API where judges are asked, ending in /v1; base_url when left out, the embedded
    server without either."""
    judge_api_key: str | None = Field(default=None, repr=False)
    """For that API; api_key when judge_base_url is left out."""
    judge_temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Of the judging model; its own default when left out."""
    judge_deadline_s: Deadline = 120.0
    """Longest one vote of a judge may take, in seconds."""
    judge_structured: bool = True
    """Whether the JSON Schema of its answer is sent to the judge; false for a server that refuses it."""
    judge_min_kappa: Annotated[float, Field(ge=0, le=1)] = LEAST_KAPPA
    """Cohen's kappa that a calibrated judge must reach before its verdicts count."""
    models: str | None = None
    """Model table of the embedded server, a YAML file; the offline reference assistant when left out."""
    faults: str | None = None
    """Faults on demand of the embedded server, a YAML file, to try resilience with."""
    allow_unisolated_code: bool = False
    """Whether the embedded server runs code on a machine that has no isolation for it."""
    store: str = ".harness/store.sqlite"
    """The database of suite runs: a path, or an SQLAlchemy URL."""
    ledger: str = ".harness/ledger.sqlite"
    """What was made at the target's address and is not known to be gone: a file."""
    keep_assistants: bool = False
    """Whether assistants and documents stay at the target's address, for later runs to work with."""
    keep_users: bool = False
    """Whether threads of users stay at the target's address: users come back to them in later runs."""
    vector_store_days: Annotated[int, Field(ge=1, le=365)] = 7
    """How many days after its last use a vector store expires by itself, whatever becomes of the run."""
    store_patience_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """How long a run waits for a store that can't be written to, with its results in memory, in seconds."""
    reports: str = "reports"
    """Folder for HTML reports."""

    @field_validator("prices", mode="before")
    @classmethod
    def _written_prices(cls, value: Any) -> Any:
        """Prices as flags and variables write them: ``my-model=1.10/4.40``."""
        if isinstance(value, str):
            value = [part for part in value.split(",") if part.strip()]
        return dict(_price(text) for text in value) if isinstance(value, list | tuple) else value

    @field_validator("base_url", "azure_endpoint", "judge_base_url")
    @classmethod
    def _address(cls, value: str | None, field: ValidationInfo) -> str | None:
        if value and not _is_address(value):
            raise ValueError(f"{field.field_name} must be the address of an API, not {value!r}", _ADDRESS)
        return value

    @property
    def has_budget(self) -> bool:
        """Whether something limits what may be spent."""
        return self.budget_usd is not None or self.budget_per_trial_usd is not None

    def price_book(self) -> PriceBook:
        """The prices of one's own, and list prices."""
        return PriceBook({name: ModelPrice(**dict(price)) for name, price in self.prices.items()})

    def limits(self) -> Limits:
        """What requests keep to."""
        return Limits(
            self.concurrency,
            self.requests_per_minute,
            self.tokens_per_minute,
            max_tries=self.max_tries,
            max_wait_s=self.max_wait_s,
        )

    def judge_options(self) -> JudgeOptions:
        """How judges are asked."""
        return JudgeOptions(
            self.judge_model, self.judge_temperature, self.judge_deadline_s, self.judge_structured
        )

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
            ledger=Path(self.ledger),
            keep_assistants=self.keep_assistants,
            keep_users=self.keep_users,
            vector_store_days=self.vector_store_days,
        )

    def scrubber(self) -> Scrubber:
        """What takes the key and other secrets out of all that is written.

        Raises:
            SettingsError: A pattern of ``scrub`` can't be used.
        """
        own = (self.api_key, self.judge_api_key)
        known = [*secrets_in(os.environ), *(key for key in own if key)]
        return Scrubber(known, patterns=self.scrub, emails=self.scrub_emails)


def given(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the flags that were given."""
    return {name: value for name, value in flags.items() if value is not None}


def load_settings(
    flags: Mapping[str, Any], *, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """The settings in force; flags that are None count as not given.

    Raises:
        SettingsError: A file or variable holds a value that can't be used; all are named at once.
    """
    file = (folder or Path()) / FILE_NAME
    read = _from_file(file)
    in_file = read.data if read else {}
    said = given(flags)
    set_outside = os.environ if environment is None else environment
    is_azure = bool((in_file | _from_environment(set_outside, {}) | said).get("azure_endpoint"))
    elsewhere = {**_from_environment(set_outside, _OF_AZURE if is_azure else _OF_OPENAI), **said}
    values = in_file | elsewhere
    if isinstance(in_file.get("prices"), dict) and "prices" in elsewhere:
        values["prices"] = in_file["prices"] | _parsed_prices(elsewhere["prices"])
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise _explained(error, values, lambda name: None if name in elsewhere else read) from error


def _from_file(file: Path) -> TomlFile | None:
    from harness.tomlfile import read_toml

    try:
        return read_toml(file)
    except FileNotFoundError:
        return None


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


def _explained(
    error: ValidationError, values: Mapping[str, Any], file_of: Callable[[str], TomlFile | None]
) -> SettingsError:
    """Every mistake, with its place where the value stands in the file."""
    from harness.yamlfile.mistakes import mistakes_in

    problems = []
    for mistake in mistakes_in(error, Settings, dict(values)):
        file = file_of(str(mistake.place[0]))
        where = file.where(mistake.place, key=mistake.at_key) if file else None
        is_setting = mistake.at_key and len(mistake.place) == 1
        message = f"there is no setting {mistake.place[0]!r}" if is_setting else mistake.message
        problems.append(Problem(message, where, mistake.hint))
    return SettingsError(mistakes_told(in_order(problems)))


# --- prices --------------------------------------------------------------------------------------------


def _parsed_prices(written: Any) -> dict[str, Any]:
    """Prices of a flag or variable, to be laid over those of the file."""
    parsed = Settings._written_prices(written)
    return parsed if isinstance(parsed, dict) else {}


def _is_address(text: str) -> bool:
    """Whether requests can be sent there: http or https, a host, and after a colon a port."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        return False
    whole = parts.scheme in ("http", "https") and bool(parts.hostname)
    return whole and port != 0 and not parts.netloc.endswith(":")


def _price(text: Any) -> tuple[str, dict[str, Decimal]]:
    """``MODEL=INPUT/OUTPUT`` as what stands in a table of prices.

    Raises:
        SettingsError: It is written in another way.
    """
    name, _, amounts = str(text).strip().rpartition("=")
    try:
        usd = [Decimal(amount) for amount in amounts.split("/")]
    except InvalidOperation as error:
        raise SettingsError(f"{text!r} is no price", hint=_PRICE) from error
    if not name or len(usd) not in (2, 3):
        raise SettingsError(f"{text!r} is no price", hint=_PRICE)
    return name, dict(zip(("input", "output", "cached"), usd, strict=False))
