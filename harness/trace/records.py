"""The trace of a trial: everything that happened, turn by turn, in the API's own words.

Records are frozen, refuse unknown keys and round-trip JSON. Text is kept as it was sent and received;
times are aware UTC datetimes (``..._at``) or seconds (``..._s``). None means unknown, never zero.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from harness.cost.usage import Usage

FORMAT_VERSION = 1

# Statuses of an Assistants run that end it, as the API spells them; `requires_action` also ends a turn when
# tool calls can't be answered any more. The last two are ours: nothing came back in time, or at all.
RunStatus = Literal[
    "completed",
    "failed",
    "incomplete",
    "cancelled",
    "expired",
    "requires_action",
    "timed_out",
    "unknown",
]


class Record(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """Base of every stored record: what a field has by default is not written.

    A record is a tree, so the cyclic garbage collector need not look at it.
    """


class SearchResult(Record, frozen=True):
    """One chunk that file_search found.

    Attributes:
        file_id: The API's file id.
        filename: Its name as uploaded.
        score: Relevance, 0 to 1.
        text: The chunk's text; None when the target does not tell.
        attributes: The file's attributes; the embedded server adds ``page`` (from 1) when known.
    """

    file_id: str
    filename: str
    score: float
    text: str | None = None
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class CodeOutput(Record, frozen=True):
    """One output of code_interpreter: text of the log, or the id of an image file."""

    type: Literal["logs", "image"]
    logs: str | None = None
    file_id: str | None = None


class ToolCall(Record, frozen=True):
    """One tool call of a run step.

    Attributes:
        id: The API's call id.
        type: ``function``, ``file_search`` or ``code_interpreter``.
        name: The function's name; the type for hosted tools.
        arguments: JSON text of a function call, the source of a code_interpreter call, otherwise empty.
        output: What the function answered; None for hosted tools and unanswered calls.
        error: Why the call could not be answered, for example that no stub matched; None when all was well.
        latency_s: Seconds our side took to answer a function call.
        results: What file_search found.
        outputs: What code_interpreter printed and drew.
    """

    id: str
    type: Literal["function", "file_search", "code_interpreter"]
    name: str
    arguments: str = ""
    output: str | None = None
    error: str | None = None
    latency_s: float | None = None
    results: tuple[SearchResult, ...] = ()
    outputs: tuple[CodeOutput, ...] = ()


class RunStep(Record, frozen=True):
    """One step of a run, in the order in which they were made."""

    id: str
    type: Literal["message_creation", "tool_calls"]
    status: str
    created_at: datetime | None = None
    completed_at: datetime | None = None
    usage: Usage | None = None
    message_id: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    error: str | None = None


class Citation(Record, frozen=True):
    """One annotation of an answer that points at a file.

    Attributes:
        marker: The text of the marker as it stands in the answer; empty where the API has none.
        start: First character of the marker in the answer.
        end: The character after it.
        file_id: The cited file.
        filename: Its name, None when the file is not one of the assistant's.
        chunk: The retrieved chunk it points at: the text, None when it could not be joined to one.
    """

    marker: str
    start: int
    end: int
    file_id: str
    filename: str | None = None
    chunk: str | None = None


class OutputFile(Record, frozen=True):
    """An image or file that the assistant made.

    Attributes:
        file_id: The API's id.
        kind: ``image`` (shown in the message) or ``file`` (linked from its text).
        filename: Its name when known.
        content_base64: The bytes, when the capture fetched them (images up to 2 MB).
    """

    file_id: str
    kind: Literal["image", "file"]
    filename: str | None = None
    content_base64: str | None = None


class Message(Record, frozen=True):
    """One message as it stands on the thread.

    Attributes:
        role: Who said it.
        text: What was said.
        id: The API's message id.
        created_at: When the API says it was made.
        citations: What the text cites.
        files: What the assistant made.
        attachments: Names of the files that the user sent with it.
        digests: SHA-256 of each of those files, in the same order; empty in traces from before it was kept.
    """

    role: Literal["user", "assistant"]
    text: str
    id: str | None = None
    created_at: datetime | None = None
    citations: tuple[Citation, ...] = ()
    files: tuple[OutputFile, ...] = ()
    attachments: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


class Attempt(Record, frozen=True):
    """One try of one request; ``error`` is None for the one that went through.

    ``status`` is that of the answer; None when there was none, as when the connection broke.
    """

    request: str
    number: int
    error: str | None = None
    wait_s: float = 0.0
    status: int | None = None


class Deletion(Record, frozen=True):
    """What came of a user's wish to be forgotten.

    Attributes:
        confirmed: All of it is gone: asked for again, the target said that it is not there.
        deleted: Ids of what is known to be gone: the thread or conversation, files that the user sent.
        error: What is not known to be gone, and why.
    """

    confirmed: bool
    deleted: tuple[str, ...] = ()
    error: str | None = None


class TurnTrace(Record, frozen=True):
    """What one turn of a conversation brought.

    Attributes:
        user: The user's message as sent.
        messages: What the assistant answered, oldest first.
        status: How the run ended.
        steps: Run steps, oldest first, with their tool calls.
        usage: The run's usage; None when the target reported none.
        model: The model that the run says it used.
        started_at: When the user's message was sent.
        latency_s: From sending the message to the end of the run, less ``wait_s``.
        wait_s: Seconds waited for rate limits and between retries.
        attempts: Every request that needed more than one try.
        error: The run's last_error, incomplete reason or the transport's error, in words.
        returning: The user had left and came back for this turn.
        deletion: What came of deleting all there is of the user after this turn; None when nobody asked.
        simulated: A simulated user said the message.
        run_id: The API's run id.
        thread_id: The thread it ran on: a thread, a conversation, or the target's own name for the talk.
        service_tier: The tier that served it, as the target says; None where there is no such thing.
        api: The API that was spoken; fees differ. None in traces from before it was kept.
    """

    user: Message
    status: RunStatus
    started_at: datetime
    latency_s: float
    messages: tuple[Message, ...] = ()
    steps: tuple[RunStep, ...] = ()
    usage: Usage | None = None
    model: str | None = None
    wait_s: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    error: str | None = None
    returning: bool = False
    deletion: Deletion | None = None
    simulated: bool = False
    run_id: str | None = None
    thread_id: str | None = None
    service_tier: str | None = None
    api: Literal["assistants", "responses", "chat", "function"] | None = None

    @property
    def answer(self) -> str:
        """All text the assistant said in this turn, messages separated by a blank line."""
        return "\n\n".join(message.text for message in self.messages)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """The citations of all messages of this turn (offsets count within their own message)."""
        return tuple(citation for message in self.messages for citation in message.citations)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of all steps, in order."""
        return tuple(call for step in self.steps for call in step.tool_calls)

    @property
    def search_results(self) -> tuple[SearchResult, ...]:
        """Every chunk that file_search found in this turn, in order."""
        return tuple(result for call in self.tool_calls for result in call.results)


