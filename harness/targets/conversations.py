"""A conversation at a Responses API: one turn from the user's message to its trace."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from harness.cost.charges import Charge
from harness.cost.usage import from_responses, total_if_known
from harness.errors import TargetTimeout, TargetUnavailable
from harness.suite.records import Variant
from harness.targets import bounds, items, requests, spending
from harness.targets.belongings import Thing
from harness.targets.hosted import Site
from harness.targets.interface import AnswerFunction, FunctionCall, OutgoingTurn
from harness.targets.provisioning import Knowledge, pages
from harness.targets.turns import Answers, Timing, timed, turn_trace, with_images, within_grace
from harness.targets.wire import Json
from harness.trace.records import RunStatus, TurnTrace

_WORKING = frozenset({"", "queued", "in_progress"})
_ENDED = frozenset({"completed", "failed", "incomplete", "cancelled"})
_UNANSWERED = '{"error": "no answer came in time"}'


@dataclass(slots=True)
class Talk:
    """What one conversation has gathered at the target.

    Attributes:
        conversation_id: The conversation.
        code_files: Files that the user sent for code_interpreter.
        vector_store_id: Where the files that the user sent for file_search can be searched.
        sent: Files that the user sent, and the vector store that was made of them.
        is_torn: Whether a turn ended early, so that function calls may wait for answers that never come.
        user_messages: How many messages of the user it is known to hold.
        said_tokens: The most tokens that what it holds can be.
    """

    conversation_id: str
    code_files: list[str] = field(default_factory=list)
    vector_store_id: str | None = None
    sent: list[Thing] = field(default_factory=list)
    is_torn: bool = False
    user_messages: int = 0
    said_tokens: int = 0

    @property
    def things(self) -> list[Thing]:
        """All there is of the user: the conversation, then what was sent."""
        return [("conversation", self.conversation_id), *self.sent]


@dataclass(slots=True)
class _Turn:
    """A turn in the making: one response for each round of function calls."""

    answers: Answers
    responses: list[Json] = field(default_factory=list)

    @property
    def last(self) -> Json:
        """The newest response as far as it is known."""
        return self.responses[-1] if self.responses else {}

    @property
    def status(self) -> str:
        return str(self.last.get("status") or "")

    def take(self, event: str, data: Json) -> None:
        """Remember what an event brought; items are told one by one before the response is whole."""
        if event == "response":  # a server that does not stream answers with the response itself
            self.responses[-1] = data
        elif event == "error":
            error = {"code": data.get("code"), "message": data.get("message")}
            self.responses[-1] = {**self.last, "status": "failed", "error": error}
        elif isinstance(data.get("response"), dict):
            self.responses[-1] = data["response"]
        elif event == "response.output_item.done":
            self.responses[-1] = {**self.last, "output": [*self.last.get("output", ()), data["item"]]}


class ConversationSession:
    """One conversation."""

    def __init__(self, site: Site, knowledge: Knowledge, variant: Variant, talk: Talk, *, keep: bool) -> None:
        self._site = site
        self._wire = site.wire
        self._knowledge = knowledge
        self._variant = variant
        self._talk = talk
        self._keep = keep

    @property
    def documents(self) -> dict[str, str]:
        """The knowledge base: file id to name."""
        return self._knowledge.documents

    async def send(self, turn: OutgoingTurn, answer: AnswerFunction, *, deadline_s: float) -> TurnTrace:
        """Send the message, answer function calls until the model has done, and tell what happened."""
        making = _Turn(Answers(self._site.clock, turn.most_rounds))
        was_torn, self._talk.is_torn = self._talk.is_torn, True
        work = self._play(turn, making, answer, was_torn=was_torn)
        timing = await timed(work, self._site.clock, deadline_s, making.answers)
        ended_early = timing.timed_out or making.answers.gave_up is not None
        self._talk.is_torn = ended_early or making.status != "completed"
        return await self._trace(turn, making, timing)

    async def close(self) -> None:
        """Delete the conversation, unless it is kept for a user."""
        if not self._keep:
            await within_grace(self._site.belongings.delete(("conversation", self._talk.conversation_id)))

    async def _play(
        self, turn: OutgoingTurn, making: _Turn, answer: AnswerFunction, *, was_torn: bool
    ) -> None:
        await self._upload(turn)
        given = await self._loose_ends() if was_torn else []
        given.append({"type": "message", "role": "user", "content": turn.text})
        body = requests.response_body(self._variant.assistant)
        while True:
            await self._respond(making, {**body, "input": given})
            self._talk.user_messages += sum(item["type"] == "message" for item in given)
            calls = items.function_calls(making.last.get("output") or ())
            if making.status != "completed" or not calls or not making.answers.may_go_on():
                return
            given = [await self._answered(call, making, answer) for call in calls]
            body = requests.unforced(body)

    async def _upload(self, turn: OutgoingTurn) -> None:
        """Upload what the user sends; what is to be searched gets a vector store of this conversation."""
        searchable: dict[str, str] = {}
        for file, each in turn.attachments:
            file_id = await self._site.provisioner.upload(file)
            self._talk.sent.append(("file", file_id))
            if "code_interpreter" in each.tools:
                self._talk.code_files.append(file_id)
            if "file_search" in each.tools:
                searchable[file_id] = file.name
        if searchable and self._talk.vector_store_id:
            await self._site.provisioner.add_to_store(self._talk.vector_store_id, searchable)
        elif searchable:
            name = f"{self._variant.assistant.name}: {self._talk.conversation_id}"
            self._talk.vector_store_id = await self._site.provisioner.vector_store(name, searchable)
            self._talk.sent.append(("vector_store", self._talk.vector_store_id))

    async def _loose_ends(self) -> list[Json]:
        """Outputs for the calls that a turn which ended early left open: without them nothing goes on."""
        present = await self._present()
        answered = _answered_calls(present)
        called = [item["call_id"] for item in items.function_calls(present)]
        return [_output(call_id, _UNANSWERED) for call_id in called if call_id not in answered]

    async def _answered(self, call: Json, making: _Turn, answer: AnswerFunction) -> Json:
        asked = FunctionCall(call["call_id"], call["name"], call.get("arguments") or "{}")
        return _output(call["call_id"], await making.answers.give(asked, answer))

    async def _respond(self, making: _Turn, body: Json) -> None:
        caps, tools = spending.caps(), self._tools()
        body = {**body, "tools": tools}
        if caps is None:
            await self._follow(making, body)
            return
        body = requests.capped_response(caps, body, tools)
        most = bounds.of_response(body, self._talk.said_tokens)
        async with spending.paid(most) as payment:
            self._talk.said_tokens = bounds.after_response(body, self._talk.said_tokens)
            await self._follow(making, body)
            charge = _charge(making.last, body["model"])
            if charge.usage is not None:  # the last prompt and its answer are part of it
                self._talk.said_tokens = charge.usage.total_tokens
            payment.settle(charge)

    async def _follow(self, making: _Turn, body: Json) -> None:
        """Stream; when the stream brings no end (dropped, or silent for too long), poll."""
        making.responses.append({})
        body = {
            **body,
            "conversation": self._talk.conversation_id,
            "stream": True,
        }
        lost = partial(self._refuse_to_repeat, body["input"])
        try:
            async for event, data in self._wire.stream("/responses", body, lost=lost):
                making.take(event, data)
        except (TargetUnavailable, TargetTimeout):
            if "id" not in making.last:
                raise
        if making.status in _WORKING:
            await self._poll(making, body["include"])

    async def _refuse_to_repeat(self, given: Sequence[Json]) -> None:
        """A response whose answer was lost has no name to ask for it by, but it leaves items behind.

        Raises:
            TargetUnavailable: They are there: sending them again would say everything twice.
        """
        present = await self._present()
        said = sum(item["type"] == "message" and item.get("role") == "user" for item in present)
        messages = sum(item["type"] == "message" for item in given)
        if _answered_calls(given) & _answered_calls(present) or (
            messages and said > self._talk.user_messages
        ):
            raise TargetUnavailable(
                "a response was made, its answer was lost on the way, and it can't be asked for again",
                hint="run such trials again with: harness run --resume RUN --retry-errors",
            )

    async def _present(self) -> list[Json]:
        """All that the conversation holds."""
        path = f"/conversations/{self._talk.conversation_id}/items"
        return [item async for item in pages(self._wire, path, order="asc")]

    def _tools(self) -> list[Json]:
        stores = [self._knowledge.vector_store_id, self._talk.vector_store_id]
        return requests.response_tools(
            self._variant.assistant,
            [store for store in stores if store],
            [*self._knowledge.code_file_ids, *self._talk.code_files],
        )

    async def _poll(self, making: _Turn, include: Sequence[str]) -> None:
        if "id" not in making.last:
            raise TargetUnavailable("the stream of a response ended before it began, with no id to ask for")
        path, query = f"/responses/{making.last['id']}", {"include": list(include)}
        while (response := await self._wire.call("GET", path, query=query)).get("status") in _WORKING:
            await asyncio.sleep(self._site.poll_s)
        making.responses[-1] = response

    async def _trace(self, turn: OutgoingTurn, making: _Turn, timing: Timing) -> TurnTrace:
        steps = [step for each in making.responses for step in items.run_steps(each, making.answers)]
        results = [result for step in steps for call in step.tool_calls for result in call.results]
        messages = [
            message for each in making.responses for message in items.messages(each, results, self.documents)
        ]
        paths = {key: path for each in making.responses for key, path in items.container_paths(each).items()}
        return turn_trace(
            turn,
            making.answers,
            timing,
            making.last,
            status=_status(making.status),
            error=_error(making.last, timed_out=timing.timed_out),
            messages=await with_images(self._wire, messages, paths),
            steps=items.joined_images(steps, messages),
            usage=total_if_known(from_responses(each.get("usage")) for each in making.responses),
            thread_id=self._talk.conversation_id,
            api="responses",
        )


def _charge(response: Json, model: str) -> Charge:
    output = [item.get("type") for item in response.get("output") or ()]
    return Charge(
        str(response.get("model") or model),
        from_responses(response.get("usage")) if response.get("status") in _ENDED else None,
        "responses",
        runs_code="code_interpreter_call" in output,
        searches=output.count("file_search_call"),
        service_tier=response.get("service_tier"),
    )


def _answered_calls(found: Sequence[Json]) -> set[str]:
    """Ids of the calls whose outputs are among these items."""
    return {item["call_id"] for item in found if item["type"] == "function_call_output"}


def _output(call_id: str, output: str) -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def _status(status: str) -> RunStatus:
    return status if status in _ENDED else "unknown"  # type: ignore[return-value]


def _error(response: Json, *, timed_out: bool) -> str | None:
    if failure := response.get("error"):
        return f"{failure.get('code')}: {failure.get('message')}"
    if reason := (response.get("incomplete_details") or {}).get("reason"):
        return f"incomplete: {reason}"
    status = response.get("status")
    if timed_out or status in _ENDED:
        return None
    return f"the response ended with the status {status!r}, which this harness does not know"
