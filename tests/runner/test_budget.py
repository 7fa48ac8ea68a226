"""What is spent and reserved never exceeds the budget, whatever the order of things and whoever answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest
import virtual_time
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from harness.clock import SYSTEM_CLOCK
from harness.cost.charges import Charge
from harness.cost.prices import ModelPrice, PriceBook
from harness.cost.usage import Usage
from harness.errors import BudgetError, BudgetExhausted, BudgetHeld, TargetUnavailable
from harness.plan import Plan, Trial
from harness.results import Score, TrialResult
from harness.runner.budget import Budget, Limits
from harness.runner.events import Event, RunFinished, TrialFinished, TrialUnpaid
from harness.runner.executors.local import Stop, run
from harness.runner.trial import TrialOptions
from harness.scorers.checks import score_trace
from harness.server.app import App, ServerOptions
from harness.server.faults import read_faults
from harness.server.http import background
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, function_call
from harness.targets.assistants import AssistantsTarget
from harness.targets.chat import ChatTarget
from harness.targets.embedded import EmbeddedWire
from harness.targets.function import Answer, FunctionTarget
from harness.targets.http import Address, HttpWire
from harness.targets.interface import Target
from harness.targets.responses import ResponsesTarget
from harness.targets.spending import Caps
from harness.trace.records import Trace

USD = Decimal
PRICES = PriceBook({"priced": ModelPrice(USD(1), USD(10))})
MOST = Charge("priced", Usage(prompt_tokens=50_000, completion_tokens=5_000), "chat")  # 0.05 + 0.05
SMALL = Charge("priced", Usage(prompt_tokens=10_000, completion_tokens=1_000), "chat")  # 0.02


def budget(run_usd: str | None = "1.00", trial_usd: str | None = None, **given: Any) -> Budget:
    limits = Limits(USD(run_usd) if run_usd else None, USD(trial_usd) if trial_usd else None)
    return Budget(limits, prices=PRICES, **given)


# --- any order ---------------------------------------------------------------------------------------------


class Spending(RuleBasedStateMachine):
    """Requests of three trials that are reserved, settled, lost and given back in any order."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.budget = budget("1.00", "0.55")
        self.purses = [self.budget.purse(f"s/c@v#{number}") for number in range(3)]
        self.out = 0

    @rule(target=held, trial=st.integers(0, 2), prompt=st.integers(0, 400_000), wrote=st.integers(0, 40_000))
    def reserve(self, trial: int, prompt: int, wrote: int) -> Any:
        most = Charge("priced", Usage(prompt_tokens=prompt, completion_tokens=wrote), "chat")
        try:
            held = self.purses[trial].hold_now(most)
        except (BudgetError, TargetUnavailable):
            return None
        self.out += 1
        return held, most

    @rule(request=consumes(held), share=st.floats(0, 1))
    def settle(self, request: Any, share: float) -> None:
        if request is not None:
            held, most = request
            usage = Usage(
                prompt_tokens=int(most.usage.prompt_tokens * share),
                completion_tokens=int(most.usage.completion_tokens * share),
                cached_tokens=int(most.usage.prompt_tokens * share / 2),
            )
            held.settle(Charge("priced", usage, "chat"))
            self.out -= 1

    @rule(request=consumes(held))
    def lose(self, request: Any) -> None:
        if request is not None:
            request[0].lose()
            self.out -= 1

    @rule(request=consumes(held))
    def give_back(self, request: Any) -> None:
        if request is not None:
            request[0].give_back()
            self.out -= 1

    @invariant()
    def nothing_is_overrun(self) -> None:
        assert self.budget.spent_usd + self.budget.reserved_usd <= USD("1.00")
        assert min(self.budget.spent_usd, self.budget.reserved_usd) >= 0
        assert sum(purse.spent_usd for purse in self.purses) == self.budget.spent_usd
        assert self.out or self.budget.reserved_usd == 0


TestSpending = Spending.TestCase
TestSpending.settings = hypothesis_settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_request_waits_for_what_others_hold_and_nobody_overtakes_it() -> None:
    async def go() -> list[str]:
        shared, order = budget("0.16"), []
        first = await shared.purse("a").hold(MOST)

        async def ask(name: str, most: Charge) -> None:
            held = await shared.purse(name).hold(most)
            order.append(name)
            held.give_back()

        waiting = [asyncio.create_task(ask("big", MOST)), asyncio.create_task(ask("small", SMALL))]
        await asyncio.sleep(0)
        assert order == []
        first.settle(SMALL)
        await asyncio.gather(*waiting)
        return order

    assert asyncio.run(go()) == ["big", "small"]


