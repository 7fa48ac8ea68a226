"""The order in which the reference assistant decides: forced tools, hand-over, functions, data, documents."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.server.llms.extractive import answer, plotting, sums, tables
from harness.server.llms.extractive.analysis_code import LOOKED, analysis_code, looking_code
from harness.server.llms.extractive.arguments import fill
from harness.server.llms.extractive.ellipsis import expanded
from harness.server.llms.extractive.escalations import Escalation
from harness.server.llms.extractive.evidence import Evidence, weigh
from harness.server.llms.extractive.functions import (
    Call,
    Function,
    calls_asked_for,
    functions_of,
    report,
    separate_question,
)
from harness.server.llms.extractive.handover import (
    Situation,
    concerns,
    is_solved,
    read_situation,
    wishes_a_person,
    without_refusal,
)
from harness.server.llms.extractive.lexicon import INJECTION, OFF_TOPIC
from harness.server.llms.extractive.meaning import (
    ALONE,
    BESIDE_DOCUMENTS,
    REPORTED,
    gives,
    meant_calls,
    reporting_call,
)
from harness.server.llms.extractive.parameters import Parameter
from harness.server.llms.extractive.policy import Policy, read_policy
from harness.server.llms.extractive.question import read_question, term_stems
from harness.server.llms.extractive.strings import without_contact
from harness.server.llms.extractive.talk import (
    Outcome,
    Talk,
    about_the_talk,
    aside_of,
    context_of,
    is_follow_up,
    known_facts_for,
    only_tells,
    questions_in,
    read_talk,
    redirect_answer,
    small_talk_answer,
    small_talk_kind,
    topic_of_last_answer,
    without_greeting,
)
from harness.server.llms.interface import ModelReply, ModelRequest, ToolRequest
from harness.text import content_stems, fold, sentences


@dataclass(frozen=True, slots=True)
class _Scene:
    """Everything one completion decides from."""

    request: ModelRequest
    policy: Policy
    talk: Talk
    subject: str
    situation: Situation
    functions: tuple[Function, ...]
    hosted: frozenset[str]
    expanded: bool

    @property
    def handover_function(self) -> Function | None:
        """The function that brings people in, if there is one: by what it is, or by the instructions."""
        named = [function for function in self.functions if function.name in self.policy.calls]
        return next((function for function in (*named, *self.functions) if self._brings_in(function)), None)

    def _brings_in(self, function: Function) -> bool:
        """Whether a function belongs to this hand-over; one with another job, if it is about that."""
        if function.name not in self.policy.calls:
            return function.hands_over
        if self.policy.calls == {function.name} and not function.reads and self.situation.escalation:
            return True
        about = set(content_stems(f"{function.description} {' '.join(function.name_words)}"))
        said = set(content_stems(" ".join(self.talk.user_texts[-2:])))
        return function.hands_over or (self.situation.reason in ("condition", "") and bool(about & said))


def complete(request: ModelRequest) -> ModelReply:
    """The next message or tool calls of the reference assistant."""
    scene = _read(request)
    reply = _forced(scene)
    if reply is None and scene.talk.outcomes:
        reply = _after_tools(scene)
    if reply is None:
        reply = _first_step(scene)
    if request.tool_choice == "none" and reply.tool_requests:
        reply = _message(scene, _without_tools(scene), found=False)
    return reply


def _read(request: ModelRequest) -> _Scene:
    policy = read_policy(request.instructions or "")
    talk = read_talk(request)
    hosted = frozenset(str(tool.get("type")) for tool in request.tools if tool.get("type") != "function")
    names = frozenset(content_stems(f"{policy.company or ''} {policy.name or ''}"))
    whole = expanded(talk.said, [turn.user for turn in talk.earlier if turn.user], names)
    if whole is not None:
        talk = replace(talk, said=whole)
    subject = without_greeting(without_refusal(_without_injection(talk.said), policy.roles))
    functions = functions_of(request.tools)
    return _Scene(
        request, policy, talk, subject, read_situation(talk, policy), functions, hosted, whole is not None
    )


def _without_injection(said: str) -> str:
    """The message without sentences that try to change or read the instructions."""
    if not INJECTION.search(fold(said)):
        return said
    return " ".join(span.text for span in sentences(said) if not INJECTION.search(fold(span.text)))


# --- tools ----------------------------------------------------------------------------------------


def _requests(scene: _Scene, wanted: Sequence[tuple[str, str, dict[str, Any]]]) -> ModelReply:
    """Tool requests ``(kind, name, arguments)`` with ids that the talk so far determines."""
    if scene.request.options.get("parallel_tool_calls") is False:
        wanted = wanted[:1]
    seed = json.dumps([[m.role, m.content] for m in scene.request.messages], ensure_ascii=False)
    requests = []
    for index, (kind, name, arguments) in enumerate(wanted):
        digest = hashlib.sha256(f"{len(scene.request.messages)}/{index}/{name}/{seed}".encode()).hexdigest()
        requests.append(ToolRequest(f"call_{digest[:24]}", kind, name, arguments))  # type: ignore[arg-type]
    return ModelReply(tool_requests=tuple(requests))


def _call(scene: _Scene, calls: Sequence[Call]) -> ModelReply:
    return _requests(scene, [("function", call.function.name, call.filled.arguments) for call in calls])


def _search(scene: _Scene) -> ModelReply:
    return _requests(scene, [("file_search", "file_search", {"queries": _queries(scene)})])


def _queries(scene: _Scene) -> list[str]:
    """What to look for: each question of the message, with the words that it leans on."""
    queries = []
    for asked in _asked(scene):
        around = " ".join(_telling_words(asked.context, 12)) if asked.lean >= _LEAN_ON_ASIDE else ""
        queries.append(" ".join(part for part in (asked.text, asked.facts, around) if part))
    return [query[:500] for query in queries if query.strip()] or [scene.talk.said[:500] or "help"]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question of the message with what it leans on.

    Attributes:
        text: Its words.
        context: What the message tells beside it, and the earlier questions that it points at.
        facts: What the user told about themselves and means by "my ...".
        follows: Whether it cannot be understood without the context.
        lean: How much the context counts for ranking.
    """

    text: str
    context: str
    facts: str
    follows: bool
    lean: float


