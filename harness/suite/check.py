"""What a suite means: functions, documents, files and expressions it names must be there and fit together.

Everything here looks at checked records and yields mistakes; the loader knows where in the file they stand.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.suite.arguments import call_mistakes, regex_problem, schema_problem, unknown_function
from harness.suite.check_escalation import check_rules, check_wish
from harness.suite.memories import fact_mistakes
from harness.suite.records import (
    AssistantFile,
    Attachment,
    Conversation,
    EscalationExpectation,
    Expect,
    FileSearchTool,
    FunctionDefinition,
    FunctionTool,
    GroundedExpectation,
    JargonExpectation,
    Limit,
    Perturb,
    SimilarExpectation,
    Turn,
    Variant,
    WantedCall,
)
from harness.suite.trajectories import step_mistakes, trajectory_mistakes
from harness.yamlfile.mistakes import Mistake, did_you_mean, shown
from harness.yamlfile.source import Place, kind_of, nearest_file

_MOST_METADATA = 13
_RANGES = (
    "latency_s",
    "tokens",
    "prompt_tokens",
    "completion_tokens",
    "cost_usd",
    "steps",
    "tool_calls",
)


class Facts(msgspec.Struct, frozen=True):
    """What is known of the assistant that a suite talks with.

    Attributes:
        functions: JSON Schemas of the arguments, by function.
        searches: It has file_search.
        runs_code: It has code_interpreter.
        documents: Names of its knowledge files; None when the target alone knows them.
        hands_over: Its file says what a hand-over looks like.
        hand_overs: The functions of those that hand over.
    """

    functions: dict[str, dict[str, Any]]
    searches: bool
    runs_code: bool
    documents: frozenset[str] | None
    hands_over: bool
    hand_overs: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)


def facts_of(variant: Variant | None) -> Facts | None:
    """What a variant's file tells; None when it tells nothing of tools and documents."""
    if variant is None:
        return None
    assistant = variant.assistant
    documents: frozenset[str] | None = frozenset(path.name for path in variant.documents)
    if variant.assistant_id is not None:
        if not assistant.tools:
            return None
        documents = documents or None
    return Facts(
        functions={function.name: function.parameters for function in assistant.functions},
        searches=assistant.has_tool("file_search"),
        runs_code=assistant.has_tool("code_interpreter"),
        documents=documents,
        hands_over=bool(assistant.escalation.phrases or assistant.escalation.tools),
        hand_overs={
            each.name: each.parameters
            for each in assistant.functions
            if each.name in assistant.escalation.tools
        },
    )


# --- assistants -------------------------------------------------------------------------------------------


def check_assistant(assistant: AssistantFile) -> Iterator[Mistake]:
    """Mistakes in what an assistant file means."""
    yield from _duplicate_tools(assistant)
    for index, tool in enumerate(assistant.tools):
        if isinstance(tool, FunctionTool):
            yield from _parameters(tool.function, ("tools", index, "function", "parameters"))
        if isinstance(tool, FileSearchTool):
            yield from _search_options(tool, ("tools", index, "file_search"))
    names = [function.name for function in assistant.functions]
    for index, name in enumerate(assistant.escalation.tools):
        yield from unknown_function(name, names, ("escalation", "tools", index))
    for index, phrase in enumerate(assistant.escalation.phrases):
        if not any(character.isalnum() for character in phrase):
            yield Mistake(("escalation", "phrases", index), f"a phrase needs words, not {phrase!r}")
    yield from _files_without_tool(assistant)
    yield from _run_options(assistant, names)


def _duplicate_tools(assistant: AssistantFile) -> Iterator[Mistake]:
    seen: set[str] = set()
    for index, tool in enumerate(assistant.tools):
        name = tool.function.name if isinstance(tool, FunctionTool) else tool.type
        if name in seen:
            yield Mistake(("tools", index), f"the tool {name!r} is there twice", "remove one of them")
        seen.add(name)


def _parameters(function: FunctionDefinition, place: Place) -> Iterator[Mistake]:
    schema = function.parameters
    if problem := schema_problem(schema):
        yield Mistake(place, f"the parameters of {function.name!r} are no JSON Schema: {problem}")
    elif schema.get("type", "object") != "object":
        yield Mistake(
            (*place, "type"),
            f"the parameters of {function.name!r} must have type object, not {shown(schema['type'])}",
        )


