"""Suites and assistant files as records: what a person writes, checked and frozen.

Unknown keys are refused everywhere. The JSON Schemas that editors use are generated from these classes, so
every field's description is written for the author of a suite.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from harness.yamlfile.checked import FileRecord

MOST_REPEATS = 10_000
"""Of one conversation in one run; a mistyped number must not plan trials without end."""

Deadline = Annotated[float, Field(gt=0, le=86_400)]
"""Longest a turn may take, in seconds; a day at most."""

_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"


# --- assistant files -----------------------------------------------------------------------------------


class FunctionDefinition(FileRecord):
    """A function the assistant may call."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    """Letters, digits, _ and -, at most 64."""
    description: str | None = None
    """When the model should call it."""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    """JSON Schema of the arguments."""
    strict: bool = False
    """Ask the model to keep to the schema exactly."""


class FileSearchTool(FileRecord):
    """Search in the uploaded documents."""

    type: Literal["file_search"]
    file_search: dict[str, Any] | None = None
    """max_num_results, ranking_options."""


class CodeInterpreterTool(FileRecord):
    """Run Python on attached files."""

    type: Literal["code_interpreter"]


class FunctionTool(FileRecord):
    """A function of yours."""

    type: Literal["function"]
    function: FunctionDefinition


Tool = Annotated[FileSearchTool | CodeInterpreterTool | FunctionTool, Field(discriminator="type")]


class Escalation(FileRecord):
    """What handing over to a person looks like with this assistant."""

    phrases: tuple[str, ...] = ()
    """What the assistant says when it hands over; compared without case and punctuation."""
    tools: tuple[str, ...] = ()
    """Functions whose call is a hand-over."""


class AssistantFile(FileRecord):
    """An assistant: instructions, model, tools, documents."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    """Its name."""
    model: Annotated[str, Field(min_length=1)]
    """The model's name, for example gpt-5.4."""
    instructions: Annotated[str, Field(max_length=256_000)] = ""
    """The system instructions."""
    description: Annotated[str, Field(max_length=512)] | None = None
    """For people; the model does not see it."""
    tools: Annotated[tuple[Tool, ...], Field(max_length=128)] = ()
    """file_search, code_interpreter and functions."""
    knowledge: tuple[str, ...] = ()
    """Documents for file_search: paths and globs relative to this file."""
    code_files: tuple[str, ...] = ()
    """Files for code_interpreter: paths and globs relative to this file."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """0 to 2."""
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    """0 to 1."""
    reasoning_effort: str | None = None
    """none, minimal, low, medium, high: what the model allows."""
    response_format: dict[str, Any] | Literal["auto"] | None = None
    """auto, or a JSON object as the API takes it."""
    max_prompt_tokens: Annotated[int, Field(ge=256)] | None = None
    """At least 256; a run that needs more ends incomplete."""
    max_completion_tokens: Annotated[int, Field(ge=256)] | None = None
    """At least 256; a run that needs more ends incomplete."""
    tool_choice: str | dict[str, Any] | None = None
    """none, auto, required, or one tool."""
    parallel_tool_calls: bool | None = None
    """Whether the model may call several functions at once."""
    truncation_strategy: dict[str, Any] | None = None
    """{type: auto} or {type: last_messages, last_messages: n}."""
    metadata: dict[str, str] = Field(default_factory=dict)
    """Up to 13 pairs; three more say which run made it."""
    escalation: Escalation = Escalation()
    """What a hand-over to people looks like; the escalation checks need it."""

    @property
    def functions(self) -> tuple[FunctionDefinition, ...]:
        """The functions among the tools."""
        return tuple(tool.function for tool in self.tools if isinstance(tool, FunctionTool))

    def has_tool(self, kind: str) -> bool:
        """Whether a tool of this type is there."""
        return any(tool.type == kind for tool in self.tools)


class Variant(FileRecord):
    """A named version of an assistant, ready to be provisioned.

    ``assistant_id`` set means an assistant that already exists at the target; then ``assistant`` carries only
    what the file says about it.
    """

    name: str
    assistant: AssistantFile
    source: Path | None = None
    """The file it was read from."""
    documents: tuple[Path, ...] = ()
    """The knowledge files, found, in the order of their names."""
    code_documents: tuple[Path, ...] = ()
    """The files for code_interpreter."""
    assistant_id: str | None = None
    revision: str | None = None
    """The git commit it was read from; None for the file as it lies in its folder."""
    fingerprint: str = ""
    """SHA-256 over instructions, model, options, tools and the bytes of the documents."""


# --- expectations --------------------------------------------------------------------------------------


class Limit(FileRecord):
    """A range for a number; either end may be left out."""

    min: float | None = None
    max: float | None = None


class AnswerExpectation(FileRecord):
    """What the text of the answer must be like. Every part that is given must hold."""

    mentions: tuple[str, ...] = ()
    """All of these occur; case, spacing and typographic quotes don't matter."""
    mentions_any: tuple[str, ...] = ()
    """At least one of these occurs."""
    omits: tuple[str, ...] = ()
    """None of these occurs."""
    matches: str | None = None
    """A Python regular expression that is found in the answer."""
    equals: str | None = None
    """Exactly this, apart from spacing at both ends."""
    similar: str | None = None
    """Close in wording to this (token-set similarity of at least 0.8)."""
    json_schema: dict[str, Any] | None = None
    """The answer is JSON that fits this schema."""
    words: Limit | None = None
    """How many words it has."""


