"""Suites and assistant files as records: what a person writes, checked and frozen.

Unknown keys are refused everywhere. The JSON Schemas that editors use are generated from these classes, so
every field's description is written for the author of a suite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field, SkipValidation

from harness.errors import Problem
from harness.suite.escalation import EscalationExpectation as EscalationExpectation
from harness.suite.escalation import EscalationRules, Expected
from harness.suite.quarantine import Quarantine as Quarantine
from harness.suite.quarantine import SuiteQuarantine as SuiteQuarantine
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


Share = Annotated[float, Field(ge=0, le=1)]
"""A part of a whole, 0 to 1."""


# fmt: off
Language = Literal[
    "am", "ar", "bg", "bn", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi",
    "fr", "gu", "he", "hi", "hr", "hu", "hy", "id", "it", "ja", "ka", "km", "kn",
    "ko", "lo", "lt", "lv", "ml", "my", "nl", "no", "pa", "pl", "pt", "ro", "ru",
    "sk", "sl", "sr", "sv", "ta", "te", "th", "tr", "uk", "ur", "vi", "zh",
]
# fmt: on
"""ISO 639-1 code of a language that can be told."""


class LeastShare(FileRecord):
    """How much of a whole must be as wanted."""

    min: Share
    """Smallest share, 0 to 1."""


class SimilarExpectation(FileRecord):
    """A text that the answer, or a passage of it, must come close to."""

    to: str | tuple[str, ...]
    """The text; of several the nearest counts."""
    by: Literal["meaning", "wording"] = "meaning"
    """meaning: cosine of sentence embeddings, made on this machine; wording: shared words."""
    min: Share | None = None
    """Smallest likeness, 0 to 1: 0.6 by meaning and 0.8 by wording when left out."""


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
    similar: str | SimilarExpectation | None = None
    """A text: close to it in wording (token-set similarity of at least 0.8);
    {to, by: meaning, min}: close in meaning."""
    json_schema: dict[str, Any] | None = None
    """The answer is JSON that fits this schema."""
    language: Language | tuple[Language, ...] | None = None
    """The language it is in, as ISO 639-1 code (en, de, ...; Norwegian in quotes: "no"); of several any."""
    words: Limit | None = None
    """How many words it has."""
    characters: Limit | None = None
    """How many characters it has, citation markers left out."""
    sentences: Limit | None = None
    """How many sentences it has; list items, headings and table rows count as one each."""


class GroundedExpectation(FileRecord):
    """How well the answer must be supported by the documents."""

    min: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Smallest share of the answer's claims that must be supported, 0 to 1."""
    against: Literal["retrieved", "documents"] = "retrieved"
    """What supports a claim: what the assistant's tools found in the talk, or its documents as they are."""


class CitationExpectation(FileRecord):
    """What an answer must cite, and how well."""

    documents: tuple[str, ...] = ()
    """Each of these documents is cited."""
    claims: LeastShare | None = None
    """Share of the answer's claims that carry a citation; for information when left out."""
    supported: LeastShare | None = None
    """Share of the cited claims that the passages they cite support; for information when left out."""
    per: Literal["sentence", "paragraph"] = "sentence"
    """What a marker stands for: the sentence it follows, or all of its paragraph up to it."""


class WantedCall(FileRecord):
    """What a call looks like: the function, and its arguments."""

    model_config = ConfigDict(populate_by_name=True)

    tool: str
    """The function's name."""
    with_: Annotated[dict[str, Any], Field(alias="with")] = Field(default_factory=dict)
    """Arguments it must have: a plain value must be equal; {one_of: [...]}, {matches: regex},
    {contains: text}, {min: n, max: n}, {approx: n, within: n}, {exact: value}, {json_schema: {...}},
    {not: value}, {absent: true} and {any: true} match; other arguments may be there too."""
    exact: bool = False
    """true: no argument beside those in with."""
    json_schema: dict[str, Any] | None = None
    """JSON Schema that its arguments fit, beside the function's own."""


class CallExpectation(WantedCall):
    """A function call that must happen."""

    times: Annotated[int, Field(ge=0)] | Limit | None = None
    """Exactly how often, or {min, max}; at least once when left out."""


class TrajectoryStep(WantedCall):
    """One step of a trajectory: a call of a function, of file_search or of code_interpreter."""

    id: str | None = None
    """What after and together call it; the tool's name when left out."""
    after: tuple[str, ...] = ()
    """With order: partial, the steps whose calls come before its own."""