class Simulation(Record, frozen=True):
    """One time that a simulated user was asked for its next message.

    Attributes:
        turn: Index of the turn that the message began; None when the user had nothing more to say.
        model: The chat model that was asked; None for a Python function.
        usage: What the model used; None when it did not tell, or nothing was asked.
        latency_s: Seconds until the message was there.
    """

    turn: int | None
    model: str | None = None
    usage: Usage | None = None
    latency_s: float = 0.0


class Vote(Record, frozen=True):
    """One time that a judge was asked.

    Attributes:
        label: What it decided; None when it gave no decision.
        reason: Why, in its own words; without a label, why there is none.
        abstained: It said itself that it can't decide.
        reversed: Labels, or the two answers, stood in the other order.
        model: The model that answered, as it names itself; None when nothing came back.
        usage: Its tokens; None when unknown.
        latency_s: Seconds until the answer was there, less ``wait_s``.
        wait_s: Seconds waited for rate limits and between retries.
        service_tier: The tier that served it.
    """

    label: str | None = None
    reason: str = ""
    abstained: bool = False
    reversed: bool = False
    model: str | None = None
    usage: Usage | None = None
    latency_s: float = 0.0
    wait_s: float = 0.0
    service_tier: str | None = None

    @property
    def unanswered(self) -> bool:
        """Whether it was sent and no answer was had in time, so that nobody knows what it cost."""
        return self.model is None and self.latency_s > 0


class Judgement(Record, frozen=True):
    """What a judge decided about one turn, or about a whole conversation.

    Attributes:
        turn: Index of the turn; None for the conversation.
        rubric: The rubric's name in the suite.
        fingerprint: SHA-256 over all of the rubric that decides what the judge is asked.
        asked: SHA-256 over the rubric, what the judge was shown, and the model that was asked.
        judge: The model that was asked.
        votes: Each time that it was asked, in order.
        error: Why it was not asked at all; None when it was.
    """

    turn: int | None
    rubric: str
    fingerprint: str
    asked: str
    judge: str
    votes: tuple[Vote, ...] = ()
    error: str | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """The models that answered, each once, as they name themselves."""
        return tuple(dict.fromkeys(vote.model for vote in self.votes if vote.model is not None))


class Trace(Record, frozen=True, omit_defaults=False):
    """All turns of one trial.

    Attributes:
        format: Version of this record's shape.
        trial_id: The trial it belongs to.
        target: Name of the target that answered.
        history: Messages put on the thread before the first turn.
        turns: One for each turn that was begun, in order.
        documents: The knowledge base by file id: the name each document was uploaded under.
        simulations: How the messages of simulated users came about, in order.
        judgements: What judges decided about it, in the order of the expectations.
    """

    trial_id: str
    target: str
    turns: tuple[TurnTrace, ...]
    history: tuple[Message, ...] = ()
    documents: dict[str, str] = msgspec.field(default_factory=dict)
    simulations: tuple[Simulation, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    format: int = FORMAT_VERSION
