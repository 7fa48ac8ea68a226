"""Steps of the reference assistant that call functions, or ask for what a call still needs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.server.llms.extractive import answer
from harness.server.llms.extractive.arguments import fill
from harness.server.llms.extractive.functions import Call, calls_asked_for
from harness.server.llms.extractive.meaning import (
    ALONE,
    BESIDE_DOCUMENTS,
    REPORTED,
    gives,
    meant_calls,
    reporting_call,
)
from harness.server.llms.extractive.parameters import Parameter
from harness.server.llms.extractive.people import labels_of, problem_escalation
from harness.server.llms.extractive.requesting import function_calls
from harness.server.llms.extractive.scene import Scene, message
from harness.server.llms.interface import ModelReply
from harness.text import fold


def functions_step(scene: Scene) -> ModelReply | None:
    """The functions that the user asks for are called, or what they still need is asked for."""
    if not scene.functions:
        return None
    calls = calls_asked_for(scene.functions, scene.subject, scene.talk.user_texts[:-1])
    calls = _with_meant(scene, calls) or _reported(scene)
    return _call_or_ask(scene, calls) if calls else None


def _reported(scene: Scene) -> list[Call]:
    """The call for what a message only reports, where it holds everything that the call needs."""
    said = scene.subject
    if not scene.situation.trouble or "?" in said:
        return []
    call = reporting_call(scene.functions, said, REPORTED)
    return [call] if call and gives(call.function, said) else []


def _with_meant(scene: Scene, calls: Sequence[Call]) -> list[Call]:
    """The calls with those that the message means beside them, in other words than the functions' own.

    Beside documents, which might answer as well, only where the message holds what the function needs.
    """
    searches = "file_search" in scene.hosted
    least = BESIDE_DOCUMENTS if searches else ALONE
    known = frozenset(call.function.name for call in calls)
    meant = meant_calls(scene.functions, scene.subject, scene.talk.user_texts[:-1], least, known)
    return [*calls, *(call for call in meant if not (searches and call.filled.missing))]


def _call_or_ask(scene: Scene, calls: Sequence[Call]) -> ModelReply:
    ready = [call for call in calls if not call.filled.missing]
    if ready:
        return function_calls(scene, ready)
    labels = list(dict.fromkeys(label for call in calls for label in labels_of(call)))
    asking = answer.asking_for(labels)
    if scene.policy.escalations and any(call.function.hands_over for call in calls):
        words = answer.handover_words(problem_escalation(scene.policy), "call")
        return message(scene, f"{words} {asking}", escalated=True)
    return message(scene, asking)


def waited_for(scene: Scene) -> ModelReply | None:
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


def _declined(scene: Scene) -> ModelReply | None:
    if re.match(
        r"(?:no|nope|never ?mind|forget it|not now|leave it|cancel that|i(?:'d| would) rather not)\b",
        fold(scene.talk.said),
    ):
        return message(scene, "All right, I won't do that. Is there anything else I can help with?")
    return None


def _open_call(scene: Scene) -> Call | None:
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


def _bare_value(scene: Scene, call: Call) -> str:
    """The message with the missing parameter's name put before it when it is nothing but a value."""
    said = scene.talk.said.strip(" .")
    missing = call.filled.missing
    if len(missing) != 1 or len(said.split()) > 4:
        return scene.talk.said
    parameter = Parameter(missing[0], (call.function.schema.get("properties") or {}).get(missing[0]) or {})
    names = dict.fromkeys((parameter.label, parameter.name.replace("_", " ")))
    return "\n".join([scene.talk.said, *(f"{name}: {said}" for name in names)])