class GroundedExpectation(FileRecord):
    """How well the answer must be supported by the documents."""

    min: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Smallest share of the answer's claims that must be supported, 0 to 1."""
    against: Literal["retrieved", "documents"] = "retrieved"
    """What supports a claim: what the assistant's tools found in the talk, or its documents as they are."""


class CallExpectation(FileRecord):
    """A function call that must happen."""

    model_config = ConfigDict(populate_by_name=True)

    tool: str
    """The function's name."""
    with_: Annotated[dict[str, Any], Field(alias="with")] = Field(default_factory=dict)
    """Arguments it must have: a plain value must be equal; {one_of: [...]}, {matches: regex},
    {contains: text}, {min: n, max: n} and {any: true} match; other arguments may be there too."""
    times: Annotated[int, Field(ge=0)] | None = None
    """Exactly how often; at least once when left out."""


class EscalationExpectation(FileRecord):
    """A hand-over to a person, with the turn by which it must have happened."""

    by_turn: Annotated[int, Field(ge=1)]
    """At the latest in this turn, counted from 1, and not before the first."""


class Expect(FileRecord):
    """What must hold for a turn, or for the whole conversation. ``null`` switches a default off."""

    status: Literal["completed", "failed", "incomplete", "cancelled", "expired"] | None = None
    """How the run ends; completed unless said otherwise."""
    answer: AnswerExpectation | None = None
    """What the text must be like."""
    grounded: bool | GroundedExpectation | None = None
    """Claims are supported by what was retrieved: true (share 0.7), or {min: share}."""
    cites: bool | tuple[str, ...] | None = None
    """true: at least one citation; false: none; a list: each of these documents is cited."""
    escalates: bool | EscalationExpectation | None = None
    """true: hands over to a person; false: does not; {by_turn: n} for a conversation."""
    calls: tuple[CallExpectation, ...] | None = None
    """Function calls that must happen."""
    never_calls: tuple[str, ...] | None = None
    """Functions that must not be called."""
    searches: bool | None = None
    """Whether file_search is used."""
    runs_code: bool | None = None
    """Whether code_interpreter is used."""
    produces: tuple[Literal["image", "file"], ...] | None = None
    """What code_interpreter must bring back."""
    redirects: bool | None = None
    """true: turns an off-topic message away politely; false: does not."""
    abstains: bool | None = None
    """true: says honestly that it has no such information; false: does not."""
    latency_s: Limit | None = None
    """Seconds from message to end of the run, waiting for rate limits left out."""
    tokens: Limit | None = None
    """Prompt and completion tokens together."""
    cost_usd: Limit | None = None
    """At list prices."""
    steps: Limit | None = None
    """Run steps."""
    requires: tuple[str, ...] = ()
    """Names of checks in this block that must pass first; the others are skipped when they don't."""


# --- suites --------------------------------------------------------------------------------------------


class Attachment(FileRecord):
    """A file the user sends with a message."""

    file: str
    """Path relative to the suite file."""
    tools: tuple[Literal["file_search", "code_interpreter"], ...] = ("code_interpreter",)
    """Which tools may read it."""


class Turn(FileRecord):
    """One message of the user and what must come of it."""

    user: Annotated[str, Field(min_length=1)]
    """What the user says."""
    attach: tuple[Attachment, ...] = ()
    """Files sent with it."""
    returning: bool = False
    """The user left before this turn and comes back now: the thread kept for ``as`` is opened again."""
    forget: bool = False
    """The user asks to be forgotten: after this turn the thread and the files sent on it are deleted, and the
    target must say that they are not there any more."""
    deadline_s: Deadline | None = None
    """Longest this turn may take, in seconds; then it ends as timed_out."""
    expect: Expect = Expect()
    """What must hold for the answer."""


class HistoryMessage(FileRecord):
    """A message that is on the thread before the first turn."""

    role: Literal["user", "assistant"]
    content: str