def test_who_waits_for_money_that_was_spent_is_refused() -> None:
    async def go() -> None:
        shared = budget("0.16")
        first = await shared.purse("a").hold(MOST)
        waiting = asyncio.create_task(shared.purse("b").hold(MOST))
        await asyncio.sleep(0)
        first.lose()
        with pytest.raises(BudgetExhausted, match=r"could cost \$0\.10 .* of the budget of \$0\.16 \$0\.06"):
            await waiting

    asyncio.run(go())


@pytest.mark.parametrize("is_granted", [True, False])
def test_who_stops_waiting_holds_nothing(is_granted: bool) -> None:
    async def go() -> Budget:
        shared = budget("0.16")
        first = await shared.purse("a").hold(MOST)
        waiting = asyncio.create_task(shared.purse("b").hold(MOST))
        await asyncio.sleep(0)
        if is_granted:
            first.give_back()
        waiting.cancel()
        await asyncio.wait([waiting])
        if not is_granted:
            first.give_back()
        return shared

    shared = asyncio.run(go())
    assert (shared.reserved_usd, shared.spent_usd) == (0, 0)
    assert shared.reserve(USD("0.16"))


def test_a_target_that_charges_more_than_its_limits_allow_gets_nothing_more() -> None:
    shared = budget("1.00")
    shared.purse("s/c@v#1").hold_now(SMALL).settle(MOST)
    assert shared.spent_usd == USD("0.10")
    with pytest.raises(BudgetExhausted, match=r"s/c@v#1 was charged \$0\.10 .* could cost \$0\.02"):
        shared.purse("s/c@v#2").hold_now(SMALL)


def test_a_tier_of_unknown_price_ends_the_spending_too() -> None:
    shared = budget("1.00")
    shared.purse("s/c@v#1").hold_now(MOST).settle(Charge("priced", Usage(), "chat", service_tier="priority"))
    assert shared.spent_usd == USD("0.10")
    with pytest.raises(BudgetExhausted, match="service tier 'priority'"):
        shared.purse("s/c@v#2").hold_now(SMALL)


def test_a_journal_that_can_not_be_written_leaves_nothing_reserved() -> None:
    class Full:
        def reserve(self, trial_id: str, usd: Decimal, role: str) -> int:
            raise OSError("no space")

        def settle(self, number: int, usd: Decimal) -> None:
            raise AssertionError

    shared = budget("1.00", journal=Full())
    with pytest.raises(OSError, match="no space"):
        shared.purse("a").hold_now(SMALL)
    assert shared.reserved_usd == 0


class Elsewhere:
    """A journal that other processes write too; they hold all that is left for some time."""

    def __init__(self, times: int) -> None:
        self.times = times

    def reserve(self, trial_id: str, usd: Decimal, role: str) -> int:
        self.times -= 1
        if self.times >= 0:
            raise BudgetHeld("other requests hold $1 back")
        return 1

    def settle(self, number: int, usd: Decimal) -> None:
        return None


def test_money_that_other_processes_hold_is_waited_for() -> None:
    journal = Elsewhere(20)
    shared = budget(journal=journal, clock=virtual_time.CLOCK)
    virtual_time.run(shared.purse("a").hold(SMALL))
    assert journal.times == -1 and shared.reserved_usd == USD("0.02")


def test_money_that_never_comes_back_from_other_processes_is_gone() -> None:
    shared = budget(journal=Elsewhere(10**9), clock=virtual_time.CLOCK)
    with pytest.raises(BudgetExhausted, match="other requests hold"):
        virtual_time.run(shared.purse("a").hold(SMALL))
    assert shared.reserved_usd == 0


def test_a_try_again_does_not_wait_for_other_processes() -> None:
    shared = budget("1.00", journal=Elsewhere(1))
    with pytest.raises(TargetUnavailable, match="what its next try could cost"):
        shared.purse("a").hold_now(SMALL)
    assert shared.reserved_usd == 0


def test_a_model_without_a_price_is_refused_with_what_to_write() -> None:
    with pytest.raises(BudgetError, match="no price is known for model 'nobody'") as caught:
        budget().refuse_unpriced("nobody")
    assert caught.value.code == "budget-unpriced"
    assert "--price nobody=" in str(caught.value.hint)


# --- whole runs ------------------------------------------------------------------------------------------

TARGETS: dict[str, Callable[[str, Any], Target]] = {
    "assistants": lambda name, wire: AssistantsTarget(name, wire, poll_s=0.01),
    "responses": lambda name, wire: ResponsesTarget(name, wire, poll_s=0.01),
    "chat": ChatTarget,
}
FOUR = """
tools: {open_ticket: [{returns: fine}]}
conversations:
  - {id: a, turns: [{user: one}, {user: two}]}
  - {id: b, turns: [{user: one}, {user: two}, {user: three}]}
  - {id: c, turns: [{user: one}]}
  - {id: d, turns: [{user: one}, {user: two}]}
"""
CAPS = Caps(prompt_tokens=2_000, completion_tokens=300, tool_calls=1)