class TrajectoryExpectation(FileRecord):
    """The tool calls that lead to an answer, as a whole."""

    steps: Annotated[tuple[str | TrajectoryStep, ...], Field(min_length=1, max_length=100)]
    """The calls: names of tools, or blocks with tool, with, exact, json_schema, id, after."""
    order: Literal["sequence", "partial", "multiset", "set"] = "sequence"
    """sequence: in this order; partial: as after says; multiset: in any order, each as often as it is
    listed; set: in any order and however often."""
    others: bool = True
    """false: no calls beside these."""
    together: tuple[tuple[str, ...], ...] = ()
    """Steps that are called in one parallel batch."""
    min: Share = 1.0
    """Smallest score, 0 to 1; 1 asks for all of it."""


class JargonExpectation(FileRecord):
    """Words that need no explanation only to those who used them first."""

    terms: tuple[str, ...] = ()
    """Terms of yours that count as jargon."""
    allowed: tuple[str, ...] = ()
    """Terms that everybody here knows."""
    documents: bool = True
    """Take the terms that the documents explain: abbreviations, and entries of glossaries."""
    abbreviations: bool = True
    """Take every abbreviation in capitals that is not common knowledge."""
    max: Annotated[int, Field(ge=0)] = 0
    """How many different terms are tolerated."""


class ToneExpectation(FileRecord):
    """How the answer sounds, by what can be measured. English only."""

    jargon: Literal[False] | JargonExpectation | None = None
    """false: no jargon that the user did not use first and that is not explained; or a block."""
    friendly: bool | LeastShare | None = None
    """true: a friendliness of at least 0.6; {min: share}; false: below 0.6."""
    clear: bool | LeastShare | None = None
    """true: a clarity of at least 0.6; {min: share}; false: below 0.6."""
    reading_ease: Limit | None = None
    """Flesch reading ease: 60 to 70 is plain English, below 30 hard to read."""
    sentence_words: Limit | None = None
    """Mean number of words in a sentence."""


class Remembered(FileRecord):
    """A fact from an earlier turn."""

    model_config = ConfigDict(populate_by_name=True)

    value: Annotated[str, Field(min_length=1)]
    """The fact as it was told: an e-mail address, a name, a number."""
    from_: Annotated[int | None, Field(alias="from", ge=0)] = None
    """The turn in which the user tells it, from 1; 0: in the history. Any earlier one when left out."""
    used: bool | Literal["answer", "calls"] = True
    """true: the answer says it or a call has it; answer, calls: there; false: it need not be used."""
    also: tuple[str, ...] = ()
    """Other ways to say it."""
    not_asked: tuple[str, ...] = ()
    """What it is called; no question or request of the answer may ask for that again."""


Shown = Literal["passages", "calls", "instructions"]
"""What a judge may see beside what was said."""

ABSTAINS = "abstain"
"""What a judge says that can't decide by what it is shown."""


class Rubric(FileRecord):
    """A question about an answer that a judge decides: a chat model that is measured against people."""

    model_config = ConfigDict(populate_by_name=True)

    asks: Annotated[str, Field(min_length=1, max_length=20_000)]
    """What the judge decides, in words: the rule that people who label answers are given too."""
    labels: dict[str, str] | tuple[str, ...] | None = None
    """What it may decide: names, or names with their meaning; pass and fail when nothing else is said."""
    scale: Annotated[int, Field(ge=2, le=10)] | None = None
    """Whole numbers from 1 to this instead of labels; the middle one of all votes counts."""
    compares: bool = False
    """The answer is compared with another one (``against``) and is better, the same or worse."""
    pass_: Annotated[str | int | tuple[str, ...] | None, Field(alias="pass")] = None
    """Labels that meet the expectation, or the least number of a scale; the first label, better and same, or
    the upper half of a scale when left out."""
    votes: Annotated[int, Field(ge=1, le=15)] = 3
    """How often the judge is asked; more than half of all votes must agree."""
    model: Annotated[str, Field(min_length=1)] | None = None
    """The chat model that judges; the setting judge_model when left out."""
    shows: tuple[Shown, ...] = ()
    """What the judge sees beside what was said: passages that were found, function calls, instructions."""

    @property
    def names(self) -> tuple[str, ...]:
        """Everything it may decide, in the order of the file; numbers of a scale as text."""
        if self.compares:
            return ("better", "same", "worse")
        if self.scale is not None:
            return tuple(str(number) for number in range(1, self.scale + 1))
        return tuple(self.labels) if self.labels else ("pass", "fail")

    @property
    def passing(self) -> tuple[str, ...]:
        """What of that meets the expectation."""
        wanted = self.pass_
        if self.scale is not None:
            least = int(wanted) if isinstance(wanted, int | str) else self.scale // 2 + 1
            return tuple(name for name in self.names if int(name) >= least)
        if wanted is None:
            return ("better", "same") if self.compares else self.names[:1]
        return (str(wanted),) if isinstance(wanted, str | int) else wanted


