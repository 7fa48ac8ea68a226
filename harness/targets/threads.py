"""A thread at an Assistants API: one turn from the user's message to its trace."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import get_args

import msgspec

from harness.cost.charges import Charge
from harness.cost.usage import from_api
from harness.errors import TargetTimeout, TargetUnavailable
from harness.suite.records import Variant
from harness.targets import bounds, capture, requests, spending
from harness.targets.belongings import Thing
from harness.targets.hosted import Site
from harness.targets.interface import AnswerFunction, FunctionCall, OutgoingTurn
from harness.targets.provisioning import Ready, pages
from harness.targets.turns import Answers, Timing, timed, turn_trace, with_images, within_grace
from harness.targets.wire import Json, Lost
from harness.trace.records import RunStatus, RunStep, TurnTrace

# The parameter that makes file_search results carry their text (create run, list steps).
_INCLUDE = "step_details.tool_calls[*].file_search.results[*].content"
_RUN_OPTIONS = {
    "max_prompt_tokens",
    "max_completion_tokens",
    "tool_choice",
    "parallel_tool_calls",
    "truncation_strategy",
}
_WORKING = frozenset({"queued", "in_progress", "cancelling"})
_ENDED = frozenset(get_args(RunStatus)) - {"requires_action", "timed_out", "unknown"}


class Thread(msgspec.Struct):
    """A thread, what its user sent, and the newest that is known of it.

    What is newer there than that was made by a try whose answer was lost.

    Attributes:
        id: The thread.
        newest_run: Id of its newest run; empty before the first one.
        newest_message: Id of the user's newest message; empty before the first one.
        sent: Files that were sent on it, and the vector store that the API made of them.
    """

    id: str
    newest_run: str = ""
    newest_message: str = ""
    sent: list[Thing] = msgspec.field(default_factory=list)

    @property
    def things(self) -> list[Thing]:
        """All there is of the user: the thread, then what was sent."""
        return [("thread", self.id), *self.sent]


class _Turn(msgspec.Struct):
    """A turn in the making."""

    answers: Answers
    run: Json = msgspec.field(default_factory=dict)
    steps: dict[str, Json] = msgspec.field(default_factory=dict)
    messages: dict[str, Json] = msgspec.field(default_factory=dict)

    @property
    def status(self) -> str:
        return str(self.run.get("status") or "")

    def take(self, event: str, data: Json) -> None:
        """Remember what an event brought; deltas carry nothing that the completed objects lack."""
        if event.endswith(".delta"):
            return
        if event == "thread.run":  # a server that does not stream answers with the run itself
            self.run = data
        elif event.startswith("thread.run.step."):
            self.steps[data["id"]] = data
        elif event.startswith("thread.run."):
            self.run = data
        elif event in {"thread.message.completed", "thread.message.incomplete"}:
            self.messages[data["id"]] = data


class AssistantsSession:
    """One thread."""

    def __init__(self, site: Site, ready: Ready, variant: Variant, thread: Thread, *, keep: bool) -> None:
        self._site = site
        self._wire = site.wire
        self._ready = ready
        self._variant = variant
        self._known = thread
        self._thread = thread.id
        self._keep = keep

    @property
    def documents(self) -> dict[str, str]:
        """The knowledge base: file id to name."""
        return self._ready.documents

    async def send(self, turn: OutgoingTurn, answer: AnswerFunction, *, deadline_s: float) -> TurnTrace:
        """Send the message, drive the run to its end, and tell what happened."""
        making = _Turn(Answers(self._site.clock, turn.most_rounds))
        timing = await timed(self._play(turn, making, answer), self._site.clock, deadline_s, making.answers)
        if timing.timed_out or making.answers.gave_up:
            await within_grace(self._cancel(making))
        return await self._trace(turn, making, timing)

    async def _play(self, turn: OutgoingTurn, making: _Turn, answer: AnswerFunction) -> None:
        searchable = await self._post_message(turn, making)
        await self._drive(making, answer)
        if searchable:
            await self._refuse_unread(searchable)

    async def close(self) -> None:
        """Delete the thread, unless it is kept for a user."""
        if not self._keep:
            await within_grace(self._site.belongings.delete(("thread", self._thread)))

    async def _post_message(self, turn: OutgoingTurn, making: _Turn) -> dict[str, str]:
        """Send the message with its files; those for file_search, by id."""
        attachments, searchable = [], {}
        for file, each in turn.attachments:
            file_id = await self._site.provisioner.upload(file)
            self._known.sent.append(("file", file_id))
            attachments.append({"file_id": file_id, "tools": [{"type": kind} for kind in each.tools]})
            if "file_search" in each.tools:
                searchable[file_id] = file.name
        body: Json = {"role": "user", "content": turn.text}
        if attachments:
            body["attachments"] = attachments
        path = f"/threads/{self._thread}/messages"
        message = await self._wire.call("POST", path, body, lost=lambda: self._lost_message(turn.text))
        self._known.newest_message = str(message.get("id"))
        return searchable

    async def _refuse_unread(self, searchable: Mapping[str, str]) -> None:
        """The API tells of an attachment that can't be read only in the thread's own vector store."""
        thread = await self._wire.call("GET", f"/threads/{self._thread}")
        resources = (thread.get("tool_resources") or {}).get("file_search") or {}
        for store in resources.get("vector_store_ids") or ():
            self._own_store(("vector_store", store))
            await self._site.provisioner.refuse_unindexed(store, searchable)

    def _own_store(self, store: Thing) -> None:
        """The API's own vector store of this thread outlives it, unless somebody deletes it."""
        self._site.provisioner.take_over(store)
        if store not in self._known.sent:
            self._known.sent.append(store)

    async def _drive(self, making: _Turn, answer: AnswerFunction) -> None:
        """Follow the run until it ends; function calls are answered in as many rounds as it takes."""
        options = self._variant.assistant.model_dump(include=_RUN_OPTIONS, exclude_none=True)
        caps = spending.caps()
        if caps is None:
            await self._run(making, answer, options)
            return
        options = {**requests.capped_run(caps), **options}
        most = bounds.of_run(options, self._ready.model, self._ready.tools)
        async with spending.paid(most) as payment:
            await self._run(making, answer, options)
            payment.settle(self._charge(making))

    async def _run(self, making: _Turn, answer: AnswerFunction, options: Json) -> None:
        body = {"assistant_id": self._ready.assistant_id, **options}
        path = f"/threads/{self._thread}/runs?include[]={_INCLUDE}"
        await self._follow(making, path, body, self._lost_run)
        self._known.newest_run = str(making.run.get("id"))
        while making.status == "requires_action" and making.answers.may_go_on():
            outputs = await self._answer(making, answer)
            path = f"/threads/{self._thread}/runs/{making.run['id']}/submit_tool_outputs"
            ids = {output["tool_call_id"] for output in outputs}
            lost = partial(self._run_that_has, ids, str(making.run["id"]))
            await self._follow(making, path, {"tool_outputs": outputs}, lost)

    def _charge(self, making: _Turn) -> Charge:
        """What the run was charged for; one that waits for outputs has not ended, so nobody knows yet."""
        run = making.run
        calls = [call for step in making.steps.values() for call in capture.run_step(step).tool_calls]
        return Charge(
            str(run.get("model") or self._ready.model),
            from_api(run.get("usage")) if making.status in _ENDED else None,
            "assistants",
            runs_code=any(call.type == "code_interpreter" for call in calls),
        )

    async def _follow(self, making: _Turn, path: str, body: Json, lost: Lost) -> None:
        """Stream; when the stream brings no end (dropped, silent, or the server can't stream), poll."""
        making.run = {**making.run, "status": ""} if making.run else {}
        has_begun = is_whole = False
        try:
            async for event, data in self._wire.stream(path, {**body, "stream": True}, lost=lost):
                has_begun, is_whole = True, event == "thread.run"
                making.take(event, data)
        except (TargetUnavailable, TargetTimeout):
            if not has_begun or not making.run:
                raise
        # The run alone says nothing of its steps and messages.
        if is_whole or making.status not in _ENDED | {"requires_action"}:
            await self._poll(making)

    async def _lost_message(self, text: str) -> Json | None:
        """The message that an earlier try put on the thread."""
        path = f"/threads/{self._thread}/messages"
        row = await self._newest_of(path)
        said = capture.message(row, (), {}) if row else None
        if row is None or said is None:
            return None
        is_ours = said.role == "user" and said.text == text and said.id != self._known.newest_message
        return row if is_ours else None

    async def _lost_run(self) -> Json | None:
        """The run that an earlier try began."""
        run = await self._newest_of(f"/threads/{self._thread}/runs")
        return run if run and run["id"] != self._known.newest_run else None

    async def _newest_of(self, path: str) -> Json | None:
        page = await self._wire.call("GET", path, query={"limit": 1, "order": "desc"})
        return next(iter(page["data"]), None)

    async def _run_that_has(self, outputs: set[str], run_id: str) -> Json | None:
        """The run, if an earlier try gave it these outputs: it no longer asks for them then."""
        run = await self._wire.call("GET", f"/threads/{self._thread}/runs/{run_id}")
        asked = {call["id"] for call in _asked(run)}
        return None if run["status"] == "requires_action" and asked == outputs else run

    async def _poll(self, making: _Turn) -> None:
        runs = f"/threads/{self._thread}/runs"
        if "id" not in making.run:
            newest = await self._wire.call("GET", runs, query={"limit": 1, "order": "desc"})
            if not newest["data"]:
                raise TargetUnavailable("the stream of a run ended before it began")
            making.run = newest["data"][0]
        path = f"{runs}/{making.run['id']}"
        if making.status not in _ENDED | {"requires_action"}:
            making.run = await self._ended(path)
        steps = pages(self._wire, f"{path}/steps", **{"include[]": _INCLUDE, "order": "asc"})
        making.steps = {step["id"]: step async for step in steps}
        messages = pages(
            self._wire, f"/threads/{self._thread}/messages", run_id=making.run["id"], order="asc"
        )
        making.messages = {row["id"]: row async for row in messages}

    async def _ended(self, path: str) -> Json:
        """The run, once it is not worked on any more."""
        while (run := await self._wire.call("GET", path)).get("status") in _WORKING:
            await asyncio.sleep(self._site.poll_s)
        return run

    async def _answer(self, making: _Turn, answer: AnswerFunction) -> list[Json]:
        outputs = []
        for call in _asked(making.run):
            function = call["function"]
            asked = FunctionCall(call["id"], function["name"], function["arguments"])
            outputs.append({"tool_call_id": call["id"], "output": await making.answers.give(asked, answer)})
        return outputs

    async def _cancel(self, making: _Turn) -> None:
        """Free the thread of a run that was given up; best effort, the trace says why either way."""
        if making.run:
            await self._wire.call("POST", f"/threads/{self._thread}/runs/{making.run['id']}/cancel")

    async def _trace(self, turn: OutgoingTurn, making: _Turn, timing: Timing) -> TurnTrace:
        told = _with_open_calls([capture.run_step(step) for step in making.steps.values()], making.run)
        steps = [_with_our_side(step, making.answers) for step in told]
        results = [result for step in steps for call in step.tool_calls for result in call.results]
        messages = [capture.message(m, results, self.documents) for m in making.messages.values()]
        return turn_trace(
            turn,
            making.answers,
            timing,
            making.run,
            status=_status(making.status),
            error=_error(making.run, timed_out=timing.timed_out),
            messages=await with_images(self._wire, messages),
            steps=steps,
            usage=from_api(making.run.get("usage")),
            thread_id=self._thread,
            api="assistants",
        )