class Journal:
    """What was written down, and how much of it was under way at the most."""

    def __init__(self) -> None:
        self.rows: list[list[Decimal | None]] = []

    def reserve(self, trial_id: str, usd: Decimal, role: str) -> int:
        self.rows.append([usd, None])
        return len(self.rows) - 1

    def settle(self, number: int, usd: Decimal) -> None:
        self.rows[number][1] = usd

    @property
    def spent(self) -> Decimal:
        return sum((row[0] if row[1] is None else row[1] for row in self.rows), USD(0))  # type: ignore[misc]


@pytest.fixture
def make_paid_target() -> Iterator[Callable[..., Target]]:
    """A target of any API, in this process or over HTTP, whose model says what the test wants."""
    with ExitStack() as servers:

        def make(api: str, *, http: bool = False, model: Any = None, faults: Any = None) -> Target:
            options = ServerOptions(models=ModelTable(default=Scripted(model or answer)), faults=faults)
            if not http:
                return TARGETS[api](api, EmbeddedWire(options))
            url = servers.enter_context(background(App(options)))
            return TARGETS[api](api, HttpWire(Address(url, "any")))

        yield make


def answer(request: Any) -> Any:
    """A function is called for every message, then something is said."""
    if request.messages[-1].role == "user":
        return calls(function_call("open_ticket", subject="s"))
    return "It is done. " * 5


def played(
    plan: Plan, target: Target, shared: Budget | None, *, concurrency: int = 2, deadline_s: float = 30.0
) -> list[Event]:
    def score(trial: Trial, trace: Trace) -> tuple[Score, ...]:
        return score_trace(trial.conversation, trial.variant.assistant, trace)

    async def go() -> list[Event]:
        options = TrialOptions(deadline_s=deadline_s, score=score, budget=shared)
        try:
            events = run(plan, target, options, concurrency=concurrency, clock=SYSTEM_CLOCK, stop=Stop())
            return [event async for event in events]
        finally:
            await target.tear_down()

    return asyncio.run(go())


def results(events: list[Event]) -> dict[str, TrialResult]:
    return {each.result.conversation: each.result for each in events if isinstance(each, TrialFinished)}


def limited(usd: str, journal: Journal | None = None, trial_usd: str | None = None) -> Budget:
    limits = Limits(USD(usd), USD(trial_usd) if trial_usd else None, caps=CAPS)
    return Budget(limits, journal=journal)


@pytest.mark.parametrize("http", [False, True], ids=["embedded", "http"])
@pytest.mark.parametrize("api", TARGETS)
def test_what_the_budget_counts_is_what_the_results_cost(
    make_suite_plan: Any, make_paid_target: Any, api: str, http: bool
) -> None:
    journal = Journal()
    shared = limited("5.00", journal)
    events = played(make_suite_plan(FOUR), make_paid_target(api, http=http), shared)
    found = results(events)
    assert len(found) == 4
    assert shared.spent_usd == sum(result.cost_usd or 0 for result in found.values()) == journal.spent > 0
    assert (shared.reserved_usd, shared.overcharged) == (0, None)
    assert all(row[1] is not None and row[1] <= row[0] for row in journal.rows)
    assert all(result.outcome != "errored" for result in found.values())


@pytest.mark.parametrize("http", [False, True], ids=["embedded", "http"])
@pytest.mark.parametrize("api", TARGETS)
def test_a_run_ends_before_a_request_that_could_overrun(
    make_suite_plan: Any, make_paid_target: Any, api: str, http: bool
) -> None:
    free = Journal()
    played(make_suite_plan(FOUR), make_paid_target(api), limited("5.00", free))
    limit = max(row[0] for row in free.rows if row[0]) + free.spent / 3
    shared = limited(str(limit))
    events = played(make_suite_plan(FOUR), make_paid_target(api, http=http), shared)
    assert isinstance(events[-1], RunFinished) and events[-1].status == "budget_exhausted"
    assert 0 < shared.spent_usd <= limit
    assert shared.reserved_usd == 0
    unpaid = [each.trial.conversation.id for each in events if isinstance(each, TrialUnpaid)]
    assert unpaid and not set(unpaid) & results(events).keys()
    assert "errored" not in {result.outcome for result in results(events).values()}