def _search_options(tool: FileSearchTool, place: Place) -> Iterator[Mistake]:
    options = tool.file_search or {}
    allowed = ["max_num_results", "ranking_options"]
    for key in options:
        if key not in allowed:
            yield Mistake(
                (*place, key), f"unknown key {key!r} in file_search", did_you_mean(key, allowed), at_key=True
            )
    results = options.get("max_num_results", 1)
    if not (isinstance(results, int) and not isinstance(results, bool) and 1 <= results <= 50):
        message = f"max_num_results must be a whole number from 1 to 50, not {shown(results)}"
        yield Mistake((*place, "max_num_results"), message)


def _files_without_tool(assistant: AssistantFile) -> Iterator[Mistake]:
    if assistant.knowledge and not assistant.has_tool("file_search"):
        yield Mistake(
            ("knowledge",), "knowledge is never read without file_search", "add {type: file_search} to tools"
        )
    if assistant.code_files and not assistant.has_tool("code_interpreter"):
        hint = "add {type: code_interpreter} to tools"
        yield Mistake(("code_files",), "code_files are never read without code_interpreter", hint)


def _run_options(assistant: AssistantFile, functions: list[str]) -> Iterator[Mistake]:
    choice = assistant.tool_choice
    if isinstance(choice, str) and choice not in ("none", "auto", "required"):
        hint = did_you_mean(choice, ["none", "auto", "required"])
        yield Mistake(("tool_choice",), f"unknown tool_choice {choice!r}", f"{hint}, or {{type: ...}}")
    elif isinstance(choice, dict) and choice.get("type") == "function":
        inner = choice.get("function")
        name = inner.get("name") if isinstance(inner, dict) else None
        yield from unknown_function(str(name), functions, ("tool_choice", "function", "name"))
    strategy = assistant.truncation_strategy
    if strategy is not None and strategy.get("type") not in ("auto", "last_messages"):
        message = f"truncation_strategy has type auto or last_messages, not {shown(strategy.get('type'))}"
        yield Mistake(("truncation_strategy", "type"), message)
    if len(assistant.metadata) > _MOST_METADATA:
        message = f"metadata has at most {_MOST_METADATA} pairs, not {len(assistant.metadata)}"
        yield Mistake(("metadata",), message, "the API takes 16, and three of them say which run made it")


# --- conversations ----------------------------------------------------------------------------------------


class _Block(msgspec.Struct, frozen=True):
    """One expect block with what its checks need to know.

    Attributes:
        expect: What must hold, defaults merged in.
        place: Of the block, from the conversation down.
        conversation: The one it is in.
        facts: Of the assistant.
        of_turn: It belongs to a turn, not to the whole conversation.
    """

    expect: Expect
    place: Place
    conversation: Conversation
    facts: Facts | None
    of_turn: bool
    before: int | None = None
    """How many turns come before, all of them for the whole conversation; None where that is not known."""

    @property
    def attached(self) -> frozenset[str]:
        """Names of the documents that the user attaches for file_search."""
        return frozenset(
            Path(file.file).name
            for turn in self.conversation.turns
            for file in turn.attach
            if "file_search" in file.tools
        )


def check_conversation(
    conversation: Conversation, facts: Facts | None, folder: Path, *, alone: bool = False
) -> Iterator[Mistake]:
    """Mistakes in a conversation, defaults merged in; places count from the conversation down.

    ``alone``: it stands for a single turn of a talk, and what was said before is not known.
    """
    turns = len(conversation.turns) or None
    yield from _check_block(
        _Block(conversation.expect, ("expect",), conversation, facts, of_turn=False, before=turns)
    )
    if conversation.escalation:
        yield from check_rules(conversation.escalation, None if facts is None else facts.hand_overs)
    yield from _check_perturb(conversation.perturb, facts)
    for index, turn in enumerate(conversation.turns):
        place: Place = ("turns", index)
        yield from _check_turn(turn, index, conversation, place)
        for number, attachment in enumerate(turn.attach):
            yield from _check_attachment(attachment, (*place, "attach", number), facts, folder)
        before = None if alone else index
        yield from _check_block(
            _Block(turn.expect, (*place, "expect"), conversation, facts, of_turn=True, before=before)
        )


