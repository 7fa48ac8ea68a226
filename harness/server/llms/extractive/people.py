"""Steps of the reference assistant that hand over to people."""

from __future__ import annotations

from harness.server.llms.extractive import answer
from harness.server.llms.extractive.escalations import Escalation
from harness.server.llms.extractive.evidence import weigh
from harness.server.llms.extractive.functions import Call, Function, calls_asked_for
from harness.server.llms.extractive.handover import wishes_a_person
from harness.server.llms.extractive.parameters import Parameter
from harness.server.llms.extractive.policy import Policy
from harness.server.llms.extractive.question import read_question
from harness.server.llms.extractive.requesting import filled_call, function_calls, tool_requests
from harness.server.llms.extractive.scene import Scene, message
from harness.server.llms.interface import ModelReply
from harness.text import fold


def escalates_now(scene: Scene) -> ModelReply | None:
    """A hand-over where the situation calls for one; None where it does not."""
    situation = scene.situation
    if situation.reason == "condition":
        # What the user explicitly wants done is done; the words of handing over come with its report.
        calls = calls_asked_for(scene.functions, scene.subject, scene.talk.user_texts[:-1])
        if calls and not any(call.filled.missing for call in calls):
            return function_calls(scene, calls)
    if situation.escalation is not None:
        return hand_over(scene, situation.escalation, situation.reason)
    offers_mail = situation.trouble and situation.technical and _offers_mail(scene)
    if offers_mail:
        return hand_over(scene, problem_escalation(scene.policy), "severe")
    return None


def has_nobody(scene: Scene) -> ModelReply | None:
    """The wish for a person where the instructions know no way to one: how to reach them."""
    if scene.policy.escalations or not wishes_a_person(fold(scene.talk.said)):
        return None
    if "file_search" in scene.hosted and not scene.talk.outcomes_of("file_search"):
        return tool_requests(scene, [("file_search", "file_search", {"queries": [CONTACT]})])
    return message(scene, "I'm sorry, I can't connect you with a person from here.", found=False)


CONTACT = "contact support by phone or e-mail"


def _offers_mail(scene: Scene) -> bool:
    """Whether a report of trouble comes with an address, where there is a function that takes one."""
    function = scene.handover_function
    steps_first = scene.policy.escalation_for("unresolved") is not None
    return function is not None and function.takes_mail and "@" in scene.talk.said and not steps_first


def problem_escalation(policy: Policy) -> Escalation | None:
    """The way of handing over that fits trouble of no special kind."""
    return (
        policy.escalation_for("technical") or policy.escalation_for("unresolved") or policy.default_escalation
    )


def hand_over(scene: Scene, escalation: Escalation | None, reason: str) -> ModelReply:
    """Calls the function that brings people in, or says the words and asks for what the call needs."""
    if _wants_to_add(scene):
        return tool_requests(scene, [("file_search", "file_search", {"queries": [scene.policy.adds]})])
    function = scene.handover_function
    words = " ".join([answer.handover_words(escalation, reason), *_added(scene)])
    if function is None or scene.request.tool_choice == "none" or _already_called(scene, function):
        return message(scene, words, escalated=True)
    call = filled_call(scene, function)
    if call.filled.missing:
        return message(scene, f"{words} {answer.asking_for(labels_of(call))}", escalated=True)
    return function_calls(scene, [call])


def _wants_to_add(scene: Scene) -> bool:
    """Whether the instructions want something said with the words that still has to be looked up."""
    searched = scene.talk.outcomes_of("file_search")
    free = scene.request.tool_choice != "none"
    return bool(scene.policy.adds) and free and "file_search" in scene.hosted and not searched


def _added(scene: Scene) -> list[str]:
    """What the instructions want added to the words of handing over, quoted from the documents."""
    if not scene.policy.adds or not scene.talk.hits:
        return []
    evidence = weigh(read_question(scene.policy.adds), scene.talk.hits, most=1)
    return [answer.quoted(evidence, scene.talk.hits, scene.policy)] if evidence.answers else []


def _already_called(scene: Scene, function: Function) -> bool:
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


def labels_of(call: Call) -> list[str]:
    """What a call still needs, in plain words."""
    properties = call.function.schema.get("properties") or {}
    return [Parameter(name, properties.get(name) or {}).label for name in call.filled.missing]