class JudgeExpectation(FileRecord):
    """A rubric by its name, with what only this turn knows."""

    rubric: str
    """A name under the suite's rubrics."""
    against: Annotated[str, Field(min_length=1)] | None = None
    """With a rubric that compares: the other answer."""
    reference: Annotated[str, Field(min_length=1)] | None = None
    """What a right answer says; the judge sees it."""


Judged = str | JudgeExpectation | tuple[str | JudgeExpectation, ...]


def judged_of(given: Judged | None) -> tuple[JudgeExpectation, ...]:
    """What a judge is asked, each rubric with what belongs to it, however it was written."""
    each_given = given if isinstance(given, tuple) else (given,)
    made = (JudgeExpectation(rubric=each) if isinstance(each, str) else each for each in each_given)
    return tuple(each for each in made if each is not None)


class Expect(FileRecord):
    """What must hold for a turn, or for the whole conversation. ``null`` switches a default off."""

    status: Literal["completed", "failed", "incomplete", "cancelled", "expired"] | None = None
    """How the run ends; completed unless said otherwise."""
    answer: AnswerExpectation | None = None
    """What the text must be like."""
    grounded: bool | GroundedExpectation | None = None
    """Claims are supported by what was retrieved: true (share 0.7), or {min: share, against: documents}."""
    cites: bool | tuple[str, ...] | CitationExpectation | None = None
    """true: at least one citation; false: none; a list: each of these documents is cited;
    {documents, claims: {min}, supported: {min}, per}."""
    escalates: bool | Expected | EscalationExpectation | None = None
    """true or must: hands over to a person; false or must_not: does not; may: both are right; or
    {expected, by_turn, not_before, evidence, with, at_most}."""
    calls: tuple[CallExpectation, ...] | None = None
    """Function calls that must happen."""
    never_calls: tuple[str | WantedCall, ...] | None = None
    """Functions that must not be called; {tool, with}: not with such arguments."""
    trajectory: TrajectoryExpectation | None = None
    """The tool calls as a whole: {steps, order, others, together, min}."""
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
    judge: Judged | None = None
    """Rubrics by name that a judge must find met: a name, {rubric: ..., against: ..., reference: ...}, or a
    list of these."""
    tone: ToneExpectation | None = None
    """How the answer sounds: jargon, friendly, clear, reading_ease, sentence_words."""
    remembers: tuple[Remembered, ...] | None = None
    """Facts from earlier turns that are used, or not asked for again."""
    latency_s: Limit | None = None
    """Seconds from message to end of the run, waiting for rate limits left out."""
    tokens: Limit | None = None
    """Prompt and completion tokens together."""
    prompt_tokens: Limit | None = None
    """Tokens that the model read."""
    completion_tokens: Limit | None = None
    """Tokens that the model wrote."""
    cost_usd: Limit | None = None
    """At list prices."""
    steps: Limit | None = None
    """Run steps."""
    tool_calls: Limit | None = None
    """Calls of functions, file_search and code_interpreter together."""
    scorers: dict[str, bool | dict[str, Any]] | None = None
    """Scorers of installed packages by name: their options, true for the usual ones, false for none."""
    requires: tuple[str, ...] = ()
    """Names of checks in this block that must pass first; the others are skipped when they don't."""

    @property
    def judged(self) -> tuple[JudgeExpectation, ...]:
        """What a judge is asked, each rubric with what belongs to it."""
        return judged_of(self.judge)


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


PerturbationKind = Literal[
    "typos",
    "case",
    "spacing",
    "punctuation",
    "synonyms",
    "order",
    "additions",
    "emails",
    "lookalikes",
    "injection",
    "document",
]
"""How the user's words can be varied."""

Kept = Literal["outcome", "escalation", "tools", "grounded", "instructions"]
"""What can be asked to stay as it is with the user's own words."""


