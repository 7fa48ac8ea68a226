"""What a run will cost, before it is paid for: from earlier trials, else from tokens and limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from harness.cost.charges import Charge
from harness.cost.prices import PriceBook
from harness.cost.usage import Usage
from harness.errors import StoreError
from harness.judge import prompt
from harness.judge.asking import requests_of, wishes
from harness.judge.material import Material
from harness.plan import Trial
from harness.settings import Settings
from harness.suite.records import AssistantFile, JudgeExpectation, Rubric
from harness.targets import bounds, requests
from harness.targets.spending import Caps
from harness.targets.wire import Json
from harness.workflows.budgeting import limits_of
from harness.workflows.jobs import Job, load, plan_of
from harness.workflows.stored import open_store

if TYPE_CHECKING:
    from harness.store.history import PastCost

_NO_USD = Decimal(0)
_RUNS = ("embedded", "assistants")


@dataclass(frozen=True, slots=True)
class Range:
    """What some trials will cost.

    Attributes:
        trials: How many they are.
        least_usd: All of them at their cheapest.
        mean_usd: What is likely; None where nothing tells.
        most_usd: All of them at their dearest; None where nothing limits them.
    """

    trials: int = 0
    least_usd: Decimal = _NO_USD
    mean_usd: Decimal | None = _NO_USD
    most_usd: Decimal | None = _NO_USD

    def __add__(self, other: Range) -> Range:
        return Range(
            self.trials + other.trials,
            self.least_usd + other.least_usd,
            _sum(self.mean_usd, other.mean_usd),
            _sum(self.most_usd, other.most_usd),
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a plan will cost.

    Attributes:
        trials: How many there are.
        turns: How many messages will be sent.
        target: Where.
        as_before: Trials of conversations that ran on this target before.
        counted: The others, from their own tokens up to the limits that a budget sends.
        unknown: How many trials nobody can say anything about, by the reason.
    """

    trials: int
    turns: int
    target: str
    as_before: Range
    counted: Range
    unknown: Mapping[str, int] = field(default_factory=dict)
    judges: Range = field(default_factory=Range)
    """What judges will cost, from the votes of their rubrics up to the limits that a budget sends."""

    @property
    def total(self) -> Range:
        """All trials that something is known of, and their judges."""
        trials = self.as_before + self.counted
        both = trials + self.judges
        return Range(trials.trials or both.trials, both.least_usd, both.mean_usd, both.most_usd)


def forecast(job: Job) -> Forecast:
    """What a job will cost; nothing is sent.

    Raises:
        SuiteError: With every mistake of every file.
        StoreError: The store of earlier runs can't be read.
    """
    suites = load(job)
    plan = plan_of(job, suites)
    past = _Past(_past_costs(job.settings, [suite.name for suite in suites]))
    as_before, counted, unknown = Range(), Range(), Counter[str]()
    judges = _Judges(job.settings)
    for trial in plan.trials:
        judges.add(trial)
        if (known := past.of(trial)) is not None:
            as_before += known
            continue
        found = _counted(trial, job.settings)
        if isinstance(found, str):
            unknown[found] += 1
        else:
            counted += found
    unknown.update(judges.unknown)
    return Forecast(
        len(plan.trials),
        plan.extent().turns,
        job.settings.target,
        as_before,
        counted,
        dict(unknown),
        judges.cost,
    )


# --- earlier trials --------------------------------------------------------------------------------------


def _past_costs(settings: Settings, suites: Sequence[str]) -> dict[str, list[PastCost]]:
    """By suite; none where there is no store yet."""
    try:
        with open_store(settings, create=False) as store:
            return {suite: store.past_costs(suite, settings.target) for suite in suites}
    except StoreError as error:
        if error.code == "store-missing":
            return {}
        raise


class _Past:
    """Earlier trials by conversation; those of the same version of the assistant count before others."""

    def __init__(self, costs: Mapping[str, Sequence[PastCost]]) -> None:
        self._costs: dict[tuple[str, str], list[PastCost]] = {}
        for suite, found in costs.items():
            for each in found:
                self._costs.setdefault((suite, each.conversation), []).append(each)

    def of(self, trial: Trial) -> Range | None:
        """What one more trial will cost, if it goes as before."""
        found = self._costs.get((trial.suite.name, trial.conversation.id), [])
        same = [each for each in found if each.fingerprint == trial.variant.fingerprint]
        if not found:
            return None
        chosen = same or found
        trials = sum(each.trials for each in chosen)
        return Range(
            1,
            min(each.least_usd for each in chosen),
            sum((each.mean_usd * each.trials for each in chosen), _NO_USD) / trials,
            max(each.most_usd for each in chosen),
        )


# --- tokens and limits -----------------------------------------------------------------------------------


def _counted(trial: Trial, settings: Settings) -> Range | str:
    """What the turns cost by what is said in them and by the limits of a budget; or why nobody knows."""
    if settings.target not in (*_RUNS, "responses", "chat"):
        return _by_the_turn(trial, settings)
    if trial.variant.assistant_id:
        return "an assistant that exists already is known only by its id"
    prices = settings.price_book()
    model = trial.variant.assistant.model
    if not prices.knows(model):
        return f"no price is known for model {model!r}"
    least = sum((_usd(each, prices) for each in _least(trial)), _NO_USD)
    charges = list(_most(trial, settings.target, limits_of(settings).caps))
    most = sum((_usd(each, prices) for each in charges), _NO_USD)
    has_rounds = settings.target not in _RUNS and trial.variant.assistant.functions
    return Range(1, least, None, None if has_rounds else max(most, least))