_LEAN_ON_ASIDE = 0.35


def _asked(scene: _Scene) -> list[_Asked]:
    """The questions of the message; a report of trouble is one, whole."""
    subject = without_contact(scene.subject).strip() or scene.subject
    whole = scene.situation.trouble
    aside = "" if whole else aside_of(subject)
    texts = [subject] if whole else questions_in(subject)
    return [_one_asked(scene, text, aside, texts[:place]) for place, text in enumerate(texts)]


def _one_asked(scene: _Scene, text: str, aside: str, before: Sequence[str]) -> _Asked:
    """One question of a message, with those that stand ``before`` it there."""
    follows = not scene.expanded and is_follow_up(text) and bool(aside or before or scene.talk.earlier)
    earlier = (before[-1] if before else context_of(scene.talk, text)) if follows else ""
    facts = known_facts_for(scene.talk, text, aside)
    if follows:
        few = len(term_stems(f"{text} {earlier}")) < 2
        topic = topic_of_last_answer(scene.talk) if few and not aside else ""
        return _Asked(text, "\n".join(part for part in (aside, earlier, topic) if part), facts, True, 0.5)
    if aside:
        return _Asked(text, aside, facts, False, _LEAN_ON_ASIDE)
    last = scene.talk.earlier[-1].user if scene.talk.earlier else ""
    return _Asked(text, last, facts, False, 0.12)


def _telling_words(text: str, most: int) -> list[str]:
    stems = term_stems(text)
    found = [word for word in re.findall(r"[\w'’.@-]+", text) if set(content_stems(word)) & stems]
    return list(dict.fromkeys(found))[:most]