def test_a_trial_that_costs_too_much_ends_as_errored_and_the_others_go_on(
    make_suite_plan: Any, make_paid_target: Any
) -> None:
    shared = limited("5.00", trial_usd="0.0102")
    found = results(played(make_suite_plan(FOUR), make_paid_target("assistants"), shared))
    outcomes = {name: result.outcome for name, result in found.items()}
    assert outcomes["b"] == "errored" and outcomes["c"] != "errored"
    assert "could cost $0.0095" in str(found["b"].error)
    turns = found["b"].trace.turns if found["b"].trace else ()
    assert turns and all(turn.status == "completed" for turn in turns)
    assert found["b"].cost_usd is not None and 0 < found["b"].cost_usd < USD("0.0102")
    assert shared.spent_usd == sum(result.cost_usd or 0 for result in found.values())


def test_limits_are_sent_only_under_a_budget(make_suite_plan: Any) -> None:
    asked: list[int | None] = []

    def model(request: Any) -> str:
        asked.append(request.max_completion_tokens)
        return "fine"

    plan = make_suite_plan("conversations: [{id: a, turns: [{user: one}]}]")
    for api in TARGETS:
        for shared in (None, limited("5.00")):
            options = ServerOptions(models=ModelTable(default=Scripted(model)))
            played(plan, TARGETS[api](api, EmbeddedWire(options)), shared)
    assert asked == [None, 300] * 3


@pytest.mark.parametrize("api", TARGETS)
def test_a_try_that_may_have_been_worked_on_counts_in_full_and_a_refused_one_does_not(
    make_suite_plan: Any, make_paid_target: Any, tmp_path: Any, api: str
) -> None:
    path = {"assistants": "/threads/*/runs", "responses": "/responses", "chat": "/chat/completions"}[api]
    (tmp_path / "faults.yaml").write_text(
        f"faults: [{{path: {path}, method: POST, nth: 1, status: 429, retry_after_s: 0}},"
        f" {{path: {path}, method: POST, nth: 2, status: 500}}]"
    )
    from harness.server.app import called_paths

    faults = read_faults(tmp_path / "faults.yaml", called_paths())
    journal = Journal()
    shared = limited("5.00", journal)
    plan = make_suite_plan("conversations: [{id: a, turns: [{user: one}]}]")
    found = results(played(plan, make_paid_target(api, model=lambda request: "fine", faults=faults), shared))
    assert [attempt.status for attempt in found["a"].trace.turns[0].attempts] == [429, 500]  # type: ignore[union-attr]
    assert [row[1] for row in journal.rows] == [0, None, found["a"].cost_usd]
    assert shared.spent_usd == journal.spent > (found["a"].cost_usd or 0)


@pytest.mark.parametrize("api", TARGETS)
def test_a_turn_that_runs_out_of_time_counts_in_full(
    make_suite_plan: Any, make_paid_target: Any, api: str
) -> None:
    released, coming = threading.Event(), []

    def slow(request: Any) -> str:
        coming[0]()
        released.wait(60)
        return "too late"

    journal = Journal()
    shared = limited("5.00", journal)
    plan = make_suite_plan("conversations: [{id: a, turns: [{user: one}]}]")
    target = make_paid_target(api, model=slow)
    opened = target.open

    async def open_and_set(*arguments: Any, **named: Any) -> Any:
        coming.append(virtual_time.jumper(31))
        asyncio.get_running_loop().call_later(32, released.set)
        return await opened(*arguments, **named)

    target.open = open_and_set  # type: ignore[method-assign]
    played(plan, target, shared, deadline_s=30)
    assert [row[1] for row in journal.rows] == [None]
    assert shared.spent_usd == journal.rows[0][0]


def test_a_function_is_paid_by_the_turn(make_suite_plan: Any) -> None:
    told = Answer(text="fine", usage=Usage(prompt_tokens=1000, completion_tokens=100), model="gpt-5.4")
    plan = make_suite_plan(FOUR)
    shared = Budget(Limits(USD("0.10"), turn_usd=USD("0.01")))
    events = played(plan, FunctionTarget("function", lambda question: told), shared)
    assert shared.spent_usd == 8 * USD("0.004") == sum(r.cost_usd or 0 for r in results(events).values())
    silent = Budget(Limits(USD("0.035"), turn_usd=USD("0.01")))
    events = played(plan, FunctionTarget("function", lambda question: "fine"), silent, concurrency=1)
    assert silent.spent_usd == USD("0.03")  # nobody knows, so each turn counts in full
    assert [each.trial.conversation.id for each in events if isinstance(each, TrialUnpaid)] == ["b"]


def test_a_function_of_which_nobody_knows_what_it_can_cost_is_refused() -> None:
    with pytest.raises(BudgetError, match="'function'") as caught:
        budget().refuse_unbounded(FunctionTarget("function", lambda question: "fine"))
    assert caught.value.code == "budget-unbounded"
    assert "--most-per-turn" in str(caught.value.hint)