def _check_perturb(perturb: Perturb | bool | None, facts: Facts | None) -> Iterator[Mistake]:
    """What a conversation asks of its variations and this assistant can't show."""
    if not isinstance(perturb, Perturb) or facts is None:
        return
    asked = perturb.model_fields_set
    if "kinds" in asked and "document" in perturb.kinds and not facts.searches:
        message = "a document with an injection is never read: the assistant does not have file_search"
        place: Place = ("perturb", "kinds", perturb.kinds.index("document"))
        yield Mistake(place, message, "remove document from kinds")
    if "keeps" in asked and "escalation" in perturb.keeps and not facts.hands_over:
        message = "escalation cannot be seen: the assistant's file does not say what a hand-over looks like"
        place = ("perturb", "keeps", perturb.keeps.index("escalation"))
        yield Mistake(place, message, "add escalation: {phrases: [...], tools: [...]} to the assistant file")


def _check_turn(turn: Turn, index: int, conversation: Conversation, place: Place) -> Iterator[Mistake]:
    if not turn.user.strip():
        yield Mistake((*place, "user"), "the user says nothing", "write the message")
    if turn.returning and index == 0 and not conversation.history:
        message = "the user cannot return in the first turn: nothing was said before"
        yield Mistake((*place, "returning"), message, "remove returning, or give the conversation a history")
    follows = conversation.turns[index + 1 : index + 2]
    if turn.forget and follows and not follows[0].returning:
        message = "the user is forgotten after this turn, so the next one cannot go on with the same thread"
        yield Mistake(
            (*place, "forget"), message, "give the next turn returning: true, or forget in the last one"
        )


def _check_attachment(
    attachment: Attachment, place: Place, facts: Facts | None, folder: Path
) -> Iterator[Mistake]:
    path = Path(os.path.normpath(folder / attachment.file))
    kind = kind_of(path)
    if kind is None:
        near = nearest_file(path)
        hint = f"did you mean {near!r}? It lies in the same folder" if near else None
        yield Mistake((*place, "file"), f"no file {str(path)!r}", hint)
    elif kind != "file":
        yield Mistake((*place, "file"), f"{str(path)!r} is {'a folder' if kind == 'folder' else 'empty'}")
    if facts is None:
        return
    has = {"file_search": facts.searches, "code_interpreter": facts.runs_code}
    for tool in attachment.tools:
        if not has[tool]:
            message = f"{attachment.file!r} is attached for {tool}, which the assistant does not have"
            yield Mistake((*place, "tools"), message, _other_tool_hint(has))


def _other_tool_hint(has: dict[str, bool]) -> str:
    there = [tool for tool, is_there in has.items() if is_there]
    return f"write tools: [{there[0]}]" if there else "give the assistant the tool, or attach nothing"


def _check_block(block: _Block) -> Iterator[Mistake]:
    for key in block.expect.model_fields_set:
        check = _CHECKS.get(key)
        if check is not None and getattr(block.expect, key) is not None:
            yield from check(block)


def _check_answer(block: _Block) -> Iterator[Mistake]:
    answer = block.expect.answer
    if answer is None:
        return
    place: Place = (*block.place, "answer")
    if answer.matches is not None and (problem := regex_problem(answer.matches)):
        yield Mistake(
            (*place, "matches"), f"the expression {answer.matches!r} cannot be used: {problem}", _REGEX_HINT
        )
    if answer.json_schema is not None and (problem := schema_problem(answer.json_schema)):
        yield Mistake((*place, "json_schema"), f"not a JSON Schema: {problem}")
    for key in ("words", "characters", "sentences"):
        limit = getattr(answer, key)
        if limit is not None:
            yield from _range_problems(limit, (*place, key))
    if isinstance(answer.similar, SimilarExpectation) and not all(_texts_of(answer.similar)):
        message = "similar needs a text to compare with, and one of these is empty"
        yield Mistake((*place, "similar", "to"), message, "write the text, or leave it out")
    wanted = {text.casefold() for text in answer.mentions}
    for index, text in enumerate(answer.omits):
        if text.casefold() in wanted:
            message = f"{text!r} must be mentioned and left out at once"
            yield Mistake((*place, "omits", index), message, "remove it from mentions or omits")