def _forced(scene: _Scene) -> ModelReply | None:
    """What tool_choice prescribes; whoever forces a tool once only asks for it once."""
    choice = scene.request.tool_choice
    if choice in ("auto", "none", None):
        return None
    if choice == "required":
        return _any_tool(scene)
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind == "file_search" and "file_search" in scene.hosted:
        return _search(scene)
    if kind == "code_interpreter" and "code_interpreter" in scene.hosted:
        return _run_code(scene)
    if kind == "function" and isinstance(choice, dict):
        name = (choice.get("function") or choice).get("name")
        function = next((f for f in scene.functions if f.name == name), None)
        return _forced_call(scene, _filled(scene, function)) if function else None
    return None


def _forced_call(scene: _Scene, call: Call) -> ModelReply:
    """A call that has to be made, also where the user has not named everything that it needs."""
    return _call(scene, [call.completed(scene.subject or scene.talk.said)])


def _any_tool(scene: _Scene) -> ModelReply | None:
    called = {outcome.request.name for outcome in scene.talk.outcomes}
    reply = _first_step(scene)
    if reply.tool_requests and not called.intersection(one.name for one in reply.tool_requests):
        return reply
    left = [function for function in scene.functions if function.name not in called]
    calls = [_filled(scene, function) for function in left or scene.functions]
    if "file_search" in scene.hosted and "file_search" not in called:
        return _search(scene)
    if calls:
        return _forced_call(scene, next((call for call in calls if not call.filled.missing), calls[0]))
    return _run_code(scene) if "code_interpreter" in scene.hosted else None


def _filled(scene: _Scene, function: Function) -> Call:
    texts = [scene.subject, *reversed(scene.talk.user_texts[:-1])]
    return Call(function, fill(function.schema, texts, recent=1 + _turns_since_a_call(scene)))


def _turns_since_a_call(scene: _Scene) -> int:
    """How many earlier turns belong to the matter at hand: those after the last call that was reported."""
    count = 0
    for turn in reversed(scene.talk.earlier):
        if turn.called or answer.DONE in turn.assistant:
            break
        count += 1
    return count


# --- the first step of a turn ---------------------------------------------------------------------


def _first_step(scene: _Scene) -> ModelReply:
    for step in (
        _small_talk,
        _waited_for,
        _escalates_now,
        _has_nobody,
        _turned_away,
        _remembered,
        _functions,
        _data,
        _noted,
    ):
        reply = step(scene)
        if reply is not None:
            return reply
    if "file_search" in scene.hosted and not scene.talk.outcomes_of("file_search"):
        return _search(scene)
    return _message(scene, _without_tools(scene), found=False)


def _small_talk(scene: _Scene) -> ModelReply | None:
    kind = small_talk_kind(scene.talk.said)
    if kind is None and is_solved(fold(scene.talk.said)) and scene.talk.earlier:
        return _message(scene, "I'm glad to hear that! Is there anything else I can help with?")
    if kind is None:
        return None
    if (
        kind == "thanks"
        and answer.STILL_NEEDED in scene.talk.last_answer
        and len(content_stems(scene.talk.said)) > 1
    ):
        return None
    return _message(scene, small_talk_answer(kind, scene.policy))


def _turned_away(scene: _Scene) -> ModelReply | None:
    """What needs no look into the documents: manipulation, forbidden subjects, the plainly off topic."""
    said = fold(scene.talk.said)
    if INJECTION.search(said) and len(content_stems(scene.subject)) < 2:
        return _message(scene, redirect_answer(scene.policy))
    for condition in scene.policy.forbidden:
        if concerns(condition, fold(scene.subject)):
            return _message(scene, answer.forbidden_answer(condition.text, scene.policy))
    for condition, where in scene.policy.elsewhere:
        if concerns(condition, fold(scene.subject)) and _ABOUT_ONESELF.search(fold(scene.subject)):
            return _message(scene, answer.elsewhere_answer(where))
    if _is_plainly_off_topic(scene):
        return _message(scene, redirect_answer(scene.policy))
    return None


_ABOUT_ONESELF = re.compile(r"\b(?:my|our|mine|i|we|me)\b")


