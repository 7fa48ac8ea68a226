"""The life of a run: which status may follow which, and what every change brings with it."""

from __future__ import annotations

from typing import Any

from harness.server.state import ACTIVE_STATUSES, RunRecord, State, StepRecord, ThreadRecord
from harness.server.wire import Event, Message, body, fresh, total_usage

FOLLOWS: dict[str, frozenset[str]] = {
    "queued": frozenset({"in_progress", "cancelling", "expired", "failed"}),
    "in_progress": frozenset(
        {"requires_action", "completed", "incomplete", "failed", "expired", "cancelling"}
    ),
    "requires_action": frozenset({"queued", "expired", "cancelling"}),
    # Cancelling is attempted, not guaranteed: the run may still end another way.
    "cancelling": frozenset({"cancelled", "completed", "incomplete", "failed", "expired"}),
    "completed": frozenset(),
    "incomplete": frozenset(),
    "failed": frozenset(),
    "expired": frozenset(),
    "cancelled": frozenset(),
}
RUN_S = 600
"""``expires_at`` is this much after ``created_at``, exactly (recorded)."""


class IllegalMove(RuntimeError):
    """A status that may not follow the present one: a mistake in the engine, never a client's."""


def move(record: RunRecord, status: str) -> None:
    """Set the status of a run.

    Raises:
        IllegalMove: It may not follow the present one.
    """
    if status not in FOLLOWS[record.run.status]:
        raise IllegalMove(f"run {record.run.id} cannot go from {record.run.status!r} to {status!r}")
    record.run.status = status


def run_event(record: RunRecord, name: str | None = None) -> Event:
    """``thread.run.STATUS`` with the run as it is now."""
    return f"thread.run.{name or record.run.status}", body(record.run)


def step_event(record: StepRecord, name: str, *, with_content: bool = False) -> Event:
    """``thread.run.step.NAME`` with the step as it is now."""
    return f"thread.run.step.{name}", step_body(record, with_content=with_content)


def step_body(record: StepRecord, *, with_content: bool) -> dict[str, Any]:
    """A run step on the wire; the content of search results only when it was asked for."""
    made = body(record.step)
    if not with_content:
        for call in made["step_details"].get("tool_calls", ()):
            for result in call.get("file_search", {}).get("results", ()):
                result.pop("content", None)
    return made


def begin(record: RunRecord, now: int) -> Event:
    """The run goes to work, also again after tool outputs; ``started_at`` is then set anew (recorded)."""
    move(record, "in_progress")
    record.run.started_at = now
    return run_event(record)


def wait_for_outputs(record: RunRecord, calls: list[dict[str, Any]]) -> Event:
    """The run waits until someone answers these function calls."""
    move(record, "requires_action")
    waiting = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["function"]["name"], "arguments": call["function"]["arguments"]},
        }
        for call in calls
    ]
    record.run.required_action = {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {"tool_calls": waiting},
    }
    return run_event(record)


def take_outputs(record: RunRecord, outputs: dict[str, str], now: int) -> list[Event]:
    """Tool outputs arrived: the open step is complete and the run is queued again."""
    move(record, "queued")
    record.run.required_action = None
    open_step = next(step for step in record.steps if step.step.status == "in_progress")
    record.steps.mark(open_step)
    for call in open_step.calls:
        if call["id"] in outputs:
            call["function"]["output"] = outputs[call["id"]]
    return [
        complete_step(open_step, now, with_content=record.with_content),
        run_event(record),
    ]


def complete_step(step: StepRecord, now: int, *, with_content: bool = False) -> Event:
    """A step is done."""
    step.step.status = "completed"
    step.step.completed_at = now
    step.step.usage = step.spent
    return step_event(step, "completed", with_content=with_content)


def end(
    thread: ThreadRecord,
    record: RunRecord,
    status: str,
    now: int,
    *,
    last_error: dict[str, str] | None = None,
    incomplete: str | None = None,
) -> list[Event]:
    """The run is over: open messages and steps are closed, usage is the sum of the steps'."""
    thread.runs.mark(record)
    move(record, status)
    run = record.run
    events = _close_open_parts(thread, record, now, last_error)
    run.required_action = None
    run.expires_at = None
    run.last_error = fresh(last_error)
    run.incomplete_details = {"reason": incomplete} if incomplete else None
    run.usage = total_usage([step.step.usage for step in record.steps])
    if status in ("completed", "failed", "cancelled"):
        setattr(run, f"{status}_at", now)
    events.append(run_event(record))
    for step in record.steps:
        record.steps.mark(step)
        step.step.expires_at = None
    return events


_STEP_ENDS = {"failed": "failed", "cancelled": "cancelled", "expired": "expired"}


def _close_open_parts(
    thread: ThreadRecord, record: RunRecord, now: int, last_error: dict[str, str] | None
) -> list[Event]:
    status = record.run.status
    events: list[Event] = []
    for step in record.steps:
        if step.step.status != "in_progress":
            continue
        message = thread.messages.get(_message_id(step))
        if message is not None and message.status == "in_progress":
            events.append(end_message(message, now, reason=f"run_{status}"))
        record.steps.mark(step)
        events.append(_end_step(step, _STEP_ENDS.get(status, "completed"), now, last_error))
    return events


def _message_id(step: StepRecord) -> str:
    creation: dict[str, str] = step.step.step_details.get("message_creation", {})
    return creation.get("message_id", "")


def _end_step(step: StepRecord, status: str, now: int, last_error: dict[str, str] | None) -> Event:
    step.step.status = status
    step.step.usage = step.spent
    setattr(step.step, f"{status}_at", now)
    if last_error is not None and last_error["code"] != "invalid_prompt":
        step.step.last_error = fresh(last_error)
    return step_event(step, status)


def end_message(message: Message, now: int, *, reason: str | None = None) -> Event:
    """A message is complete, or, with a reason, will stay incomplete."""
    if reason is None:
        message.status, message.completed_at = "completed", now
    else:
        message.status, message.incomplete_at = "incomplete", now
        message.incomplete_details = {"reason": reason}
    return f"thread.message.{message.status}", body(message)


def look(state: State, thread: ThreadRecord, now: int) -> None:
    """Let the active run of a thread expire if its time has passed.

    Nobody watches the clock: a run expires when someone looks at it, which no client can tell apart.
    """
    record = thread.active_run
    if record is None or record.run.expires_at is None or now < record.run.expires_at:
        return
    with state.lock:
        if record.run.status in ACTIVE_STATUSES:
            ended_as = "cancelled" if record.run.status == "cancelling" else "expired"
            end(thread, record, ended_as, now)