def _texts_of(similar: SimilarExpectation) -> tuple[str, ...]:
    texts = (similar.to,) if isinstance(similar.to, str) else similar.to
    return tuple(text.strip() for text in texts) or ("",)


_REGEX_HINT = "it is a Python regular expression; a backslash goes into single quotes"


def _range_check(key: str) -> Callable[[_Block], Iterator[Mistake]]:
    def check(block: _Block) -> Iterator[Mistake]:
        yield from _range_problems(getattr(block.expect, key), (*block.place, key))

    return check


def _range_problems(limit: Limit, place: Place) -> Iterator[Mistake]:
    name = str(place[-1])
    if limit.min is None and limit.max is None:
        yield Mistake(place, f"{name} has no limit", "give min, max or both")
    elif limit.min is not None and limit.max is not None and limit.min > limit.max:
        message = f"{name} has min {limit.min:g} above max {limit.max:g}"
        yield Mistake((*place, "min"), message, "exchange them")


def _check_grounded(block: _Block) -> Iterator[Mistake]:
    if block.expect.grounded is True or isinstance(block.expect.grounded, GroundedExpectation):
        yield from _needs_documents(block, "grounded")


def _check_searches(block: _Block) -> Iterator[Mistake]:
    if block.expect.searches:
        yield from _needs_documents(block, "searches")


def _check_cites(block: _Block) -> Iterator[Mistake]:
    cites, place = block.expect.cites, (*block.place, "cites")
    if not cites:
        return
    if block.expect.redirects:
        message = (
            "an answer that turns the question away cites nothing: redirects and cites exclude each other"
        )
        yield Mistake(place, message, "remove one of them, or write cites: null")
    needs = list(_needs_documents(block, "cites"))
    yield from needs
    if needs or isinstance(cites, bool) or block.facts is None or block.facts.documents is None:
        return
    known = block.facts.documents | block.attached
    names, listed = (cites, place) if isinstance(cites, tuple) else (cites.documents, (*place, "documents"))
    for index, name in enumerate(names):
        if name not in known:
            message = f"{name!r} is not among the assistant's documents"
            yield Mistake((*listed, index), message, did_you_mean(name, sorted(known), label="documents"))


def _needs_documents(block: _Block, key: str) -> Iterator[Mistake]:
    facts, place = block.facts, (*block.place, key)
    if facts is None:
        return
    if not facts.searches:
        message = f"{key} needs file_search, which the assistant does not have"
        yield Mistake(place, message, f"add {{type: file_search}} to its tools, or write {key}: null")
    elif facts.documents is not None and not facts.documents and not block.attached:
        message = f"{key} needs documents, and the assistant has no knowledge"
        yield Mistake(place, message, f"name its documents under knowledge, or write {key}: null")


def _check_code(block: _Block) -> Iterator[Mistake]:
    if block.facts is None or block.facts.runs_code:
        return
    for key in ("runs_code", "produces"):
        if getattr(block.expect, key):
            message = f"{key} needs code_interpreter, which the assistant does not have"
            hint = f"add {{type: code_interpreter}} to its tools, or write {key}: null"
            yield Mistake((*block.place, key), message, hint)


def _check_produces(block: _Block) -> Iterator[Mistake]:
    if block.expect.produces and block.expect.runs_code is False:
        message = "nothing can be produced without running code: runs_code is false"
        yield Mistake((*block.place, "produces"), message, "remove one of them")
    if block.expect.runs_code is None:
        yield from _check_code(block)


def _check_escalates(block: _Block) -> Iterator[Mistake]:
    wanted, place = block.expect.escalates, (*block.place, "escalates")
    if wanted not in (None, False) and block.facts is not None and not block.facts.hands_over:
        message = "escalates cannot be seen: the assistant's file does not say what a hand-over looks like"
        yield Mistake(place, message, "add escalation: {phrases: [...], tools: [...]} to the assistant file")
    if isinstance(wanted, EscalationExpectation):
        turns = len(block.conversation.turns)
        known = None if block.facts is None else block.facts.hand_overs
        yield from check_wish(wanted, place, turns=turns, of_turn=block.of_turn, functions=known)