def _is_plainly_off_topic(scene: _Scene) -> bool:
    match = OFF_TOPIC.search(fold(scene.subject))
    if match is None or not scene.policy.redirects:
        return False
    named = next(word for word in match.groupdict().values() if word)
    return not set(content_stems(named)) & scene.policy.scope


def _remembered(scene: _Scene) -> ModelReply | None:
    text = about_the_talk(scene.talk)
    return _message(scene, text) if text else None


def _noted(scene: _Scene) -> ModelReply | None:
    """What the user only tells is noted; a report of trouble is not only told."""
    if scene.situation.trouble or not only_tells(scene.subject):
        return None
    return _message(scene, "Thank you, I have noted that. What would you like to know?")


# --- handing over ---------------------------------------------------------------------------------


def _escalates_now(scene: _Scene) -> ModelReply | None:
    situation = scene.situation
    if situation.reason == "condition":
        # What the user explicitly wants done is done; the words of handing over come with its report.
        calls = calls_asked_for(scene.functions, scene.subject, scene.talk.user_texts[:-1])
        if calls and not any(call.filled.missing for call in calls):
            return _call(scene, calls)
    if situation.escalation is not None:
        return _hand_over(scene, situation.escalation, situation.reason)
    offers_mail = situation.trouble and situation.technical and _offers_mail(scene)
    if offers_mail:
        return _hand_over(scene, _problem_escalation(scene.policy), "severe")
    return None


def _has_nobody(scene: _Scene) -> ModelReply | None:
    """The wish for a person where the instructions know no way to one: how to reach them."""
    if scene.policy.escalations or not wishes_a_person(fold(scene.talk.said)):
        return None
    if "file_search" in scene.hosted and not scene.talk.outcomes_of("file_search"):
        return _requests(scene, [("file_search", "file_search", {"queries": [_CONTACT]})])
    return _message(scene, "I'm sorry, I can't connect you with a person from here.", found=False)


_CONTACT = "contact support by phone or e-mail"


def _offers_mail(scene: _Scene) -> bool:
    """Whether a report of trouble comes with an address, where there is a function that takes one."""
    function = scene.handover_function
    steps_first = scene.policy.escalation_for("unresolved") is not None
    return function is not None and function.takes_mail and "@" in scene.talk.said and not steps_first


def _problem_escalation(policy: Policy) -> Escalation | None:
    return (
        policy.escalation_for("technical") or policy.escalation_for("unresolved") or policy.default_escalation
    )


def _hand_over(scene: _Scene, escalation: Escalation | None, reason: str) -> ModelReply:
    """Calls the function that brings people in, or says the words and asks for what the call needs."""
    if _wants_to_add(scene):
        return _requests(scene, [("file_search", "file_search", {"queries": [scene.policy.adds]})])
    function = scene.handover_function
    words = " ".join([answer.handover_words(escalation, reason), *_added(scene)])
    if function is None or scene.request.tool_choice == "none" or _already_called(scene, function):
        return _message(scene, words, escalated=True)
    call = _filled(scene, function)
    if call.filled.missing:
        return _message(scene, f"{words} {answer.asking_for(_labels(call))}", escalated=True)
    return _call(scene, [call])


def _wants_to_add(scene: _Scene) -> bool:
    """Whether the instructions want something said with the words that still has to be looked up."""
    searched = scene.talk.outcomes_of("file_search")
    free = scene.request.tool_choice != "none"
    return bool(scene.policy.adds) and free and "file_search" in scene.hosted and not searched


def _added(scene: _Scene) -> list[str]:
    """What the instructions want added to the words of handing over, quoted from the documents."""
    if not scene.policy.adds or not scene.talk.hits:
        return []
    evidence = weigh(read_question(scene.policy.adds), scene.talk.hits, most=1)
    return [answer.quoted(evidence, scene.talk.hits, scene.policy)] if evidence.answers else []


def _already_called(scene: _Scene, function: Function) -> bool:
    """Whether people are already informed and nothing new is reported."""
    if any(outcome.request.name == function.name for outcome in scene.talk.outcomes_of("function")):
        return True
    phrases = [rule.phrase for rule in scene.policy.escalations if rule.phrase]
    told = any(
        answer.DONE in turn.assistant and any(p in turn.assistant for p in phrases)
        for turn in scene.talk.earlier
    )
    called = any(function.name in turn.called for turn in scene.talk.earlier)
    return (told or called) and not scene.situation.trouble


