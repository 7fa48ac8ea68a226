"""A thread at an Assistants API: one turn from the user's message to its trace."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import get_args

import msgspec

from harness.clock import Clock
from harness.cost.usage import from_api
from harness.errors import TargetError, TargetUnavailable
from harness.suite.records import Variant
from harness.targets import capture
from harness.targets.interface import AnswerFunction, FunctionCall, OutgoingTurn
from harness.targets.provisioning import Provisioner, Ready, delete, pages
from harness.targets.wire import Json, Wire
from harness.trace.records import Attempt, Message, OutputFile, RunStatus, RunStep, TurnTrace

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
_LARGEST_IMAGE_BYTES = 2_000_000


@dataclass(slots=True)
class _Turn:
    """A turn in the making."""

    run: Json = field(default_factory=dict)
    steps: dict[str, Json] = field(default_factory=dict)
    messages: dict[str, Json] = field(default_factory=dict)
    latencies: dict[str, float] = field(default_factory=dict)
    tool_errors: dict[str, str] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def status(self) -> str:
        return str(self.run.get("status") or "")

    def take(self, event: str, data: Json) -> None:
        """Remember what an event brought; deltas carry nothing that the completed objects lack."""
        if event.endswith(".delta"):
            return
        if event.startswith("thread.run.step."):
            self.steps[data["id"]] = data
        elif event.startswith("thread.run."):
            self.run = data
        elif event in {"thread.message.completed", "thread.message.incomplete"}:
            self.messages[data["id"]] = data


class AssistantsSession:
    """One thread."""

    def __init__(
        self,
        wire: Wire,
        provisioner: Provisioner,
        clock: Clock,
        ready: Ready,
        variant: Variant,
        thread: str,
        *,
        keep: bool,
        poll_s: float = 1.0,
    ) -> None:
        self._wire = wire
        self._provisioner = provisioner
        self._clock = clock
        self._ready = ready
        self._variant = variant
        self._thread = thread
        self._keep = keep
        self._poll_s = poll_s

    @property
    def documents(self) -> dict[str, str]:
        """The knowledge base: file id to name."""
        return self._ready.documents

    async def send(self, turn: OutgoingTurn, answer: AnswerFunction, *, deadline_s: float) -> TurnTrace:
        """Send the message, drive the run to its end, and tell what happened."""
        making = _Turn()
        started_at, begun = self._clock.now(), self._clock.monotonic()
        timed_out = False
        try:
            async with asyncio.timeout(deadline_s):
                searchable = await self._post_message(turn, making)
                await self._drive(making, answer)
                if searchable:
                    await self._refuse_unread(searchable)
        except TimeoutError:
            timed_out = True
            await self._cancel(making)
        latency_s = self._clock.monotonic() - begun
        return await self._trace(turn, making, started_at, latency_s, timed_out=timed_out)

    async def close(self) -> None:
        """Delete the thread, unless it is kept for a user."""
        if not self._keep:
            await delete(self._wire, f"/threads/{self._thread}")

    async def _post_message(self, turn: OutgoingTurn, making: _Turn) -> dict[str, str]:
        """Send the message with its files; those for file_search, by id."""
        attachments, searchable = [], {}
        for file, each in turn.attachments:
            file_id = await self._provisioner.upload(file)
            attachments.append({"file_id": file_id, "tools": [{"type": kind} for kind in each.tools]})
            if "file_search" in each.tools:
                searchable[file_id] = file.name
        body: Json = {"role": "user", "content": turn.text}
        if attachments:
            body["attachments"] = attachments
        path = f"/threads/{self._thread}/messages"
        await self._wire.call("POST", path, body, attempts=making.attempts)
        return searchable

    async def _refuse_unread(self, searchable: Mapping[str, str]) -> None:
        """The API tells of an attachment that can't be read only in the thread's own vector store."""
        thread = await self._wire.call("GET", f"/threads/{self._thread}")
        resources = (thread.get("tool_resources") or {}).get("file_search") or {}
        for store in resources.get("vector_store_ids") or ():
            await self._provisioner.refuse_unindexed(store, searchable)

    async def _drive(self, making: _Turn, answer: AnswerFunction) -> None:
        """Follow the run until it ends; function calls are answered in as many rounds as it takes."""
        options = self._variant.assistant.model_dump(include=_RUN_OPTIONS, exclude_none=True)
        body = {"assistant_id": self._ready.assistant_id, **options}
        await self._follow(making, f"/threads/{self._thread}/runs?include[]={_INCLUDE}", body)
        while making.status == "requires_action":
            outputs = await self._answer(making, answer)
            path = f"/threads/{self._thread}/runs/{making.run['id']}/submit_tool_outputs"
            await self._follow(making, path, {"tool_outputs": outputs})

    async def _follow(self, making: _Turn, path: str, body: Json) -> None:
        """Stream; when the stream brings no end (dropped, or the server can't stream), poll."""
        making.run = {**making.run, "status": ""} if making.run else {}
        try:
            async for event, data in self._wire.stream(
                path, {**body, "stream": True}, attempts=making.attempts
            ):
                making.take(event, data)
        except TargetUnavailable:
            if not making.run:
                raise
        if making.status not in _ENDED | {"requires_action"}:
            await self._poll(making)

    async def _poll(self, making: _Turn) -> None:
        runs = f"/threads/{self._thread}/runs"
        if "id" not in making.run:
            newest = await self._wire.call("GET", runs, query={"limit": 1, "order": "desc"})
            making.run = newest["data"][0]
        path = f"{runs}/{making.run['id']}"
        while (run := await self._wire.call("GET", path))["status"] in _WORKING:
            await asyncio.sleep(self._poll_s)
        making.run = run
        steps = pages(self._wire, f"{path}/steps", **{"include[]": _INCLUDE, "order": "asc"})
        making.steps = {step["id"]: step async for step in steps}
        messages = pages(self._wire, f"/threads/{self._thread}/messages", run_id=run["id"], order="asc")
        making.messages = {row["id"]: row async for row in messages}

    async def _answer(self, making: _Turn, answer: AnswerFunction) -> list[Json]:
        action = (making.run.get("required_action") or {}).get("submit_tool_outputs") or {}
        outputs = []
        for call in action.get("tool_calls") or ():
            function = call["function"]
            begun = self._clock.monotonic()
            result = await answer(FunctionCall(call["id"], function["name"], function["arguments"]))
            making.latencies[call["id"]] = self._clock.monotonic() - begun
            if result.error:
                making.tool_errors[call["id"]] = result.error
            outputs.append({"tool_call_id": call["id"], "output": result.output})
        return outputs

    async def _cancel(self, making: _Turn) -> None:
        """Free the thread after a deadline; best effort, the trace says timed_out either way."""
        if not making.run:
            return
        try:
            await self._wire.call("POST", f"/threads/{self._thread}/runs/{making.run['id']}/cancel")
        except TargetError:
            return

    async def _trace(
        self, turn: OutgoingTurn, making: _Turn, started_at: datetime, latency_s: float, *, timed_out: bool
    ) -> TurnTrace:
        steps = [capture.run_step(step) for step in making.steps.values()]
        steps = [_with_our_side(step, making) for step in steps]
        results = [result for step in steps for call in step.tool_calls for result in call.results]
        messages = [capture.message(m, results, self.documents) for m in making.messages.values()]
        wait_s = sum(attempt.wait_s for attempt in making.attempts)
        return TurnTrace(
            user=Message(
                role="user",
                text=turn.text,
                attachments=tuple(path.name for path, _ in turn.attachments),
            ),
            status="timed_out" if timed_out else _status(making.status),
            started_at=started_at,
            latency_s=max(latency_s - wait_s, 0.0),
            messages=tuple([await self._with_files(message) for message in messages]),
            steps=tuple(steps),
            usage=from_api(making.run.get("usage")),
            model=making.run.get("model"),
            wait_s=wait_s,
            attempts=tuple(making.attempts),
            error=_error(making.run),
            run_id=making.run.get("id"),
            thread_id=self._thread,
        )

    async def _with_files(self, message: Message) -> Message:
        if not message.files:
            return message
        return msgspec.structs.replace(
            message, files=tuple([await self._fetched(file) for file in message.files])
        )

    async def _fetched(self, file: OutputFile) -> OutputFile:
        """Images are kept with the trace, so that a report can show them; hosted ones may be refused."""
        if file.kind != "image":
            return file
        try:
            content = await self._wire.download(file.file_id)
        except TargetError:
            return file
        if len(content) > _LARGEST_IMAGE_BYTES:
            return file
        return msgspec.structs.replace(file, content_base64=base64.b64encode(content).decode())


def _with_our_side(step: RunStep, making: _Turn) -> RunStep:
    """Add to function calls what only our side knows: how long the answer took, and what was wrong."""
    calls = tuple(
        msgspec.structs.replace(
            call, latency_s=making.latencies.get(call.id), error=making.tool_errors.get(call.id)
        )
        for call in step.tool_calls
    )
    return msgspec.structs.replace(step, tool_calls=calls)


def _status(status: str) -> RunStatus:
    return status if status in _ENDED or status == "requires_action" else "unknown"  # type: ignore[return-value]


def _error(run: Json) -> str | None:
    if failure := run.get("last_error"):
        return f"{failure.get('code')}: {failure.get('message')}"
    if reason := (run.get("incomplete_details") or {}).get("reason"):
        return f"incomplete: {reason}"
    if run.get("status") not in _ENDED | {None, "requires_action"}:
        return f"the run ended with the status {run['status']!r}, which this harness does not know"
    return None