def _with_our_side(step: RunStep, answers: Answers) -> RunStep:
    """Add to function calls what only our side knows: how long the answer took, and what was wrong."""
    return msgspec.structs.replace(step, tool_calls=tuple(answers.add_to(call) for call in step.tool_calls))


def _asked(run: Json) -> Sequence[Json]:
    """The function calls that a run waits for."""
    action = (run.get("required_action") or {}).get("submit_tool_outputs") or {}
    return action.get("tool_calls") or ()


def _with_open_calls(steps: list[RunStep], run: Json) -> list[RunStep]:
    """The steps with the function calls that the run still waits for: a step tells its calls when it ends."""
    known = {call.id for step in steps for call in step.tool_calls}
    asked = [capture.tool_call(call) for call in _asked(run) if call["id"] not in known]
    if not asked:
        return steps
    begun = next((step for step in steps if step.type == "tool_calls" and not step.tool_calls), None)
    step = begun or RunStep(id="required_action", type="tool_calls", status="in_progress")
    waiting = msgspec.structs.replace(step, tool_calls=tuple(asked))
    return [*(each for each in steps if each is not begun), waiting]


def _status(status: str) -> RunStatus:
    return status if status in _ENDED or status == "requires_action" else "unknown"  # type: ignore[return-value]


def _error(run: Json, *, timed_out: bool) -> str | None:
    if failure := run.get("last_error"):
        return f"{failure.get('code')}: {failure.get('message')}"
    if reason := (run.get("incomplete_details") or {}).get("reason"):
        return f"incomplete: {reason}"
    if timed_out or run.get("status") in _ENDED | {"requires_action"}:
        return None
    return f"the run ended with the status {run.get('status')!r}, which this harness does not know"