def _labels(call: Call) -> list[str]:
    properties = call.function.schema.get("properties") or {}
    return [Parameter(name, properties.get(name) or {}).label for name in call.filled.missing]


# --- functions ------------------------------------------------------------------------------------


def _functions(scene: _Scene) -> ModelReply | None:
    if not scene.functions:
        return None
    calls = calls_asked_for(scene.functions, scene.subject, scene.talk.user_texts[:-1])
    calls = _with_meant(scene, calls) or _reported(scene)
    return _call_or_ask(scene, calls) if calls else None


def _reported(scene: _Scene) -> list[Call]:
    """The call for what a message only reports, where it holds everything that the call needs."""
    said = scene.subject
    if not scene.situation.trouble or "?" in said:
        return []
    call = reporting_call(scene.functions, said, REPORTED)
    return [call] if call and gives(call.function, said) else []


def _with_meant(scene: _Scene, calls: Sequence[Call]) -> list[Call]:
    """The calls with those that the message means beside them, in other words than the functions' own.

    Beside documents, which might answer as well, only where the message holds what the function needs.
    """
    searches = "file_search" in scene.hosted
    least = BESIDE_DOCUMENTS if searches else ALONE
    known = frozenset(call.function.name for call in calls)
    meant = meant_calls(scene.functions, scene.subject, scene.talk.user_texts[:-1], least, known)
    return [*calls, *(call for call in meant if not (searches and call.filled.missing))]


def _call_or_ask(scene: _Scene, calls: Sequence[Call]) -> ModelReply:
    ready = [call for call in calls if not call.filled.missing]
    if ready:
        return _call(scene, ready)
    labels = list(dict.fromkeys(label for call in calls for label in _labels(call)))
    asking = answer.asking_for(labels)
    if scene.policy.escalations and any(call.function.hands_over for call in calls):
        words = answer.handover_words(_problem_escalation(scene.policy), "call")
        return _message(scene, f"{words} {asking}", escalated=True)
    return _message(scene, asking)


def _waited_for(scene: _Scene) -> ModelReply | None:
    """Goes on with a call that an earlier answer could not make for want of a value."""
    if answer.STILL_NEEDED not in scene.talk.last_answer or not scene.functions:
        return None
    call = _open_call(scene)
    if call is None:
        return None
    before = fill(call.function.schema, list(reversed(scene.talk.user_texts[:-1])))
    if len(call.filled.missing) >= len(before.missing):
        return _declined(scene)
    return _call_or_ask(scene, [call])


def _declined(scene: _Scene) -> ModelReply | None:
    if re.match(
        r"(?:no|nope|never ?mind|forget it|not now|leave it|cancel that|i(?:'d| would) rather not)\b",
        fold(scene.talk.said),
    ):
        return _message(scene, "All right, I won't do that. Is there anything else I can help with?")
    return None


def _open_call(scene: _Scene) -> Call | None:
    """The function that waits for a value: the one an earlier message asked for, or the hand-over."""
    texts = scene.talk.user_texts
    for index in range(len(texts) - 2, -1, -1):
        calls = calls_asked_for(scene.functions, texts[index], texts[:index])
        waiting = [call for call in calls if call.filled.missing]
        if waiting:
            function = waiting[0].function
            answered = _bare_value(scene, waiting[0])
            return Call(function, fill(function.schema, [answered, *reversed(texts[:-1])]))
    function_of_people = scene.handover_function
    if function_of_people is None:
        return None
    return Call(function_of_people, fill(function_of_people.schema, list(reversed(texts))))