def _by_the_turn(trial: Trial, settings: Settings) -> Range | str:
    if settings.most_per_turn_usd is None:
        return f"what a turn costs at the target {settings.target!r} only it can tell"
    return Range(1, _NO_USD, None, settings.most_per_turn_usd * len(trial.conversation.turns))


def _usd(charge: Charge, prices: PriceBook) -> Decimal:
    cost = charge.cost(prices.asked_for(charge.model), code_sessions=int(charge.runs_code))
    return cost.usd or _NO_USD


def _least(trial: Trial) -> Iterator[Charge]:
    """Each turn answered at once and with nothing: its prompt holds all that users said so far."""
    assistant = trial.variant.assistant
    said = [message.content for message in trial.conversation.history]
    fixed = bounds.counted(assistant.instructions, assistant.model)
    for turn in trial.conversation.turns:
        said.append(turn.user)
        prompt = fixed + sum(bounds.counted(text, assistant.model) for text in said)
        yield Charge(assistant.model, Usage(prompt_tokens=prompt), "chat")


def _most(trial: Trial, target: str, caps: Caps) -> Iterator[Charge]:
    """Each turn up to the limits that a budget sends."""
    assistant = trial.variant.assistant
    tools = [tool.type for tool in assistant.tools]
    said_tokens = bounds.said_tokens(trial.conversation.history)
    for turn in trial.conversation.turns:
        if target in _RUNS:
            limits = {**requests.capped_run(caps), **_own_limits(assistant)}
            yield bounds.of_run(limits, assistant.model, tools)
            continue
        body = _response(assistant, caps, turn.user)
        yield bounds.of_response(body, said_tokens)
        said_tokens = bounds.after_response(body, said_tokens)


class _Judges:
    """What judges will cost, trial by trial; a run that replays asks none."""

    def __init__(self, settings: Settings) -> None:
        self.cost = Range()
        self.unknown: Counter[str] = Counter()
        self._settings = settings
        self._prices = settings.price_book()
        self._caps = limits_of(settings).caps
        self._known: dict[tuple[str, str], Range | str | None] = {}

    def add(self, trial: Trial) -> None:
        """Add what judging a trial costs; each conversation is looked at once."""
        key = trial.suite.name, trial.conversation.id
        if key not in self._known:
            self._known[key] = self._of(trial)
        found = self._known[key]
        if isinstance(found, str):
            self.unknown[found] += 1
        elif found is not None:
            self.cost += found

    def _of(self, trial: Trial) -> Range | str | None:
        asked = [(turn, wanted) for turn, wanted in wishes(trial.conversation)]
        if not asked or self._settings.target == "recording":
            return None
        least = most = _NO_USD
        for turn, wanted in asked:
            rubric = trial.suite.rubrics[wanted.rubric]
            model = rubric.model or self._settings.judge_model or ""
            if not self._prices.knows(model):
                return f"no price is known for the judge {model!r}"
            each_least, each_most = self._vote(trial, turn, wanted, rubric, model)
            least += each_least * requests_of(rubric)
            most += each_most * requests_of(rubric)
        return Range(1, least, None, most)

    def _vote(
        self, trial: Trial, turn: int | None, wanted: JudgeExpectation, rubric: Rubric, model: str
    ) -> tuple[Decimal, Decimal]:
        """One vote over answers that say nothing, and over answers as long as the limits allow."""
        turns = trial.conversation.turns
        seen = turns if turn is None else turns[: turn + 1]
        said = tuple(("user", each.user) for each in seen)
        material = Material(said, None if turn is None else "", (), wanted.against, wanted.reference)
        body = prompt.request(rubric, material, model, turned=False, seed=0)
        counted = bounds.prompt_tokens(body)
        grown = counted + len(seen) * self._caps.completion_tokens
        grown += bounds.RESULT_TOKENS * len(seen) * len(rubric.shows)
        least = Charge(model, Usage(prompt_tokens=counted), "chat")
        usage = Usage(prompt_tokens=grown, completion_tokens=self._caps.completion_tokens)
        return _usd(least, self._prices), _usd(Charge(model, usage, "chat"), self._prices)


def _own_limits(assistant: AssistantFile) -> Json:
    limits: Json = assistant.model_dump(
        include={"max_prompt_tokens", "max_completion_tokens"}, exclude_none=True
    )
    return limits


def _response(assistant: AssistantFile, caps: Caps, said: str) -> Json:
    """A request as it will be made, as far as it is known now; a completion's is no bigger."""
    tools = requests.response_tools(assistant, ["vs_later"] if assistant.knowledge else [], [])
    body = {
        **requests.response_body(assistant),
        "input": [{"type": "message", "role": "user", "content": said}],
        "tools": tools,
    }
    return requests.capped_response(caps, body, tools)


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other
