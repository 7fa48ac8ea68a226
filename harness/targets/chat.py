"""Chat completions over any wire: nothing is kept there, so the history is kept here.

A completion knows functions and nothing else: no documents, no search, no code. What needs those is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from harness.clock import SYSTEM_CLOCK, Clock
from harness.cost.charges import Charge
from harness.cost.usage import from_api, total_if_known
from harness.errors import TargetRefused
from harness.suite.records import HistoryMessage, Variant
from harness.targets import bounds, requests, spending
from harness.targets.capture import moment
from harness.targets.interface import AnswerFunction, FunctionCall, OutgoingTurn, Pays
from harness.targets.turns import Answers, Timing, timed, turn_trace
from harness.targets.wire import Json, Wire
from harness.trace.records import Message, RunStatus, RunStep, ToolCall, TurnTrace

LONGEST_COMPLETION_S = 600.0
"""How long one completion may take over HTTP, where it is silent until it is whole; deadlines come first."""
_INCOMPLETE = {"length": "max_completion_tokens", "content_filter": "content_filter"}


class _Talk(msgspec.Struct):
    """A talk as far as it went: a name of our own, and the messages that each request repeats."""

    name: str
    messages: list[Json]


class _Turn(msgspec.Struct):
    """A turn in the making: one completion for each round of function calls."""

    answers: Answers
    completions: list[Json] = msgspec.field(default_factory=list)

    @property
    def last(self) -> Json:
        """The newest completion."""
        return self.completions[-1] if self.completions else {}


class ChatTarget:
    """A chat completions API behind a wire; nothing is created there."""

    pays: Pays = "requests"

    def __init__(self, name: str, wire: Wire, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self._wire = wire
        self._clock = clock
        self._talks = 0
        self._user_talks: dict[str, _Talk] = {}

    async def provision(self, variant: Variant) -> None:
        """Check that the variant needs nothing that a completion lacks; there is nothing to make.

        Raises:
            TargetRefused: It needs documents, hosted tools, or an assistant that exists already.
        """
        requests.refuse_existing(self.name, variant)
        requests.refuse_options(self.name, variant.assistant, truncates=False)
        hosted = [tool.type for tool in variant.assistant.tools if tool.type != "function"]
        if hosted:
            raise _lacks(self.name, f"{' and '.join(hosted)}, which the assistant {variant.name!r} has")

    async def open(
        self, variant: Variant, *, history: Sequence[HistoryMessage] = (), user_id: str | None = None
    ) -> ChatSession:
        """A new talk that begins with the history, or the one kept for this user."""
        talk = self._user_talks.get(user_id) if user_id else None
        if talk is None:
            self._talks += 1
            talk = _Talk(f"chat-{self._talks}", _beginning(variant, history))
        if user_id:
            self._user_talks[user_id] = talk
        return ChatSession(self.name, self._wire, self._clock, variant, talk)

    async def tear_down(self) -> None:
        """Close the wire."""
        self._user_talks.clear()
        await self._wire.close()


class ChatSession:
    """One talk."""

    def __init__(self, target: str, wire: Wire, clock: Clock, variant: Variant, talk: _Talk) -> None:
        self._target = target
        self._wire = wire
        self._clock = clock
        self._variant = variant
        self._talk = talk

    @property
    def documents(self) -> dict[str, str]:
        """None: completions have no knowledge base."""
        return {}

    async def send(self, turn: OutgoingTurn, answer: AnswerFunction, *, deadline_s: float) -> TurnTrace:
        """Send the whole talk and the message, answer function calls, and tell what happened."""
        if turn.attachments:
            raise _lacks(self._target, f"attachments such as {turn.attachments[0][0].name!r}")
        making = _Turn(Answers(self._clock, turn.most_rounds))
        timing = await timed(self._play(turn, making, answer), self._clock, deadline_s, making.answers)
        return _trace(turn, making, timing, self._talk.name)

    async def close(self) -> None:
        """Nothing is kept at the target."""

    async def _play(self, turn: OutgoingTurn, making: _Turn, answer: AnswerFunction) -> None:
        """What is said stays in the talk; calls only together with their answers."""
        self._talk.messages.append({"role": "user", "content": turn.text})
        body = requests.chat_body(self._variant.assistant)
        while True:
            asked = {**body, "messages": list(self._talk.messages)}
            completion = await completed(self._wire, asked)
            making.completions.append(completion)
            said = _said(completion)
            calls = said.get("tool_calls") or []
            over = not calls or _status(completion) != "completed"
            if over or not making.answers.may_go_on():
                if said.get("content"):
                    self._talk.messages.append({"role": "assistant", "content": said["content"]})
                return
            outputs = [await self._answered(call, making, answer) for call in calls]
            self._talk.messages += [_kept(said), *outputs]
            body = requests.unforced(body)

    async def _answered(self, call: Json, making: _Turn, answer: AnswerFunction) -> Json:
        function = call["function"]
        asked = FunctionCall(call["id"], function["name"], function.get("arguments") or "{}")
        output = await making.answers.give(asked, answer)
        return {"role": "tool", "tool_call_id": call["id"], "content": output}


async def completed(wire: Wire, asked: Json) -> Json:
    """One completion, paid from the purse of the trial under way if there is one.

    Raises:
        TargetError: It can't be had.
        BudgetError: It could cost more than is left; nothing was sent.
    """
    caps = spending.caps()
    if caps is None:
        return await wire.call("POST", "/chat/completions", asked)
    asked = requests.capped_completion(caps, asked)
    async with spending.paid(bounds.of_completion(asked)) as payment:
        completion = await wire.call("POST", "/chat/completions", asked)
        payment.settle(_charge(completion, asked["model"]))
    return completion


def _lacks(target: str, what: str) -> TargetRefused:
    return TargetRefused(
        f"the target {target!r} has nothing like {what}",
        code="target-lacks",
        hint="the targets 'responses', 'assistants' and 'embedded' have documents, search and code",
    )


def _beginning(variant: Variant, history: Sequence[HistoryMessage]) -> list[Json]:
    instructions = variant.assistant.instructions
    told = [{"role": "system", "content": instructions}] if instructions else []
    return [*told, *({"role": said.role, "content": said.content} for said in history)]


def _charge(completion: Json, model: str) -> Charge:
    usage, tier = from_api(completion.get("usage")), completion.get("service_tier")
    return Charge(str(completion.get("model") or model), usage, "chat", service_tier=tier)


def _choice(completion: Json) -> Json:
    choices: list[Json] = completion.get("choices") or [{}]
    return choices[0]


def _said(completion: Json) -> Json:
    message: Json = _choice(completion).get("message") or {}
    return message


def _kept(said: Json) -> Json:
    """A message with calls as it is sent again: only what requests may hold."""
    return {"role": "assistant", "content": said.get("content"), "tool_calls": said["tool_calls"]}


def _status(completion: Json) -> RunStatus:
    reason = _choice(completion).get("finish_reason")
    if reason in ("stop", "tool_calls"):
        return "completed"
    return "incomplete" if reason in _INCOMPLETE else "unknown"


def _error(completion: Json) -> str | None:
    if not completion or _status(completion) == "completed":
        return None
    reason: Any = _choice(completion).get("finish_reason")
    if reason in _INCOMPLETE:
        return f"incomplete: {_INCOMPLETE[reason]}"
    return f"the completion ended with the finish_reason {reason!r}, which this harness does not know"


def _trace(turn: OutgoingTurn, making: _Turn, timing: Timing, talk: str) -> TurnTrace:
    usages = [from_api(each.get("usage")) for each in making.completions]
    return turn_trace(
        turn,
        making.answers,
        timing,
        making.last,
        status=_status(making.last),
        error=_error(making.last),
        messages=[message for each in making.completions for message in _messages(each)],
        steps=[step for each in making.completions for step in _steps(each, making.answers)],
        usage=None if timing.timed_out else total_if_known(usages),
        thread_id=talk,
        api="chat",
    )


def _messages(completion: Json) -> list[Message]:
    said = _said(completion)
    text = said.get("content") or said.get("refusal")
    if not text and said.get("tool_calls"):
        return []
    return [
        Message(role="assistant", text=text or "", id=_message_id(completion), created_at=_made(completion))
    ]


def _steps(completion: Json, answers: Answers) -> list[RunStep]:
    """A message and calls of one completion are two steps, as in a run; the tokens are those of the last."""
    said, usage = _said(completion), from_api(completion.get("usage"))
    calls = tuple(_tool_call(call, answers) for call in said.get("tool_calls") or ())
    name, made = _message_id(completion), _made(completion)
    steps = []
    if _messages(completion):
        steps.append(
            RunStep(
                id=f"{name}-message",
                type="message_creation",
                status="completed",
                created_at=made,
                message_id=name,
                usage=None if calls else usage,
            )
        )
    if calls:
        steps.append(
            RunStep(
                id=f"{name}-calls",
                type="tool_calls",
                status="completed",
                created_at=made,
                usage=usage,
                tool_calls=calls,
            )
        )
    return steps


def _message_id(completion: Json) -> str:
    return str(completion.get("id") or "completion")


def _made(completion: Json) -> datetime | None:
    return moment(completion.get("created"))


def _tool_call(call: Json, answers: Answers) -> ToolCall:
    function = call["function"]
    made = ToolCall(
        id=call["id"],
        type="function",
        name=function["name"],
        arguments=function.get("arguments") or "",
        output=answers.output(call["id"]),
    )
    return answers.add_to(made)