class Conversation(FileRecord):
    """A scripted conversation."""

    model_config = ConfigDict(populate_by_name=True)

    id: Annotated[str, Field(min_length=1, max_length=200, pattern=_ONE_LINE)]
    """One line, unique in the suite; results are compared by it."""
    cluster: str | None = None
    """Conversations that share a topic or a document."""
    tags: tuple[str, ...] = ()
    """For --tag."""
    as_: Annotated[str | None, Field(alias="as")] = None
    """The user's id; a returning user gets the same thread again."""
    repeats: Annotated[int, Field(ge=1, le=MOST_REPEATS)] | None = None
    """Overrides the suite's repeats."""
    deadline_s: Deadline | None = None
    """Longest each of its turns may take, in seconds, unless the turn says otherwise."""
    history: tuple[HistoryMessage, ...] = ()
    """Earlier messages, put on the thread before the first turn; no run answers them."""
    turns: Annotated[tuple[Turn, ...], Field(min_length=1)]
    """The user's messages, in order."""
    expect: Expect = Expect()
    """What must hold for the conversation as a whole."""


class CodedConversation(Conversation):
    """A conversation that a Python function plays; its turns are known when it was played."""

    turns: tuple[Turn, ...] = ()
    """None: the function says what the user says."""
    most_turns: Annotated[int, Field(ge=1, le=1000)] = 20
    """How many turns it may take, so that a loop ends; more are a failure."""
    function: Callable[..., Any] | None = Field(default=None, exclude=True, repr=False)
    """What plays it: an async function that gets a ``Talk`` and the values of its row."""
    row: dict[str, Any] = Field(default_factory=dict)
    """What the function is given beside the talk."""
    default: Expect = Expect()
    """What must hold for every turn, unless the turn says otherwise."""


class Stub(FileRecord):
    """One answer of a stubbed function; of those that match, the first with uses left answers."""

    when: dict[str, Any] = Field(default_factory=dict)
    """Arguments it answers to; the same matchers as in calls."""
    nth: Annotated[int, Field(ge=1)] | None = None
    """Answers only this call of the function in a conversation, counted from 1."""
    times: Annotated[int, Field(ge=1)] | None = None
    """How often it answers in one conversation; for ever when left out."""
    returns: Any = None
    """The output, sent as JSON (text is sent as it is)."""
    returns_each: Annotated[tuple[Any, ...], Field(min_length=1)] | None = None
    """One output for each call, in order; after the last one the next stub answers."""
    call: str | None = None
    """A Python function that makes the output: module:function, or path.py:function relative to this
    file. It gets the arguments by name, and may be async."""
    fails: str | None = None
    """An error output with this message instead."""
    raw: str | None = None
    """Sent as it is: for outputs that are damaged or no JSON."""
    takes_s: Annotated[float, Field(ge=0)] | None = None
    """How long the function is taken to work, in seconds; counted as latency, and nobody waits."""
    times_out: Literal[True] | None = None
    """No answer ever comes: the deadline ends the turn, at once."""

    @property
    def most_uses(self) -> int | None:
        """How often it can answer in one conversation; None for ever."""
        return self.times if self.returns_each is None else len(self.returns_each)

    @property
    def answers_every_call(self) -> bool:
        """Whether no stub after it is ever asked."""
        return not self.when and self.nth is None and self.most_uses is None


class Suite(FileRecord):
    """A suite, loaded: every conversation written out, every path found, defaults merged in."""

    name: str
    source: Path
    variant: Variant | None
    """The assistant named in the file, if it names one, or the one to run instead."""
    more_variants: tuple[Variant, ...] = ()
    """Further assistants to run the same conversations with."""
    repeats: int = 1
    stubs: dict[str, tuple[Stub, ...]] = Field(default_factory=dict)
    functions: dict[str, Callable[..., Any]] = Field(default_factory=dict, exclude=True, repr=False)
    """The Python functions that stubs call, by the name in ``call``."""
    faults: Path | None = None
    conversations: tuple[Conversation, ...] = ()
    fingerprint: str = ""
    """SHA-256 over everything that decides what is sent and expected."""


class SuiteFile(FileRecord):
    """A suite as it stands in its file, each ``foreach`` already written out."""

    suite: Annotated[str, Field(min_length=1, max_length=200, pattern=_ONE_LINE)]
    """Its name, one line; unique among the suites that run together."""
    description: str | None = None
    """What it is for; for people."""
    assistant: str | None = None
    """An assistant file, relative to this file, or the id of an assistant that exists (asst_...)."""
    repeats: Annotated[int, Field(ge=1, le=MOST_REPEATS)] = 1
    """How often each conversation is run."""
    deadline_s: Deadline | None = None
    """Longest a turn may take, in seconds, unless its conversation says otherwise; 120 when left out."""
    expect: Expect | None = None
    """What must hold for every turn, unless the turn says otherwise."""
    tools: dict[str, tuple[Stub, ...]] = Field(default_factory=dict)
    """Stubs by function: of those that match a call, the first with uses left answers it."""
    faults: str | None = None
    """A file of faults on demand, relative to this file, that calls to the embedded server meet."""
    conversations: tuple[Conversation, ...]
    """The conversations, in order; with foreach, one for each row of a file."""


class CodedSuiteFile(SuiteFile):
    """A suite as it stands in a Python file."""

    conversations: tuple[CodedConversation, ...]
    """The decorated functions, in order; with rows, one for each row."""