def _bare_value(scene: _Scene, call: Call) -> str:
    """The message with the missing parameter's name put before it when it is nothing but a value."""
    said = scene.talk.said.strip(" .")
    missing = call.filled.missing
    if len(missing) != 1 or len(said.split()) > 4:
        return scene.talk.said
    parameter = Parameter(missing[0], (call.function.schema.get("properties") or {}).get(missing[0]) or {})
    names = dict.fromkeys((parameter.label, parameter.name.replace("_", " ")))
    return "\n".join([scene.talk.said, *(f"{name}: {said}" for name in names)])


# --- data -----------------------------------------------------------------------------------------


def _data(scene: _Scene) -> ModelReply | None:
    if "code_interpreter" not in scene.hosted or scene.situation.trouble:
        return None
    sum_asked_for = None if scene.policy.redirects else sums.code_for(scene.subject)
    if sum_asked_for is not None:
        return _code(scene, sum_asked_for)
    if not plotting.wants_analysis(_data_question(scene)[0], scene.request.files):
        return None
    if not any(tables.is_tabular(file) for file in scene.request.files):
        return _message(
            scene, "Please attach the data as a CSV, Excel or JSON file, and I will analyse it for you."
        )
    return _run_code(scene)


def _data_question(scene: _Scene) -> tuple[str, str]:
    """The question to compute, and an earlier one whose filters hold on, when this one only varies it."""
    context = context_of(scene.talk)
    if not context or (
        plotting.wants_analysis(scene.subject, scene.request.files) and len(content_stems(scene.subject)) > 3
    ):
        return scene.subject, ""
    latest = context.split("\n")[0]
    if plotting.wants_analysis(latest, scene.request.files):
        return f"{scene.subject} ({latest})", latest
    return scene.subject, ""


def _run_code(scene: _Scene, head: str | None = None) -> ModelReply:
    question, before = _data_question(scene)
    file = plotting.chosen_file(question, scene.request.files)
    if file is None:
        return _code(scene, sums.code_for(scene.subject) or _NOTHING_TO_WORK_ON)
    table = tables.table_of(file, head)
    if not table.columns:
        return _code(scene, looking_code(file, before or question))
    plan = plotting.plan(question, table)
    filters = scene.subject if before else question
    return _code(scene, analysis_code(filters, table, plan, before=before))


def _code(scene: _Scene, source: str) -> ModelReply:
    return _requests(scene, [("code_interpreter", "code_interpreter", {"input": source})])


_NOTHING_TO_WORK_ON = "print('There is no data file to work on.')\n"


# --- after tools ----------------------------------------------------------------------------------


def _after_tools(scene: _Scene) -> ModelReply:
    """The next step once tools have answered: another tool when one is still wanted, else the message."""
    talk = scene.talk
    called, ran = talk.outcomes_of("function"), talk.outcomes_of("code_interpreter")
    searched = talk.outcomes_of("file_search")
    if ran and not called:
        return _after_code(scene, ran)
    if called:
        return _after_functions(scene, called, searched)
    return _from_documents(scene)


def _after_code(scene: _Scene, ran: Sequence[Outcome]) -> ModelReply:
    last = ran[-1]
    output = last.output.content if last.output else ""
    failed = answer.code_failed(output)
    if output.startswith(LOOKED) and len(ran) == 1 and not failed:
        head = output.partition("\n")[2]
        if tables.table_of(scene.request.files[-1], head).columns and scene.request.files:
            return _run_code(scene, head)
    image = any(is_image for outcome in ran if outcome.output for _, _, is_image in outcome.output.files)
    return _message(scene, answer.findings(output, image=image, failed=failed), found=not failed)


def _after_functions(scene: _Scene, called: Sequence[Outcome], searched: Sequence[Outcome]) -> ModelReply:
    question = separate_question(scene.functions, scene.subject)
    if question and "file_search" in scene.hosted and not searched:
        return _search(scene)
    if _lacks_another_way(scene, called) and "file_search" in scene.hosted and not searched:
        return _requests(scene, [("file_search", "file_search", {"queries": [scene.policy.instead]})])
    told, escalated = _told_of_functions(scene, called)
    if question and searched:
        evidence = weigh(read_question(question, context_of(scene.talk)), scene.talk.hits)
        if evidence.answers:
            told += "\n\n" + answer.quoted_answer(evidence, scene.talk.hits, scene.policy, trouble=False)
        else:
            told += "\n\n" + answer.unknown_answer(scene.policy)
    return _message(scene, told, escalated=escalated)