def _check_calls(block: _Block) -> Iterator[Mistake]:
    never = {name for name in block.expect.never_calls or () if isinstance(name, str)}
    for index, call in enumerate(block.expect.calls or ()):
        place: Place = (*block.place, "calls", index)
        yield from call_mistakes(call, place, _functions(block))
        if isinstance(call.times, Limit):
            yield from _range_problems(call.times, (*place, "times"))
        if call.tool in never and call.times != 0:
            message = f"{call.tool!r} must be called and must not be called at once"
            yield Mistake((*place, "tool"), message, "remove it from calls or never_calls")


def _functions(block: _Block) -> dict[str, dict[str, Any]] | None:
    return block.facts.functions if block.facts is not None else None


def _check_never_calls(block: _Block) -> Iterator[Mistake]:
    for index, call in enumerate(block.expect.never_calls or ()):
        place: Place = (*block.place, "never_calls", index)
        if isinstance(call, WantedCall):
            yield from call_mistakes(call, place, _functions(block))
        elif block.facts is not None:
            yield from unknown_function(call, list(block.facts.functions), place)


def _check_trajectory(block: _Block) -> Iterator[Mistake]:
    trajectory, place, facts = block.expect.trajectory, (*block.place, "trajectory"), block.facts
    if trajectory is None:
        return
    has = {"file_search": facts.searches, "code_interpreter": facts.runs_code} if facts else None
    yield from step_mistakes(trajectory, place, facts.functions if facts else None, has)
    yield from trajectory_mistakes(trajectory, place)


def _check_tone(block: _Block) -> Iterator[Mistake]:
    tone, place = block.expect.tone, (*block.place, "tone")
    if tone is None:
        return
    for key in ("reading_ease", "sentence_words"):
        limit = getattr(tone, key)
        if limit is not None:
            yield from _range_problems(limit, (*place, key))
    if isinstance(tone.jargon, JargonExpectation):
        yield from _jargon_mistakes(tone.jargon, (*place, "jargon"))


def _jargon_mistakes(jargon: JargonExpectation, place: Place) -> Iterator[Mistake]:
    if not (jargon.terms or jargon.documents or jargon.abbreviations):
        yield Mistake(place, "nothing counts as jargon here", "list terms, or leave documents on")
    allowed = {term.casefold() for term in jargon.allowed}
    for key in ("terms", "allowed"):
        for index, term in enumerate(getattr(jargon, key)):
            if not any(character.isalnum() for character in term):
                yield Mistake((*place, key, index), f"a term needs letters, not {term!r}")
            elif key == "terms" and term.casefold() in allowed:
                message = f"{term!r} is jargon and allowed at once"
                yield Mistake((*place, key, index), message, "remove it from terms or allowed")


def _check_remembers(block: _Block) -> Iterator[Mistake]:
    for index, fact in enumerate(block.expect.remembers or ()):
        place: Place = (*block.place, "remembers", index)
        yield from fact_mistakes(fact, place, block.conversation, block.before)


def _check_scorers(block: _Block) -> Iterator[Mistake]:
    from harness.suite.plugins import scorer_mistakes

    yield from scorer_mistakes(block.expect.scorers or {}, (*block.place, "scorers"))


def _check_requires(block: _Block) -> Iterator[Mistake]:
    expect = block.expect
    there = [
        key for key in Expect.model_fields if key != "requires" and getattr(expect, key) not in (None, ())
    ]
    for index, name in enumerate(expect.requires):
        if name not in there:
            message = f"requires names {name!r}, which is not checked here"
            hint = did_you_mean(name, there, label="checked here")
            yield Mistake((*block.place, "requires", index), message, hint)


_CHECKS: dict[str, Callable[[_Block], Iterator[Mistake]]] = {
    "answer": _check_answer,
    "grounded": _check_grounded,
    "searches": _check_searches,
    "cites": _check_cites,
    "runs_code": _check_code,
    "produces": _check_produces,
    "escalates": _check_escalates,
    "calls": _check_calls,
    "never_calls": _check_never_calls,
    "scorers": _check_scorers,
    "trajectory": _check_trajectory,
    "tone": _check_tone,
    "remembers": _check_remembers,
    "requires": _check_requires,
    **{key: _range_check(key) for key in _RANGES},
}