class Perturb(FileRecord):
    """How the user's words are varied by ``harness perturb``, and what must stay under that."""

    kinds: Annotated[tuple[PerturbationKind, ...], Field(min_length=1)] = get_args(PerturbationKind)
    """Which variations are tried; all of them unless said otherwise."""
    keeps: Annotated[tuple[Kept, ...], Field(min_length=1)] = get_args(Kept)
    """What must stay: outcome (expectations that are met), escalation (who is handed over, and when),
    tools (functions called), grounded, instructions (neither told nor overruled)."""
    examples: Annotated[int, Field(ge=1, le=10_000)] = 20
    """How many variations are tried before the smallest failing one is looked for."""
    synonyms: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Words and what else users say for them, beside a short list that is always there."""
    additions: tuple[str, ...] = ()
    """Sentences that change nothing about what the user wants, beside a short list."""


class Conversation(FileRecord):
    """A scripted conversation."""

    model_config = ConfigDict(populate_by_name=True)

    id: Annotated[str, Field(min_length=1, max_length=200, pattern=_ONE_LINE)]
    """One line, unique in the suite; results are compared by it."""
    cluster: str | None = None
    """Conversations that share a topic or a document."""
    tags: tuple[str, ...] = ()
    """For --tag."""
    quarantine: Quarantine | None = None
    """Until when it decides nothing, and why: it is run and shown, and counts for no verdict."""
    as_: Annotated[str | None, Field(alias="as")] = None
    """The user's id; a returning user gets the same thread again."""
    repeats: Annotated[int, Field(ge=1, le=MOST_REPEATS)] | None = None
    """Overrides the suite's repeats."""
    deadline_s: Deadline | None = None
    """Longest each of its turns may take, in seconds, unless the turn says otherwise."""
    escalation: EscalationRules | None = None
    """What tickets must hold and what errors cost, in place of the suite's."""
    history: tuple[HistoryMessage, ...] = ()
    """Earlier messages, put on the thread before the first turn; no run answers them."""
    turns: Annotated[tuple[Turn, ...], Field(min_length=1)]
    """The user's messages, in order."""
    expect: Expect = Expect()
    """What must hold for the conversation as a whole."""
    perturb: Perturb | Literal[False] | None = None
    """How ``harness perturb`` varies the user's words; false: not at all. Keys left out are the suite's."""


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
    rubrics: dict[str, Rubric] = Field(default_factory=dict)
    """What a judge decides, by name."""
    faults: Path | None = None
    perturb: Perturb = Perturb()
    """How the user's words are varied, for conversations that say nothing else of it."""
    quarantine: SuiteQuarantine | None = None
    """What it covers has it among its own already."""
    expired: tuple[Problem, ...] = Field(default=(), exclude=True, repr=False)
    """Quarantines that were over when it was loaded, with their places."""
    conversations: SkipValidation[Sequence[Conversation]] = ()
    """In their order; those of a file are kept as text, and a look at one makes it a record."""
    fingerprint: str = ""
    """SHA-256 over everything that decides what is sent and expected."""
    parts: dict[str, str] = Field(default_factory=dict, exclude=True, repr=False)
    """Short digests of what the fingerprint covers, by name: they tell which part has changed."""


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
    escalation: EscalationRules | None = None
    """What the tickets of hand-overs must hold, and what each kind of error costs."""
    expect: Expect | None = None
    """What must hold for every turn, unless the turn says otherwise."""
    tools: dict[str, tuple[Stub, ...]] = Field(default_factory=dict)
    """Stubs by function: of those that match a call, the first with uses left answers it."""
    rubrics: dict[Annotated[str, Field(min_length=1, max_length=64, pattern=_ONE_LINE)], Rubric] = Field(
        default_factory=dict
    )
    """What a judge decides, by the name that expectations use."""
    faults: str | None = None
    """A file of faults on demand, relative to this file, that calls to the embedded server meet."""
    perturb: Perturb | None = None
    """How ``harness perturb`` varies the user's words in conversations that say nothing else of it."""
    quarantine: SuiteQuarantine | None = None
    """Until when its conversations, or those with some tag, decide nothing, and why."""
    conversations: tuple[Conversation, ...]
    """The conversations, in order; with foreach, one for each row of a file."""


class CodedSuiteFile(SuiteFile):
    """A suite as it stands in a Python file."""

    conversations: tuple[CodedConversation, ...]
    """The decorated functions, in order; with rows, one for each row."""