def _lacks_another_way(scene: _Scene, called: Sequence[Outcome]) -> bool:
    """Whether a call failed for which the instructions want something told from the documents."""
    outputs = (outcome.output.content for outcome in called if outcome.output)
    failed = any(not report("", output).worked for output in outputs)
    return failed and scene.policy.instead is not None and not scene.policy.other_ways


def _told_of_functions(scene: _Scene, called: Sequence[Outcome]) -> tuple[str, bool]:
    """What the outputs say, behind the words of handing over when people were brought in."""
    hands_over = {function.name for function in scene.functions if function.hands_over}
    escalated = any(outcome.request.name in hands_over for outcome in called)
    escalated = escalated or scene.situation.escalation is not None
    reports = [
        report(outcome.request.name, outcome.output.content if outcome.output else "") for outcome in called
    ]
    lines: list[str] = []
    if escalated and scene.policy.escalations:
        situation = scene.situation
        rule = situation.escalation or _problem_escalation(scene.policy)
        lines.append(answer.handover_words(rule, situation.reason or "call"))
    if any(one.worked for one in reports):
        lines.append(" ".join([answer.DONE, *(one.text for one in reports if one.worked and one.text)]))
    for failure in (one for one in reports if not one.worked):
        lines.append(f"Unfortunately, that did not work: {failure.text}")
    if _lacks_another_way(scene, called) and scene.talk.hits:
        evidence = weigh(read_question(scene.policy.instead or ""), scene.talk.hits, most=1)
        lines += [answer.quoted(evidence, scene.talk.hits, scene.policy)] if evidence.answers else []
    if scene.policy.other_ways and any(not one.worked for one in reports):
        lines.append(f"You can also reach us here: {', '.join(scene.policy.other_ways)}.")
    return " ".join(lines), escalated


def _from_documents(scene: _Scene) -> ModelReply:
    """The final message from what file_search found."""
    hits = scene.talk.hits
    situation = scene.situation
    if not scene.policy.escalations and wishes_a_person(fold(scene.talk.said)):
        return _ways_to_reach_people(scene)
    if situation.escalation is not None:
        return _hand_over(scene, situation.escalation, situation.reason)
    found = [_evidence(scene, asked) for asked in _asked(scene)]
    answered = [evidence for evidence in found if evidence.answers]
    if answered:
        parts = [
            answer.quoted_answer(evidence, hits, scene.policy, trouble=situation.trouble)
            for evidence in answered
        ]
        if len(answered) < len(found):
            parts.append(answer.unknown_answer(scene.policy))
        return _message(scene, "\n\n".join(dict.fromkeys(parts)))
    if situation.trouble and situation.technical:
        return _hand_over(scene, _problem_escalation(scene.policy), "unsolved")
    return _not_in_documents(scene, found)


def _ways_to_reach_people(scene: _Scene) -> ModelReply:
    evidence = weigh(read_question(_CONTACT), scene.talk.hits, most=2)
    sorry = "I'm sorry, I can't connect you with a person from here."
    if not evidence.answers:
        return _message(scene, sorry, found=False)
    return _message(
        scene, f"{sorry} {answer.quoted_answer(evidence, scene.talk.hits, scene.policy, trouble=False)}"
    )


def _evidence(scene: _Scene, asked: _Asked) -> Evidence:
    read = read_question(
        asked.text,
        asked.context,
        extra=asked.facts,
        implied=_implied(scene),
        trouble=scene.situation.trouble,
        follows=asked.follows,
        lean=asked.lean,
    )
    return weigh(read, scene.talk.hits, most=2 if scene.policy.brief else 3)


def _insists(scene: _Scene) -> bool:
    """Whether a message only goes on with what was turned away before."""
    turned_away = redirect_answer(scene.policy)[:40]
    return is_follow_up(scene.talk.said) and turned_away in scene.talk.last_answer


