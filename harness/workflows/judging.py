"""The judges of a suite run: where they are asked, and what is known of how far they agree with people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from harness.clock import Clock
from harness.errors import SettingsError
from harness.judge.asking import Judge, wishes
from harness.judge.gating import Judging
from harness.runner.budget import Budget
from harness.settings import Settings
from harness.suite.records import Rubric, Suite
from harness.targets.making import chat_wire
from harness.targets.traffic import Traffic
from harness.workflows.budgeting import limits_of

if TYPE_CHECKING:
    from harness.store.store import Store
    from harness.targets.wire import Wire


def rubrics_used(suites: Iterable[Suite]) -> dict[tuple[str, str], Rubric]:
    """The rubrics that expectations name, by suite and name; what a function may want counts as used."""
    found: dict[tuple[str, str], Rubric] = {}
    for suite in suites:
        if not suite.rubrics:
            continue
        scripted = all(conversation.turns for conversation in suite.conversations)
        named = {wanted.rubric for each in suite.conversations for _, wanted in wishes(each)}
        for name, rubric in suite.rubrics.items():
            if name in named or not scripted:
                found[suite.name, name] = rubric
    return found


def judge_of(settings: Settings, clock: Clock, traffic: Traffic | None = None) -> Judge:
    """What asks judges as the settings say; with the assistant's own address, within its limits.

    Raises:
        SettingsError: The address or the embedded server's model table can't be used.
    """
    return Judge(
        _wire(settings, traffic), settings.judge_options(), clean=settings.scrubber().text, clock=clock
    )


def replaying_judge(settings: Settings, clock: Clock) -> Judge:
    """What asks nobody: only judgements that were kept count."""
    return Judge(None, settings.judge_options(), clean=settings.scrubber().text, clock=clock)


def _wire(settings: Settings, traffic: Traffic | None) -> Wire:
    options = replace(settings.target_options(), name="judge", faults=None, recording=None)
    if settings.judge_base_url is not None:
        options = replace(
            options,
            base_url=settings.judge_base_url,
            api_key=settings.judge_api_key,
            azure_endpoint=None,
            api_version=None,
        )
        return chat_wire(replace(options, traffic=Traffic(settings.limits())))
    key = settings.judge_api_key or settings.api_key
    return chat_wire(replace(options, api_key=key, traffic=traffic or Traffic(settings.limits())))


def judging_of(store: Store, settings: Settings) -> Judging:
    """How far judges agree with people, as far as this store knows."""
    return Judging(calibrations=store.calibrations(), least_kappa=settings.judge_min_kappa)


def no_judge(*rubrics: str) -> SettingsError:
    """That no model is set which judges by these."""
    return SettingsError(
        f"no model is set that judges by {', '.join(map(repr, rubrics))}",
        code="judge-missing",
        hint="give --judge-model NAME, set judge_model in harness.toml, or give the rubric a model",
    )


def refuse_unjudgeable(settings: Settings, suites: Sequence[Suite]) -> None:
    """What nobody could judge, or nobody could price, is said before anything is sent.

    Raises:
        SettingsError: No model is set that judges (code ``judge-missing``).
        BudgetError: The judging model has no price, and there is a budget.
    """
    used = rubrics_used(suites)
    lacking = [name for (_, name), rubric in used.items() if not (rubric.model or settings.judge_model)]
    if lacking:
        raise no_judge(*lacking)
    if settings.has_budget:
        budget = Budget(limits_of(settings), prices=settings.price_book())
        for rubric in used.values():
            budget.refuse_unpriced(rubric.model or settings.judge_model or "")