def _implied(scene: _Scene) -> frozenset[str]:
    """Stems of the names of the company and the assistant."""
    return frozenset(content_stems(f"{scene.policy.company or ''} {scene.policy.name or ''}"))


def _not_in_documents(scene: _Scene, found: Sequence[Evidence]) -> ModelReply:
    if scene.policy.redirects and (_is_off_topic(scene, found) or _insists(scene)):
        return _message(scene, redirect_answer(scene.policy), found=False)
    rule = scene.policy.escalation_for("unanswered")
    if rule is not None:
        return _hand_over(scene, rule, "unanswered")
    return _message(scene, answer.unknown_answer(scene.policy), found=False)


def _is_off_topic(scene: _Scene, found: Sequence[Evidence]) -> bool:
    """Whether practically nothing of the question occurs in the documents or the instructions."""
    if context_of(scene.talk):
        return False
    own = term_stems(scene.subject)
    if any(re.search(r"[a-z]-?\d", stem) for stem in own):
        return False  # codes and versions belong to somebody's product
    known = max((evidence.known_share for evidence in found), default=0.0)
    text = _POLITENESS.sub(" ", fold(scene.subject))
    if _CAN_I.search(text):
        return False
    if max((evidence.near for evidence in found), default=0.0) >= _ON_TOPIC:
        return False
    if own & scene.policy.scope or _IS_ABOUT_US.search(text) or (known and _ASKS_OF_A_SERVICE.search(text)):
        return False
    return known <= 0.34


_ON_TOPIC = 0.35
"""Nearness of some sentence of the documents from which a question is none about something else."""
_POLITENESS = re.compile(
    r"\b(?:can|could|would|will) you (?:please |kindly )?(?:tell|give|explain|help|show|write|say|recommend|"
    r"make|suggest|solve|translate|do|play|sing|draw|teach)\w*\b|\bdo you (?:know|think|like|believe)\b|"
    r"\bthank you\b|\bfor (?:me|my \w+)\b|\bhelp me\b"
)
_IS_ABOUT_US = re.compile(
    r"\b(?:you|your|is there|are there|here|our|costs?|prices?|fees?|charges?|discounts?|refunds?|deliver\w*|"
    r"included|available|allowed|permitted|accepted|required|"
    r"appointments?|accounts?|opening|subscri\w+|invoices?|warranty|guarantee|"
    r"my (?:order|booking|account|bill|invoice|card|contract|membership|ticket|plan|reservation|"
    r"application))\b"
)
_CAN_I = re.compile(r"(?<!how )\b(?:can|may|must|do|am) i\b(?! (?:make|cook|bake|get over|tell if))")
_ASKS_OF_A_SERVICE = re.compile(
    r"^(?:does|do|is|are|has|have|will) (?:the|my|our)\b|\b(?:can|may|must|do|am) i\b|\bmy\b|\bhow much\b"
)


def _without_tools(scene: _Scene) -> str:
    """The answer where no documents can be asked."""
    rule = scene.policy.escalation_for("unanswered")
    own = term_stems(scene.subject)
    if scene.policy.redirects and not own & scene.policy.scope and not scene.situation.trouble:
        return redirect_answer(scene.policy)
    if rule is not None or (scene.situation.trouble and scene.situation.technical):
        return answer.handover_words(
            rule or _problem_escalation(scene.policy), "unanswered" if rule else "unsolved"
        )
    return answer.unknown_answer(scene.policy, documents=False)


# --- the message ----------------------------------------------------------------------------------


def _message(scene: _Scene, text: str, *, escalated: bool = False, found: bool = True) -> ModelReply:
    """A final message, dressed as the instructions want it, in the wanted response format."""
    wanted = scene.request.response_format
    if isinstance(wanted, dict) and wanted.get("type") in ("json_object", "json_schema"):
        sources = list(
            dict.fromkeys(hit.filename for hit in scene.talk.hits if hit.marker and hit.marker in text)
        )
        return ModelReply(answer.as_json(text, wanted, escalated=escalated, found=found, sources=sources))
    return ModelReply(answer.dressed(text, scene.policy))
